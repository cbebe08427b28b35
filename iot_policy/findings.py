"""What is wrong with a policy before any device asks: findings, each with AWS's page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iot_policy.documents import to_json
from iot_policy.errors import MalformedPolicy
from iot_policy.grammar import VERSIONS
from iot_policy.model import Policy, parse
from iot_policy.rules import GUIDE, RULES, Severity, Where

_CREATE = "https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html"
_VARIABLES = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at."""

    severity: Severity
    """``error``: it cannot work as written. ``warning``: it allows too much. ``note``: be aware."""
    statement: int | None
    """The statement's number, from 1; ``None`` for the whole document."""
    message: str
    page: str
    """AWS's page about it."""

    def __str__(self) -> str:
        where = f", statement {self.statement}" if self.statement else ""
        return f"{self.severity}{where}: {self.message}"


def lint(
    document: Mapping[str, Any] | str,
    *,
    region: str | None = None,
    account: str | None = None,
    attached: bool | None = None,
) -> list[Finding]:
    """Look a policy over.

    Args:
        document: The policy, as JSON text or as built by :func:`iot_policy.documents.document`.
        region: Where it will be used; resources in another region are errors then.
        account: 12 digits; resources of another account are errors then.
        attached: Whether the certificate is attached to a Thing; ``None`` if that is not known.

    Returns:
        The findings, statement by statement; none where there is nothing to say.

    >>> for finding in lint('{"Version": "2012-10-17"}'):
    ...     print(finding)
    error: Statement must hold at least one statement.
    """
    text = document if isinstance(document, str) else to_json(document)
    try:
        policy = parse("", text)
    except MalformedPolicy as error:
        return [Finding("error", error.statement, error.problem, _CREATE)]
    where = Where(region, account, attached)
    return [*_old_version(policy), *_by_statement(policy, where)]


def _by_statement(policy: Policy, where: Where) -> Iterator[Finding]:
    for statement in policy.statements:
        for rule in RULES:
            for severity, message, page in rule(statement, where):
                yield Finding(severity, statement.number, message, GUIDE + page)


def _old_version(policy: Policy) -> Iterator[Finding]:
    newest, *_ = VERSIONS
    if policy.version != newest and any("${" in str(s.source) for s in policy.statements):
        message = f"Version {policy.version} takes ${{…}} as plain text: use {newest}."
        yield Finding("warning", None, message, _VARIABLES)
