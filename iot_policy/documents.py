"""Policy documents: build one, write it as JSON, and check one before AWS IoT stores it."""

import json
import re
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from iot_policy.conditions import read_operator, suggest
from iot_policy.errors import MalformedPolicy

VERSIONS = ("2012-10-17", "2008-10-17")
MOST_CHARACTERS = 2048
"""White space does not count."""

MOST_LEVELS = 100
"""Of lists and objects within each other. Python's own bound differs from version to version."""

_DOCUMENT = ("Version", "Id", "Statement")
_STATEMENT = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_ARN_COLONS = 5
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def statement(
    action: str | list[str],
    resource: str | list[str],
    *,
    effect: str = "Allow",
    condition: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Build one statement of a policy.

    Args:
        action: One action or several, such as ``iot:Publish``.
        resource: One ARN or several, or ``*``; see :func:`iot_policy.arn`.
        effect: ``Allow`` or ``Deny``.
        condition: Operator to key to value, such as ``{"Bool": {"iot:…": "true"}}``.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html

    >>> statement("iot:Connect", "*")
    {'Effect': 'Allow', 'Action': 'iot:Connect', 'Resource': '*'}
    """
    built: dict[str, Any] = {"Effect": effect, "Action": action, "Resource": resource}
    return {**built, "Condition": condition} if condition else built


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """Put statements together to a policy document.

    >>> document(statement("iot:Connect", "*"))["Version"]
    '2012-10-17'
    """
    return {"Version": VERSIONS[0], "Statement": list(statements)}


def to_json(document: Mapping[str, Any]) -> str:
    """Write a document as the console's advanced mode shows it: JSON, indented by two."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def check(text: str) -> dict[str, Any]:
    """Read a policy document, refusing what AWS IoT refuses.

    Args:
        text: JSON, at most 2048 characters without white space.

    Returns:
        The document as AWS stores it; ``Statement`` may be one object or a list.

    Raises:
        MalformedPolicy: what is wrong, and in which statement or line.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html
    """
    length = len("".join(text.split()))
    if length > MOST_CHARACTERS:
        raise MalformedPolicy(
            f"It has {length} characters without white space; {MOST_CHARACTERS} is the most."
        )
    if _levels(text) > MOST_LEVELS:
        raise MalformedPolicy("It is nested too deeply.")
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise MalformedPolicy(
            f"It is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from error
    if not isinstance(parsed, dict):
        raise MalformedPolicy("It must be a JSON object: { … }.")
    _only(_DOCUMENT, parsed)
    if parsed.get("Version") not in VERSIONS:
        raise MalformedPolicy(f"Version must be {' or '.join(VERSIONS)}.")
    for number, found in enumerate(statements(parsed), 1):
        try:
            _check_statement(found)
        except MalformedPolicy as error:
            raise MalformedPolicy(error.problem, statement=number) from error
    return parsed


def statements(document: Mapping[str, Any]) -> list[Any]:
    """Return the statements of a document as a list, one or many.

    Raises:
        MalformedPolicy: there is none.
    """
    found = document.get("Statement")
    listed = [found] if isinstance(found, dict) else found
    if not isinstance(listed, list) or not listed:
        raise MalformedPolicy("Statement must hold at least one statement.")
    return listed


def _levels(text: str) -> int:
    """Count how many lists and objects stand within each other at the deepest place."""
    steps = {"[": 1, "{": 1, "]": -1, "}": -1}
    outside_strings = _JSON_STRING.sub("", text)
    return max(accumulate(steps.get(each, 0) for each in outside_strings), default=0)


def _check_statement(found: Any) -> None:
    if not isinstance(found, dict):
        raise MalformedPolicy("A statement must be a JSON object: { … }.")
    _only(_STATEMENT, found)
    if found.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicy("Effect must be Allow or Deny.")
    _one_of("Action", found, _is_action, "an action looks like iot:Publish")
    _one_of("Resource", found, _is_resource, "a resource is an ARN, arn:aws:iot:…, or *")
    _check_condition(found.get("Condition", {}))


def _only(known: tuple[str, ...], found: Mapping[str, Any]) -> None:
    for name in found:
        if name not in known:
            raise MalformedPolicy(f"There is no element {name!r}.{suggest(name, known)}")


def _one_of(name: str, found: Mapping[str, Any], valid: Callable[[str], bool], form: str) -> None:
    """Exactly one of ``Action`` and ``NotAction``, say, holding one text or several."""
    given = [element for element in (name, f"Not{name}") if element in found]
    if len(given) != 1:
        raise MalformedPolicy(f"It needs {name} or Not{name}, one of the two.")
    values = found[given[0]]
    for value in values if isinstance(values, list) and values else [values]:
        if not isinstance(value, str) or not valid(value):
            raise MalformedPolicy(f"{given[0]} {value!r} is not valid: {form}.")


def _is_action(text: str) -> bool:
    service, colon, name = text.partition(":")
    return text == "*" or bool(service and colon and name)


def _is_resource(text: str) -> bool:
    whole = text.count(":") >= _ARN_COLONS or "*" in text
    return text == "*" or (text.startswith("arn:") and whole)


def _check_condition(block: Any) -> None:
    if not isinstance(block, dict):
        raise MalformedPolicy('Condition must be an object: {"Bool": {"iot:…": "true"}}.')
    for operator, keys in block.items():
        read_operator(operator)
        if not isinstance(keys, dict) or not keys:
            raise MalformedPolicy(f"Condition {operator} must hold an object of keys and values.")
        for key, value in keys.items():
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(one, str | bool | int | float) for one in values):
                raise MalformedPolicy(f"Condition {operator} on {key} takes a text or a list.")
