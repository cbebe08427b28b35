"""What AWS IoT documents: the actions, and the context keys that conditions and variables name.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html
"""

import re
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

CERTIFICATE_NAMES = {
    "DistinguishedNameQualifier": "2.5.4.46",
    "Country": "2.5.4.6",
    "Organization": "2.5.4.10",
    "OrganizationalUnit": "2.5.4.11",
    "State": "2.5.4.8",
    "CommonName": "2.5.4.3",
    "SerialNumber": "2.5.4.5",
    "Title": "2.5.4.12",
    "Surname": "2.5.4.4",
    "GivenName": "2.5.4.42",
    "Initials": "2.5.4.43",
    "Pseudonym": "2.5.4.65",
    "GenerationQualifier": "2.5.4.44",
}
"""The parts of a certificate's subject and issuer as AWS IoT spells them, and their X.500 ids."""

VALUES_A_NAME = 5
"""AWS IoT keeps this many values of one part of a subject; further ones are ignored."""

_SUFFIXES = ("", ".List", *(f".{index}" for index in range(VALUES_A_NAME)))

KEYS = (
    "aws:SourceIp",
    "iot:ClientId",
    "iot:DomainName",
    "iot:CertificateId",
    "iot:ConnectAttributes",
    "iot:LastWillTopic",
    "iot:Connection.Thing.ThingName",
    "iot:Connection.Thing.ThingTypeName",
    "iot:Connection.Thing.IsAttached",
    *(
        f"iot:Certificate.{whose}.{name}{suffix}"
        for whose in ("Subject", "Issuer")
        for name in CERTIFICATE_NAMES
        for suffix in _SUFFIXES
    ),
)
"""Every documented key but the Things' attributes, whose names are the account's own."""

THING = "iot:Connection.Thing."
"""How the keys begin that have a value only where the certificate is attached to the Thing."""

_SPELLING = {key.lower(): key for key in KEYS}
_ATTRIBUTE = re.compile(r"iot:connection\.thing\.attributes\[(.+)\]", re.IGNORECASE)


def canonical(key: str) -> str | None:
    """Spell a context key as AWS does; key names are not case-sensitive.

    Returns:
        The key, or ``None`` where AWS IoT documents no such key.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policy-variables.html

    >>> canonical("IOT:clientid")
    'iot:ClientId'
    >>> canonical("iot:Connection.Thing.Attributes[floor]")
    'iot:Connection.Thing.Attributes[floor]'
    >>> canonical("iot:Thing.ThingName") is None
    True
    """
    attribute = _ATTRIBUTE.fullmatch(key)
    return f"{THING}Attributes[{attribute[1]}]" if attribute else _SPELLING.get(key.lower())
