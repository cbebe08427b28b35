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
    may: str
    """What follows *It may …*, with ``{}`` for the resource's name."""


def _shadow(may: str) -> Check:
    return Check("thing", "a shadow request", "thing/<thing name>", may)


def _job(may: str) -> Check:
    return Check("thing", "a job request", "thing/<thing name>", may)


ACTIONS: Mapping[str, Check] = {
    "iot:Connect": Check("client", "a connection", "client/<client id>", "connect as {}"),
    "iot:Publish": Check("topic", "a publish", "topic/<topic>", "publish on {}"),
    "iot:RetainPublish": Check(
        "topic", "a retained publish", "topic/<topic>", "publish a retained message on {}"
    ),
    "iot:Subscribe": Check(
        "topicfilter", "a subscription", "topicfilter/<topic filter>", "subscribe to {}"
    ),
    "iot:Receive": Check("topic", "a delivery", "topic/<topic>", "receive what is published on {}"),
    "iot:DeleteConnection": Check(
        "client", "a forced disconnect", "client/<client id>", "disconnect {}"
    ),
    "iot:GetRetainedMessage": Check(
        "topic", "reading a retained message", "topic/<topic>", "read the retained message on {}"
    ),
    "iot:ListRetainedMessages": Check(
        "*", "listing retained messages", "*", "list all retained messages"
    ),
    "iot:GetThingShadow": _shadow("read the shadow of {}"),
    "iot:UpdateThingShadow": _shadow("change the shadow of {}"),
    "iot:DeleteThingShadow": _shadow("delete the shadow of {}"),
    "iot:ListNamedShadowsForThing": _shadow("list the shadows of {}"),
    "iot:DescribeJobExecution": _job("read a job of {}"),
    "iot:GetPendingJobExecutions": _job("list the jobs of {}"),
    "iot:UpdateJobExecution": _job("report on a job of {}"),
    "iot:StartNextPendingJobExecution": _job("start a job of {}"),
    "iot:AssumeRoleWithCertificate": Check(
        "rolealias", "a credentials request", "rolealias/…", "get the credentials of {}"
    ),
}

NOUNS = {
    "client": "client",
    "topic": "topic",
    "topicfilter": "topic filter",
    "thing": "Thing",
    "rolealias": "role alias",
}
"""What each type of resource is called."""

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

ALTERNATIVE_NAMES = (
    "RFC822Name",
    "DNSName",
    "DirectoryName",
    "UniformResourceIdentifier",
    "IPAddress",
)
"""The kinds of a certificate's alternative names as AWS IoT spells them."""

VALUES_A_NAME = 5
"""AWS IoT keeps this many values of one part of a subject; further ones are ignored."""

CERTIFICATE = "iot:Certificate."
"""How the keys begin whose values the certificate has, its id aside."""

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
    f"{CERTIFICATE}SerialNumber",
    f"{CERTIFICATE}AvailableKeys",
    *(
        f"{CERTIFICATE}{whose}.{name}{suffix}"
        for whose in ("Subject", "Issuer")
        for name in (*CERTIFICATE_NAMES, *(f"AlternativeName.{kind}" for kind in ALTERNATIVE_NAMES))
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
