"""Run the notebooks against a fresh sandbox and write them back, outputs and all, in one form.

``python -m publish.notebooks`` writes what changed; with ``--check`` it writes nothing, shows what
differs and fails.
"""

import argparse
import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from publish.canonical import canonical
from sandbox import process

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
NOTEBOOKS = ("01-thing", "02-policy", "03-certificate", "04-closing")


class NotebookError(Exception):
    """A notebook cannot be published; the message names the cell and the reason."""


@contextmanager
def workplace(*, inside: bool = False) -> Iterator[tuple[Path, dict[str, str]]]:
    """Copy the notebooks into a new folder with a sandbox of its own; a learner's keys stay safe.

    Args:
        inside: Whether the sandbox is to run in each kernel, as in a browser; else in a process.

    Yields:
        The folder to run in, and the environment to run with.
    """
    with tempfile.TemporaryDirectory(prefix="iot-") as place:
        folder, state = Path(place, "notebooks"), Path(place, "state")
        shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("keys", ".*"))
        ours = {name: text for name, text in os.environ.items() if "IOT_TUTORIAL" not in name}
        try:
            way = {"IOT_TUTORIAL_SANDBOX": "inside" if inside else "process"}
            yield folder, ours | way | {"IOT_TUTORIAL_STATE_DIR": str(state)}
        finally:
            process.stop(state)


def execute(notebook: NotebookNode, folder: Path, env: dict[str, str]) -> None:
    """Run every cell in *folder* and fill in its outputs.

    Raises:
        NotebookError: a cell failed, ran for over a minute or ended its kernel.
    """
    running: dict[str, Any] = {}
    # Over TCP, ipykernel would print a notice about encryption into the outputs.
    sockets = {"transport": "ipc", "connection_file": str(folder / ".kernel.json")}
    client = NotebookClient(
        notebook,
        timeout=60,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=running.update,
        config=Config(KernelManager=sockets),
    )
    try:
        client.execute(env=env)
    except CellExecutionError as error:
        raise NotebookError(f"{place(running['cell'])}: {error.ename}: {error.evalue}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(f"{place(running['cell'])}: {error}") from None


def place(cell: NotebookNode) -> str:
    """Name a cell as a reader finds it: by its id and its first line."""
    return f"cell {cell.id} ({cell.source.strip().splitlines()[0]})"


def check_outputs(notebook: NotebookNode) -> None:
    """Raise an error if an executed notebook shows what it must not.

    Raises:
        NotebookError: a cell wrote to stderr, or promised an exception and raised none.
    """
    for cell in notebook.cells:
        kinds = {output.get("name", output.output_type) for output in cell.get("outputs", [])}
        if "stderr" in kinds:
            raise NotebookError(f"{place(cell)} writes to stderr: a lesson's cell does not warn")
        if "raises-exception" in cell.metadata.get("tags", []) and "error" not in kinds:
            raise NotebookError(f"{place(cell)} is tagged raises-exception and raised nothing")


def run(*, inside: bool = False) -> dict[str, str]:
    """Run the four notebooks in sequence on one fresh sandbox.

    Args:
        inside: Whether the sandbox is to run in each kernel, as in a browser; else in a process.

    Returns:
        The canonical text of each notebook, by its file's name.

    Raises:
        NotebookError: one cannot be published; the ones after it did not run.
    """
    result = {}
    with workplace(inside=inside) as (folder, env):
        for number, name in enumerate(NOTEBOOKS, start=1):
            print(f"notebook {number} of {len(NOTEBOOKS)}: {name}", flush=True)
            notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
            try:
                execute(notebook, folder, env)
                check_outputs(notebook)
            except NotebookError as error:
                raise NotebookError(f"{name}, {error}") from None
            result[f"{name}.ipynb"] = nbformat.writes(canonical(notebook)) + "\n"
    return result


def tell_what_is_stale() -> None:
    """Print which docs and pictures the notebooks, or what they use, have outrun."""
    subprocess.run([sys.executable, "-m", "publish.record"], cwd=ROOT)


def _changed(committed: str, fresh: str) -> list[str]:
    """List the cells, by their ids, that show something else than is committed."""
    before, after = (
        {cell.id: cell.get("outputs") for cell in nbformat.reads(text, as_version=4).cells}
        for text in (committed, fresh)
    )
    return [each for each in after if after[each] != before.get(each)]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="./tutorial notebooks", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    try:
        fresh = run()
    except NotebookError as error:
        sys.exit(f"{error}\nNothing was written.")
    committed = {name: FOLDER.joinpath(name).read_text("utf-8") for name in fresh}
    stale = [name for name in fresh if fresh[name] != committed[name]]
    for name in stale:
        if check:
            sides = committed[name].splitlines(), fresh[name].splitlines()
            print(*difflib.unified_diff(*sides, name, "a fresh run", n=1, lineterm=""), sep="\n")
        else:
            FOLDER.joinpath(name).write_text(fresh[name], "utf-8")
        cells = _changed(committed[name], fresh[name])
        print(f"{name}: other outputs of {', '.join(cells)}" if cells else f"{name}: another form")
    if not stale:
        print("nothing changed")
    if not check:
        tell_what_is_stale()
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
