"""Run a notebook's cells in this process, as a kernel would, without starting one."""

import ast
import inspect
import sys
from typing import Any

from nbformat import NotebookNode


async def run_notebook(notebook: NotebookNode) -> dict[str, Any]:
    """Run every code cell from top to bottom.

    Returns:
        The value of each cell's last line, by the cell's id; ``None`` where it has none.
    """
    names: dict[str, Any] = {}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    return {cell.id: await _run_cell(cell, names) for cell in code}


async def _run_cell(cell: NotebookNode, names: dict[str, Any]) -> Any:
    *lines, last = ast.parse(cell.source).body
    try:
        if not isinstance(last, ast.Expr):
            return await _run(ast.Module([*lines, last], []), "exec", cell.id, names)
        await _run(ast.Module(lines, []), "exec", cell.id, names)
        return await _run(ast.Expression(last.value), "eval", cell.id, names)
    except Exception as problem:
        if "raises-exception" not in cell.metadata.get("tags", []):
            raise
        sys.last_value = problem  # a kernel keeps it for the next cell, too


async def _run(tree: ast.mod, mode: str, name: str, names: dict[str, Any]) -> Any:
    value = eval(compile(tree, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    return await value if inspect.isawaitable(value) else value
