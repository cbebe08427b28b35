"""Follow every link between the pages that are published: each has to lead somewhere."""

from collections.abc import Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urldefrag, urljoin, urlsplit

from markdown_it import MarkdownIt

LEAD = {"href", "src", "poster", "data"}
"""The attributes that hold an address."""
OPENS = "lab/index.html"
"""The browser edition's page that opens the notebook which its address names."""


def broken(places: Mapping[str, Path]) -> list[str]:
    """List the links that lead nowhere, each with the page that it is on.

    Args:
        places: The folder behind each address; an address ends in ``/``. A link is internal if it
            is relative, or leads to the host of one of them.

    Returns:
        Lines such as ``blog/_posts/a.md: /img/b.png is not there``, in the order of the pages.
    """
    hosts = {urlsplit(address).netloc for address in places}
    found = []
    for home, folder in places.items():
        for page in sorted(each for each in folder.rglob("*") if each.suffix in (".html", ".md")):
            name = page.relative_to(folder).as_posix()
            for link in _read(page).links:
                target = urljoin(home + name, link)
                if urlsplit(target).netloc in hosts and (problem := _problem(target, places)):
                    found.append(f"{folder.name}/{name}: {link} {problem}")
    return found


def _problem(target: str, places: Mapping[str, Path]) -> str:
    """Say what is wrong with an internal address; nothing if it leads somewhere."""
    address, place = urldefrag(target)
    inside = [home for home in places if f"{address.partition('?')[0]}/".startswith(home)]
    if not inside:
        return "leads out of what is published"
    home = max(inside, key=len)
    parts = urlsplit(address)
    path = unquote(parts.path)[len(urlsplit(home).path) :]
    file = places[home] / path
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        return "is not there"
    if path.endswith(OPENS):
        folder = file.parent.parent / "files"
        missing = [
            each for each in parse_qs(parts.query).get("path", []) if not (folder / each).is_file()
        ]
        return f"opens {missing[0]}, which is not there" if missing else ""
    if place and file.suffix == ".html" and unquote(place) not in _read(file).places:
        return "names a place that the page does not have"
    return ""


class _Page(HTMLParser):
    """What an HTML page links to, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's addresses and its name."""
        for name, value in attrs:
            if value and name in LEAD:
                self.links.append(value)
            elif value and (name == "id" or (name, tag) == ("name", "a")):
                self.places.add(value)


@cache
def _read(file: Path) -> _Page:
    text = file.read_text("utf-8")
    return _Page(MarkdownIt().enable("table").render(text) if file.suffix == ".md" else text)
