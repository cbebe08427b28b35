"""Things: what AWS IoT's registry knows of a device. Register, find and remove them."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers.errors import LessonError
from helpers.marker import MARKER, missing, not_ours
from helpers.waiting import delete_when_detached, ignore_missing

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

BUTTON = "button"
"""What the lesson calls its button; ``aws.name`` puts in front whose it is."""
EXAMPLE_SERIAL = "G030JF055364XVRB"
"""The serial number of AWS's own examples: 16 characters, as on the back of a button."""

SERIAL_ATTRIBUTE = "serialNumber"


@dataclass(frozen=True)
class Thing:
    """A Thing of the registry."""

    name: str
    arn: str
    attributes: dict[str, str]

    @property
    def serial(self) -> str:
        """The button's serial number; LessonError where the Thing carries none."""
        if SERIAL_ATTRIBUTE not in self.attributes:
            raise LessonError(
                f"The Thing {self.name!r} has no {SERIAL_ATTRIBUTE}: delete it, register it anew.",
                entry="The Thing has other attributes",
            )
        return self.attributes[SERIAL_ATTRIBUTE]

    @property
    def made_here(self) -> bool:
        """Whether it carries the lesson's marker."""
        return self.attributes.get(MARKER[0]) == MARKER[1]


def attributes(serial: str) -> dict[str, str]:
    """Return the attributes of the lesson's Things: the button's serial number, and who made it.

    >>> attributes("G030JF055364XVRB")
    {'serialNumber': 'G030JF055364XVRB', 'madeBy': 'iot-button-tutorial'}
    """
    return {SERIAL_ATTRIBUTE: serial, MARKER[0]: MARKER[1]}


def register(iot: "IoTClient", name: str, *, serial: str = EXAMPLE_SERIAL) -> Thing:
    """Create the Thing *name*, or return it if it is already there.

    Args:
        iot: A boto3 ``iot`` client, as :func:`helpers.account.connect` gives it.
        name: 1-128 of letters, digits, ``:``, ``_`` and ``-``. It cannot be changed later.
        serial: The button's serial number, kept as an attribute.

    Raises:
        LessonError: the name cannot be used, or a Thing of that name is there that the lesson did
            not make; nothing is changed.
        ResourceAlreadyExistsException: it is the lesson's, with another serial number.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateThing.html
    """
    if problem := name_problem(name):
        raise LessonError(
            f"A Thing cannot be named {name!r}: {problem}.", entry="A name cannot be used"
        )
    made = attributes(serial)
    try:
        created = iot.create_thing(thingName=name, attributePayload={"attributes": made})
    except iot.exceptions.ResourceAlreadyExistsException:
        there = find(iot, name)
        if there is not None and not there.made_here:
            raise not_ours("Thing", name) from None
        raise
    return Thing(created["thingName"], created["thingArn"], made)


def find(iot: "IoTClient", name: str) -> Thing | None:
    """Look a Thing up by its name; return ``None`` where there is none.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DescribeThing.html
    """
    with ignore_missing():
        found = iot.describe_thing(thingName=name)
        return Thing(found["thingName"], found["thingArn"], found["attributes"])
    return None


def get(iot: "IoTClient", name: str) -> Thing:
    """Look a Thing up as :func:`find` does; raise LessonError where there is none."""
    found = find(iot, name)
    if found is None:
        raise missing("Thing", name, "register it first (notebook 01)")
    return found


def made_here(iot: "IoTClient", *, prefix: str = "") -> list[Thing]:
    """List the Things that the lesson made, by their marker.

    Args:
        iot: A boto3 ``iot`` client.
        prefix: What their names begin with: in a shared account, the learner's.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListThings.html
    """
    key, value = MARKER
    pages = iot.get_paginator("list_things").paginate(attributeName=key, attributeValue=value)
    return [
        Thing(each["thingName"], each["thingArn"], each["attributes"])
        for each in pages.search("things[]")
        if each["thingName"].startswith(prefix)
    ]


def remove(iot: "IoTClient", name: str) -> None:
    """Detach a Thing from its certificates and delete it. A missing one is no error.

    Raises:
        LessonError: the lesson did not make it, or it is still being detached after some minutes.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteThing.html
    """
    found = find(iot, name)
    if found is None:
        return
    if not found.made_here:
        raise not_ours("Thing", name)
    with ignore_missing():
        pages = iot.get_paginator("list_thing_principals").paginate(thingName=name)
        for principal in pages.search("principals[]"):
            with ignore_missing():
                iot.detach_thing_principal(thingName=name, principal=principal)
    delete_when_detached(lambda: iot.delete_thing(thingName=name))


def name_problem(name: str) -> str | None:
    """Return what is wrong with a Thing's name, in words; ``None`` where it can be used.

    >>> name_problem("my button")
    "' ' is not allowed: use letters, digits, ':', '_' and '-'"
    >>> name_problem("my-button") is None
    True

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateThing.html
    """
    if not name:
        return "it is empty"
    if len(name) > 128:
        return f"it has {len(name)} characters, and 128 is the most"
    wrong = re.search("[^a-zA-Z0-9:_-]", name)
    return f"{wrong[0]!r} is not allowed: use letters, digits, ':', '_' and '-'" if wrong else None


def serial_problem(serial: str) -> str | None:
    """Return why this does not look like a button's serial number, in words, or ``None``.

    A reason to look again, not to refuse: the pattern is AWS's, from when the button was sold.

    >>> serial_problem("G030JF055364XVRB") is None
    True
    >>> serial_problem("G030")
    'a serial number has 16 characters, this has 4'
    """
    if len(serial) != 16:
        return f"a serial number has 16 characters, this has {len(serial)}"
    if not re.fullmatch("G030[A-Z]{2}[0-9]{3}[0-5][0-9][1-7][0-9A-HJ-NP-X]{4}", serial):
        return "it does not look like the number on the back of an IoT button"
    return None


def mask(serial: str) -> str:
    """Hide the end of a serial number: its last 8 characters are the button's Wi-Fi password.

    >>> mask("G030JF055364XVRB")
    'G030JF05········'
    """
    return serial[:-8] + "·" * len(serial[-8:])
