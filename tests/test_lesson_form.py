"""The form of a lesson: no cell is for a test alone, outputs teach, times are honest."""

import ast
import json
import re
from collections.abc import Iterator

import nbformat
import pytest
from cells import STUB, code_cells, promises_an_error
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from exercises import check
from publish import times
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)

PLACES = ("README.md", "workshop/README.md")
READING_AT_MOST = 20
"""Minutes, without the exercises."""
SAY_NOTHING = {"True", "False", "None", "Ellipsis"}
AN_ID = re.compile("[0-9a-f]{64}")
RAW_ANSWER = re.compile(r"\{'ResponseMetadata': |(?s:^\{(?=.*'thingArn': )(?=.*'thingId': ).*\}$)")
"""What boto3 hands over, as it is: shown whole, and not one value out of it."""


def read(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def outputs(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """Each output, and the id of the cell that shows it."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            yield cell.id, output


def plain(output: NotebookNode) -> str:
    """An output as text."""
    return str(output.get("text") or output.get("data", {}).get("text/plain") or "").strip()


# What only a test needs is no cell of the lesson.


def only_for_a_test(notebook: NotebookNode) -> list[str]:
    """List what a cell does that no learner would: asserts, and clicks by code."""
    panels: set[str] = set()
    found = []
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)
        panels |= {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("panels.")
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert) or (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in panels
                and node.attr != "remove"
            ):
                found.append(f"{cell.id}: {ast.unparse(node)}")
    return found


@each_notebook
def test_no_cell_is_there_for_a_test_alone(name: str) -> None:
    notebook = read(name)
    assert only_for_a_test(notebook) == []
    assert [cell.id for cell in notebook.cells if cell.id.endswith("panel-check")] == []


def test_asserts_and_clicks_are_noticed() -> None:
    sources = [
        "form = panels.thing(aws)\nform",
        "form.name.value = 'x'",
        "assert form",
        "await form.press()",
        "form.remove()",
    ]
    cells = [new_code_cell(each, id=f"c{n}") for n, each in enumerate(sources)]
    told = only_for_a_test(new_notebook(cells=cells))
    assert told == ["c1: form.name", "c2: assert form", "c3: form.press"]


@each_notebook
def test_an_error_is_caught_by_its_name(name: str) -> None:
    """And never only to be printed: that hides the mistakes that nobody meant."""
    for cell in code_cells(read(name)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, cell.source
                assert ast.unparse(node.type) not in ("Exception", "BaseException"), cell.source


# Outputs teach.


@each_notebook
def test_no_output_is_a_bare_word_that_says_nothing(name: str) -> None:
    assert [cell for cell, output in outputs(read(name)) if plain(output) in SAY_NOTHING] == []


@each_notebook
def test_long_ids_are_shortened(name: str) -> None:
    found = [cell for cell, output in outputs(read(name)) if AN_ID.search(json.dumps(output))]
    assert found == []


@each_notebook
def test_an_error_is_shown_in_one_line(name: str) -> None:
    errors = [each for _, each in outputs(read(name)) if each.output_type == "error"]
    for error in errors:
        assert error.traceback == [f"{error.ename}: {error.evalue}"]
        assert "\n" not in error.evalue


def test_an_answer_of_aws_is_shown_as_it_is() -> None:
    shown = [plain(output) for name in NOTEBOOKS for _, output in outputs(read(name))]
    assert any(RAW_ANSWER.search(text) for text in shown)


@each_notebook
def test_a_stub_shows_nothing_and_says_where_ones_own_lines_go(name: str) -> None:
    notebook = read(name)
    cells = {cell.id: cell for cell in notebook.cells}
    assert times.exercises(notebook)
    for exercise in times.exercises(notebook):
        assert STUB.search(cells[exercise].source), cells[exercise].source
        assert cells[exercise].outputs == []
        assert not promises_an_error(cells[f"{exercise}-check"])


# Times are honest.


@each_notebook
def test_a_notebook_says_how_long_it_takes(name: str) -> None:
    notebook = read(name)
    (before,) = [cell.source for cell in notebook.cells if cell.id == "before"]
    assert f"- **Time:** {times.minutes(notebook)}.\n" in before
    assert times.minutes(notebook).reading <= READING_AT_MOST


def test_the_readme_says_the_same() -> None:
    text = ROOT.joinpath("README.md").read_text("utf-8")
    for name in NOTEBOOKS:
        reading, exercises = times.minutes(read(name))
        assert re.search(rf"^\| \[{name}\].* \| {reading} \+ {exercises} \|$", text, re.M), name


@each_notebook
def test_a_notebook_is_named_wherever_the_others_are(name: str) -> None:
    """CONTRIBUTING's list for one more notebook, as far as nothing else holds it."""
    readme, plan = (ROOT.joinpath(each).read_text("utf-8") for each in PLACES)
    before = NOTEBOOKS[NOTEBOOKS.index(name) - 1] if name != NOTEBOOKS[0] else None
    named = {
        "README.md's table of the lesson": f"| [{name}](notebooks/{name}.ipynb) |" in readme,
        "workshop/README.md's plan of the class": f"Notebook {name[:2]}" in plan,
        f"the end of {before}": not before or f"[{name}]({name}.ipynb)" in last_words(before),
    }
    assert [place for place, there in named.items() if not there] == []


def last_words(name: str) -> str:
    return str(read(name).cells[-1].source)


def test_the_post_says_the_sum() -> None:
    """With the exercises, rounded to the nearest half hour."""
    half_hours = round(sum(sum(times.minutes(read(name))) for name in NOTEBOOKS) / 30)
    text = ROOT.joinpath("publish", "post-words.md").read_text("utf-8")
    assert f"The whole lesson takes about {IN_WORDS[half_hours]}." in " ".join(text.split())


IN_WORDS = {1: "half an hour", 2: "an hour", 3: "an hour and a half", 4: "two hours"}


def test_what_counts_as_read() -> None:
    text = """# Two words

Four [words are](https://example.com/not-one) here, and `six` more. <br>

| A | B |
|---|---|
| one | two |

![no word of this](picture.svg)

```python
not this
```

<details><summary>Hint</summary>

Nor this.

</details>"""
    notebook = new_notebook(cells=[new_markdown_cell(text, id="text")])
    assert times.words(notebook) == 2 + 7 + 4


def test_five_minutes_hold_all_cells_of_an_exercise() -> None:
    cells = [new_code_cell("1", id=f"c{number}") for number in range(11)]
    notebook = new_notebook(cells=cells)
    assert times.minutes(notebook) == (10, 0)
    cells += [new_code_cell("...", id="task"), new_code_cell("check", id="task-check")]
    folded = "<details>" + "word " * 900 + "</details>"
    cells += [new_markdown_cell(folded, id="task-answer")]
    assert times.minutes(new_notebook(cells=cells)) == (10, 5)
    assert str(times.minutes(new_notebook(cells=cells))) == "10 minutes, and 5 for the exercise"


# What the lesson calls things stands in one place: a text that quotes another name is found.


def quotes(text: str) -> set[str]:
    """The names, serial numbers and regions in a text that are the lesson's own."""
    return set(re.findall(r"\bmy-[a-z-]*[a-z]|\bG030JF[0-9A-Z]+|\b[a-z]{2}-(?:\w+-)+\d\b", text))


def test_texts_quote_what_the_cells_use() -> None:
    shown, quoted = set[str](), dict[str, set[str]]()
    for name in NOTEBOOKS:
        for cell in read(name).cells:
            if cell.cell_type == "code":
                shown |= quotes(json.dumps(cell))
            else:
                quoted[f"{name}, cell {cell.id}"] = quotes(cell.source)
    for line in (FOLDER / "troubleshooting.md").read_text("utf-8").splitlines():
        quoted[f"troubleshooting.md: {line}"] = quotes(line)
    shown.add(check.SECOND_SERIAL)
    stale = [f"{place}: {sorted(found - shown)}" for place, found in quoted.items()]
    assert [each for each in stale if not each.endswith("[]")] == []
