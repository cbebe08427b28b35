"""Is it allowed? By default no; one Allow is enough; one Deny is stronger than any Allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from iot_policy.model import Policy, Request, Statement
from iot_policy.patterns import Context, Pattern, unresolved

Verdict = Literal["ALLOWED", "EXPLICIT_DENY", "IMPLICIT_DENY"]
Miss = Literal["action", "resource", "variable", "condition"]
"""Why a statement has nothing to say about a request."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and who gave it; the names are those of TestAuthorization."""

    verdict: Verdict
    allowed_by: tuple[str, ...]
    """Policies with an Allow that matches, even where a Deny overrules it."""
    denied_by: tuple[str, ...]
    """Policies with a Deny that matches."""
    missing: tuple[str, ...]
    """Context keys that a statement needed and that have no value here, sorted."""


def decide(policies: Sequence[Policy], request: Request) -> Decision:
    """Decide one request; the order of policies and statements does not matter.

    Args:
        policies: The default version of each policy attached to the certificate.
        request: What the device asks for.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    """
    allowed: list[str] = []
    denied: list[str] = []
    missing: set[str] = set()
    action = request.action.lower()
    for policy in policies:
        for statement in policy.statements:
            miss, needed = assess(statement, action, request)
            if miss is None:
                (allowed if statement.allows else denied).append(policy.name)
            if needed:
                missing.update(needed)
    verdict: Verdict = "EXPLICIT_DENY" if denied else "ALLOWED" if allowed else "IMPLICIT_DENY"
    return Decision(
        verdict, tuple(dict.fromkeys(allowed)), tuple(dict.fromkeys(denied)), tuple(sorted(missing))
    )


def assess(
    statement: Statement, action: str, request: Request
) -> tuple[Miss | None, tuple[str, ...]]:
    """Match one statement with a request.

    Args:
        statement: Of any effect.
        action: The request's action in lower case.
        request: The request.

    Returns:
        Why the statement does not apply, ``None`` where it does; and the context keys that were
        needed on the way and have no value.
    """
    context = request.context
    if _any(statement.actions, action, context) == statement.not_action:
        return "action", ()
    found = _any(statement.resources, request.resource, context)
    missing = () if found else unresolved(statement.variables, context)
    if found == statement.not_resource:
        return ("variable" if missing else "resource"), missing
    if not statement.needs <= context.keys():
        missing += unresolved(statement.needs, context)
    for condition in statement.conditions:
        if not condition.holds(context):
            return "condition", missing
    return None, missing


def _any(patterns: tuple[Pattern, ...], text: str, context: Context) -> bool:
    # A plain loop: any() with a generator takes three times as long, once for each statement.
    for pattern in patterns:  # noqa: SIM110
        if pattern.matches(text, context):
            return True
    return False
