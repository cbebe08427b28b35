"""Who gets which message: an account's broker in one Region."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from sandbox.broker.presence import Presence
from sandbox.broker.services import ShadowService
from sandbox.broker.sessions import Group, Session, Subscriber, Unsaved
from sandbox.mqtt import limits
from sandbox.mqtt.packets import (
    Property,
    Publish,
    ReasonCode,
    RefusedError,
    Subscription,
    number,
)
from sandbox.mqtt.reserved import ShadowRequest, shadow_request
from sandbox.mqtt.topics import Tree, matched, share_name

_FOR_THE_BROKER = (Property.TOPIC_ALIAS, Property.MESSAGE_EXPIRY, Property.WILL_DELAY)
"""Properties of a message that are not handed on as they are."""


@dataclass(frozen=True)
class Retained:
    """A message that later subscribers to its topic get."""

    message: Publish
    modified: float
    """When it was stored, in seconds since 1970."""

    @property
    def expired(self) -> bool:
        """Whether it is no longer worth delivering."""
        until = self.message.expires_at
        return until is not None and until <= time.monotonic()


class Endpoint:
    """AWS IoT gives each account one endpoint per Region; no message goes from one to another."""

    def __init__(self, place: str, unsaved: Unsaved) -> None:
        self.published = False
        """Whether a device has published since this was last looked at."""
        self.ask_shadows: Callable[[ShadowRequest, bytes, str], None] | None = None
        """Takes what is asked of the shadow service, with its payload, by a client id or HTTP."""
        self.apply_rules: Callable[[Publish, str], None] | None = None
        """Does what topic rules say of a message, by a client id or nobody's."""
        self.retained: dict[str, Retained] = {}
        """By topic."""
        self.groups: dict[str, Group] = {}
        """By the filter of their subscription, as a client writes it: ``$share/…``."""
        self.presence = Presence(self.publish)
        self._place = place
        self._unsaved = unsaved
        self._connected: dict[str, Subscriber] = {}
        """By client id: two connections with the same id cannot live together."""
        self.sessions: dict[str, Session] = {}
        """By their keys; those of clients that are away included."""
        self._wills: dict[str, tuple[float, Subscriber]] = {}
        """Delayed wills: when each is due, and whose it is."""
        self._routes: Tree[Session, Subscription] = Tree()
        self._shared: Tree[Group, None] = Tree()
        self._retained_bytes = 0

    def open_session(
        self, client_id: str, certificate_id: str, version: int, *, clean: bool
    ) -> tuple[Session, bool]:
        """End the connection that has this client id, then open its session or resume it.

        Args:
            client_id: Of the client.
            certificate_id: Another certificate with the same client id has a session of its own.
            version: Of MQTT: a session of the other version is not resumed.
            clean: Whether to begin anew.

        Returns:
            The session, and whether it was there before.

        Raises:
            RefusedError: there are too many sessions.
        """
        if older := self._connected.get(client_id):
            older.taken_over()
        session = Session(client_id, certificate_id, version, self._place, self._unsaved)
        found = self.sessions.get(session.key)
        if found and not clean and found.version == version:
            return found, True
        if found:
            self.end_session(found)
        if len(self.sessions) >= limits.SESSIONS:
            raise RefusedError(
                ReasonCode.QUOTA_EXCEEDED, f"this sandbox keeps {limits.SESSIONS} sessions at most"
            )
        self.sessions[session.key] = session
        return session, False

    def resume(self, session: Session) -> None:
        """Take up a session that a broker before this one has kept."""
        self.sessions[session.key] = session
        for subscription in session.subscriptions.values():
            self._route(session, subscription)

    def adopt(self, kept: "Endpoint") -> None:
        """Hold what another endpoint holds, but for the sessions that are connected here."""
        self.retained, self._retained_bytes = kept.retained, kept._retained_bytes
        for session in list(self.sessions.values()):
            if session.subscriber is None:
                self.end_session(session)
        for session in kept.sessions.values():
            if session.key not in self.sessions:
                self.resume(session)
        for topic_filter, group in self.groups.items():
            found = kept.groups.get(topic_filter)
            group.waiting = found.waiting if found else []

    def empty(self) -> None:
        """Forget what is kept; a session that is connected ends with its connection."""
        for topic in list(self.retained):
            self._forget(topic)
        for session in list(self.sessions.values()):
            self.prolong(session, 0)
            if session.subscriber is None:
                self.end_session(session)

    def prolong(self, session: Session, seconds: int) -> None:
        """Set how long a session outlives its connection."""
        if session.expiry_seconds or seconds:
            session.changed()
        session.expiry_seconds = seconds

    def attach(self, session: Session, subscriber: Subscriber) -> None:
        """Connect a client with its session; a will that waited for its return is dropped."""
        self.presence.count_in(session)
        self._connected[session.client_id] = subscriber
        self._wills.pop(session.key, None)
        session.attach(subscriber)
        for topic_filter in filter(share_name, session.subscriptions):
            self.groups[topic_filter].send_waiting()
        self.presence.tell_connected(session, subscriber.address)

    def detach(self, session: Session, reason: str) -> None:
        """Part a client from its session, which ends now unless it outlives the connection.

        Args:
            session: The client's.
            reason: Why, as lifecycle events have it.
        """
        del self._connected[session.client_id]
        self.presence.count_out(session)
        session.detach()
        if not session.expiry_seconds:
            self.end_session(session)
        self.presence.tell_disconnected(session, reason)

    def disconnect(
        self, client_id: str, *, clean_session: bool = False, prevent_will: bool = False
    ) -> bool:
        """End a client's connection; return whether it has one, or a session.

        Args:
            client_id: Whose, with whichever certificate.
            clean_session: Whether to end the session, too.
            prevent_will: Whether to drop the will.

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#mqtt-client-disconnect
        """
        found = [each for each in self.sessions.values() if each.client_id == client_id]
        for session in found:
            if clean_session:
                self.prolong(session, 0)
            if prevent_will:
                self._wills.pop(session.key, None)
            if session.subscriber:
                session.subscriber.dismissed(prevent_will=prevent_will)
            elif clean_session:
                self.end_session(session)
        return bool(found)

    def delay_will(self, session: Session, seconds: int, subscriber: Subscriber) -> None:
        """Have the will of *subscriber* published in *seconds*, unless it comes back before."""
        self._wills[session.key] = time.monotonic() + seconds, subscriber

    def end_session(self, session: Session) -> None:
        """Forget a session with all that it holds."""
        if session.expiry_seconds:
            session.changed()
        for topic_filter in list(session.subscriptions):
            self.unsubscribe(session, topic_filter)
        del self.sessions[session.key]

    def expire(self) -> None:
        """Publish the wills that are due, and end the sessions whose clients stayed away."""
        now = time.monotonic()
        for key, (due, subscriber) in list(self._wills.items()):
            if due <= now:
                del self._wills[key]
                subscriber.publish_will()
        for session in list(self.sessions.values()):
            if session.subscriber is None and session.expires_at <= now:
                self.end_session(session)
        for topic, kept in list(self.retained.items()):
            if kept.expired:
                self._forget(topic)

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
        self._route(session, subscription)
        if session.expiry_seconds:
            session.changed()
        return known

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """Remove a subscription, and return whether it was there."""
        if session.subscriptions.pop(topic_filter, None) is None:
            return False
        if session.expiry_seconds:
            session.changed()
        if not share_name(topic_filter):
            self._routes.remove(topic_filter, session)
            return True
        group = self.groups[topic_filter]
        del group.members[session]
        if not group.members:
            del self.groups[topic_filter]
            self._shared.remove(matched(topic_filter), group)
        return True

    def send_first(self, session: Session, subscription: Subscription, *, known: bool) -> None:
        """Deliver what a new subscription finds: a retained message, or what waits for a group.

        As on AWS IoT, a filter with a wildcard gets no retained message, for no topic is spelled
        like it, and neither does a shared one.

        Args:
            session: Whose subscription it is.
            subscription: Just added.
            known: Whether it replaced another.
        """
        if group := self.groups.get(subscription.filter):
            group.send_waiting()
        handling = subscription.retain_handling
        kept = self.retained.get(subscription.filter)
        if kept and (handling == 0 or (handling == 1 and not known)):
            qos = min(kept.message.qos, subscription.qos)
            session.deliver(kept.message, qos, retain=True)

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
            self.keep(Retained(message, time.time()))
            # Nobody is told of a QoS 0 message that it has arrived: it waits for the next sweep.
            told = message.qos or origin is None
            unsaved = self._unsaved.told if told else self._unsaved.soon
            unsaved.add((self._place, "retained", message.topic))
        self.published = self.published or origin is not None
        for session, subscription in _highest_qos(self._routes.match(message.topic)):
            if subscription.no_local and origin is session:
                continue
            retain = message.retain and subscription.retain_as_published
            session.deliver(message, min(message.qos, subscription.qos), retain=retain)
        if self.groups:
            for group, _ in self._shared.match(message.topic):
                group.deliver(message)
        client_id = origin.client_id if origin else ""
        if self.ask_shadows and (asked := shadow_request(message.topic)):
            self.ask_shadows(asked._replace(hops=message.hops), message.payload, client_id)
        if self.apply_rules:
            self.apply_rules(message, client_id)

    def keep(self, kept: Retained) -> None:
        """Retain a message, or forget the one of its topic if it is empty.

        Raises:
            RefusedError: there is no room.
        """
        message = kept.message
        if not message.payload:
            self._forget(message.topic)
            return
        replaced = self.retained.get(message.topic)
        grown = self._retained_bytes + message.weight - (replaced.message.weight if replaced else 0)
        full = len(self.retained) >= limits.RETAINED_MESSAGES and not replaced
        if full or grown > limits.RETAINED_BYTES:
            raise RefusedError(
                ReasonCode.QUOTA_EXCEEDED, "this sandbox can retain no more messages"
            )
        self._retained_bytes = grown
        self.retained[message.topic] = kept

    def _forget(self, topic: str) -> None:
        if kept := self.retained.pop(topic, None):
            self._retained_bytes -= kept.message.weight
            self._unsaved.soon.add((self._place, "retained", topic))

    def _route(self, session: Session, subscription: Subscription) -> None:
        topic_filter = subscription.filter
        if not share_name(topic_filter):
            self._routes.add(topic_filter, session, subscription)
            return
        group = self.groups.get(topic_filter)
        if group is None:
            group = self.groups[topic_filter] = Group(topic_filter, self._place, self._unsaved)
            self._shared.add(matched(topic_filter), group, None)
        group.members[session] = subscription


class Endpoints:
    """The endpoint of each account and Region, made when first needed."""

    def __init__(self) -> None:
        self.unsaved = Unsaved()
        self.shadows: ShadowService | None = None
        """Answers what is published on its topics."""
        self.apply_rules: Callable[..., None] | None = None
        """:meth:`sandbox.broker.rules.RuleService.apply`."""
        self._known: dict[str, Endpoint] = {}

    def of(self, account: str, region: str) -> Endpoint:
        """Return the endpoint of an account in a Region."""
        return self.at(f"{account}/{region}")

    def at(self, place: str) -> Endpoint:
        """Return the endpoint of an account and a Region, with a slash between them."""
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = Endpoint(place, self.unsaved)
        account, region = place.split("/")
        if self.shadows:
            found.ask_shadows = partial(self.shadows.ask, account, region)
        if self.apply_rules:
            found.apply_rules = partial(self.apply_rules, account, region, found.publish)
        return found

    def items(self) -> list[tuple[str, Endpoint]]:
        """List the endpoints, each with its place."""
        return list(self._known.items())

    def published(self) -> set[str]:
        """Return the accounts whose devices have published since this was last asked."""
        found = {place.split("/")[0] for place, each in self._known.items() if each.published}
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
    """Remove the properties that were meant for the broker, and set when the message expires.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#mqtt5-message-expiry
    """
    published = message.properties
    message.properties = {
        name: value for name, value in published.items() if name not in _FOR_THE_BROKER
    }
    if Property.MESSAGE_EXPIRY in published:
        asked = number(published, Property.MESSAGE_EXPIRY, 0)
        message.expires_at = time.monotonic() + min(max(1, asked), limits.MESSAGE_SECONDS_MAX)
