"""Sessions, and who gets which message.

A :class:`Session` is what the broker remembers of one client: its subscriptions, and the messages
on their way to it. An :class:`Endpoint` is one account's broker in one Region: its sessions, its
retained messages, and its routes from topics to sessions.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sandbox.broker.authority import Authority
from sandbox.broker.services import ShadowService
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.packets import (
    Properties,
    Property,
    Publish,
    ReasonCode,
    RefusedError,
    Subscription,
    number,
)
from sandbox.mqtt.reserved import ShadowRequest, shadow_request
from sandbox.mqtt.topics import Tree

_FOR_THE_BROKER = (Property.TOPIC_ALIAS, Property.MESSAGE_EXPIRY, Property.WILL_DELAY)
"""Properties of a message that are not handed on as they are."""


class Subscriber(Protocol):
    """The connected client to which a session delivers."""

    version: int
    authority: Authority
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

    def publish_will(self) -> None:
        """Publish its will: it has not come back in time."""


@dataclass(slots=True)
class _Delivery:
    message: Publish
    qos: int
    retain: bool
    packet_id: int = 0
    """Given when it is first sent with QoS 1; the same when it is sent again."""


class Session:
    """One client's session. It belongs to the certificate that opened it, and to no other."""

    def __init__(self, client_id: str, certificate_id: str) -> None:
        self.client_id = client_id
        self.certificate_id = certificate_id
        self.subscriptions: dict[str, Subscription] = {}
        self.subscriber: Subscriber | None = None
        """``None`` while the client is away."""
        self.expiry_seconds = 0
        """How long it outlives its connection."""
        self.expires_at = 0.0
        """When it ends, on time.monotonic()'s clock, if the client stays away."""
        self._waiting: deque[_Delivery] = deque()
        self._unacknowledged: dict[int, _Delivery] = {}
        self._bytes = 0
        self._last_id = 0
        self._refused_topics: set[str] = set()

    def attach(self, subscriber: Subscriber) -> None:
        """Take up a client that has connected, and send what waits for it."""
        self.subscriber = subscriber
        self._refused_topics.clear()
        self.send_waiting()

    def detach(self) -> None:
        """Let a client go, and keep its QoS 1 messages: those sent and not acknowledged first."""
        self.subscriber = None
        self.expires_at = time.monotonic() + self.expiry_seconds
        kept = [*self._unacknowledged.values(), *(each for each in self._waiting if each.qos)]
        self._unacknowledged.clear()
        self._waiting = deque(kept)
        self._bytes = sum(each.message.weight for each in kept)

    def deliver(self, message: Publish, qos: int, *, retain: bool) -> None:
        """Deliver a message now, or as soon as the client can take it."""
        if self.subscriber is None and not qos:
            return
        full = (
            len(self._waiting) >= limits.QUEUED_MESSAGES
            or self._bytes + message.weight > limits.QUEUED_BYTES
        )
        if not full:
            self._waiting.append(_Delivery(message, qos, retain))
            self._bytes += message.weight
            self.send_waiting()
        elif self.subscriber:
            self.subscriber.refuse(
                RefusedError(
                    ReasonCode.QUOTA_EXCEEDED, "the client does not read what it subscribed to"
                )
            )

    def acknowledge(self, packet_id: int) -> None:
        """Forget a QoS 1 message that the client has, and send what waits."""
        delivery = self._unacknowledged.pop(packet_id, None)
        if delivery:
            self._bytes -= delivery.message.weight
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

    def _send(self, subscriber: Subscriber, delivery: _Delivery) -> bool:
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


class Endpoint:
    """AWS IoT gives each account one endpoint per Region; no message goes from one to another."""

    def __init__(self) -> None:
        self.published = False
        """Whether a device has published since this was last looked at."""
        self.ask_shadows: Callable[[ShadowRequest, bytes, str], None] | None = None
        """Takes what is asked of the shadow service, with its payload, by a client id or HTTP."""
        self._connected: dict[str, Subscriber] = {}
        """By client id: two connections with the same id cannot live together."""
        self._sessions: dict[tuple[str, str], Session] = {}
        self._wills: dict[Session, tuple[float, Subscriber]] = {}
        """Delayed wills: when each is due, and whose it is."""
        self._routes: Tree[Session, Subscription] = Tree()
        self._retained: dict[str, Publish] = {}
        self._retained_bytes = 0

    def open_session(
        self, client_id: str, certificate_id: str, *, clean: bool
    ) -> tuple[Session, bool]:
        """End the connection that has this client id, then open its session or resume it.

        Args:
            client_id: Of the client.
            certificate_id: Another certificate with the same client id has a session of its own.
            clean: Whether to begin anew.

        Returns:
            The session, and whether it was there before.

        Raises:
            RefusedError: there are too many sessions.
        """
        if older := self._connected.get(client_id):
            older.taken_over()
        key = (client_id, certificate_id)
        found = self._sessions.get(key)
        if found and not clean:
            return found, True
        if found:
            self.end_session(found)
        if len(self._sessions) >= limits.SESSIONS:
            raise RefusedError(
                ReasonCode.QUOTA_EXCEEDED, f"this sandbox keeps {limits.SESSIONS} sessions at most"
            )
        session = self._sessions[key] = Session(client_id, certificate_id)
        return session, False

    def attach(self, session: Session, subscriber: Subscriber) -> None:
        """Connect a client with its session; a will that waited for its return is dropped."""
        self._connected[session.client_id] = subscriber
        self._wills.pop(session, None)
        session.attach(subscriber)

    def detach(self, session: Session) -> None:
        """Part a client from its session, which ends now unless it outlives the connection."""
        del self._connected[session.client_id]
        session.detach()
        if not session.expiry_seconds:
            self.end_session(session)

    def delay_will(self, session: Session, seconds: int, subscriber: Subscriber) -> None:
        """Have the will of *subscriber* published in *seconds*, unless it comes back before."""
        self._wills[session] = time.monotonic() + seconds, subscriber

    def end_session(self, session: Session) -> None:
        """Forget a session with all that it holds."""
        for topic_filter in list(session.subscriptions):
            self.unsubscribe(session, topic_filter)
        del self._sessions[session.client_id, session.certificate_id]

    def expire(self) -> None:
        """Publish the wills that are due, and end the sessions whose clients stayed away."""
        now = time.monotonic()
        for session, (due, subscriber) in list(self._wills.items()):
            if due <= now:
                del self._wills[session]
                subscriber.publish_will()
        for session in list(self._sessions.values()):
            if session.subscriber is None and session.expires_at <= now:
                self.end_session(session)

    def subscribe(self, session: Session, subscription: Subscription) -> bool:
        """Add a subscription, or replace the one with its filter.

        Returns:
            Whether it replaced one.

        Raises:
            RefusedError: the session has too many.
        """
        topic_filter = subscription.filter
        known = topic_filter in session.subscriptions
        if not known and len(session.subscriptions) >= limits.SUBSCRIPTIONS_PER_CONNECTION:
            raise RefusedError(
                ReasonCode.QUOTA_EXCEEDED,
                f"a connection has {limits.SUBSCRIPTIONS_PER_CONNECTION} subscriptions at most",
            )
        session.subscriptions[topic_filter] = subscription
        self._routes.add(topic_filter, session, subscription)
        return known

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """Remove a subscription, and return whether it was there."""
        if session.subscriptions.pop(topic_filter, None) is None:
            return False
        self._routes.remove(topic_filter, session)
        return True

    def send_retained(self, session: Session, subscription: Subscription) -> None:
        """Deliver the retained message of a new subscription.

        As on AWS IoT, a filter with a wildcard gets none: no topic is spelled like it.
        """
        message = self._retained.get(subscription.filter)
        if message:
            session.deliver(message, min(message.qos, subscription.qos), retain=True)

    def publish(self, message: Publish, origin: Session | None = None) -> None:
        """Keep a message if it is to be retained, and deliver it to each subscriber once.

        Args:
            message: What to deliver.
            origin: The session of the client that published it; ``None`` if it came by HTTP.

        Raises:
            RefusedError: it is to be retained, and there is no room.
        """
        if message.properties:
            _prepare(message)
        if message.retain:
            self._retain(message)
        self.published = self.published or origin is not None
        for session, subscription in _highest_qos(self._routes.match(message.topic)):
            if subscription.no_local and origin is session:
                continue
            retain = message.retain and subscription.retain_as_published
            session.deliver(message, min(message.qos, subscription.qos), retain=retain)
        if self.ask_shadows and (asked := shadow_request(message.topic)):
            self.ask_shadows(asked, message.payload, origin.client_id if origin else "")

    def _retain(self, message: Publish) -> None:
        replaced = self._retained.get(message.topic)
        grows = (message.weight if message.payload else 0) - (replaced.weight if replaced else 0)
        full = len(self._retained) >= limits.RETAINED_MESSAGES and not replaced
        if message.payload and (full or self._retained_bytes + grows > limits.RETAINED_BYTES):
            raise RefusedError(
                ReasonCode.QUOTA_EXCEEDED, "this sandbox can retain no more messages"
            )
        self._retained_bytes += grows
        if message.payload:
            self._retained[message.topic] = message
        else:
            self._retained.pop(message.topic, None)


class Endpoints:
    """The endpoint of each account and Region, made when first needed."""

    def __init__(self) -> None:
        self.shadows: ShadowService | None = None
        """Answers what is published on its topics."""
        self._known: dict[tuple[str, str], Endpoint] = {}

    def of(self, account: str, region: str) -> Endpoint:
        """Return the endpoint of an account in a Region."""
        endpoint = self._known.setdefault((account, region), Endpoint())
        if self.shadows:
            endpoint.ask_shadows = partial(self.shadows.ask, account, region)
        return endpoint

    def published(self) -> set[str]:
        """Return the accounts whose devices have published since this was last asked."""
        found = {account for (account, _), endpoint in self._known.items() if endpoint.published}
        for endpoint in self._known.values():
            endpoint.published = False
        return found

    def expire(self) -> None:
        """Publish the wills that are due, and end the sessions whose clients stayed away."""
        for endpoint in self._known.values():
            endpoint.expire()


def _highest_qos(
    matches: list[tuple[Session, Subscription]],
) -> Iterable[tuple[Session, Subscription]]:
    """Of each session's matching subscriptions, keep the one with the highest QoS."""
    if len(matches) < 2:
        return matches
    best: dict[Session, Subscription] = {}
    for session, subscription in matches:
        if session not in best or best[session].qos < subscription.qos:
            best[session] = subscription
    return best.items()


def _prepare(message: Publish) -> None:
    """Remove the properties that were meant for the broker, and set when the message expires."""
    published = message.properties
    message.properties = {
        name: value for name, value in published.items() if name not in _FOR_THE_BROKER
    }
    if Property.MESSAGE_EXPIRY in published:
        message.expires_at = time.monotonic() + number(published, Property.MESSAGE_EXPIRY, 0)


def _carried(message: Publish) -> Properties:
    if message.expires_at is None:
        return message.properties
    left = max(1, int(message.expires_at - time.monotonic()))
    return {**message.properties, Property.MESSAGE_EXPIRY: left}
