"""The registry's helper."""

import pytest

from helpers import thing
from helpers.account import Account
from helpers.errors import LessonError


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


def test_registering_twice_is_registering_once(aws: Account) -> None:
    first = thing.register(aws.iot, "a")
    assert thing.register(aws.iot, "a") == first
    assert thing.made_here(aws.iot) == [first]
    assert first.serial == thing.EXAMPLE_SERIAL


def test_a_name_that_aws_refuses_is_not_sent(aws: Account) -> None:
    with pytest.raises(LessonError, match=r"cannot be named 'a b': ' ' is not allowed"):
        thing.register(aws.iot, "a b")
    assert aws.iot.list_things()["things"] == []


def test_with_another_serial_number_it_is_another_thing(aws: Account) -> None:
    thing.register(aws.iot, "a")
    with pytest.raises(aws.iot.exceptions.ResourceAlreadyExistsException):
        thing.register(aws.iot, "a", serial="G030JF053216F1BS")


def test_what_somebody_else_made_is_not_listed(aws: Account) -> None:
    aws.iot.create_thing(thingName="a", attributePayload={"attributes": {"madeBy": "somebody"}})
    aws.iot.create_thing(thingName="b")
    assert thing.made_here(aws.iot) == []


def test_a_long_list_is_listed_whole(aws: Account) -> None:
    names = [f"button-{number:02}" for number in range(60)]
    for name in names:
        thing.register(aws.iot, name)
    assert [each.name for each in thing.made_here(aws.iot)] == names


def test_removing_detaches_first_and_may_be_repeated(aws: Account) -> None:
    thing.register(aws.iot, "a")
    principal = aws.iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    aws.iot.attach_thing_principal(thingName="a", principal=principal)
    thing.remove(aws.iot, "a")
    thing.remove(aws.iot, "a")
    assert thing.find(aws.iot, "a") is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "it is empty"), ("x" * 129, "it has 129 characters, and 128 is the most")],
)
def test_name_problem(name: str, problem: str) -> None:
    assert thing.name_problem(name) == problem


@pytest.mark.parametrize("serial", [thing.EXAMPLE_SERIAL, "G030JF053216F1BS"])
def test_the_public_examples_look_like_serial_numbers(serial: str) -> None:
    assert thing.serial_problem(serial) is None


def test_a_serial_number_of_something_else() -> None:
    assert thing.serial_problem("X030JF055364XVRB") is not None
