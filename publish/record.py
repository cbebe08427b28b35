"""The records of what docs and pictures were made from: ``python -m publish.record`` compares.

Two files, as ``sha256sum`` writes them: a digest, two blanks, and what it is of. One is written by
``./tutorial docs``; the other only when the pictures are taken anew.
"""

import ast
import json
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import nbformat

from publish import addresses, post, shown, way, website
from publish.addresses import Addresses
from publish.lesson import Lesson, read
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT, NotebookError
from publish.pictures import PICTURES

DOCS = ROOT / "docs" / "rendered.sha256"
TAKEN = ROOT / "docs" / "pictures.sha256"
UP_TO_DATE = "The docs and the pictures are up to date."
_MAKERS = (
    post.WORDS,
    post.BUTTON,
    *(ROOT / "publish" / f"{name}.py" for name in ("pages", "search", "website")),
)
"""What post and site are made with, besides what :func:`publish.website.gather` gathers."""
_CAMERA = (ROOT / "publish" / "screenshots.py", ROOT / "lab" / "settings" / "overrides.json")
"""How pictures are taken, and the settings of the JupyterLab in which they are."""
_DRAWN_BY = ("ipywidgets", "jupyterlab", "jupyterlab-widgets")
"""What draws the panels, by the names in requirements.txt."""


def told(lesson: Lesson, known: Addresses) -> str:
    """Say what has changed since docs and pictures were made, and what to do about it.

    Args:
        lesson: The notebooks, as they are rendered.
        known: The lesson's addresses.

    Returns:
        A few lines; nothing if everything is up to date.
    """
    docs = [*addresses.stale(known), *way.stale(), *stale(DOCS, of_docs(lesson, known))]
    found = {
        ("the docs were made", "./tutorial docs"): docs,
        ("the pictures were taken", "./tutorial docs --pictures"): stale(TAKEN, of_pictures()),
    }
    lines: list[str] = []
    for (made, command), names in found.items():
        if names:
            lines += [f"Changed since {made}:", *(f"  {name}" for name in dict.fromkeys(names))]
            lines.append(f"Run {command}, look, and commit.")
    return "\n".join(lines)


def of_docs(lesson: Lesson, known: Addresses) -> dict[str, str]:
    """Return a digest of each thing that post and site are made from, and of the post itself.

    Args:
        lesson: The notebooks, as they are rendered.
        known: The lesson's addresses.
    """
    found = {f"_build/post/_posts/{post.NEW.file_name}": post.render(lesson, known).encode()}
    for name in NOTEBOOKS:
        found |= _of_notebook(name)
    with tempfile.TemporaryDirectory(prefix="iot-source-") as place:
        source = Path(place, "source")
        website.gather(lesson, source)
        for file in _files(source):
            if name := _committed(file.relative_to(source).as_posix()):
                found[name] = file.read_bytes()
    found |= {_name(file): file.read_bytes() for file in _MAKERS}
    for package in ("exercises", "helpers", "iot_policy"):
        for file in (ROOT / package).rglob("*.py"):
            found[f"{_name(file)}, its reference"] = _documented(file.read_text("utf-8")).encode()
    return {name: _digest(content) for name, content in sorted(found.items())}


def of_pictures() -> dict[str, str]:
    """Return a digest of what each picture is taken from: what its panel shows, and the camera."""
    pins = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    drawn_by = [line for line in pins if line.partition("==")[0] in _DRAWN_BY]
    camera = [*drawn_by, *(file.read_text("utf-8") for file in _CAMERA)]
    texts = shown.texts()
    return {
        f"notebooks/pictures/{each.file}": _digest(
            json.dumps([texts[each.file], each.part, each.width, camera]).encode()
        )
        for each in PICTURES
    }


def write(file: Path, digests: dict[str, str]) -> None:
    """Write a record."""
    file.write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()), "utf-8")


def stale(file: Path, digests: dict[str, str]) -> list[str]:
    """List what differs from a record, and what only one of the two has."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    then = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    names = sorted(then.keys() | digests.keys())
    return [name for name in names if then.get(name) != digests.get(name)]


def _of_notebook(name: str) -> dict[str, bytes]:
    """Take a notebook apart, so that a change is named by its kind."""
    cells = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    parts = {
        "text": {cell.id: cell.source for cell in cells if cell not in code},
        "code": {cell.id: cell.source for cell in code},
        "outputs": {cell.id: cell.outputs for cell in code},
        "tags": {cell.id: cell.metadata for cell in cells},
        "order of cells": [cell.id for cell in cells],
    }
    return {
        f"notebooks/{name}.ipynb, {part}": json.dumps(its, sort_keys=True).encode()
        for part, its in parts.items()
    }


def _committed(name: str) -> str:
    """Return which file of the repository became this one of the site's; empty if none did."""
    if name.endswith(".ipynb"):
        return ""
    kept = website.PAGES.get(name.removesuffix(".md"))
    places = [f"docs/site/{name}", f"notebooks/pictures/{Path(name).name}"]
    return kept or next((each for each in places if (ROOT / each).exists()), "")


def _documented(source: str) -> str:
    """Return what the reference can show of a module: all but the bodies of its functions."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            begin = first.end_lineno if ast.get_docstring(node) is not None else first.lineno - 1
            lines[begin : node.end_lineno] = [""] * ((node.end_lineno or 0) - (begin or 0))
    return "\n".join(line for line in lines if line)


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _digest(content: bytes) -> str:
    """Return a digest. Line ends do not count: git may check texts out with others."""
    return sha256(content.replace(b"\r\n", b"\n")).hexdigest()


if __name__ == "__main__":
    try:
        print(told(read(), addresses.read()) or UP_TO_DATE)
    except NotebookError as error:  # as of a click that leads nowhere any more
        sys.exit(str(error))
