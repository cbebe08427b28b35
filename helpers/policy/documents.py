"""Build policy documents; the lesson's four: the post's, and three that do what it meant."""

import json
from collections.abc import Mapping
from typing import Any

from helpers.policy.grammar import VERSIONS


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


def arn(region: str, account: str, resource: str) -> str:
    """Name a resource of AWS IoT in full.

    Args:
        region: Such as ``eu-west-1``; it decides the partition, ``aws-cn`` in China.
        account: 12 digits.
        resource: Type and name: ``client/…``, ``topic/…``, ``topicfilter/…``.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html

    >>> arn("eu-west-1", "123456789012", "topic/iotbutton/G030JF055364XVRB")
    'arn:aws:iot:eu-west-1:123456789012:topic/iotbutton/G030JF055364XVRB'
    """
    partitions = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
    prefix = "us-gov" if region.startswith("us-gov-") else region.partition("-")[0]
    return f"arn:{partitions.get(prefix, 'aws')}:iot:{region}:{account}:{resource}"


def as_posted(region: str, account: str, serial: str) -> dict[str, Any]:
    """The post's own JSON. It grants the reverse of what its prose says.

    Args:
        region: The account's region.
        account: 12 digits.
        serial: The button's serial number (DSN), 16 characters.
    """
    return document(
        statement("iot:Connect", arn(region, account, f"topic/iotbutton/{serial}")),
        statement("iot:Publish", "*"),
    )


def intended(region: str, account: str, serial: str) -> dict[str, Any]:
    """What the post's prose says: anyone may connect, the button publishes on its own topic."""
    return document(
        statement("iot:Connect", "*"),
        statement("iot:Publish", arn(region, account, f"topic/iotbutton/{serial}")),
    )


def least_privilege(region: str, account: str, serial: str, client_id: str) -> dict[str, Any]:
    """Just this client id, just this topic; the registry is not asked."""
    return document(
        statement("iot:Connect", arn(region, account, f"client/{client_id}")),
        statement("iot:Publish", arn(region, account, f"topic/iotbutton/{serial}")),
    )


def recommended(region: str, account: str) -> dict[str, Any]:
    """What AWS recommends: one policy for every button, the registry fills in which one.

    The certificate must be attached to a Thing, the client id must be the Thing's name, and the
    Thing carries the button's serial number as its attribute ``serialNumber``.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-policy-variables.html
    """
    thing = "iot:Connection.Thing"
    return document(
        statement(
            "iot:Connect",
            arn(region, account, f"client/${{{thing}.ThingName}}"),
            condition={"Bool": {f"{thing}.IsAttached": ["true"]}},
        ),
        statement(
            "iot:Publish",
            arn(region, account, f"topic/iotbutton/${{{thing}.Attributes[serialNumber]}}"),
        ),
    )
