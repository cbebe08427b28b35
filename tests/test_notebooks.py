"""The notebooks as committed: every line they show is what a run of them gives."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from publish import notebooks
from publish.canonical import SANITIZE, canonical
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

MUTATIONS = [
    ("02-policy", '"Resource": aws.arn("topic", topic)', '"Resource": aws.arn("topic", "other")'),
    ("03-certificate", 'newStatus="ACTIVE"', 'newStatus="INACTIVE"'),
]
"""Mistakes that a hand could make: in which notebook, what stands there, what instead."""


def read(name: str, folder: Path = FOLDER) -> NotebookNode:
    return nbformat.read(folder / f"{name}.ipynb", as_version=4)


def code_cells(name: str) -> list[NotebookNode]:
    return [cell for cell in read(name).cells if cell.cell_type == "code"]


def run_strictly(
    folder: Path, env: dict[str, str], *names: str
) -> subprocess.CompletedProcess[str]:
    """Compare every output of notebooks with what is committed."""
    strict = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60", "--exitfirst"]
    strict += [f"--nbval-sanitize-with={SANITIZE}", "-p", "nbval.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *strict, *[f"{name}.ipynb" for name in names]]
    # Other plugins have nothing to do here, and take a second to load.
    env = env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def test_the_four_are_all_there_are() -> None:
    assert [path.stem for path in sorted(FOLDER.glob("*.ipynb"))] == list(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_in_canonical_form(name: str) -> None:
    committed = FOLDER.joinpath(f"{name}.ipynb").read_text("utf-8")
    assert committed == nbformat.writes(canonical(read(name))) + "\n"
    notebooks.check_outputs(read(name))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_errors_are_promised_and_handled(name: str) -> None:
    """A cell that shows an error says so by its tag; the next handles it as a program would."""
    cells = code_cells(name)
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        promised = "raises-exception" in cell.metadata.get("tags", [])
        shown = any(output.output_type == "error" for output in cell.outputs)
        assert promised == shown, cell.source
        assert not promised or (after and looks_at_an_error(after)), cell.source


def looks_at_an_error(cell: NotebookNode) -> bool:
    """Whether a cell catches an error by its name and uses it, or asks Python for the last one."""
    caught = [
        node.name
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.ExceptHandler) and node.type
    ]
    return any(caught) or "sys.last_value" in cell.source


def test_each_alone_on_a_fresh_account_inside(tmp_path: Path) -> None:
    """By nbval, which has no code in common with ours. One run of it, for a start takes seconds."""
    with notebooks.workplace(inside=True) as (folder, env):
        for name in NOTEBOOKS:
            shutil.copytree(folder, tmp_path / name)
    here = {"IOT_TUTORIAL_STATE_DIR": "state"}  # in the folder that a kernel runs in
    run = run_strictly(tmp_path, env | here, *[f"{name}/{name}" for name in NOTEBOOKS])
    assert run.returncode == 0, run.stdout + run.stderr
    assert f" {sum(len(code_cells(name)) for name in NOTEBOOKS)} passed in" in run.stdout
    for name in NOTEBOOKS:
        state = tmp_path / name / "state"
        assert (state / "registry").exists()
        assert not (state / "sandbox.json").exists(), "a process has served it"


@pytest.mark.long
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_alone_on_a_fresh_sandbox(name: str) -> None:
    """The same with a process and TLS."""
    with notebooks.workplace() as (folder, env):
        run = run_strictly(folder, env, name)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f" {len(code_cells(name))} passed in" in run.stdout


@pytest.mark.long
@pytest.mark.parametrize(("name", "right", "wrong"), MUTATIONS, ids=["resource", "status"])
def test_a_mistake_in_the_code_fails_and_names_the_cell(name: str, right: str, wrong: str) -> None:
    with notebooks.workplace(inside=True) as (folder, env):
        notebook = read(name)
        number, cell = next(
            found for found in enumerate(code_cells(name)) if right in found[1].source
        )
        found = next(other for other in notebook.cells if other.id == cell.id)
        found.source = found.source.replace(right, wrong, 1)
        nbformat.write(notebook, folder / f"{name}.ipynb")
        run = run_strictly(folder, env, name)
    assert run.returncode == 1, run.stdout + run.stderr
    failed = re.findall(rf"FAILED {name}.ipynb::Cell (\d+)", run.stdout)
    assert int(failed[0]) >= number


def test_a_fresh_run_gives_the_committed_files() -> None:
    """All four in sequence on one sandbox, its process and TLS, compared to the byte."""
    command = [sys.executable, "-m", "publish.notebooks", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.long
def test_a_fresh_run_inside_gives_the_same() -> None:
    fresh = notebooks.run(inside=True)
    assert fresh == {name: FOLDER.joinpath(name).read_text("utf-8") for name in fresh}
    assert list(fresh) == [f"{name}.ipynb" for name in NOTEBOOKS]
