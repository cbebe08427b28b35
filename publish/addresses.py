"""The lesson's addresses, and what README, the notebooks, the site and the post say with them.

They stand in pyproject.toml, under ``[project.urls]``, and nowhere else; each may be missing, and
then nothing is said of it. ``python -m publish.addresses`` writes what README and the notebooks
say; ``--check`` only tells what is not as it would write it.
"""

import argparse
import os
import re
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

PROJECT = ROOT / "pyproject.toml"
README = ROOT / "README.md"
BASE_URL = "IOT_LESSON_BASE_URL"
"""A variable of the environment, which Sphinx's process inherits: where site and browser edition
will be, whatever the setting says."""
EDITION = "browser"
"""The browser edition's folder in the site's, and the end of its address."""
BRANCH = "main"
"""Colab's documentation opens a notebook by its branch; Binder knows HEAD, the default one."""
_BADGES = {
    "in the browser": "https://jupyterlite.rtfd.io/en/latest/_static/badge.svg",
    "on Binder": "https://mybinder.org/badge_logo.svg",
    "on Colab": "https://colab.research.google.com/assets/colab-badge.svg",
}
_BLOCK = re.compile(r"(<!-- addresses: [^\n]* -->\n).*?(?=<!-- end of addresses -->)", re.S)
_LINES = re.compile(r"^# Is 'helpers' missing, .*\n|^\*Open it\*: .*\n\n", re.M)
"""What :func:`in_notebook` adds: a line of the first cell of code, a paragraph under the title."""
_ADDRESS = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(/[\w.~%/-]*)?", re.ASCII)
_REPOSITORY = re.compile(r"https://[^/]+/[\w.-]+/[\w.-]+(?<!\.git)", re.ASCII)


class AddressError(Exception):
    """An address cannot be used; the message says which one, and what it has to be."""


@dataclass(frozen=True)
class Addresses:
    """Where the lesson is to be had; empty where that is not known."""

    repository: str = ""
    """Of the source: a code host's address for its owner and name."""
    site: str = ""
    """Of the site that ``./tutorial docs`` makes."""
    browser: str = ""
    """Of the browser edition that ``./tutorial browser`` makes."""
    original: str = ""
    """Of the post of 2017 that the lesson follows."""


def read(project: Path = PROJECT) -> Addresses:
    """Read the addresses from a pyproject.toml; :data:`BASE_URL` goes before what it says.

    Raises:
        AddressError: one of them is not one, or has a name that nobody asks for.
    """
    known = [each.capitalize() for each in Addresses.__dataclass_fields__]
    given = tomllib.loads(project.read_text("utf-8"))["project"].get("urls", {})
    if base := os.environ.get(BASE_URL, "").rstrip("/"):
        given |= {"Site": base, "Browser": f"{base}/{EDITION}"}
    for name, address in given.items():
        if name not in known:
            raise AddressError(f"[project.urls] has {name!r}; it may have {', '.join(known)}.")
        if address and not _ADDRESS.fullmatch(str(address)):
            raise AddressError(f"[project.urls] {name}: {address!r} is no https:// address.")
        if name == "Repository" and address and not _REPOSITORY.fullmatch(address):
            form = "https://code.host/owner/name, without .git"
            raise AddressError(f"[project.urls] {name}: {address!r} is not like {form}.")
    return Addresses(**{name.lower(): address.rstrip("/") for name, address in given.items()})


def ways(known: Addresses, notebook: str = NOTEBOOKS[0]) -> dict[str, str]:
    """Return where a notebook can be opened without an installation, by the words for it.

    Sources: https://jupyterlite.readthedocs.io/en/stable/howto/configure/urls.html,
    https://repo2docker.readthedocs.io/en/latest/howto/user_interface.html (for Binder),
    https://colab.research.google.com/github/googlecolab/colabtools/blob/main/notebooks/colab-github-demo.ipynb
    """
    found = {}
    if known.browser:
        found["in the browser"] = f"{known.browser}/lab/index.html?path={notebook}.ipynb"
    host, _, name = known.repository.removeprefix("https://").partition("/")
    if host == "github.com":  # Colab opens notebooks from nowhere else
        file = f"notebooks/{notebook}.ipynb"
        found["on Binder"] = f"https://mybinder.org/v2/gh/{name}/HEAD?urlpath=lab/tree/{file}"
        found["on Colab"] = f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{file}"
    return found


def in_readme(known: Addresses) -> str:
    """Return README's paragraphs on how to start without an installation."""
    start = f"[open the lesson]({known.browser})."
    if not known.browser:
        start = (
            "`./tutorial browser --serve` builds it and serves it on this machine. Building takes "
            "Python and npm; opening it takes nothing."
        )
    badges = [
        f"[![Open the lesson {words}]({_BADGES[words]})]({address})"
        for words, address in ways(known).items()
    ]
    clone = f"`git clone {known.repository}` gets the folder that the commands below need."
    parts = [
        f"**In a browser alone**, on any system, with nothing installed: {start}",
        " ".join(badges),
        clone if known.repository else "",
        _links(known),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def in_notebook(notebook: NotebookNode, name: str, known: Addresses) -> None:
    """Put into a notebook where else it can be opened, and how it gets its helpers.

    The words are links and no pictures: a notebook that is opened asks no other machine for any.
    """
    opened = " · ".join(f"[{words}]({address})" for words, address in ways(known, name).items())
    title = next(cell for cell in notebook.cells if cell.id == "title")
    title.source = without_addresses(title.source)
    if opened:
        title.source = title.source.replace("\n\n", f"\n\n*Open it*: {opened}\n\n", 1)
    # PyPI has another package of that name, which an ImportError is about. Of either error,
    # IPython shows the lines around the import: this one is among them.
    source = f"git+{known.repository}" if known.repository else ".."
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = (
        "# Is 'helpers' missing, or another package? Restart the kernel after "
        f"%pip install {source}\n{without_addresses(first.source)}"
    )


def in_post(known: Addresses) -> str:
    """Return how a reader of the post starts; where an address is missing, with what is there."""
    opened = [f"[open the lesson {words}]({address})" for words, address in ways(known).items()]
    read = [f"[read the lesson]({known.site}), with every answer"] if known.site else []
    parts = [f"**Start now**, with nothing to install: {each}." for each in (opened + read)[:1]]
    begin = "Or on your own machine" if parts else "**Start now**, on your own machine"
    lines = ["./tutorial lab"]
    folder = "in the lesson's folder"
    if known.repository:
        folder = f"from [the lesson's repository]({known.repository})"
        lines = [f"git clone {known.repository}", f"cd {known.repository.split('/')[-1]}", *lines]
    typed = "\n".join(lines)
    begin += f", with Python 3.11 or newer, {folder}:"
    return "\n\n".join([*parts, begin, f"```sh\n{typed}\n```"])


def on_site(known: Addresses) -> str:
    """Return the links of the site's first page."""
    start = f"**[Start in the browser]({known.browser})**" if known.browser else ""
    return "\n\n".join(filter(None, [start, _links(replace(known, site=""))]))


def on_lesson_page(notebook: NotebookNode, name: str, known: Addresses) -> None:
    """Put under a notebook's title, on the site, where it can be opened, and the file itself."""
    links = [f'<a href="{to}">Open {words}</a>' for words, to in ways(known, name).items()]
    links.append(f'<a href="notebooks/{name}.ipynb" download>Download the notebook</a>')
    title = next(cell for cell in notebook.cells if cell.id == "title")
    row = f'<p class="ways">{" ".join(links)}</p>'.replace("&", "&amp;")
    title.source = without_addresses(title.source).replace("\n\n", f"\n\n{row}\n\n", 1)


def in_repository(known: Addresses, file: str, page: str) -> str:
    """Return the address of a file's page, empty where it is not known.

    Args:
        known: Where the repository is; of other hosts than GitHub, the form is not known.
        file: Its path from the repository's root.
        page: ``blob`` to read it, ``edit`` to change it.
    """
    on_github = known.repository.startswith("https://github.com/")
    return f"{known.repository}/{page}/{BRANCH}/{file}" if on_github else ""


def _links(known: Addresses) -> str:
    named = {
        "the source": known.repository,
        "the lesson as a site": known.site,
        "the original post": known.original,
    }
    return " · ".join(f"[{words}]({address})" for words, address in named.items() if address)


def put(text: str, paragraphs: str) -> str:
    r"""Put paragraphs where a text has ``<!-- addresses -->``; if there are none, no gap stays.

    >>> put("One.\n\n<!-- addresses -->\n\nTwo.", "")
    'One.\n\nTwo.'
    """
    return text.replace("<!-- addresses -->\n\n", f"{paragraphs}\n\n" if paragraphs else "")


def without_addresses(source: str) -> str:
    """Return a cell's text without what :func:`in_notebook` puts there."""
    return _LINES.sub("", source)


def texts(known: Addresses) -> dict[Path, str]:
    """Return what README and the notebooks have to be, by their files.

    Raises:
        AddressError: README has no place for it.
    """
    block = in_readme(known)
    text, places = _BLOCK.subn(lambda old: old[1] + block, README.read_text("utf-8"))
    if places != 1:
        raise AddressError("README.md has no lines <!-- addresses: … --> and <!-- end of … -->.")
    found = {README: text}
    for name in NOTEBOOKS:
        file = FOLDER / f"{name}.ipynb"
        notebook = nbformat.read(file, as_version=4)
        in_notebook(notebook, name, known)
        found[file] = nbformat.writes(notebook) + "\n"
    return found


def stale(known: Addresses) -> list[str]:
    """List the files that do not say what the addresses are."""
    return [
        file.relative_to(ROOT).as_posix()
        for file, text in texts(known).items()
        if file.read_text("utf-8") != text
    ]


def write(known: Addresses) -> None:
    """Write README's block and the notebooks' lines."""
    for file, text in texts(known).items():
        if file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


def main() -> None:
    """Write, or check, what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m publish.addresses", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    check = parser.parse_args().check
    try:
        known = read()
        names = stale(known)
        if not check:
            write(known)
    except AddressError as error:
        sys.exit(str(error))
    print(f"{'stale' if check else 'changed'}: {', '.join(names) or 'nothing'}")
    sys.exit(1 if check and names else 0)


if __name__ == "__main__":
    main()
