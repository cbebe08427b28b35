"""The form *Register a Thing*, without a browser."""

import pytest
from panels_support import click, message, paste, state

from helpers import closing, panels, thing
from helpers.account import Account


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


def test_untouched_it_creates_the_lessons_thing(aws: Account) -> None:
    form = panels.thing(aws)
    assert thing.made_here(aws.iot) == []
    click(form.button)
    assert thing.find(aws.iot, "my-button") == thing.Thing(
        "my-button", aws.arn("thing", "my-button"), thing.attributes(thing.EXAMPLE_SERIAL)
    )
    assert "registry has the Thing my-button" in message(form)


def test_its_code_does_the_same(aws: Account) -> None:
    form = panels.thing(aws)
    form.name.value = "a:b_c-1"
    form.create()
    made = state(aws)
    closing.clean_up(aws)
    paste(form.code, aws)
    assert state(aws) == made != [[], [], [], []]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("my button", "&#x27; &#x27; is not allowed"),
        ("", "it is empty"),
        ("x" * 129, "it has 129 characters"),
        ("<b>", "&#x27;&lt;&#x27; is not allowed"),
    ],
)
def test_a_bad_name_is_told_while_it_is_typed(aws: Account, name: str, advice: str) -> None:
    form = panels.thing(aws)
    form.name.value = name
    assert advice in form.advice.value
    assert form.button.disabled
    form.name.value = "my-button"
    assert not form.button.disabled
    assert "AWS takes this name" in form.advice.value


def test_an_odd_serial_number_is_a_hint_and_no_hindrance(aws: Account) -> None:
    form = panels.thing(aws)
    form.serial.value = "G030"
    assert "a serial number has 16 characters, this has 4" in form.advice.value
    click(form.button)
    assert form.outcome.succeeded


def test_a_refusal_is_shown_with_the_call_that_was_refused(aws: Account) -> None:
    thing.register(aws.iot, "my-button", serial="G030JF053216F1BS")
    form = panels.thing(aws)
    click(form.button)
    assert not form.outcome.succeeded
    assert "iot-refused" in message(form)
    assert 'role="alert"' in message(form)
    assert "ResourceAlreadyExistsException" in message(form)
    with pytest.raises(aws.iot.exceptions.ResourceAlreadyExistsException):
        paste(form.code, aws)


def test_a_mistake_of_ours_is_shown_and_not_swallowed(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = panels.thing(aws)
    monkeypatch.setattr(thing, "register", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        form.create()
    assert "ZeroDivisionError" in message(form)


def test_it_shows_that_work_is_under_way(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    form = panels.thing(aws)
    said: list[str] = []
    monkeypatch.setattr(thing, "register", lambda *_, **__: said.append(message(form)))
    form.create()
    assert "iot-under-way" in said[0]
    assert "Creating my-button …" in said[0]


def test_where_no_widget_can_be_shown_it_says_so(aws: Account) -> None:
    form = panels.thing(aws)
    text = "[Panel: Register a Thing. Run this cell in JupyterLab to click through it.]"
    assert repr(form) == text
    assert form._repr_mimebundle_()["text/plain"] == text
