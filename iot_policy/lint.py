"""What is wrong with a policy before any device asks: findings, each with AWS's page.

The rules are :mod:`iot_policy.mistakes`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from iot_policy.arns import Severity
from iot_policy.decision import parse
from iot_policy.documents import to_json
from iot_policy.errors import MalformedPolicy
from iot_policy.mistakes import RULES, Found, Setting, lacking, old_version

_CREATE = "https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html"
_GUIDE = "https://docs.aws.amazon.com/iot/latest/developerguide/"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at."""

    severity: Severity
    """``error``: it cannot work as written. ``warning``: it allows too much, or less than it seems
    to. ``note``: be aware."""
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
    """Find what is wrong with a policy.

    Args:
        document: The policy, as JSON text or as built by :func:`iot_policy.document`.
        region: Where it will be used; resources in another region are errors then.
        account: 12 digits; resources of another account are errors then.
        attached: Whether the certificate is attached to a Thing; ``None`` if that is not known.

    Returns:
        The findings, statement by statement; empty where nothing is.

    >>> for finding in lint('{"Version": "2012-10-17"}'):
    ...     print(finding)
    error: Statement must hold at least one statement.
    """
    text = document if isinstance(document, str) else to_json(document)
    try:
        policy = parse("", text)
    except MalformedPolicy as error:
        return [Finding("error", error.statement, error.problem, _CREATE)]
    setting = Setting(policy, region, account, attached)
    by_statement = (
        finding
        for each in policy.statements
        for rule in RULES
        for finding in _findings(rule(each, setting), each.number)
    )
    return [*_findings(old_version(policy)), *by_statement, *_findings(lacking(policy))]


def _findings(found: Found, number: int | None = None) -> Iterator[Finding]:
    for severity, message, page in found:
        yield Finding(severity, number, message, urljoin(_GUIDE, page))
