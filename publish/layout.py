"""Lay out what is published, ready to copy: the site with the browser edition, and the post."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from publish import links
from publish.addresses import Addresses

PAGES = "pages"
"""The site's folder: what is in it goes to the base URL."""
BLOG = "blog"
"""The post's folder: what is in it goes into a Jekyll blog's."""
_BLOGS_ADDRESS = "https://blog.invalid/"
"""In place of the blog's own address, which the post does not need to know."""


class NotPublished(Exception):
    """Nothing was laid out; the message says why."""


def check(folder: Path, known: Addresses) -> None:
    """Refuse what would fail only after minutes.

    Args:
        folder: Where everything is to be laid out.
        known: The lesson's addresses.

    Raises:
        NotPublished: the folder holds something, or the site's address is not known.
    """
    if not known.site:
        where = "Say --base-url https://…, or set Site under [project.urls]"
        raise NotPublished(f"Where will the site be? {where} in pyproject.toml.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NotPublished(f"{folder} is not empty. Name a new folder, or empty it.")


def lay_out(folder: Path, known: Addresses, make: Callable[[Path, Path], object]) -> None:
    """Make everything, follow every link, and only then put it into the folder.

    Args:
        folder: As for :func:`check`; it is made where it is not there yet.
        known: As for :func:`check`.
        make: Writes pages and blog into the two new folders that it is given.

    Raises:
        NotPublished: a link leads nowhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as place:
        pages, blog = Path(place, PAGES), Path(place, BLOG)
        make(pages, blog)
        if broken := links.broken({f"{known.site}/": pages, _BLOGS_ADDRESS: blog}):
            raise NotPublished(
                "\n".join(["Nothing was laid out. Links that lead nowhere:", *broken])
            )
        for each in (pages, blog):
            each.rename(folder / each.name)
