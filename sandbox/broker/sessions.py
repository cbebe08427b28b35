"""Sessions: what the broker remembers of each client, alone or in a group.

A :class:`Session` is one client's: its subscriptions, and the messages on their way to it. A
:class:`Group` is of sessions that share a subscription: each message goes to one of them.
"""

import secrets
import time
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from sandbox.broker.authority import Authority
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.packets import (
    Properties,
    Property,
    Publish,
    ReasonCode,
    RefusedError,
    Subscription,
)


class Subscriber(Protocol):
    """The connected client to which a session delivers."""

    version: int
    authority: Authority
    address: str
    """The IP address that it comes from."""
    receive_maximum: int
    """How many QoS 1 messages it takes before it acknowledges one."""
    packet_limit: int
    """The most bytes that it takes in one packet."""

    @property
    def writable(self) -> bool:
        """Whether it keeps up with what it is sent."""

    def send(self, data: bytes) -> None:
        """Send it a packet."""

    def record_refusal(self, error: RefusedError) -> None:
        """Record what it may not have."""

    def refuse(self, error: RefusedError) -> None:
        """Record a refusal and end its connection."""

    def taken_over(self) -> None:
        """End its connection: another one has its client id."""

    def dismissed(self, *, prevent_will: bool) -> None:
        """End its connection: somebody has asked the API for that."""

    def publish_will(self) -> None:
        """Publish its will: it has not come back in time."""


Unit = tuple[str, str, str]
"""What is saved as one: of which endpoint, what kind it is, and its key among those."""


class Unsaved:
    """What has changed and is to outlive the broker's process."""

    def __init__(self) -> None:
        self.soon: set[Unit] = set()
        """What may wait for the next sweep."""
        self.told: set[Unit] = set()
        """What is written before whoever has changed it is answered."""
        self.added: list[tuple[Unit, Publish]] = []
        """Messages that wait for a client that is away; written before the answer, too."""

    def clear(self) -> None:
        """Forget it: it is saved."""
        self.soon, self.told, self.added = set(), set(), []


@dataclass(slots=True)
class Delivery:
    """A message on its way to one client."""

    message: Publish
    qos: int
    retain: bool
    packet_id: int = 0
    """Given when it is first sent with QoS 1; the same when it is sent again."""
    group: "Group | None" = None
    """To which it goes back if the client leaves before it has acknowledged the message."""


class Session:
    """One client's session. It belongs to the certificate that opened it, and to no other."""

    def __init__(
        self, client_id: str, certificate_id: str, version: int, place: str, unsaved: Unsaved
    ) -> None:
        self.key = f"{certificate_id}/{client_id}"
        """What tells it from the others of its endpoint."""
        self.client_id = client_id
        self.certificate_id = certificate_id
        self.version = version
        """Of MQTT: a session of one version is not resumed with the other."""
        self.identifier = str(uuid.uuid4())
        """What lifecycle events call it."""
        self.thing_name = ""
        """Of the Thing that the client's certificate is exclusively attached to."""
        self.connection_number = 0
        """Of the client's connections, as lifecycle events count them."""
        self.subscriptions: dict[str, Subscription] = {}
        self.subscriber: Subscriber | None = None
        """``None`` while the client is away."""
        self.expiry_seconds = 0
        """How long it outlives its connection."""
        self.expires_at = 0.0
        """When it ends, on time.monotonic()'s clock, if the client stays away."""
        self._unsaved = unsaved
        self._unit: Unit = (place, "sessions", self.key)
        self._waiting: deque[Delivery] = deque()
        self._unacknowledged: dict[int, Delivery] = {}
        self._bytes = 0
        self._last_id = 0
        self._refused_topics: set[str] = set()

    def changed(self) -> None:
        """Record that it has changed, and that somebody is about to be told so."""
        self._unsaved.told.add(self._unit)

    def attach(self, subscriber: Subscriber) -> None:
        """Take up a client that has connected, and send what waits for it."""
        self.subscriber = subscriber
        self._refused_topics.clear()
        self.send_waiting()

    def detach(self) -> None:
        """Let a client go, and keep its QoS 1 messages: those sent and not acknowledged first."""
        self.subscriber = None
        self.expires_at = time.monotonic() + self.expiry_seconds
        left = self.undelivered()
        self._unacknowledged.clear()
        self.take_back(each for each in left if each.group is None)
        if self.expiry_seconds:
            self._unsaved.soon.add(self._unit)
        for each in left:
            if each.group:
                each.group.deliver(each.message)

    def undelivered(self) -> list[Delivery]:
        """Return the QoS 1 messages that the client has not acknowledged, in their order."""
        return [*self._unacknowledged.values(), *(each for each in self._waiting if each.qos)]

    def take_back(self, deliveries: Iterable[Delivery]) -> None:
        """Have these wait for the client, and nothing else."""
        self._waiting = deque(deliveries)
        self._bytes = sum(each.message.weight for each in self._waiting)

    def deliver(
        self, message: Publish, qos: int, *, retain: bool, group: "Group | None" = None
    ) -> None:
        """Deliver a message now, or as soon as the client can take it."""
        if self.subscriber is None and not qos:
            return
        full = (
            len(self._waiting) >= limits.QUEUED_MESSAGES
            or self._bytes + message.weight > limits.QUEUED_BYTES
        )
        if not full:
            if qos and self.expiry_seconds:
                if self.subscriber:
                    self._unsaved.soon.add(self._unit)
                else:
                    self._unsaved.added.append((self._unit, message))
            self._waiting.append(Delivery(message, qos, retain, group=group))
            self._bytes += message.weight
            self.send_waiting()
        elif self.subscriber:
            self.subscriber.refuse(
                RefusedError(
                    ReasonCode.QUOTA_EXCEEDED, "the client does not read what it subscribed to"
                )
            )
            if group:
                group.deliver(message)

    def acknowledge(self, packet_id: int) -> None:
        """Forget a QoS 1 message that the client has, and send what waits."""
        delivery = self._unacknowledged.pop(packet_id, None)
        if delivery:
            self._bytes -= delivery.message.weight
            if delivery.group:
                delivery.group.changed()
            if self.expiry_seconds:
                self._unsaved.soon.add(self._unit)
            if self._waiting:
                self.send_waiting()

    def send_waiting(self) -> None:
        """Send what waits, as far as the client keeps up."""
        waiting, subscriber = self._waiting, self.subscriber
        while waiting and subscriber and subscriber.writable:
            if waiting[0].qos and len(self._unacknowledged) >= subscriber.receive_maximum:
                return
            delivery = waiting.popleft()
            if self._send(subscriber, delivery) and delivery.qos:
                self._unacknowledged[delivery.packet_id] = delivery
            else:
                self._bytes -= delivery.message.weight

    def _send(self, subscriber: Subscriber, delivery: Delivery) -> bool:
        message = delivery.message
        duplicate = delivery.packet_id > 0
        if message.expires_at is not None and message.expires_at <= time.monotonic():
            return False
        if not subscriber.authority.allows("iot:Receive", f"topic/{message.topic}"):
            self._record_refused(subscriber, message.topic)
            return False
        if delivery.qos and not duplicate:
            delivery.packet_id = self._next_id()
        packet = encoder.publish(
            subscriber.version,
            message.topic,
            message.payload,
            packet_id=delivery.packet_id,
            retain=delivery.retain,
            duplicate=duplicate,
            carried=_carried(message),
        )
        if len(packet) > subscriber.packet_limit:
            return False
        subscriber.send(packet)
        return True

    def _record_refused(self, subscriber: Subscriber, topic: str) -> None:
        # Once per topic and connection: else a subscriber to # would fill the log with the rest.
        if topic not in self._refused_topics and len(self._refused_topics) < limits.DECISIONS:
            self._refused_topics.add(topic)
            subscriber.record_refusal(subscriber.authority.explain("iot:Receive", f"topic/{topic}"))

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % 0xFFFF + 1
            if self._last_id not in self._unacknowledged:
                return self._last_id


class Group:
    """The sessions that share a subscription: each message goes to one of them, at random.

    A session that outlives its connections stays a member while its client is away. Where all are
    away, QoS 1 messages wait for the first that comes back, or joins, until the last session ends.
    AWS does not say how many; here it is as many as wait for one client.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#mqtt5-shared-subscription
    """

    def __init__(self, topic_filter: str, place: str, unsaved: Unsaved) -> None:
        self.members: dict[Session, Subscription] = {}
        self.waiting: list[Publish] = []
        self._unsaved = unsaved
        self._unit: Unit = (place, "groups", topic_filter)

    def changed(self) -> None:
        """Record that other messages wait for its members, or are on their way to them."""
        self._unsaved.soon.add(self._unit)

    def undelivered(self) -> list[Publish]:
        """Return the QoS 1 messages that no member has acknowledged yet."""
        sent = [
            each.message
            for session in self.members
            for each in session.undelivered()
            if each.group is self
        ]
        return sent + self.waiting

    def deliver(self, message: Publish) -> None:
        """Deliver a message to a member whose client is there, or keep it for one."""
        there = [each for each in self.members if each.subscriber]
        if there:
            self.changed()
            session = secrets.choice(there)
            subscription = self.members[session]
            retain = message.retain and subscription.retain_as_published
            qos = min(message.qos, subscription.qos)
            session.deliver(message, qos, retain=retain, group=self)
        elif message.qos and self.members:
            # Those that are away are there to come back. If there is no room, the older ones stay.
            weight = sum(each.weight for each in [*self.waiting, message])
            if len(self.waiting) < limits.QUEUED_MESSAGES and weight <= limits.QUEUED_BYTES:
                self.waiting.append(message)
                self._unsaved.added.append((self._unit, message))

    def send_waiting(self) -> None:
        """Deliver what waits: a member has come."""
        waiting, self.waiting = self.waiting, []
        for message in waiting:
            self.deliver(message)


def _carried(message: Publish) -> Properties:
    if message.expires_at is None:
        return message.properties
    left = max(0, int(message.expires_at - time.monotonic()))
    return {**message.properties, Property.MESSAGE_EXPIRY: left}
