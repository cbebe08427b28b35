"""Amazon Resource Names: the one place where they are put together and taken apart."""

from typing import NamedTuple

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
_FIELDS = 6


class Arn(NamedTuple):
    """The fields of an ARN, each as it is written: wildcards and variables included."""

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


def split_arn(text: str) -> Arn | None:
    """Take an ARN apart.

    Returns:
        Its fields; ``None`` where the text does not have an ARN's six.

    >>> split_arn("arn:aws:iot:eu-west-1:123456789012:topic/a/b").name
    'a/b'
    >>> split_arn("*") is None
    True

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    _, *fields = text.split(":", _FIELDS - 1)
    return Arn(*fields) if len(fields) == _FIELDS - 1 else None


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
    prefix = "us-gov" if region.startswith("us-gov-") else region.partition("-")[0]
    return f"arn:{_PARTITIONS.get(prefix, 'aws')}:iot:{region}:{account}:{resource}"
