"""The lesson in a browser alone: a static site, with Python and the sandbox in the page."""
