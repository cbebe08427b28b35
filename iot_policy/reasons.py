"""In words: why one statement does or does not apply to a request."""

from typing import Literal, NamedTuple

from iot_policy.actions import ACTIONS, resource_type
from iot_policy.decision import assess
from iot_policy.model import Request, Statement

Kind = Literal["matched", "action", "resource type", "resource", "variable", "condition"]

_ARN_PREFIX = 5


class Reason(NamedTuple):
    """Why a statement does or does not apply: the first thing that settles it."""

    kind: Kind
    text: str


def find_reason(statement: Statement, request: Request) -> Reason:
    """Say why *statement* applies to *request*, or the first thing that does not match."""
    miss, missing = assess(statement, request.action.lower(), request)
    if miss is None:
        return Reason("matched", "allows it" if statement.allows else "denies it")
    if miss == "action":
        return Reason(miss, _action(statement, request))
    if miss == "variable":
        return Reason(miss, f"{variable_list(missing)} no value here")
    if miss == "condition":
        return Reason(miss, _condition(statement, request))
    wrong = wrong_type(statement, request)
    return (
        Reason("resource type", wrong)
        if wrong
        else Reason("resource", _resource(statement, request))
    )


def wrong_type(statement: Statement, request: Request) -> str:
    """What is wrong with the type of the statement's resources; empty if nothing is.

    Example: ``is about a topic; a connection is checked against client/<client id>``.
    """
    asked = resource_type(request.resource)
    types = dict.fromkeys(resource_type(pattern.text) for pattern in statement.resources)
    if statement.not_resource or asked in types or "*" in types:
        return ""
    check = next((c for name, c in ACTIONS.items() if name.lower() == request.action.lower()), None)
    event, example = (check.event, check.example) if check else ("this", f"{asked}/…")
    return f"is about a {' or a '.join(types)}; {event} is checked against {example}"


def short(arn: str, beside: str) -> str:
    """Leave out of *arn* what it has in common with *beside*: partition, region and account.

    >>> short("arn:aws:iot:r:1:topic/a", beside="arn:aws:iot:r:1:client/b")
    'topic/a'
    """
    fields, others = arn.split(":", _ARN_PREFIX), beside.split(":", _ARN_PREFIX)
    same = len(fields) > _ARN_PREFIX and fields[:_ARN_PREFIX] == others[:_ARN_PREFIX]
    return fields[-1] if same else arn


def variable_list(names: tuple[str, ...]) -> str:
    """``${a} has`` or ``${a} and ${b} have``."""
    shown = " and ".join(f"${{{name}}}" for name in names)
    return f"{shown} {'has' if len(names) == 1 else 'have'}"


def failing(statement: Statement, request: Request) -> list[tuple[str, str]]:
    """Each condition that does not hold, and what its key is here."""
    found = []
    for condition in statement.conditions:
        if not condition.holds(request.context):
            value = request.context.get(condition.key)
            here = value if isinstance(value, str) else ", ".join(value or ())
            found.append((str(condition), f"it is {here}" if here else "it has no value"))
    return found


def _action(statement: Statement, request: Request) -> str:
    element = "NotAction" if statement.not_action else "Action"
    listed = statement.source[element]
    named = " and ".join(listed) if isinstance(listed, list) else listed
    if statement.not_action:
        return f"is about everything but {named}"
    return f"is about {named}, not {request.action}"


def _resource(statement: Statement, request: Request) -> str:
    named = " or ".join(short(p.text, beside=request.resource) for p in statement.resources)
    asked = short(request.resource, beside=statement.resources[0].text)
    if statement.not_resource:
        return f"is about everything but {named}"
    return f"is about {named}, not {asked}"


def _condition(statement: Statement, request: Request) -> str:
    condition, here = failing(statement, request)[0]
    return f"applies only where {condition}; here {here}"
