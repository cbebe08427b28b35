"""Notebook 01: register a second button."""

from collections.abc import Iterator

from helpers import thing
from helpers.account import Account
from helpers.check.result import Result, conclude
from helpers.marker import MARKER

SECOND_SERIAL = "G030JF053216F1BS"
"""The other serial number of AWS's own examples."""


def second_button(account: Account) -> Result:
    """Check that the second button is registered, with its serial number and the marker."""
    return conclude(account, "second-button", _missing(account))


def _missing(account: Account) -> Iterator[str]:
    name = account.name("second-button")
    found = thing.find(account.iot, name)
    if found is None:
        others = [
            each["thingName"]
            for page in account.iot.get_paginator("list_things").paginate()
            for each in page["things"]
            if each["attributes"].get(thing.SERIAL_ATTRIBUTE) == SECOND_SERIAL
        ]
        there = f"; the one with its serial number is named {others[0]}" if others else " yet"
        yield f"There is no Thing {name}{there}."
        return
    serial = found.attributes.get(thing.SERIAL_ATTRIBUTE)
    if serial is None:
        yield f"The Thing {name} carries no attribute {thing.SERIAL_ATTRIBUTE}."
    elif serial != SECOND_SERIAL:
        yield f"The Thing {name} carries the serial number {serial}, not {SECOND_SERIAL}."
    if found.attributes.get(MARKER[0]) != MARKER[1]:
        yield (
            f"The Thing {name} does not carry {MARKER[0]} = {MARKER[1]}, "
            "so the clean-up would leave it."
        )
