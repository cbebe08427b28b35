"""How Sphinx builds the site. Nothing in it depends on the machine or on the day."""

from sphinx.ext.napoleon.docstring import GoogleDocstring

project = "IoT button tutorial"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}

# The notebooks hold their outputs. No script from elsewhere: the site is read offline.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}

myst_heading_anchors = 3

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
maximum_signature_line_length = 60

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_last_updated_fmt = None
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/button.svg"

# napoleon reads "Whose lesson this is: every …" as a type and its text, and has no setting against
# it. Our attributes have their types as annotations: a docstring is a text from end to end.
GoogleDocstring._consume_inline_attribute = lambda self: ("", self._dedent(self._consume_to_end()))
