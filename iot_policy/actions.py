"""The actions that AWS IoT documents, and the type of resource each is checked against.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html
"""

from collections.abc import Mapping
from typing import NamedTuple


class Check(NamedTuple):
    """How AWS IoT checks an action."""

    resource_type: str
    """``client``, ``topic``, …; ``*`` for any."""
    event: str
    """What is checked, in words."""
    example: str
    """The resource, after the account's number."""


_SHADOW = Check("thing", "a shadow request", "thing/<thing name>")
_JOB = Check("thing", "a job request", "thing/<thing name>")

ACTIONS: Mapping[str, Check] = {
    "iot:Connect": Check("client", "a connection", "client/<client id>"),
    "iot:Publish": Check("topic", "a publish", "topic/<topic>"),
    "iot:RetainPublish": Check("topic", "a retained publish", "topic/<topic>"),
    "iot:Subscribe": Check("topicfilter", "a subscription", "topicfilter/<topic filter>"),
    "iot:Receive": Check("topic", "a delivery", "topic/<topic>"),
    "iot:DeleteConnection": Check("client", "a forced disconnect", "client/<client id>"),
    "iot:GetRetainedMessage": Check("topic", "reading a retained message", "topic/<topic>"),
    "iot:ListRetainedMessages": Check("*", "listing retained messages", "*"),
    "iot:GetThingShadow": _SHADOW,
    "iot:UpdateThingShadow": _SHADOW,
    "iot:DeleteThingShadow": _SHADOW,
    "iot:ListNamedShadowsForThing": _SHADOW,
    "iot:DescribeJobExecution": _JOB,
    "iot:GetPendingJobExecutions": _JOB,
    "iot:UpdateJobExecution": _JOB,
    "iot:StartNextPendingJobExecution": _JOB,
    "iot:AssumeRoleWithCertificate": Check("rolealias", "a credentials request", "rolealias/…"),
}


def resource_type(resource: str) -> str:
    """The type in a resource's ARN; ``*`` where a wildcard leaves it open.

    >>> resource_type("arn:aws:iot:eu-west-1:123456789012:topic/a/b")
    'topic'
    >>> resource_type("arn:aws:iot:*")
    '*'
    """
    fields = resource.split(":", 5)
    kind = fields[-1].partition("/")[0]
    return "*" if len(fields) <= 5 or "*" in kind or "?" in kind else kind
