"""What Sphinx lacks for our pages, as an extension of it; ``docs/site/conf.py`` loads it.

It works on what Sphinx has read, not on Markdown, and so knows code, headings and links from text.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.writers.html5 import HTML5Translator

from publish import addresses, website

_LESSON = re.compile(r"\d\d-")
_NOTEBOOK = re.compile(
    r"[Nn]otebook\s0\d|(?<=[Nn]otebooks\s)0\d"
    r"|(?<=[Nn]otebooks\s0\d\sand\s)0\d|(?<=[Nn]otebooks\s0\d\sto\s)0\d"
)
_NO_TEXT = (
    *(nodes.reference, nodes.title, nodes.thead, nodes.term, addnodes.desc_signature),
    *(nodes.literal, nodes.FixedTextElement, nodes.raw),
)
"""What is in one of these is left alone."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx what to call, and when."""
    app.add_transform(FunctionsFirst)
    app.set_translator("html", Translator)
    app.connect("doctree-resolved", link_words)
    app.connect("html-page-context", name_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Translator(HTML5Translator):
    """Write what Sphinx writes, and of which level the captions in the side bar are."""

    def starttag(self, *where: Any, **attributes: Any) -> str:
        """Open an element."""
        if attributes.get("ROLE") == "heading":
            attributes["aria-level"] = "2"
        return str(super().starttag(*where, **attributes))


class FunctionsFirst(SphinxTransform):
    """Put a module's functions before its classes, which nobody constructs."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Sort what autodoc describes in the source's order."""
        for section in self.document.findall(nodes.section):
            described = [each for each in section if isinstance(each, addnodes.desc)]
            pairs = [(section[section.index(each) - 1], each) for each in described]
            for node in (node for pair in pairs for node in pair):
                section.remove(node)
            for pair in sorted(pairs, key=lambda pair: pair[1]["objtype"] != "function"):
                section += pair


def link_words(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link each "notebook 03" and, in the lesson, the first use of each term of the glossary."""
    lessons = {each[:2]: each for each in app.env.found_docs if _LESSON.match(each)}

    def to_notebook(words: str) -> str:
        lesson = lessons.get(words[-2:], page)
        return "" if lesson == page else app.builder.get_relative_uri(page, lesson)

    _link(doctree, _NOTEBOOK, to_notebook)
    if page in lessons.values():
        # The longest come first: "message broker" is not a broker with a word before it.
        objects = sorted(app.env.domains["std"].get_objects(), key=lambda each: -len(each[0]))
        for term, _, kind, where, place, _ in objects:
            if kind == "term":
                to = f"{app.builder.get_relative_uri(page, where)}#{place}"
                _link(doctree, _words(term), partial(_same, to), term=True)


def name_source(app: Sphinx, page: str, _: str, context: dict[str, Any], read: object) -> None:
    """Let *Edit this page* lead to the file that the page is made from."""
    if read is not None:
        known, file = addresses.read(), website.source_of(page, app.env.doc2path(page).suffix)
        context["theme_source_edit_link"] = addresses.in_repository(known, file, "edit")


def _same(address: str, _: str) -> str:
    return address


def _words(term: str) -> re.Pattern[str]:
    """Return how a term is found: also in the plural, and not in "Amazon Resource Name"."""
    return re.compile(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])".replace(r"\ ", r"\s"))


def _link(
    doctree: nodes.document,
    words: re.Pattern[str],
    address: Callable[[str], str],
    *,
    term: bool = False,
) -> None:
    """Link words of the text to their address, unless that is empty; of a term, the first alone."""
    for text in list(doctree.findall(_is_text)):
        parts: list[nodes.Node] = []
        end = 0
        for found in words.finditer(text):
            if to := address(found[0]):
                parts.append(nodes.Text(text[end : found.start()]))
                link = nodes.reference("", found[0], internal=True, refuri=to)
                link["classes"] = ["term"] if term else []
                parts.append(link)
                end = found.end()
            if term:
                break
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])
            if term:
                return


def _is_text(node: nodes.Node | None) -> bool:
    if not isinstance(node, nodes.Text):
        return False
    while node := node.parent:
        if isinstance(node, _NO_TEXT):
            return False
    return True
