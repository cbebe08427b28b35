"""Is it allowed? By default no; one Allow is enough; one Deny is stronger than any Allow.

A policy is parsed once (:func:`parse`) and then decides about many requests (:func:`decide`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from iot_policy.conditions import Condition, compile_conditions, texts
from iot_policy.documents import VERSIONS, check, statements
from iot_policy.errors import MalformedPolicy
from iot_policy.patterns import Context, Pattern, compile_pattern, unresolved

_POLICIES_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What a device asks for."""

    action: str
    """Such as ``iot:Publish``."""
    resource: str
    """The full ARN."""
    context: Context
    """What is known of the connection: see :func:`iot_policy.context.connection_context`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, ready for matching."""

    number: int
    """Its place in the document, from 1."""
    allows: bool
    actions: tuple[Pattern, ...]
    """In lower case: action names are not case-sensitive."""
    not_action: bool
    resources: tuple[Pattern, ...]
    not_resource: bool
    variables: tuple[str, ...]
    """Names of the variables in its resources."""
    conditions: tuple[Condition, ...]
    needs: frozenset[str]
    """Context keys that its conditions need."""
    source: Mapping[str, Any]
    """As the document has it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy's default version, ready for matching."""

    name: str
    version: str
    """Of the policy language: variables need 2012-10-17."""
    statements: tuple[Statement, ...]
    group: str = ""
    """The thing group that it is attached to; empty where it is the certificate's own."""

    @property
    def title(self) -> str:
        """What explanations call it: its name, and the group that it is from."""
        return f"{self.name} (from group {self.group})" if self.group else self.name


@lru_cache(maxsize=_POLICIES_KEPT)
def parse(name: str, text: str, group: str = "") -> Policy:
    """Make a policy document ready for decisions; asked again, the answer is remembered.

    Args:
        name: The policy's name, as decisions report it.
        text: The JSON document.
        group: The thing group that it is attached to, if it is attached to one.

    Raises:
        MalformedPolicy: AWS would not have stored it. Whoever enforces policies denies then, with
            this as the reason.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    document = check(text)
    substitute = document["Version"] == VERSIONS[0]
    compiled = []
    for number, found in enumerate(statements(document), 1):
        try:
            compiled.append(_statement(number, found, substitute))
        except MalformedPolicy as error:
            raise MalformedPolicy(error.problem, statement=number) from error
    return Policy(name, document["Version"], tuple(compiled), group)


def _statement(number: int, found: Mapping[str, Any], substitute: bool) -> Statement:
    not_action, not_resource = "NotAction" in found, "NotResource" in found
    actions = texts(found["NotAction" if not_action else "Action"])
    resources = texts(found["NotResource" if not_resource else "Resource"])
    patterns = tuple(compile_pattern(text, variables=substitute) for text in resources)
    block = found.get("Condition", {})
    conditions = tuple(compile_conditions(block, variables=substitute))
    return Statement(
        number=number,
        allows=found["Effect"] == "Allow",
        actions=tuple(compile_pattern(text.lower(), variables=False) for text in actions),
        not_action=not_action,
        resources=patterns,
        not_resource=not_resource,
        variables=tuple(name for pattern in patterns for name in pattern.variables),
        conditions=conditions,
        needs=frozenset(name for condition in conditions for name in condition.needs),
        source=found,
    )


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
        policies: The default version of each policy that counts for the certificate.
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
