"""For a denial: the one change that would help most."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from iot_policy.decision import Decision
from iot_policy.keys import THING
from iot_policy.model import Policy, Request, Statement
from iot_policy.patterns import unresolved
from iot_policy.reasons import Reason, failing, find_reason, short, wrong_type

_NEAREST_FIRST = ("condition", "variable", "resource", "resource type")


class _Near(NamedTuple):
    """An Allow statement about the right action, and why it does not apply."""

    policy: str
    statement: Statement
    reason: Reason

    def __str__(self) -> str:
        return f"Statement {self.statement.number} of {self.policy}"


def hint(policies: Sequence[Policy], request: Request, decision: Decision) -> str:
    """Name the one change that would help most.

    Returns:
        One or two sentences; empty where the request is allowed.
    """
    if decision.verdict == "ALLOWED":
        return ""
    if decision.verdict == "EXPLICIT_DENY":
        return _lift_deny(policies, request)
    if not policies:
        return f"No policy is attached: attach one that allows {request.action}."
    near = sorted(_near(policies, request), key=lambda found: _distance(found, request))
    if not near:
        return f"No statement allows {request.action}: add one, with Resource {request.resource}."
    change = {
        "condition": _meet_condition,
        "variable": _give_value,
        "resource": _name_resource,
        "resource type": _right_type,
    }
    return change[near[0].reason.kind](near[0], request)


def _near(policies: Sequence[Policy], request: Request) -> Iterator[_Near]:
    for policy in policies:
        for statement in policy.statements:
            reason = find_reason(statement, request)
            if statement.allows and reason.kind in _NEAREST_FIRST:
                yield _Near(policy.name, statement, reason)


def _distance(found: _Near, request: Request) -> tuple[int, int]:
    """How far from a match: by the kind of miss, then by how early the ARNs part."""
    alike = max(_alike(pattern.text, request.resource) for pattern in found.statement.resources)
    return _NEAREST_FIRST.index(found.reason.kind), -alike


def _alike(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _lift_deny(policies: Sequence[Policy], request: Request) -> str:
    denies = (
        f"Statement {statement.number} of {policy.name} denies it, and a Deny is stronger than "
        "any Allow: remove it, or narrow its Resource."
        for policy in policies
        for statement in policy.statements
        if not statement.allows and find_reason(statement, request).kind == "matched"
    )
    return next(denies)


def _meet_condition(near: _Near, request: Request) -> str:
    condition, here = failing(near.statement, request)[0]
    change = _attach(request) if THING in condition else "Meet it, or change the condition."
    return f"{near} allows it only where {condition}; here {here}. {change}"


def _give_value(near: _Near, request: Request) -> str:
    name = unresolved(near.statement.variables, request.context)[0]
    needs = f"{near} needs a value for ${{{name}}}."
    if not name.startswith(THING):
        return f"{needs} This connection has none."
    if f"{THING}ThingName" in request.context:
        part = name.removeprefix(THING)
        return f"{needs} Give the Thing {request.context[f'{THING}ThingName']} its {part}."
    return f"{needs} {_attach(request)}"


def _attach(request: Request) -> str:
    client_id = request.context.get("iot:ClientId")
    now = f" (here it is {client_id})" if client_id else ""
    return (
        f"Attach the certificate to a Thing, and connect with the Thing's name as client id{now}."
    )


def _name_resource(near: _Near, request: Request) -> str:
    patterns = near.statement.resources
    element = "NotResource" if near.statement.not_resource else "Resource"
    named = " or ".join(short(pattern.text, beside=request.resource) for pattern in patterns)
    asked = short(request.resource, beside=patterns[0].text)
    but = "everything but " if near.statement.not_resource else ""
    return (
        f"{near} allows {request.action} on {but}{named}, not on {asked}: change the {element}, "
        "or what the device asks for."
    )


def _right_type(near: _Near, request: Request) -> str:
    allows = wrong_type(near.statement, request).removeprefix("is about ")
    return f"{near} allows {request.action} on {allows}. Make its Resource {request.resource}."
