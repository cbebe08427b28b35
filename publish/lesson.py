"""Read the committed notebooks, once, for both the post and the site."""

import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from publish import pictures
from publish.notebooks import NOTEBOOKS, ROOT

PANEL = "[Panel: "
"""The text form of every panel begins with this."""
HOW_TO_RUN = "*A panel. Run this cell in JupyterLab, with `./tutorial lab`, to click through it.*"
_SHOWN_BY_PANEL = re.compile(r'<img src="pictures/([^"]+)" alt="([^"]+)"')
IMAGES = "img"
"""The pictures' folder, beside the file that shows them."""


@dataclass(frozen=True)
class Chapter:
    """A notebook, changed so that nothing in it needs a kernel."""

    name: str
    """The notebook's file name without its ending."""
    notebook: NotebookNode


@dataclass
class Lesson:
    """The four notebooks and every picture that they show."""

    chapters: list[Chapter] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)
    """The pictures' contents, by file name."""

    def write_images(self, folder: Path) -> None:
        """Write the pictures into *folder*, which must not exist yet."""
        folder.mkdir()
        for name, content in sorted(self.images.items()):
            (folder / name).write_bytes(content)


def read(folder: Path = ROOT / "notebooks") -> Lesson:
    """Read the notebooks, ready to be rendered.

    Every picture becomes a file and a cell of its own. Of an error, the last line stays. A widget,
    which would need a kernel, is replaced by its picture.

    Args:
        folder: Where the notebooks are; nothing there is executed or changed.
    """
    lesson = Lesson()
    for name in NOTEBOOKS:
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        notebook.cells = [
            shown for cell in notebook.cells for shown in _shown(cell, name, lesson.images)
        ]
        _gather(notebook, folder, lesson.images)
        lesson.chapters.append(Chapter(name, notebook))
    return lesson


def _shown(cell: NotebookNode, name: str, images: dict[str, bytes]) -> list[NotebookNode]:
    """Return a cell and the pictures that follow it; add the pictures' files to *images*."""
    cells = [cell]
    for output in cell.get("outputs", []):
        if "image/svg+xml" in output.get("data", {}):
            file = f"iot-flow{sum('flow' in each for each in images) + 1}.svg"
            images[file] = output.data["image/svg+xml"].encode()
            cells.append(_picture_cell(cell.id, file, _spoken(output)))
        elif _is_panel(output):
            for file, spoken in _SHOWN_BY_PANEL.findall(output.data.get("text/html", "")):
                images[file] = pictures.FOLDER.joinpath(file).read_bytes()
                cells.append(_picture_cell(cell.id, file, unescape(spoken)))
    for picture in pictures.after(name, cell.id):
        images[picture.file] = picture.content()
        cells.append(_picture_cell(picture.name, picture.file, picture.alternative))
        cells[-1].source += f"\n\n*{picture.caption}*"
        cells[-1].source += f"\n\n*{picture.caption}*"
    if any(_is_panel(output) for output in cell.get("outputs", [])):
        cells.append(new_markdown_cell(HOW_TO_RUN, id=f"{cell.id}-how"))
    if cell.cell_type == "code":
        cell.outputs = [_as_text(each) for each in cell.outputs if not _is_drawn(each)]
    return cells


def _gather(notebook: NotebookNode, folder: Path, images: dict[str, bytes]) -> None:
    """Add the pictures of the texts to *images*, and let the texts show them from there."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for file in re.findall(r"\]\(pictures/(.+?)\)", cell.source):
                images[file] = (folder / "pictures" / file).read_bytes()
            cell.source = cell.source.replace("](pictures/", f"]({IMAGES}/")


def _picture_cell(cell_id: str, file: str, alternative: str) -> NotebookNode:
    text = re.sub(r"([\[\]])", r"\\\1", alternative)
    cell: NotebookNode = new_markdown_cell(f"![{text}]({IMAGES}/{file})", id=f"{cell_id}-picture")
    return cell


def _spoken(output: NotebookNode) -> str:
    """Write a drawing's text form on one line, for readers who cannot see the drawing."""
    return re.sub(r"\n(\s*)", lambda gap: ", " if gap[1] else "; ", output.data["text/plain"])


def _is_panel(output: NotebookNode) -> bool:
    return str(output.get("data", {}).get("text/plain", "")).startswith(PANEL)


def _is_drawn(output: NotebookNode) -> bool:
    """Whether a picture takes the place of this output."""
    return "image/svg+xml" in output.get("data", {}) or _is_panel(output)


def _as_text(output: NotebookNode) -> NotebookNode:
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    return output
