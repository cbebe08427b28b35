"""How Sphinx builds the site. Nothing in it depends on the machine or on the day."""

import tomllib
import zlib
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.ext.napoleon.docstring import GoogleDocstring

from publish import addresses

_site = addresses.read().site
_about = tomllib.loads(addresses.PROJECT.read_text("utf-8"))["project"]

project = "IoT button tutorial"
release = _about["version"]
language = "en"
extensions = [
    "myst_nb",
    "notfound.extension",
    "publish.pages",
    "publish.search",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxext.opengraph",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
templates_path = ["_templates"]

# The notebooks hold their outputs. No script from elsewhere: the site is read offline.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}

myst_heading_anchors = 3

autosummary_generate_overwrite = False  # the page of the panels is written by hand
# Nobody constructs a class by hand: the functions do. A panel's picture is what the lesson shows.
autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__, __new__, picture"}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
add_module_names = False  # a page has one module, in its title

# A type that leads nowhere is a warning, and so an error. The inventories have only the names that
# the reference needs, as text; Sphinx reads them compressed.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "inventories/python.inv"),
    "boto3": ("https://docs.aws.amazon.com/boto3/latest", "inventories/boto3.inv"),
}
for _name in intersphinx_mapping:
    _file = Path(__file__).with_name("inventories") / f"{_name}.txt"
    _head = f"# Sphinx inventory version 2\n# Project: {_name}\n# Version: \n# By zlib.\n"
    _file.with_suffix(".inv").write_bytes(_head.encode() + zlib.compress(_file.read_bytes()))
nitpicky = True
nitpick_ignore_regex = [
    # What an Account, a button, a panel and a policy have inside; what a certificate's key can be.
    (r"py:class", r"sandbox\..*|DeviceLink|Ledger|helpers\.button\._Connection"),
    (r"py:class", r"helpers\.panels\.\w+\.\w+"),
    (r"py:.*", r"iot_policy\.\w+\.\w+"),
    (r"py:class", r"cryptography\..*"),
]

# Of code, not of what it answered.
copybutton_selector = "div[class*=highlight-]:not(.output, .highlight-text) pre"

html_theme = "furo"
html_theme_options = {"top_of_page_buttons": ["edit"]}
html_title = project
html_context = {"licence": _about["license"]}
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_last_updated_fmt = None
html_static_path = ["_static"]
html_extra_path = ["extra"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_favicon = "_static/button.svg"

# What has to be absolute is said once the site's address is known. The page for an address that is
# not there can be anywhere below it.
html_baseurl = f"{_site}/" if _site else ""
notfound_urls_prefix = f"{urlsplit(_site).path}/"
ogp_site_url = html_baseurl
ogp_image = f"{html_baseurl}_static/preview.png" if _site else ""
ogp_image_alt = "The way of a button's message: TLS, the message broker, the listener."
ogp_social_cards = {"enable": False}  # one picture for all: no font of this machine is in it

# napoleon reads "Whose lesson this is: every …" as a type and its text, and has no setting against
# it. Our attributes have their types as annotations: a docstring is a text from end to end.
GoogleDocstring._consume_inline_attribute = lambda self: ("", self._dedent(self._consume_to_end()))
