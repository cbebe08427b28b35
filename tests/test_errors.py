"""Errors as a learner sees them: how a kernel shows them, and where each says that its cure is."""

import ast
import importlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from helpers.button import Refused
from helpers.errors import ENTRIES, LessonError
from publish.notebooks import ROOT, execute

FORGOTTEN = "A name is not defined"
HEADINGS = re.findall(
    r"^## (.+)$", (ROOT / "notebooks" / "troubleshooting.md").read_text("utf-8"), flags=re.M
)

WITHOUT_AN_ENTRY: set[tuple[str, str]] = set()
"""Errors that name the page alone, by module and function."""

CELLS = {
    "import": "from helpers import account, thing\nget_ipython().custom_exceptions",
    "connect": "aws = account.connect()\niot = aws.iot",
    "aws": "iot.describe_thing(thingName='nobody')",
    "last": "import sys\nerror = sys.last_value\n"
    "(error.response['Error']['Code'], sys.last_type is type(error),\n"
    " sys.last_traceback is error.__traceback__)",
    "botocore": "iot.create_thing(tags=1)",
    "attached": "iot.create_thing(thingName='held')\n"
    "arn = iot.create_keys_and_certificate()['certificateArn']\n"
    "iot.attach_thing_principal(thingName='held', principal=arn)\n"
    "iot.delete_thing(thingName='held')",
    "named": "iot.create_thing(thingName='my button')",
    "asked": "iot.describe_thing(thingName='my button')",
    "name": "thing.find(iot, nobody)",
    "lesson": "thing.register(iot, 'my button')",
    "type": "thing.find(iot)",
    "unbound": "def mine():\n    print(x)\n    x = 1\nmine()",
}
FAIL = {"aws", "botocore", "attached", "named", "asked", "name", "lesson", "type", "unbound"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def outputs(place: Path) -> dict[str, NotebookNode]:
    """What a real kernel shows below each cell, by the cell's name."""
    cells = [
        new_code_cell(code, id=name, metadata={"tags": ["raises-exception"] * (name in FAIL)})
        for name, code in CELLS.items()
    ]
    notebook = new_notebook(cells=cells)
    ours = {
        "IOT_TUTORIAL_SANDBOX": "inside",
        "IOT_TUTORIAL_STATE_DIR": str(place / "state"),
        "PYTHONPATH": str(ROOT),
    }
    execute(notebook, place, os.environ | ours)
    return {cell.id: cell.outputs[0] for cell in notebook.cells if cell.outputs}


def shown(output: NotebookNode) -> str:
    """A traceback as it reads, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))


def test_nothing_changes_before_the_lesson_connects(outputs: dict[str, NotebookNode]) -> None:
    assert outputs["import"].data["text/plain"] == "()"


@pytest.mark.parametrize(
    ("name", "kind", "where"),
    [
        ("aws", "ResourceNotFoundException", 'troubleshooting.md, "Cells ran in another order"'),
        ("botocore", "ParamValidationError", "troubleshooting.md"),
        ("named", "InvalidRequestException", 'troubleshooting.md, "A name cannot be used"'),
        ("asked", "InvalidRequestException", "troubleshooting.md"),
        (
            "attached",
            "InvalidRequestException",
            'troubleshooting.md, "It cannot be deleted: it is attached"',
        ),
    ],
)
def test_an_error_of_aws_is_its_name_and_message(
    outputs: dict[str, NotebookNode], name: str, kind: str, where: str
) -> None:
    output = outputs[name]
    assert output.ename == kind
    message = " ".join(output.evalue.split())
    assert shown(output) == f"{output.ename}: {message}\nMore about it: {where}"
    assert (output.evalue != message) == (name == "botocore")


def test_the_next_cell_can_ask_for_the_error(outputs: dict[str, NotebookNode]) -> None:
    assert outputs["last"].data["text/plain"] == "('ResourceNotFoundException', True, True)"


def test_an_error_of_the_lesson_says_where_its_cure_is(outputs: dict[str, NotebookNode]) -> None:
    output = outputs["lesson"]
    message, where = shown(output).splitlines()
    assert message == f"{output.ename}: {output.evalue}"
    assert where.endswith('troubleshooting.md, "A name cannot be used"')


def test_a_name_error_says_that_a_cell_above_makes_it(outputs: dict[str, NotebookNode]) -> None:
    output = outputs["name"]
    *lines, last = shown(output).splitlines()
    assert output.evalue == "name 'nobody' is not defined"
    assert lines[-1] == f"NameError: {output.evalue}"
    assert any(CELLS["name"] in line for line in lines)
    assert "run the cells from the top" in last
    assert last.endswith(f'troubleshooting.md, "{FORGOTTEN}"')


@pytest.mark.parametrize(
    ("name", "kind"), [("type", "TypeError"), ("unbound", "UnboundLocalError")]
)
def test_a_mistake_in_the_learner_s_own_code_stays_as_it_is(
    outputs: dict[str, NotebookNode], name: str, kind: str
) -> None:
    lines = shown(outputs[name]).splitlines()
    assert lines[-1] == f"{kind}: {outputs[name].evalue}"
    assert any(CELLS[name].splitlines()[-1] in line for line in lines)


def test_without_an_entry_the_page_is_named() -> None:
    error = LessonError("It went wrong.")
    assert str(error) == "It went wrong."
    assert error.where == "troubleshooting.md"


def lesson_errors() -> Iterator[tuple[str, str, str | None]]:
    """Every place in the helpers that makes an error of the lesson.

    Yields:
        Module, function, and the entry that it names.
    """
    for file in sorted((ROOT / "helpers").rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(file.read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "LessonError":
                        yield module, function.name, entry(call, module)


def entry(call: ast.Call, module: str) -> str | None:
    """The value of the argument *entry*: a text, or a constant of the module."""
    for keyword in call.keywords:
        if keyword.arg == "entry":
            names: dict[str, Any] = vars(importlib.import_module(module))
            return str(eval(compile(ast.Expression(keyword.value), module, "eval"), names))
    return None


def test_every_error_names_an_entry_that_exists() -> None:
    found = list(lesson_errors())
    assert len(found) > 15
    assert {named for _, _, named in found if named is not None} <= set(HEADINGS)
    assert {(module, name) for module, name, named in found if named is None} == WITHOUT_AN_ENTRY
    assert {FORGOTTEN, *ENTRIES.values()} <= set(HEADINGS)


def test_a_refusal_leads_to_the_entry_about_refusals() -> None:
    assert LessonError.__subclasses__() == [Refused]
    refused = Refused("my-button could not connect.", "")
    assert refused.where == 'troubleshooting.md, "A press is refused"'
    assert "A press is refused" in HEADINGS
