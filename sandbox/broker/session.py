"""What the broker remembers of a client: its subscriptions, and the messages on their way to it."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from sandbox.broker.authority import Authority
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.packets import Publish, Subscription
from sandbox.mqtt.properties import Properties, Property, number
from sandbox.mqtt.reasons import Reason, RefusedError

_FOR_THE_BROKER = (Property.TOPIC_ALIAS, Property.MESSAGE_EXPIRY, Property.WILL_DELAY)
"""Properties of a message that are not handed on as they are."""


@dataclass(slots=True)
class _Delivery:
    message: Publish
    qos: int
    retain: bool
    packet_id: int = 0
    """Given when it is first sent with QoS 1; the same when it is sent again."""


class Link(Protocol):
    """The connection through which a session reaches its client."""

    version: int
    authority: Authority
    receive_maximum: int
    packet_limit: int

    @property
    def writable(self) -> bool:
        """Whether the client keeps up."""

    def send(self, data: bytes) -> None:
        """Send a packet."""

    def note(self, error: RefusedError) -> None:
        """Record a refusal."""

    def cut(self, error: RefusedError) -> None:
        """Record a refusal and end the connection."""

    def taken_over(self) -> None:
        """End the connection: another one has its client id."""


class Session:
    """One client's session. It belongs to the certificate that opened it, and to no other."""

    def __init__(self, client_id: str, certificate_id: str) -> None:
        self.client_id = client_id
        self.certificate_id = certificate_id
        self.subscriptions: dict[str, Subscription] = {}
        self.link: Link | None = None
        self.lasts = 0
        """Seconds that it outlives its connection."""
        self.expires = 0.0
        """When it ends, on time.monotonic()'s clock, once the client is away."""
        self.will: asyncio.TimerHandle | None = None
        """Publishes the will of the last connection, unless the client comes back in time."""
        self._waiting: deque[_Delivery] = deque()
        self._unacknowledged: dict[int, _Delivery] = {}
        self._bytes = 0
        self._last_id = 0
        self._refused: set[str] = set()

    def attach(self, link: Link) -> None:
        """The client is there: send what waits."""
        self.link = link
        if self.will:
            self.will.cancel()
        self._refused.clear()
        self.pump()

    def detach(self) -> None:
        """The client is away: keep what has QoS 1, first of all what it has not acknowledged."""
        self.link = None
        self.expires = time.monotonic() + self.lasts
        kept = [*self._unacknowledged.values(), *(each for each in self._waiting if each.qos)]
        self._unacknowledged.clear()
        self._waiting = deque(kept)
        self._bytes = sum(each.message.weight for each in kept)

    def deliver(self, message: Publish, qos: int, *, retain: bool = False) -> None:
        """Deliver a message now, or as soon as the client can take it."""
        if self.link is None and not qos:
            return
        full = (
            len(self._waiting) >= limits.QUEUED_MESSAGES
            or self._bytes + message.weight > limits.QUEUED_BYTES
        )
        if not full:
            self._waiting.append(_Delivery(message, qos, retain))
            self._bytes += message.weight
            self.pump()
        elif self.link:
            self.link.cut(
                RefusedError(
                    Reason.QUOTA_EXCEEDED, "the client does not read what it subscribed to"
                )
            )

    def acknowledge(self, packet_id: int) -> None:
        """The client has a QoS 1 message."""
        delivery = self._unacknowledged.pop(packet_id, None)
        if delivery:
            self._bytes -= delivery.message.weight
            if self._waiting:
                self.pump()

    def pump(self) -> None:
        """Send what waits, as far as the client keeps up."""
        waiting, link = self._waiting, self.link
        while waiting and link and link.writable:
            if waiting[0].qos and len(self._unacknowledged) >= link.receive_maximum:
                return
            delivery = waiting.popleft()
            if self._send(link, delivery) and delivery.qos:
                self._unacknowledged[delivery.packet_id] = delivery
            else:
                self._bytes -= delivery.message.weight

    def _send(self, link: Link, delivery: _Delivery) -> bool:
        message = delivery.message
        duplicate = delivery.packet_id > 0
        if message.expires is not None and message.expires <= time.monotonic():
            return False
        if not link.authority.allows("iot:Receive", f"topic/{message.topic}"):
            self._note_refused(link, message.topic)
            return False
        if delivery.qos and not duplicate:
            delivery.packet_id = self._next_id()
        packet = encoder.publish(
            link.version,
            message.topic,
            message.payload,
            packet_id=delivery.packet_id,
            retain=delivery.retain,
            duplicate=duplicate,
            carried=_carried(message),
        )
        if len(packet) > link.packet_limit:
            return False
        link.send(packet)
        return True

    def _note_refused(self, link: Link, topic: str) -> None:
        # Once a topic and connection: whoever subscribed to # would fill the log with the rest.
        if topic not in self._refused and len(self._refused) < limits.DECISIONS:
            self._refused.add(topic)
            link.note(link.authority.explain("iot:Receive", f"topic/{topic}"))

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % 0xFFFF + 1
            if self._last_id not in self._unacknowledged:
                return self._last_id


def accept(message: Publish) -> None:
    """Take out of a message what was meant for the broker, and start the clock of its expiry."""
    published = message.properties
    message.properties = {
        name: value for name, value in published.items() if name not in _FOR_THE_BROKER
    }
    if Property.MESSAGE_EXPIRY in published:
        message.expires = time.monotonic() + number(published, Property.MESSAGE_EXPIRY, 0)


def _carried(message: Publish) -> Properties:
    if message.expires is None:
        return message.properties
    left = max(1, int(message.expires - time.monotonic()))
    return {**message.properties, Property.MESSAGE_EXPIRY: left}
