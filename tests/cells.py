"""Run a notebook's cells in this process, as a kernel would, without starting one."""

import ast
import copy
import inspect
import re
import sys
from typing import Any

from nbformat import NotebookNode

from publish.times import exercises

STUB = re.compile(r"\n(\.\.\.|# [Yy]our .*)$")
"""Where a learner's own lines go: the last line of an exercise's cell."""


class Kernel:
    """What a kernel keeps from cell to cell: the names, and the last error."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        for kept in ("last_type", "last_value", "last_traceback"):
            if hasattr(sys, kept):
                delattr(sys, kept)

    async def run(self, cell: NotebookNode) -> Any:
        """Run one cell; return the value of its last line, ``None`` where it has none.

        Raises:
            Exception: what the cell raised. It is in ``sys.last_value`` for the next cell, too.
        """
        *lines, last = ast.parse(cell.source or "pass").body
        try:
            if not isinstance(last, ast.Expr):
                return await self._run(ast.Module([*lines, last], []), "exec", cell.id)
            await self._run(ast.Module(lines, []), "exec", cell.id)
            return await self._run(ast.Expression(last.value), "eval", cell.id)
        except Exception as problem:
            sys.last_type, sys.last_value = type(problem), problem
            sys.last_traceback = problem.__traceback__
            raise

    async def _run(self, tree: ast.mod, mode: str, name: str) -> Any:
        code = compile(tree, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        value = eval(code, self.names)
        return await value if inspect.isawaitable(value) else value


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """List the cells that can be run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def promises_an_error(cell: NotebookNode) -> bool:
    """Whether the lesson says beforehand that this cell ends in an error."""
    return "raises-exception" in cell.metadata.get("tags", [])


def promised(cell: NotebookNode) -> list[str]:
    """The errors that a cell shows as committed."""
    return [output.ename for output in cell.outputs if output.output_type == "error"]


def with_answers(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with each exercise's folded answer in the place of its stub."""
    result = copy.deepcopy(notebook)
    cells = {cell.id: cell for cell in result.cells}
    for exercise in exercises(notebook):
        found = re.search(
            r"<summary>Answer</summary>\n\n```python\n(.*?)```",
            cells[f"{exercise}-answer"].source,
            re.S,
        )
        assert found, exercise
        stub = cells[exercise]
        place = STUB.search(stub.source)
        assert place, stub.source
        stub.source = stub.source[: place.start() + 1] + found[1].rstrip()
    return result


async def run_notebook(notebook: NotebookNode) -> dict[str, Any]:
    """Run every code cell from top to bottom.

    Returns:
        The value of each cell's last line, by the cell's id; ``None`` where it has none.
    """
    kernel, values = Kernel(), {}
    assert code_cells(notebook)
    for cell in code_cells(notebook):
        try:
            values[cell.id] = await kernel.run(cell)
        except Exception as problem:
            if type(problem).__name__ not in promised(cell):
                raise
            values[cell.id] = None
    return values
