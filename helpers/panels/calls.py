"""The boto3 calls that were made, written as the code that makes them again."""

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore import xform_name

from helpers.account.guard import changes_nothing

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

_GIVES_A_KEY = "create_keys_and_certificate"
_LINE = 76
"""Columns in a line of a notebook's cell."""


@dataclass(frozen=True)
class Call:
    """A call that AWS has answered."""

    method: str
    """Such as ``create_thing``."""
    arguments: Mapping[str, Any]
    refused: bool = False
    changes: bool = True
    """Whether it may have changed something in the account."""

    def __str__(self) -> str:
        """Write it as Python, on as many lines as it needs.

        >>> print(Call("delete_thing", {"thingName": "my-button"}))
        iot.delete_thing(thingName="my-button")
        """
        # A cell shows the value of its last line, so an answer with a private key is assigned: to a
        # name that no notebook uses.
        start = f"{'issued = ' if self.method == _GIVES_A_KEY else ''}iot.{self.method}("
        return _group(start, [(f"{name}=", it) for name, it in self.arguments.items()], ")")


@contextmanager
def recorded(iot: "IoTClient") -> Iterator[list[Call]]:
    """Record the calls that a client makes until the ``with`` block ends.

    Yields:
        The calls that AWS answers, as they are made.
    """
    made: list[Call] = []

    def before(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["asked"] = copy.deepcopy(params)

    def after(http_response: Any, model: Any, context: dict[str, Any], **_: object) -> None:
        if "asked" in context:  # otherwise the call began before the recording
            refused = http_response.status_code >= 300
            changes = not changes_nothing(model.name)
            made.append(Call(xform_name(model.name), context["asked"], refused, changes))

    events = iot.meta.events
    events.register("before-parameter-build.iot", before)
    events.register("after-call.iot", after)
    try:
        yield made
    finally:
        events.unregister("before-parameter-build.iot", before)
        events.unregister("after-call.iot", after)


def as_code(made: Sequence[Call]) -> str:
    """Write the calls that change something; where none does, the last call."""
    changing = [str(call) for call in made if call.changes]
    return "\n".join(changing or [str(call) for call in made[-1:]])


def literal(value: Any, *, indent: int = 0, taken: int = 0) -> str:
    """Write a value of a boto3 call as Python does, with double quotes.

    Args:
        value: Anything that JSON can hold.
        indent: Spaces at the beginning of its first line.
        taken: Columns of that line that are taken already.

    >>> print(literal([{"Key": "madeBy", "on": True}]))
    [{"Key": "madeBy", "on": True}]
    """
    if isinstance(value, Mapping):
        parts = [(f"{literal(key)}: ", it) for key, it in value.items()]
        return _group("{", parts, "}", indent=indent, taken=taken)
    if isinstance(value, list | tuple):
        return _group("[", [("", it) for it in value], "]", indent=indent, taken=taken)
    if isinstance(value, str):
        return _long_text(value) if "\n" in value else json.dumps(value, ensure_ascii=False)
    return repr(value)


def _group(
    start: str, parts: Sequence[tuple[str, Any]], end: str, *, indent: int = 0, taken: int = 0
) -> str:
    """Write parts between brackets: on one line where they fit, else one per line."""
    line = start + ", ".join(label + literal(value) for label, value in parts) + end
    if taken + len(line) <= _LINE and "\n" not in line:
        return line
    inner = indent + 4
    lines = [
        label + literal(value, indent=inner, taken=inner + len(label)) for label, value in parts
    ]
    return "".join(
        [start, *(f"\n{' ' * inner}{each}," for each in lines), f"\n{' ' * indent}{end}"]
    )


def _long_text(text: str) -> str:
    # Three quotes in a row, or one at the end, would close the text early: those are escaped.
    escaped = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\0", "\\x00")
    escaped = re.sub(r'"(?="")|"\Z', r"\"", escaped)
    return f'"""{escaped}"""'
