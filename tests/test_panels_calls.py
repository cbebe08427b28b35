"""The code that a panel shows: the calls that were really made."""

import ast
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import thing
from helpers.account import Account
from helpers.panels.calls import Call, as_code, literal, recorded

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
def test_a_literal_is_read_back_as_it_was(value: object) -> None:
    assert ast.literal_eval(literal(value)) == value


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
    assert as_code(made) == "answer = iot.create_keys_and_certificate(setAsActive=False)"


def test_the_code_is_laid_out_as_that_of_the_notebooks(aws: Account) -> None:
    with recorded(aws.iot) as made:
        thing.register(aws.iot, "my-button")
    code = as_code(made) + "\n"
    formatted = subprocess.run(
        ["ruff", "format", "--line-length=76", "-"], input=code, capture_output=True, text=True
    )
    assert formatted.stdout == code
