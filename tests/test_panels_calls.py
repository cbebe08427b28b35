"""The code that a panel shows: the calls that were really made."""

import ast
import asyncio
import subprocess

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers import panels, thing
from helpers.account import Account
from helpers.panels.calls import Call, as_code, literal, recorded
from publish.notebooks import NOTEBOOKS, ROOT

TEXTS = st.text() | st.text(alphabet="\"\\\n\r'x{}", max_size=12)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


@given(VALUES)
@example('\n"""')
@example('\n""""')
@example("\n\0")
def test_a_literal_is_read_back_as_it_was(value: object) -> None:
    assert ast.literal_eval(literal(value)) == value


def names_given(code: str) -> set[str]:
    """List the names that Python code gives a value or imports."""
    nodes = list(ast.walk(ast.parse(code)))
    stored = {it.id for it in nodes if isinstance(it, ast.Name) and isinstance(it.ctx, ast.Store)}
    return stored | {it.asname or it.name for it in nodes if isinstance(it, ast.alias)}


def test_pasted_code_takes_no_name_from_a_notebook(aws: Account) -> None:
    """Of 02 and 03, `button` is the learner's Thing."""
    pressed, steps = panels.button(aws), panels.certificate(aws)
    asyncio.run(pressed.press())
    steps.create()
    taken = set()
    for name in NOTEBOOKS:
        cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
        taken |= names_given("\n".join(it.source for it in cells if it.cell_type == "code"))
    assert taken > {"button", "answer", "files", "name"}
    given = [names_given(code) for code in (pressed.code, pressed._listening.code, steps.code)]
    assert given == [{"device", "press"}, {"listen", "make_listener", "ear", "heard"}, {"issued"}]
    assert not any(taken & each for each in given)


def test_only_calls_within_the_block_are_recorded(aws: Account) -> None:
    aws.iot.create_thing(thingName="before")
    with recorded(aws.iot) as made:
        aws.iot.create_thing(thingName="within")
        aws.iot.describe_thing(thingName="within")
        with pytest.raises(aws.iot.exceptions.ResourceNotFoundException):
            aws.iot.describe_thing(thingName="missing")
    aws.iot.create_thing(thingName="after")
    assert made == [
        Call("create_thing", {"thingName": "within"}),
        Call("describe_thing", {"thingName": "within"}, changes=False),
        Call("describe_thing", {"thingName": "missing"}, refused=True, changes=False),
    ]
    assert as_code(made) == 'iot.create_thing(thingName="within")'
    assert as_code(made[1:2]) == 'iot.describe_thing(thingName="within")'


def test_an_answer_with_a_private_key_is_never_the_value_of_a_cell(aws: Account) -> None:
    with recorded(aws.iot) as made:
        aws.iot.create_keys_and_certificate(setAsActive=False)
    assert as_code(made) == "issued = iot.create_keys_and_certificate(setAsActive=False)"


def test_the_code_is_laid_out_as_that_of_the_notebooks(aws: Account) -> None:
    with recorded(aws.iot) as made:
        thing.register(aws.iot, "my-button")
    code = as_code(made) + "\n"
    formatted = subprocess.run(
        ["ruff", "format", "--line-length=76", "-"], input=code, capture_output=True, text=True
    )
    assert formatted.stdout == code
