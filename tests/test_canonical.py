"""The canonical form: what goes, what stays, and that a second time changes nothing."""

import copy
import re

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode, v4

from publish.canonical import PATTERNS, SANITIZE, canonical, merged, sanitize

CERTIFICATE_ID = "5d3c3b1f0e9a8d7c6b5a49382716051f2e3d4c5b6a798897a6b5c4d3e2f1a0b9"

# What the notebooks could print: text of any kind, and what each pattern looks for.
texts = st.lists(
    st.one_of(
        st.text(max_size=20),
        *(st.from_regex(regex.replace(r"\b", ""), fullmatch=True) for regex, _ in PATTERNS),
    )
).map(" ".join)


@st.composite
def outputs(draw: st.DrawFn) -> NotebookNode:
    """One output of any kind."""
    kind = draw(st.sampled_from(["stream", "display_data", "execute_result", "error"]))
    if kind == "stream":
        name = draw(st.sampled_from(["stdout", "stderr"]))
        return v4.new_output(kind, name=name, text=draw(texts))
    if kind == "error":
        return v4.new_output(kind, ename="E", evalue=draw(texts), traceback=[draw(texts)])
    data = {"text/plain": draw(texts), "application/json": {"a": [draw(texts), 1]}}
    return v4.new_output(kind, data=data)


cells = st.builds(
    lambda source, results, count: v4.new_code_cell(source, outputs=results, execution_count=count),
    st.text(max_size=20),
    st.lists(outputs(), max_size=4),
    st.none() | st.integers(1, 99),
)
notebooks = st.lists(cells | st.builds(v4.new_markdown_cell), max_size=4).map(
    lambda found: v4.new_notebook(cells=found, metadata={"widgets": {}})
)


@pytest.mark.long
@settings(max_examples=50)
@given(notebooks)
def test_twice_is_once(notebook: NotebookNode) -> None:
    untouched = copy.deepcopy(notebook)
    once = canonical(notebook)
    assert canonical(once) == once
    assert notebook == untouched
    nbformat.validate(once)


def test_only_what_is_of_one_run_goes() -> None:
    metadata = {"tags": ["kept"], "execution": {"started": "now"}, "scrolled": True}
    data = {
        "text/plain": f"{CERTIFICATE_ID} on http://127.0.0.1:40123",
        "application/vnd.jupyter.widget-view+json": {"model_id": "1f"},
    }
    result = v4.new_output("execute_result", data=data, execution_count=7)
    cell = v4.new_code_cell("a", metadata=metadata, outputs=[result], execution_count=7, id="keep")
    noise = {
        "widgets": {},
        "language_info": {"name": "python"},
        "kernelspec": {"name": "mine", "display_name": "Mine"},
    }
    changed = canonical(v4.new_notebook(cells=[cell], metadata=noise))
    assert changed.metadata.keys() == {"kernelspec"}
    assert changed.metadata.kernelspec.name == "python3"
    assert changed.cells[0].metadata == {"tags": ["kept"]}
    assert changed.cells[0].id == "keep"
    assert changed.cells[0].execution_count == changed.cells[0].outputs[0].execution_count == 1
    placeholder = "0123456789abcdef" * 4
    assert changed.cells[0].outputs[0].data == {
        "text/plain": f"{placeholder} on http://127.0.0.1:5000"
    }


def test_a_new_cell_changes_no_other_and_an_empty_one_has_not_run() -> None:
    found = [v4.new_code_cell(source, execution_count=9) for source in ("a", " \n", "b")]
    changed = canonical(v4.new_notebook(cells=found))
    assert [cell.execution_count for cell in changed.cells] == [1, None, 1]
    without = canonical(v4.new_notebook(cells=found[1:]))
    assert without.cells == changed.cells[1:]


def test_a_traceback_becomes_its_last_line() -> None:
    frames = ["\x1b[31mFile <stdin>\x1b[0m", "\x1b[31mKeyError\x1b[0m: 'a'"]
    error = v4.new_output("error", ename="KeyError", evalue="'a'", traceback=frames)
    changed = canonical(v4.new_notebook(cells=[v4.new_code_cell("a", outputs=[error])]))
    assert changed.cells[0].outputs[0].traceback == ["KeyError: 'a'"]


def test_neighbours_of_one_stream_are_joined() -> None:
    pieces = [("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")]
    streams = [v4.new_output("stream", name=name, text=text) for name, text in pieces]
    joined = [(output.name, output.text) for output in merged(streams)]
    assert joined == [("stdout", "ab"), ("stderr", "c"), ("stdout", "d")]


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iot:eu-west-1:123456789012:thing/button",
        '"Version": "2012-10-17"',
        "valid until 2049-12-31",
        "G030JF055364XVRB",
        "iotbutton/G030JF055364XVRB",
        "version 1",
    ],
)
def test_what_is_taught_is_kept(text: str) -> None:
    assert sanitize(text) == text


@pytest.mark.parametrize(
    ("text", "placeholder"),
    [
        (f"cert/{CERTIFICATE_ID}", "cert/" + "0123456789abcdef" * 4),
        (f"{CERTIFICATE_ID[:10]}…", "01234567…"),
        ("9f0c7a52-8d5c-4a37-9f52-4d2f8f1f2a3b", "01234567-89ab-4cde-8f01-23456789abcd"),
        (
            "datetime.datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=tzlocal())",
            "datetime.datetime(2017, 8, 23, 13, 45, tzinfo=tzlocal())",
        ),
        ("2025-01-02 03:04:05.123456+00:00", "2017-08-23 13:45:00+00:00"),
        ("2025-01-02T03:04:05Z", "2017-08-23T13:45:00+00:00"),
        ("http://127.0.0.1:40123/x", "http://127.0.0.1:5000/x"),
        ("localhost:40124", "localhost:8883"),
        ("arrived in 0.0312 s", "arrived in 1 s"),
        ("'RequestId': 'vJU14jFMqbR6Y3ANPxyr'", "'RequestId': '0123456789ABCDEFGHIJ'"),
        ("'date': 'Mon, 30 Nov 2026 15:09:27 GMT'", "'date': 'Wed, 23 Aug 2017 13:45:00 GMT'"),
    ],
)
def test_what_differs_from_run_to_run_is_replaced(text: str, placeholder: str) -> None:
    assert sanitize(text) == placeholder


def test_every_pattern_is_explained_and_read() -> None:
    blocks = SANITIZE.read_text("utf-8").strip().split("\n\n")[1:]
    assert all(re.fullmatch(r"# .+\nregex: .+\nreplace: .+", block) for block in blocks)
    assert len(blocks) == len(PATTERNS)
