"""What the site shows: the lesson's notebooks, and what is said where a page differs."""

import json
from pathlib import Path

import nbformat

from lab.copies import as_new, lesson
from publish.notebooks import FOLDER

SENTENCES = {
    "01-thing": {
        "connect": "a real account needs the installed lesson, for a page may not ask AWS.",
    },
    "03-certificate": {
        "files-there": "the files lie in this browser, on this device; a page has no file modes. "
        "*File > Download my work* saves them.",
        "endpoint": "there is no TLS, for nothing leaves the page. The device proves that it has "
        "its key: it signs what the broker sends it.",
    },
    "04-closing": {
        "press": "the message goes through the page's own memory, without TLS.",
        "button-form": "there is no shell, so no `mosquitto_pub` and no AWS CLI. "
        "The installed lesson has both.",
    },
}
"""One sentence behind a named cell, where a page differs from an installed lesson."""
MARK = "*In the browser:* "
KERNEL = {"display_name": "Python", "language": "python", "name": "python"}


def notebook(file: Path) -> str:
    """Return a committed notebook as the site has it: its kernel, and the sentences behind cells.

    Raises:
        KeyError: a cell that a sentence is for is not there.
    """
    read = nbformat.reads(as_new(file), as_version=4)
    read.metadata.kernelspec = KERNEL
    places = {cell.id: at for at, cell in enumerate(read.cells)}
    for cell, sentence in reversed(SENTENCES.get(file.stem, {}).items()):
        said = nbformat.v4.new_markdown_cell(MARK + sentence, id=f"browser-{cell}")
        read.cells.insert(places[cell] + 1, said)
    for cell in read.cells:
        if cell.cell_type == "code":
            cell.metadata["trusted"] = True
    return json.dumps(read, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write(folder: Path) -> None:
    """Write the lesson's notebooks, pages and pictures into *folder*."""
    for file in lesson(FOLDER):
        target = folder / file.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".ipynb":
            target.write_text(notebook(file), "utf-8")
        else:
            target.write_bytes(file.read_bytes())
