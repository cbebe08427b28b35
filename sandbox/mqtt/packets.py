"""What a client sends: the packets of MQTT 3.1.1 and MQTT 5, as plain values."""

from dataclasses import dataclass, field

from sandbox.mqtt import limits
from sandbox.mqtt.properties import Properties

V311 = 4
V5 = 5


@dataclass(slots=True)
class Publish:
    """A message: on its way, retained, or a will, which waits in its CONNECT."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    duplicate: bool = False
    packet_id: int = 0
    properties: Properties = field(default_factory=dict)
    expires: float | None = None
    """When it need not be delivered any more, on time.monotonic()'s clock."""

    @property
    def weight(self) -> int:
        """What it counts for in memory while it waits or is retained, in bytes."""
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
    """Whether the client id is of the broker's making."""


@dataclass(slots=True)
class Subscription:
    """One filter of a SUBSCRIBE, with its options; all but the QoS are MQTT 5's."""

    filter: str
    qos: int
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(slots=True)
class Subscribe:
    """A client asks for the messages of some topics."""

    packet_id: int
    subscriptions: list[Subscription]
    properties: Properties


@dataclass(slots=True)
class Unsubscribe:
    """A client no longer wants some messages."""

    packet_id: int
    filters: list[str]


@dataclass(slots=True)
class Puback:
    """A client has a QoS 1 message."""

    packet_id: int


@dataclass(slots=True)
class Pingreq:
    """A client is still there."""


@dataclass(slots=True)
class Disconnect:
    """A client leaves."""

    reason: int
    properties: Properties


Packet = Publish | Connect | Subscribe | Unsubscribe | Puback | Pingreq | Disconnect
