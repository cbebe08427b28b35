"""Amazon Resource Names: the one place where they are put together and taken apart."""

import re
from typing import NamedTuple

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
_FIELDS = 6
_COLON_OUTSIDE_VARIABLES = re.compile(r":(?![^{}]*\})")


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
