"""What a decision is made of: a request, and policies parsed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from iot_policy.conditions import Condition, compile_conditions, texts
from iot_policy.errors import MalformedPolicy
from iot_policy.grammar import VERSIONS, check, statements
from iot_policy.patterns import Context, Pattern, compile_pattern

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


@lru_cache(maxsize=_POLICIES_KEPT)
def parse(name: str, text: str) -> Policy:
    """Make a policy document ready for decisions; asked again, the answer is remembered.

    Args:
        name: The policy's name, as decisions report it.
        text: The JSON document.

    Raises:
        MalformedPolicy: AWS would not have stored it, or a condition is on a key that AWS IoT
            does not document. Whoever enforces policies denies then, with this as the reason.

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
    return Policy(name, document["Version"], tuple(compiled))


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
