"""What the site's search looks through: each section of each page, with its own address.

An extension of Sphinx; ``docs/site/conf.py`` loads it. ``docs/site/_static/search.js`` ranks the
sections, in the reader's browser.
"""

import json
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.filter import SoupStrainer
from sphinx.application import Sphinx

from publish.notebooks import NOTEBOOKS

INDEX = "search-index.js"
"""A script, not JSON: a browser loads one from a folder, too, where nothing serves it."""
_SPHINXS_OWN = ("searchindex.js", "_static/searchtools.js")
_WEIGHTS = dict.fromkeys((*NOTEBOOKS, "troubleshooting", "glossary"), 1.2)
_WEIGHTS |= {"reference": 0.4, "changelog": 0.3, "decisions": 0.3}
"""How much a page counts, by the first part of its address; any other 1."""
_NO_PAGES = ("404.html", "genindex.html", "search.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx what to call, and when."""
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _finish(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        write(Path(app.outdir))


def write(site: Path) -> None:
    """Write the index of a site that Sphinx has built, in place of Sphinx's own."""
    pages = [page for page in sorted(site.rglob("*.html")) if page.name not in _NO_PAGES]
    found = [
        section
        for page in pages
        for section in sections(page.read_text("utf-8"), page.relative_to(site).as_posix())
    ]
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in found)
    (site / INDEX).write_text(f"const SECTIONS = [\n{lines}\n];\n", "utf-8")
    for name in _SPHINXS_OWN:
        (site / name).unlink()


def sections(html: str, address: str) -> list[dict[str, Any]]:
    """Read a page's sections, and the terms and functions that it explains, in its order.

    Each has its own text, without what is inside it and has an address itself.

    Args:
        html: The page as Sphinx wrote it.
        address: The page's, from the site's first folder.
    """
    article = BeautifulSoup(html, "html.parser", parse_only=SoupStrainer("article")).article
    if article is None:
        return []
    for each in article.select(".headerlink, .ways, script, style"):
        each.decompose()
    weight = _WEIGHTS.get(address.split("/")[0].removesuffix(".html"), 1)
    page = _text(article.h1)
    symptoms = _symptoms(article)
    found = []
    # From the inside out: what has been read is taken out of what it stands in.
    for place in reversed(article.select("section[id], dt[id]")):
        name = str(place["id"])
        is_code = "sig" in place.get_attribute_list("class")
        meaning = place.find_next_sibling("dd") if place.name == "dt" else None
        heading = place if place.name == "dt" else place.find(["h1", "h2", "h3"])
        title = name if is_code else _text(heading)
        if heading is not None and not is_code:
            heading.clear()
        found.append(
            {
                "address": f"{address}#{name}",
                "page": page,
                "title": title,
                "symptoms": symptoms.get(name, ""),
                "text": f"{_text(place)} {_text(meaning)}".strip(),
                "weight": weight,
            }
        )
        before = place.find_previous_sibling()
        if meaning is not None and (before is None or before.name != "dt"):  # else of two terms
            meaning.extract()
        place.extract()
    return found[::-1]


def _symptoms(article: Tag) -> dict[str, str]:
    """Take the rows out that only say, of some words, where to read; return the words by place."""
    found: dict[str, str] = {}
    for link in article.select("td:last-child a[href^='#']"):
        row = link.find_parent("tr")
        if row is not None and _text(link) == _text(row.select("td")[-1]):
            place = str(link["href"]).removeprefix("#")
            found[place] = f"{found.get(place, '')} {_text(row.td)}".strip()
            row.decompose()
    return found


def _text(tag: Any) -> str:
    """Return a tag's text on one line; none of no tag."""
    return "" if tag is None else " ".join(tag.get_text().split())
