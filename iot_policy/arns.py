"""Amazon Resource Names: the one place where they are put together and taken apart."""

import re
from typing import Literal, NamedTuple

from iot_policy.vocabulary import ACTIONS

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
_FIELDS = 6
_COLON_OUTSIDE_VARIABLES = re.compile(r":(?![^{}]*\})")
_WITHIN = re.compile(r"[:/](arn:.*)", re.DOTALL)
_ACCOUNT = re.compile("[0-9]{12}")
_OPEN = frozenset("*?$")
_TYPES = {check.resource_type for check in ACTIONS.values()}
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
    prefix = "us-gov" if region.startswith("us-gov-") else region.partition("-")[0]
    return f"arn:{_PARTITIONS.get(prefix, 'aws')}:iot:{region}:{account}:{resource}"


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
    if inner := _WITHIN.search(text):
        before = text[: inner.start() + 1]
        certain = before.endswith(":") and not _OPEN & set(before)
        return Misspelt("error" if certain else "warning", "holds an ARN within an ARN", inner[1])
    head, slash, name = text.partition("/")
    fields = _COLON_OUTSIDE_VARIABLES.split(head)
    certain = not _OPEN & set("".join(fields[:_FIELDS]))
    if len(fields) > _FIELDS:
        problem, better = _too_many(fields)
        severity: Severity = "error" if certain else "warning"
        found = Misspelt(severity, problem)
        return found._replace(better=better + slash + name) if better else found
    if certain and len(fields) < _FIELDS:
        return Misspelt("error", "lacks a field")
    if len(fields) < _FIELDS or fields[2] != "iot":
        return None
    *_, region, account, kind = fields
    if region == "iot":
        return Misspelt("error", "says iot twice")
    if _ACCOUNT.fullmatch(region):
        turned = ":".join([*fields[:3], account, region, kind])
        return Misspelt("error", "has region and account in the wrong order", turned + slash + name)
    if certain and not slash:
        return Misspelt("error", f"names no {kind}")
    first, _, rest = name.partition("/")
    if rest and first in _ALIKE.get(kind, {kind}):
        return Misspelt("note", f"is about the {kind} {name}", f"{head}/{rest}")
    return None


def _too_many(fields: list[str]) -> tuple[str, str]:
    """Say what is wrong with an ARN's head that has too many fields, and write a better one."""
    if fields[_FIELDS - 1] in _TYPES:
        start, rest = fields[:_FIELDS], fields[_FIELDS:]
        return "has a colon where a slash belongs", f"{':'.join(start)}/{':'.join(rest)}"
    for place, field in enumerate(fields):
        if field and not _OPEN & set(field) and field in fields[:place]:
            once = fields[:place] + fields[place + 1 :]
            return f"says {field} twice", ":".join(once) if len(once) == _FIELDS else ""
    return "has too many fields", ""


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
