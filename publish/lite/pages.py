"""What the site shows: the lesson's notebooks, and what is said where a page differs."""

import json
from pathlib import Path

import nbformat

from lab.copies import lesson
from publish.notebooks import FOLDER

SENTENCES = {
    "01-thing": {
        "connect": "A real account needs [the installed lesson](troubleshooting.md): "
        "a page may not call AWS."
    },
    "03-certificate": {
        "files-there": "These files lie in this browser, on this device, and in no folder of it; "
        "*File > Download my work* gets them. A page has no file modes.",
        "endpoint": "There is no TLS here: nothing leaves the page. The device proves that it has its "
        "private key by signing a challenge.",
    },
    "04-closing": {
        "press": "The message goes through the page's own memory: no TLS, no network.",
        "button-form": "`mosquitto_pub` and the AWS CLI need the installed lesson: a page has no shell.",
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
    read = nbformat.read(file, as_version=4)
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
