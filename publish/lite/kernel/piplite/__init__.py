"""In place of JupyterLite's own: the site has no package index, and asks no other host."""
