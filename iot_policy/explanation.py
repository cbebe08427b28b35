"""Why a request is allowed or denied, statement by statement, and what would change it."""

from collections.abc import Sequence
from dataclasses import dataclass

from iot_policy.decision import Decision, decide
from iot_policy.hints import hint
from iot_policy.model import Policy, Request, Statement
from iot_policy.reasons import Kind, find_reason


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, and why it does or does not apply."""

    policy: str
    number: int
    effect: str
    """``Allow`` or ``Deny``."""
    kind: Kind
    """``matched``, or what did not match: action, resource type, resource, variable, condition."""
    reason: str
    """The same in words."""


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """A decision with its reasons."""

    request: Request
    decision: Decision
    steps: tuple[Step, ...]
    hint: str
    """For a denial, the one change that would help most; empty where it is allowed."""

    def __str__(self) -> str:
        lines = [self.headline, *(f"  {_place(step)}: {step.reason}" for step in self.steps)]
        return "\n".join([*lines, f"  To change it: {self.hint}"] if self.hint else lines)

    __repr__ = __str__

    @property
    def headline(self) -> str:
        """The verdict, and on what."""
        return f"{self.decision.verdict}: {self.request.action} on {self.request.resource}"


def explain(policies: Sequence[Policy], request: Request) -> Explanation:
    """Say why *policies* allow or deny *request*.

    Args:
        policies: As for :func:`iot_policy.decision.decide`.
        request: What the device asks for.

    Returns:
        Each statement with the one reason why it does or does not apply, the decision, and for a
        denial the one change that would help most.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
    """
    decision = decide(policies, request)
    steps = tuple(
        _step(policy.name, statement, request)
        for policy in policies
        for statement in policy.statements
    )
    return Explanation(request, decision, steps, hint(policies, request, decision))


def _step(policy: str, statement: Statement, request: Request) -> Step:
    kind, reason = find_reason(statement, request)
    return Step(policy, statement.number, "Allow" if statement.allows else "Deny", kind, reason)


def _place(step: Step) -> str:
    return f"{step.policy}, statement {step.number} ({step.effect})"
