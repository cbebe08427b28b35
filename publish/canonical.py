"""The one form in which notebooks are committed: the same bytes, whoever ran them and whenever."""

import copy
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns

SANITIZE = Path(__file__).with_name("sanitize.cfg")
PATTERNS = get_sanitize_patterns(SANITIZE.read_text("utf-8"))
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
OF_ONE_RUN = ("ExecuteTime", "collapsed", "execution", "scrolled", "trusted")
"""Cell metadata that a run or a user interface leaves behind; tags and the like stay."""
COUNT = 1
"""The count of every cell that has run, so that a new cell changes no other; nbval wants one."""
OF_ONE_WIDGET = "application/vnd.jupyter.widget-view+json"
"""The MIME type of an output that needs a live widget; its text form stays."""


def canonical(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook as it is committed, with nothing of this run alone.

    Args:
        notebook: An executed notebook of format 4; it is left as it is.
    """
    result = copy.deepcopy(notebook)
    result.metadata = NotebookNode(kernelspec=NotebookNode(KERNELSPEC))
    for cell in result.cells:
        cell.metadata = NotebookNode(
            {name: value for name, value in cell.metadata.items() if name not in OF_ONE_RUN}
        )
        if cell.cell_type == "code":
            cell.execution_count = COUNT if cell.source.strip() else None
            cell.outputs = [_canonical_output(output) for output in merged(cell.outputs)]
    return result


def merged(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring outputs of one stream: where they are split depends on timing."""
    result: list[NotebookNode] = []
    for output in copy.deepcopy(list(outputs)):
        last = result[-1] if result else None
        if last and "name" in output and output.name == last.get("name"):
            last.text += output.text
        else:
            result.append(output)
    return result


def sanitize(value: Any) -> Any:
    """Replace what sanitize.cfg lists, in a text or in every text of a JSON value.

    >>> sanitize("http://127.0.0.1:41234")
    'http://127.0.0.1:5000'
    """
    if isinstance(value, dict):
        return NotebookNode({name: sanitize(item) for name, item in value.items()})
    if isinstance(value, list):
        return [sanitize(item) for item in value]
    if isinstance(value, str):
        for regex, replacement in PATTERNS:
            value = re.sub(regex, replacement, value)
    return value


def _canonical_output(output: NotebookNode) -> NotebookNode:
    result: NotebookNode = sanitize(output)
    if "execution_count" in result:
        result.execution_count = COUNT
    if "data" in result:
        result.data.pop(OF_ONE_WIDGET, None)
    if result.output_type == "error":
        # The frames show IPython's own files and colours; the last line is what is taught.
        result.traceback = [f"{result.ename}: {result.evalue}"]
    return result
