"""The packets of MQTT 3.1.1 and MQTT 5 as plain values, and why a broker refuses one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from sandbox.mqtt import limits

V311 = 4
V5 = 5


class ReasonCode(IntEnum):
    """The reason codes that this broker sends or understands.

    Source: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901031
    """

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    NO_SUBSCRIPTION_EXISTED = 0x11
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    NOT_AUTHORIZED = 0x87
    SERVER_BUSY = 0x89
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    QOS_NOT_SUPPORTED = 0x9B
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1


class RefusedError(Exception):
    """A client asked for something that it may not have.

    Attributes:
        code: The MQTT 5 reason code to answer with.
        reason: What is wrong and what to do about it, in one sentence.
        action: The AWS IoT action that was asked for, or ``MQTT`` for a breach of the protocol.
        resource: The ARN that the action was checked against, where there is one.
        verdict: A policy's verdict, or ``REFUSED`` where no policy was asked.
        explanation: The whole explanation, over several lines.
        problem: The kind of refusal, for counting: what of a policy did not match, or the code.
    """

    def __init__(
        self,
        code: ReasonCode,
        reason: str,
        *,
        action: str = "MQTT",
        resource: str = "",
        verdict: str = "REFUSED",
        explanation: str = "",
        problem: str = "",
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.action = action
        self.resource = resource
        self.verdict = verdict
        self.explanation = explanation or reason
        self.problem = problem or code.name


class MalformedError(RefusedError):
    """A packet that does not follow MQTT's format."""

    def __init__(self, reason: str) -> None:
        super().__init__(ReasonCode.MALFORMED_PACKET, f"malformed packet: {reason}")


class Property(IntEnum):
    """The properties of MQTT 5, by their identifiers."""

    PAYLOAD_FORMAT = 1
    MESSAGE_EXPIRY = 2
    CONTENT_TYPE = 3
    RESPONSE_TOPIC = 8
    CORRELATION_DATA = 9
    SUBSCRIPTION_IDENTIFIER = 11
    SESSION_EXPIRY = 17
    ASSIGNED_CLIENT_ID = 18
    SERVER_KEEP_ALIVE = 19
    AUTHENTICATION_METHOD = 21
    AUTHENTICATION_DATA = 22
    REQUEST_PROBLEM_INFORMATION = 23
    WILL_DELAY = 24
    REQUEST_RESPONSE_INFORMATION = 25
    RESPONSE_INFORMATION = 26
    SERVER_REFERENCE = 28
    REASON_STRING = 31
    RECEIVE_MAXIMUM = 33
    TOPIC_ALIAS_MAXIMUM = 34
    TOPIC_ALIAS = 35
    MAXIMUM_QOS = 36
    RETAIN_AVAILABLE = 37
    USER_PROPERTY = 38
    MAXIMUM_PACKET_SIZE = 39
    WILDCARD_SUBSCRIPTION_AVAILABLE = 40
    SUBSCRIPTION_IDENTIFIER_AVAILABLE = 41
    SHARED_SUBSCRIPTION_AVAILABLE = 42


Value = int | str | bytes | list[tuple[str, str]]
Properties = Mapping[Property, Value]
"""Each property's value; the user properties, which may repeat, are a list of pairs."""
NO_PROPERTIES: Properties = MappingProxyType({})


def number(values: Properties, name: Property, default: int) -> int:
    """Return the value of a property that is a number."""
    value = values.get(name, default)
    assert isinstance(value, int)
    return value


@dataclass(slots=True)
class Publish:
    """A message: on its way, retained, or a will that waits in its CONNECT."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    duplicate: bool = False
    packet_id: int = 0
    properties: Properties = field(default_factory=dict)
    expires_at: float | None = None
    """When it is no longer worth delivering, on time.monotonic()'s clock; ``None``: never."""
    hops: int = 0
    """How many times rules have republished what led to it."""

    @property
    def weight(self) -> int:
        """How many bytes of memory it counts for while it waits or is retained."""
        values = self.properties.values()
        count = sum(len(each) if isinstance(each, list) else 1 for each in values)
        return len(self.payload) + limits.PROPERTY_WEIGHT * count


@dataclass(slots=True)
class Connect:
    """A client introduces itself."""

    version: int
    client_id: str
    clean_start: bool
    keep_alive: int
    will: Publish | None
    properties: Properties
    assigned: bool = False
    """Whether the broker chose the client id."""


@dataclass(slots=True)
class Subscription:
    """One filter of a SUBSCRIBE with its options; MQTT 3.1.1 has the QoS alone."""

    filter: str
    qos: int
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(slots=True)
class Subscribe:
    """A client subscribes to topic filters."""

    packet_id: int
    subscriptions: list[Subscription]
    properties: Properties


@dataclass(slots=True)
class Unsubscribe:
    """A client ends some of its subscriptions."""

    packet_id: int
    filters: list[str]


@dataclass(slots=True)
class Puback:
    """A client acknowledges a QoS 1 message."""

    packet_id: int


@dataclass(slots=True)
class Pingreq:
    """A client shows that it is still there."""


@dataclass(slots=True)
class Disconnect:
    """A client leaves."""

    reason: int
    properties: Properties


Packet = Publish | Connect | Subscribe | Unsubscribe | Puback | Pingreq | Disconnect
