"""Build policy documents, and write them as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from iot_policy.grammar import VERSIONS


def statement(
    action: str | list[str],
    resource: str | list[str],
    *,
    effect: str = "Allow",
    condition: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Build one statement of a policy.

    Args:
        action: One action or several, such as ``iot:Publish``.
        resource: One ARN or several, or ``*``; see :func:`arn`.
        effect: ``Allow`` or ``Deny``.
        condition: Operator to key to value, such as ``{"Bool": {"iot:…": "true"}}``.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html

    >>> statement("iot:Connect", "*")
    {'Effect': 'Allow', 'Action': 'iot:Connect', 'Resource': '*'}
    """
    built: dict[str, Any] = {"Effect": effect, "Action": action, "Resource": resource}
    return {**built, "Condition": condition} if condition else built


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """Put statements together to a policy document.

    >>> document(statement("iot:Connect", "*"))["Version"]
    '2012-10-17'
    """
    return {"Version": VERSIONS[0], "Statement": list(statements)}


def to_json(document: Mapping[str, Any]) -> str:
    """Write a document as the console's advanced mode shows it: JSON, indented by two."""
    return json.dumps(document, indent=2, ensure_ascii=False)
