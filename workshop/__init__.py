"""A class on one machine: a JupyterHub, one sandbox for all, and the teacher's board."""
