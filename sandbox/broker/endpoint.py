"""One account's broker in one Region: its sessions, its retained messages, who gets what."""

import time
from collections.abc import Iterable

from sandbox.broker.session import Link, Session, accept
from sandbox.mqtt import limits
from sandbox.mqtt.packets import Publish, Subscription
from sandbox.mqtt.reasons import Reason, RefusedError
from sandbox.mqtt.topics import Tree


class Endpoint:
    """AWS IoT gives each account one endpoint a Region; no message goes from one to another."""

    def __init__(self) -> None:
        self.connected: dict[str, Link] = {}
        """By client id: two connections with one id cannot live together."""
        self.published = False
        """Whether a device has published since this was last looked at."""
        self._sessions: dict[tuple[str, str], Session] = {}
        self._routes: Tree[Session, Subscription] = Tree()
        self._retained: dict[str, Publish] = {}
        self._retained_bytes = 0

    def take_over(self, client_id: str) -> None:
        """End the connection that has this client id, if there is one."""
        older = self.connected.get(client_id)
        if older:
            older.taken_over()

    def session(self, client_id: str, certificate_id: str, *, clean: bool) -> tuple[Session, bool]:
        """Open a session, or resume it.

        Args:
            client_id: Of the client.
            certificate_id: Another certificate with the same client id has a session of its own.
            clean: Whether to begin anew.

        Returns:
            The session, and whether it was there before.
        """
        key = (client_id, certificate_id)
        found = self._sessions.get(key)
        if found and not clean:
            return found, True
        if found:
            self.end(found)
        if len(self._sessions) >= limits.SESSIONS:
            raise RefusedError(
                Reason.QUOTA_EXCEEDED, f"this sandbox keeps {limits.SESSIONS} sessions at most"
            )
        session = self._sessions[key] = Session(client_id, certificate_id)
        return session, False

    def end(self, session: Session) -> None:
        """Forget a session with all that it holds."""
        for topic_filter in list(session.subscriptions):
            self.unsubscribe(session, topic_filter)
        self._sessions.pop((session.client_id, session.certificate_id), None)

    def expire(self) -> None:
        """End the sessions whose clients stayed away for too long."""
        now = time.monotonic()
        for session in list(self._sessions.values()):
            if session.link is None and session.expires <= now:
                self.end(session)

    def subscribe(self, session: Session, subscription: Subscription) -> bool:
        """Add a subscription or replace the one with its filter; say whether there was one."""
        topic_filter = subscription.filter
        known = topic_filter in session.subscriptions
        if not known and len(session.subscriptions) >= limits.SUBSCRIPTIONS_A_CONNECTION:
            raise RefusedError(
                Reason.QUOTA_EXCEEDED,
                f"a connection has {limits.SUBSCRIPTIONS_A_CONNECTION} subscriptions at most",
            )
        session.subscriptions[topic_filter] = subscription
        self._routes.add(topic_filter, session, subscription)
        return known

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """Remove a subscription; say whether it was there."""
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
            origin: Whose client published it; ``None`` where it came by HTTP.

        Raises:
            RefusedError: it is to be retained, and there is no room.
        """
        if message.properties:
            accept(message)
        if message.retain:
            self._retain(message)
        self.published = self.published or origin is not None
        for session, subscription in _best(self._routes.match(message.topic)):
            if subscription.no_local and origin is session:
                continue
            retain = message.retain and subscription.retain_as_published
            session.deliver(message, min(message.qos, subscription.qos), retain=retain)

    def _retain(self, message: Publish) -> None:
        replaced = self._retained.get(message.topic)
        grows = (message.weight if message.payload else 0) - (replaced.weight if replaced else 0)
        full = len(self._retained) >= limits.RETAINED_MESSAGES and not replaced
        if message.payload and (full or self._retained_bytes + grows > limits.RETAINED_BYTES):
            raise RefusedError(Reason.QUOTA_EXCEEDED, "this sandbox can retain no more messages")
        self._retained_bytes += grows
        if message.payload:
            self._retained[message.topic] = message
        else:
            self._retained.pop(message.topic, None)


def _best(
    matches: list[tuple[Session, Subscription]],
) -> Iterable[tuple[Session, Subscription]]:
    """Of a session's subscriptions that match, keep the one with the highest QoS."""
    if len(matches) < 2:
        return matches
    best: dict[Session, Subscription] = {}
    for session, subscription in matches:
        if session not in best or best[session].qos < subscription.qos:
            best[session] = subscription
    return best.items()


class Endpoints:
    """The endpoint of each account and Region, made when first needed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Endpoint] = {}

    def of(self, account: str, region: str) -> Endpoint:
        """The endpoint of an account in a Region."""
        return self._known.setdefault((account, region), Endpoint())

    def published(self) -> set[str]:
        """The accounts whose devices have published since this was last asked."""
        found = {account for (account, _), endpoint in self._known.items() if endpoint.published}
        for endpoint in self._known.values():
            endpoint.published = False
        return found

    def expire(self) -> None:
        """End, everywhere, the sessions whose clients stayed away for too long."""
        for endpoint in self._known.values():
            endpoint.expire()
