"""Amazon Resource Names: the one place where they are put together and taken apart."""

import re
from typing import Literal, NamedTuple

from iot_policy.vocabulary import ACTIONS

PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
"""By how the names of their regions begin; all others are in ``aws``."""

_FIELDS = 6
_COLON_OUTSIDE_VARIABLES = re.compile(r":(?![^{}]*\})")
_WITHIN = re.compile(r"[:/](arn:.*)", re.DOTALL)
_ACCOUNT = re.compile("[0-9]{12}")
_OPEN = frozenset("*?$")
_TYPES = {check.resource_type for check in ACTIONS.values()} - {"*"}
_ALIKE = {"topic": {"topic", "topicfilter"}, "topicfilter": {"topic", "topicfilter"}}
"""Types that are written for each other."""


class Arn(NamedTuple):
    """The fields of an ARN as they are written, wildcards and variables included."""

    prefix: str
    """Always ``arn``, where it is one."""
    partition: str
    service: str
    region: str
    account: str
    resource: str
    """Type and name: ``topic/iotbutton/G030JF055364XVRB``, ``cert/…``, ``user/zoe``."""

    @property
    def resource_type(self) -> str:
        """What stands before the resource's first slash: ``topic``, ``client``, ``cert``."""
        return self.resource.partition("/")[0]

    @property
    def name(self) -> str:
        """What stands after the resource's first slash."""
        return self.resource.partition("/")[2]


def split_arn(text: str, *, variables: bool = False) -> Arn | None:
    """Split an ARN into its fields.

    Args:
        text: The ARN.
        variables: Whether it may hold ``${…}``; a colon in there separates no fields.

    Returns:
        Its fields; ``None`` where there are fewer than six.

    >>> split_arn("arn:aws:iot:eu-west-1:123456789012:topic/a/b").name
    'a/b'
    >>> split_arn("*") is None
    True

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    if variables:
        fields = _COLON_OUTSIDE_VARIABLES.split(text, _FIELDS - 1)
    else:
        fields = text.split(":", _FIELDS - 1)
    return Arn(*fields) if len(fields) == _FIELDS else None


def arn(region: str, account: str, resource: str) -> str:
    """Build the ARN of a resource of AWS IoT.

    Args:
        region: Such as ``eu-west-1``; it decides the partition, ``aws-cn`` in China.
        account: 12 digits.
        resource: Type and name: ``client/…``, ``topic/…``, ``topicfilter/…``.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html

    >>> arn("eu-west-1", "123456789012", "topic/iotbutton/G030JF055364XVRB")
    'arn:aws:iot:eu-west-1:123456789012:topic/iotbutton/G030JF055364XVRB'
    """
    return f"arn:{partition(region)}:iot:{region}:{account}:{resource}"


def partition(region: str) -> str:
    """Return the partition that a region is in.

    >>> partition("eu-west-1"), partition("cn-north-1"), partition("eusc-de-east-1")
    ('aws', 'aws-cn', 'aws-eusc')
    """
    return next((name for start, name in PARTITIONS.items() if region.startswith(start)), "aws")


Severity = Literal["error", "warning", "note"]


class Misspelt(NamedTuple):
    """What is wrong with the form of an ARN."""

    severity: Severity
    """``error``: it can match nothing. Else it matches, and hardly what is meant."""
    problem: str
    """What follows the ARN in a sentence."""
    better: str = "arn:aws:iot:<region>:<account>:<type>/<name>"
    """What is meant, most likely; where that is not clear, the form of an ARN."""


def misspelt(text: str) -> Misspelt | None:
    """Find out whether a policy's resource has a form that hardly anyone means.

    >>> misspelt("arn:aws:iot:eu-west-1:123456789012:iot:topic/x").better
    'arn:aws:iot:eu-west-1:123456789012:topic/x'
    >>> misspelt("arn:aws:iot:eu-west-1:123456789012:topic/x") is None
    True
    """
    if text != text.rstrip():
        return Misspelt("warning", "ends in a blank", text.rstrip())
    if inner := _WITHIN.search(text):
        before = text[: inner.start() + 1]
        certain = before.endswith(":") and not _OPEN & set(before)
        return Misspelt("error" if certain else "warning", "holds an ARN within an ARN", inner[1])
    head, slash, name = text.partition("/")
    fields = _COLON_OUTSIDE_VARIABLES.split(head)
    if len(fields) > _FIELDS:
        problem, better = _too_many(fields)
        decisive = 4 if fields[2:4] == ["iot", "iot"] else _FIELDS
        found = Misspelt(_severity(fields[:decisive]), problem)
        return found._replace(better=better + slash + name) if better else found
    if len(fields) < _FIELDS:
        return _too_few(fields, slash + name)
    return _misspelt_field(fields, slash + name) if fields[2] == "iot" else None


def _severity(before: list[str]) -> Severity:
    """Without a wildcard *before* what is wrong, the ARN can match nothing."""
    return "warning" if _OPEN & set("".join(before)) else "error"


def _too_many(fields: list[str]) -> tuple[str, str]:
    """Say what is wrong with an ARN's head that has too many fields, and write a better one."""
    if fields[_FIELDS - 1] in _TYPES:
        start, rest = fields[:_FIELDS], fields[_FIELDS:]
        return "has a colon where a slash belongs", f"{':'.join(start)}/{':'.join(rest)}"
    twice = [
        (field, fields[:place] + fields[place + 1 :])
        for place, field in enumerate(fields)
        if field and not _OPEN & set(field) and fields.count(field) > 1
    ]
    for field, once in twice:
        if once[0] == "arn" and once[2] == "iot" and len(once) == _FIELDS:
            return f"says {field} twice", ":".join(once)
    return (f"says {twice[0][0]} twice" if twice else "has too many fields"), ""


def _too_few(fields: list[str], rest: str) -> Misspelt | None:
    """A wildcard may stand for the fields that are missing."""
    if _severity(fields) == "error":
        return Misspelt("error", "lacks a field")
    if fields[2:4] == ["iot", "iot"] and len(fields) > 4:
        once = ":".join([*fields[:3], *fields[4:]])
        return Misspelt(_severity(fields[:4]), "says iot twice", once + rest)
    return None


def _misspelt_field(fields: list[str], rest: str) -> Misspelt | None:
    *_, region, account, kind = fields
    name = rest.removeprefix("/")
    if region == "iot":
        return Misspelt("error", "says iot twice")
    if _ACCOUNT.fullmatch(region):
        turned = ":".join([*fields[:3], account, region, kind])
        return Misspelt("error", "has region and account in the wrong order", turned + rest)
    for place, field in ((3, "region"), (4, "account")):
        if not fields[place]:
            filled = [*fields[:3], region or "<region>", account or "<account>", kind]
            return Misspelt(_severity(fields[:place]), f"names no {field}", ":".join(filled) + rest)
    if _severity(fields) == "error" and not (kind and name):
        return Misspelt("error", f"names no {kind if kind in _TYPES else 'type of resource'}")
    first, _, further = name.partition("/")
    if further and first in _ALIKE.get(kind, {kind}):
        better = f"{':'.join(fields)}/{further}"
        return Misspelt("note", f"is about the {kind} {name}", better)
    return None


def resource_type(resource: str) -> str:
    """Return the type in a policy's resource; ``*`` where a wildcard leaves it open.

    >>> resource_type("arn:aws:iot:eu-west-1:123456789012:topic/a/b")
    'topic'
    >>> resource_type("arn:aws:iot:*")
    '*'
    """
    found = split_arn(resource)
    return "*" if found is None or set(found.resource_type) & set("*?") else found.resource_type


def shorten(resource: str, beside: str) -> str:
    """Leave out of an ARN what it has in common with another: partition, region and account.

    >>> shorten("arn:aws:iot:r:1:topic/a", beside="arn:aws:iot:r:1:client/b")
    'topic/a'
    """
    found, other = split_arn(resource), split_arn(beside)
    if found is None:
        return resource
    return found.resource if other and found[:-1] == other[:-1] else resource
