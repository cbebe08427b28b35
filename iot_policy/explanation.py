"""Why a request is allowed or denied, statement by statement, and what would change it.

Values first (:func:`assess_statement`, :class:`WrongType`), sentences from them once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, NamedTuple

from iot_policy.arns import resource_type, shorten
from iot_policy.decision import Decision, Policy, Request, Statement, assess, decide
from iot_policy.patterns import unresolved
from iot_policy.vocabulary import ACTIONS, THING, canonical

Kind = Literal["matched", "action", "resource type", "resource", "variable", "condition"]

_NEAREST_FIRST: tuple[Kind, ...] = ("condition", "variable", "resource", "resource type")


@dataclass(frozen=True, slots=True)
class StatementAssessment:
    """One statement, and why it does or does not apply to a request."""

    policy: str
    """Title of the policy that holds it: its name, and the group that it is from."""
    statement: Statement
    kind: Kind
    """``matched``, or the first thing that did not match."""
    reason: str
    """The same in words."""

    @property
    def number(self) -> int:
        """The statement's place in its policy, from 1."""
        return self.statement.number

    @property
    def effect(self) -> str:
        """``Allow`` or ``Deny``."""
        return "Allow" if self.statement.allows else "Deny"

    def __str__(self) -> str:
        return f"{self.policy}, statement {self.number} ({self.effect}): {self.reason}"


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """A decision with its reasons."""

    request: Request
    decision: Decision
    steps: tuple[StatementAssessment, ...]
    """Every statement of every policy."""
    hint: str
    """For a denial, the one change that would help most; empty where it is allowed."""

    @property
    def headline(self) -> str:
        """The verdict, and on what."""
        return f"{self.decision.verdict}: {self.request.action} on {self.request.resource}"

    @property
    def problem(self) -> str:
        """What to look at first: what did not match in the Allow statement that comes closest.

        ``deny`` where a Deny applies, ``action`` where no statement allows the action, empty where
        the request is allowed.
        """
        if self.decision.verdict != "IMPLICIT_DENY":
            return "deny" if self.decision.verdict == "EXPLICIT_DENY" else ""
        kinds = {step.kind for step in _near(self.steps)}
        return next((kind for kind in _NEAREST_FIRST if kind in kinds), "action")

    def __str__(self) -> str:
        lines = [self.headline, *(f"  {step}" for step in self.steps)]
        return "\n".join([*lines, f"  To change it: {self.hint}"] if self.hint else lines)

    __repr__ = __str__


def explain(policies: Sequence[Policy], request: Request) -> Explanation:
    """Explain why *policies* allow or deny *request*.

    Args:
        policies: As for :func:`iot_policy.decide`.
        request: What the device asks for.

    Returns:
        The decision, the one reason why each statement does or does not apply, and for a denial
        the one change that would help most.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
    """
    decision = decide(policies, request)
    steps = tuple(
        assess_statement(policy.title, statement, request)
        for policy in policies
        for statement in policy.statements
    )
    return Explanation(request, decision, steps, _hint(steps, request, decision))


def assess_statement(policy: str, statement: Statement, request: Request) -> StatementAssessment:
    """Find out why a statement applies to a request, or the first thing that does not match."""
    miss, missing = assess(statement, request.action.lower(), request)
    kind: Kind
    if miss is None:
        kind, reason = "matched", "allows it" if statement.allows else "denies it"
    elif miss == "action":
        kind, reason = miss, _about_actions(statement, request)
    elif miss == "variable":
        kind, reason = miss, f"{_variable_list(missing)} no value here"
    elif miss == "condition":
        condition, here = failing(statement, request)[0]
        kind, reason = miss, f"applies only where {condition}; here {here}"
    elif wrong := _wrong_type(statement, request):
        kind, reason = "resource type", f"is about {wrong}"
    else:
        kind, reason = "resource", f"is about {_mismatch(statement, request)}"
    return StatementAssessment(policy, statement, kind, reason)


class WrongType(NamedTuple):
    """Resources of a type that the request's action is never checked against."""

    types: tuple[str, ...]
    """Those of the statement."""
    event: str
    """What is checked, in words."""
    example: str
    """A resource of the right type."""

    def __str__(self) -> str:
        types = " or a ".join(self.types)
        return f"a {types}; {self.event} is checked against {self.example}"


def failing(statement: Statement, request: Request) -> list[tuple[str, str]]:
    """List each condition that does not hold, and what its key is here."""
    found = []
    for condition in statement.conditions:
        if not condition.holds(request.context):
            value = request.context.get(condition.key)
            here = value if isinstance(value, str) else ", ".join(value or ())
            none = "it has no value" if canonical(condition.key) else "AWS IoT has no such key"
            found.append((str(condition), f"it is {here}" if here else none))
    return found


def _wrong_type(statement: Statement, request: Request) -> WrongType | None:
    asked = resource_type(request.resource)
    types = tuple(dict.fromkeys(resource_type(pattern.text) for pattern in statement.resources))
    if statement.not_resource or asked in types or "*" in types:
        return None
    check = next((c for name, c in ACTIONS.items() if name.lower() == request.action.lower()), None)
    return WrongType(
        types, check.event if check else "this", check.example if check else f"{asked}/…"
    )


def _about_actions(statement: Statement, request: Request) -> str:
    listed = statement.source["NotAction" if statement.not_action else "Action"]
    named = " and ".join(listed) if isinstance(listed, list) else listed
    if statement.not_action:
        return f"is about everything but {named}"
    return f"is about {named}, not {request.action}"


def _mismatch(statement: Statement, request: Request) -> str:
    """The statement's resources, and the one that was asked for: ``topic/a, not topic/b``."""
    if statement.not_resource:
        return f"everything but {_named(statement, request)}"
    return f"{_named(statement, request)}, not {_asked(statement, request)}"


def _named(statement: Statement, request: Request) -> str:
    return " or ".join(shorten(p.text, beside=request.resource) for p in statement.resources)


def _asked(statement: Statement, request: Request) -> str:
    return shorten(request.resource, beside=statement.resources[0].text)


def _variable_list(names: tuple[str, ...]) -> str:
    """``${a} has`` or ``${a} and ${b} have``."""
    shown = " and ".join(f"${{{name}}}" for name in names)
    return f"{shown} {'has' if len(names) == 1 else 'have'}"


def _hint(steps: Sequence[StatementAssessment], request: Request, decision: Decision) -> str:
    """The one change that would help most, in one or two sentences; empty where it is allowed."""
    if decision.verdict == "ALLOWED":
        return ""
    if decision.verdict == "EXPLICIT_DENY":
        deny = next(step for step in steps if step.kind == "matched" and step.effect == "Deny")
        return (
            f"Statement {deny.number} of {deny.policy} denies it, and a Deny is stronger than "
            "any Allow: remove it, or narrow its Resource."
        )
    if not steps:
        return f"No policy is attached: attach one that allows {request.action}."
    near = min(_near(steps), key=lambda found: _distance(found, request), default=None)
    if near is None:
        return f"No statement allows {request.action}: add one, with Resource {request.resource}."
    change = {
        "condition": _meet_condition,
        "variable": _give_value,
        "resource": _name_resource,
        "resource type": _right_type,
    }
    return change[near.kind](near.statement, request, f"Statement {near.number} of {near.policy}")


def _near(steps: Sequence[StatementAssessment]) -> Iterator[StatementAssessment]:
    """The Allow statements about the right action."""
    return (step for step in steps if step.effect == "Allow" and step.kind in _NEAREST_FIRST)


def _distance(found: StatementAssessment, request: Request) -> tuple[int, int]:
    """How far from a match: by the kind of mismatch, then by how early the ARNs part."""
    alike = max(_alike(pattern.text, request.resource) for pattern in found.statement.resources)
    return _NEAREST_FIRST.index(found.kind), -alike


def _alike(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _meet_condition(statement: Statement, request: Request, where: str) -> str:
    condition, here = failing(statement, request)[0]
    change = _attach(request) if THING in condition else "Meet it, or change the condition."
    return f"{where} allows it only where {condition}; here {here}. {change}"


def _give_value(statement: Statement, request: Request, where: str) -> str:
    name = unresolved(statement.variables, request.context)[0]
    needs = f"{where} needs a value for ${{{name}}}."
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


def _name_resource(statement: Statement, request: Request, where: str) -> str:
    element = "NotResource" if statement.not_resource else "Resource"
    but = "everything but " if statement.not_resource else ""
    named, asked = _named(statement, request), _asked(statement, request)
    return (
        f"{where} allows {request.action} on {but}{named}, not on {asked}: change the {element}, "
        "or what the device asks for."
    )


def _right_type(statement: Statement, request: Request, where: str) -> str:
    wrong = _wrong_type(statement, request)
    return f"{where} allows {request.action} on {wrong}. Make its Resource {request.resource}."
