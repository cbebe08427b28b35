"""Why a request is allowed or denied, statement by statement, and what would change it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from helpers.policy.decision import Decision, decide
from helpers.policy.hints import hint
from helpers.policy.model import Policy, Request, Statement
from helpers.policy.reasons import Kind, find_reason
from helpers.table import table


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
    """A decision with its reasons; a table in a notebook, text everywhere else."""

    request: Request
    decision: Decision
    steps: tuple[Step, ...]
    hint: str
    """For a denial, the one change that would help most; empty where it is allowed."""

    def __str__(self) -> str:
        lines = [self._headline(), *(f"  {_place(step)}: {step.reason}" for step in self.steps)]
        return "\n".join([*lines, f"  To change it: {self.hint}"] if self.hint else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [(step.policy, step.number, step.effect, step.reason) for step in self.steps]
        steps = table(["Policy", "Statement", "Effect", "Why"], rows)
        tail = f"<p>To change it: {escape(self.hint)}</p>" if self.hint else ""
        return f"<p>{escape(self._headline())}</p>{steps._repr_html_()}{tail}"

    def _headline(self) -> str:
        return f"{self.decision.verdict}: {self.request.action} on {self.request.resource}"


def explain(policies: Sequence[Policy], request: Request) -> Explanation:
    """Say why *policies* allow or deny *request*.

    Args:
        policies: As for :func:`helpers.policy.decision.decide`.
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
