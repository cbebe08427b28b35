"""What the pictures' panels show, as text: a picture is stale when this has changed."""

import asyncio
import json
from itertools import chain
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from publish.canonical import sanitize
from publish.notebooks import NOTEBOOKS, ROOT, execute, workplace
from publish.pictures import PICTURES, Picture

_NEVER_SEEN = ("_model", "_view", "msg_id", "tooltip")
"""How the names begin of what a widget holds and no picture shows."""
_PATIENCE = 20.0
"""Seconds until a click has led to what a picture shows."""


def texts() -> dict[str, str]:
    """Return for each picture's file what is to be seen on it, style included, without a browser.

    The notebooks run in one kernel, the sandbox inside it; each panel is clicked by its widgets.

    Raises:
        NotebookError: a cell failed, or a click did not lead to what the picture is to show.
    """
    with workplace(inside=True) as (folder, env):
        read = [nbformat.read(folder / f"{name}.ipynb", as_version=4) for name in NOTEBOOKS]
        cells = chain(*map(_with_looks, NOTEBOOKS, read))
        notebook = new_notebook(cells=list(cells))
        execute(notebook, folder, env | {"PYTHONPATH": str(ROOT)})
    looks = [cell for cell in notebook.cells if cell.id.startswith("look-")]
    return {
        picture.file: sanitize("".join(output.text for output in cell.outputs))
        for picture, cell in zip(PICTURES, looks, strict=True)
    }


def _with_looks(name: str, notebook: NotebookNode) -> list[NotebookNode]:
    """Return a notebook's cells of code, up to its last picture, a look behind each panel's."""
    code = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    ours = [picture for picture in PICTURES if picture.notebook == name]
    cells: list[NotebookNode] = []
    for at, cell in code.items():
        looks = [picture for picture in ours if picture.cell == at]
        cells += [cell, new_code_cell("_panel = Out[max(Out)]")] if looks else [cell]
        for picture in looks:
            cells += [new_code_cell(code[each].source) for each in picture.first]
            cells.append(new_code_cell(_look(picture), id=f"look-{picture.name}"))
        if looks and looks[-1] == ours[-1]:
            break
    for cell in code.values():
        cell.id = f"{name}-{cell.id}"
    return cells


def _look(picture: Picture) -> str:
    asked = f"{picture.clicks!r}, {picture.until!r}"
    return f"from publish import shown\n\nprint(await shown.after(_panel.view, {asked}))"


async def after(view: Any, clicks: tuple[str, ...], until: str) -> str:
    """Click in a panel, in its own kernel, and return what it shows then.

    Args:
        view: The widget that holds all of the panel.
        clicks: As a picture has them.
        until: As a picture has it.
    """
    async with asyncio.timeout(_PATIENCE):
        for text in clicks:
            while not (button := _button(view, text)):
                await asyncio.sleep(0.05)
            button.click()
        while until not in (seen := _text(view)) or "iot-says iot-under-way" in seen:
            await asyncio.sleep(0.05)
    return seen


def _text(view: Any) -> str:
    return json.dumps(_seen(view), ensure_ascii=False)


def _button(view: Any, text: str) -> Any:
    if getattr(view, "description", "") == text and not view.disabled:
        return view
    return next(filter(None, (_button(each, text) for each in getattr(view, "children", ()))), None)


def _seen(widget: Any) -> dict[str, Any]:
    """Return what a widget shows, and what those inside it show: all that is not a default."""
    seen: dict[str, Any] = {"is": type(widget).__name__}
    for name in sorted(widget.get_state(drop_defaults=True)):
        value = getattr(widget, name)
        if name == "children":
            seen[name] = [_seen(each) for each in value]
        elif hasattr(value, "get_state"):
            seen[name] = _seen(value)
        elif not name.startswith(_NEVER_SEEN):
            seen[name] = value
    return seen
