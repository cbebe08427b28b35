"""The lesson in JupyterLab, on a copy that is the learner's own."""
