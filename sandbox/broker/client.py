"""A client whose CONNECT is admitted: what it asks for is done, or refused and recorded."""

from collections.abc import Callable

from sandbox.broker.authority import (
    Authority,
    check_message,
    check_subscribe,
    check_subscription,
)
from sandbox.broker.endpoint import Endpoint
from sandbox.broker.link import Link
from sandbox.broker.sessions import Session
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.packets import (
    V5,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Properties,
    Property,
    Puback,
    Publish,
    ReasonCode,
    RefusedError,
    Subscribe,
    Subscription,
    Unsubscribe,
    Value,
    number,
)
from sandbox.mqtt.reserved import (
    LIFECYCLE,
    ReservedTopicError,
    service_published_to,
    service_subscribed_to,
)
from sandbox.mqtt.topics import check_topic, matched

_REFUSED_BY_PUBACK = (
    ReasonCode.NOT_AUTHORIZED,
    ReasonCode.TOPIC_NAME_INVALID,
    ReasonCode.QUOTA_EXCEEDED,
)
"""Refusals of a QoS 1 message after which an MQTT 5 client stays connected."""
_LOST = "CONNECTION_LOST"
_DISCONNECT_REASONS = {
    ReasonCode.NOT_AUTHORIZED: "AUTH_ERROR",
    ReasonCode.SESSION_TAKEN_OVER: "DUPLICATE_CLIENTID",
    ReasonCode.KEEP_ALIVE_TIMEOUT: "MQTT_KEEP_ALIVE_TIMEOUT",
    ReasonCode.SERVER_SHUTTING_DOWN: "SERVER_INITIATED_DISCONNECT",
    ReasonCode.ADMINISTRATIVE_ACTION: "API_INITIATED_DISCONNECT",
    ReasonCode.QUOTA_EXCEEDED: "THROTTLED",
}
"""What lifecycle events call the reason for which the broker hangs up; else ``CLIENT_ERROR``.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html
"""


class Client:
    """A client whose CONNECT is admitted; see :class:`sandbox.broker.sessions.Subscriber`."""

    def __init__(
        self,
        link: Link,
        record: Callable[[RefusedError], None],
        packet: Connect,
        authority: Authority,
        endpoint: Endpoint,
        session: Session,
        address: str,
    ) -> None:
        """Set up the client; it is told nothing yet.

        Args:
            link: Carries what it is sent.
            record: Called with each refusal.
            packet: Its CONNECT.
            authority: Decides what it may do.
            endpoint: Where it publishes and subscribes.
            session: Its subscriptions, and what waits for it.
            address: The IP address that it comes from.
        """
        asked = packet.properties
        self.version = packet.version
        self.authority = authority
        self.session = session
        self.address = address
        self.receive_maximum = min(
            number(asked, Property.RECEIVE_MAXIMUM, limits.UNACKNOWLEDGED), limits.UNACKNOWLEDGED
        )
        self.packet_limit = number(asked, Property.MAXIMUM_PACKET_SIZE, limits.PACKET_BYTES)
        self._wants_words = number(asked, Property.REQUEST_PROBLEM_INFORMATION, 1)
        self._link = link
        self._record = record
        self._endpoint = endpoint
        self._aliases: dict[int, str] = {}
        self._will = packet.will
        self._keep_alive = _keep_alive_seconds(packet)
        self._unanswered: set[str] = set()

    @property
    def writable(self) -> bool:
        """Whether the client keeps up with what it is sent."""
        return self._link.writable

    def send(self, data: bytes) -> None:
        """Send the client a packet."""
        self._link.send(data)

    def record_refusal(self, error: RefusedError) -> None:
        """Record what the client may not have."""
        self._record(error)

    def refuse(self, error: RefusedError) -> None:
        """Record a refusal and end the connection."""
        if not self._link.closing:
            self.record_refusal(error)
            self.end(error)

    def taken_over(self) -> None:
        """End the connection: another one has come with this client id."""
        self.end(
            RefusedError(ReasonCode.SESSION_TAKEN_OVER, "another connection has this client id now")
        )

    def dismissed(self, *, prevent_will: bool) -> None:
        """End the connection: somebody has asked the API for that."""
        if prevent_will:
            self._will = None
        self.end(RefusedError(ReasonCode.ADMINISTRATIVE_ACTION, "DeleteConnection has ended it"))

    def end(self, error: RefusedError) -> None:
        """Part with the session, say why, and hang up."""
        self.leave(_DISCONNECT_REASONS.get(error.code, "CLIENT_ERROR"))
        self.send(encoder.disconnect(self.version, error.code, self._words_for(error)))
        self._link.hang_up()

    def publish_will(self) -> None:
        """Publish the will, if the client may still publish it."""
        will = self._will
        if will is None or not self.authority.active:
            return
        try:
            self._deliver(will)
        except RefusedError as error:
            self.record_refusal(error)

    def welcome(self, packet: Connect, *, session_present: bool) -> None:
        """Answer the CONNECT, then send what waits in the session."""
        self._endpoint.prolong(self.session, _expiry_seconds(packet))
        self.send(
            encoder.connack(
                self.version, session_present=session_present, granted=self._granted(packet)
            )
        )
        self._endpoint.attach(self.session, self)

    def leave(self, reason: str = _LOST) -> None:
        """Part with the session, and publish the will now or later. Twice does no harm.

        Args:
            reason: Why, as lifecycle events have it.
        """
        if self.session.subscriber is not self:
            return
        self._endpoint.detach(self.session, reason)
        if self._will:
            delay = number(self._will.properties, Property.WILL_DELAY, 0)
            delay = min(delay, self.session.expiry_seconds)
            if delay:
                self._endpoint.delay_will(self.session, delay, self)
            else:
                self.publish_will()

    def _words_for(self, error: RefusedError) -> str:
        """Return the words to send along with a reason code: none to a client that wants none."""
        if not self._wants_words or self.packet_limit < limits.REASON_PACKET_BYTES:
            return ""
        return error.reason[: limits.REASON_CHARACTERS]

    def check_may_stay(self, silent_seconds: float) -> None:
        """Raise RefusedError if the client was silent for too long, or could no longer connect."""
        if silent_seconds > 1.5 * self._keep_alive:
            raise RefusedError(
                ReasonCode.KEEP_ALIVE_TIMEOUT,
                f"nothing heard for {silent_seconds:.0f} seconds; "
                f"the keep-alive is {self._keep_alive}",
            )
        self.authority.check_connection()

    def handle(self, packet: Packet) -> None:
        """Do what *packet* asks, or raise RefusedError."""
        match packet:
            case Publish():
                self._publish(packet)
            case Puback():
                self.session.acknowledge(packet.packet_id)
            case Pingreq():
                self.send(encoder.PINGRESP)
            case Subscribe():
                self._subscribe(packet)
            case Unsubscribe():
                self._unsubscribe(packet)
            case Disconnect():
                self._disconnect(packet)
            case Connect():
                raise RefusedError(ReasonCode.PROTOCOL_ERROR, "a second CONNECT")

    def _publish(self, packet: Publish) -> None:
        try:
            if packet.properties:
                self._resolve_alias(packet)
            self._deliver(packet)
        except RefusedError as error:
            told = packet.qos == 1 and error.code in _REFUSED_BY_PUBACK
            if self._cuts_off(error) or not told:
                raise
            self.record_refusal(error)
            words = self._words_for(error)
            self.send(encoder.puback(self.version, packet.packet_id, error.code, words))
        else:
            if packet.qos:
                self._link.send(encoder.puback(self.version, packet.packet_id))

    def _deliver(self, message: Publish) -> None:
        check_message(message, self.authority)
        if service := service_published_to(message.topic):
            self._record_unanswered("iot:Publish", f"topic/{message.topic}", service)
        self._endpoint.publish(message, self.session)

    def _record_unanswered(self, action: str, resource: str, service: str) -> None:
        # Once per connection: a device that reports its state each second would fill the log.
        if resource not in self._unanswered and len(self._unanswered) < limits.DECISIONS:
            self._unanswered.add(resource)
            self.record_refusal(self.authority.unanswered(action, resource, service))

    def _resolve_alias(self, packet: Publish) -> None:
        alias = number(packet.properties, Property.TOPIC_ALIAS, 0)
        if not alias:
            return
        if alias > limits.TOPIC_ALIASES:
            raise RefusedError(
                ReasonCode.TOPIC_ALIAS_INVALID, f"topic aliases go up to {limits.TOPIC_ALIASES}"
            )
        if packet.topic:
            check_topic(packet.topic)
            self._aliases[alias] = packet.topic
        elif alias in self._aliases:
            packet.topic = self._aliases[alias]
        else:
            raise RefusedError(
                ReasonCode.PROTOCOL_ERROR, f"topic alias {alias} stands for no topic"
            )

    def _subscribe(self, packet: Subscribe) -> None:
        check_subscribe(packet)
        # All are checked before any is granted: one that is denied leaves no trace of the others.
        refused = [self._refusal_of(each.filter) for each in packet.subscriptions]
        for error in filter(None, refused):
            if self._cuts_off(error):
                raise error
        codes: list[int] = []
        granted: list[tuple[Subscription, bool]] = []
        words = ""
        for subscription, found in zip(packet.subscriptions, refused, strict=True):
            try:
                if found:
                    raise found
                known = self._endpoint.subscribe(self.session, subscription)
            except RefusedError as error:
                if self._cuts_off(error):
                    raise
                self.record_refusal(error)
                codes.append(error.code)
                words = words or self._words_for(error)
            else:
                codes.append(subscription.qos)
                granted.append((subscription, known))
                service = service_subscribed_to(matched(subscription.filter))
                if service and service != LIFECYCLE:
                    self._record_unanswered(
                        "iot:Subscribe", f"topicfilter/{subscription.filter}", service
                    )
        self.send(encoder.suback(self.version, packet.packet_id, codes, words))
        for subscription, known in granted:
            self._endpoint.send_first(self.session, subscription, known=known)
        if granted:
            topics = [subscription.filter for subscription, _ in granted]
            self._endpoint.presence.tell(self.session, "subscriptions/subscribed", topics=topics)

    def _refusal_of(self, topic_filter: str) -> RefusedError | None:
        try:
            check_subscription(topic_filter, self.authority)
        except RefusedError as error:
            return error
        return None

    def _cuts_off(self, error: RefusedError) -> bool:
        """Return whether AWS IoT hangs up on a client that asks for this, with no answer to it.

        Sources: https://docs.aws.amazon.com/iot/latest/developerguide/pub-sub-policy.html (denied)
        and https://docs.aws.amazon.com/iot/latest/developerguide/reserved-topics.html
        """
        return self.version != V5 or isinstance(error, ReservedTopicError)

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        removed = [self._endpoint.unsubscribe(self.session, each) for each in packet.filters]
        codes = [
            ReasonCode.SUCCESS if each else ReasonCode.NO_SUBSCRIPTION_EXISTED for each in removed
        ]
        self.send(encoder.unsuback(self.version, packet.packet_id, codes))
        ended = [each for each, known in zip(packet.filters, removed, strict=True) if known]
        if ended:
            self._endpoint.presence.tell(self.session, "subscriptions/unsubscribed", topics=ended)

    def _disconnect(self, packet: Disconnect) -> None:
        if packet.reason != ReasonCode.DISCONNECT_WITH_WILL:
            self._will = None
        seconds = number(packet.properties, Property.SESSION_EXPIRY, self.session.expiry_seconds)
        if seconds and not self.session.expiry_seconds:
            raise RefusedError(
                ReasonCode.PROTOCOL_ERROR, "a session that ends now cannot be prolonged"
            )
        self._endpoint.prolong(self.session, min(seconds, limits.SESSION_SECONDS))
        self.leave("CLIENT_INITIATED_DISCONNECT")
        self._link.hang_up()

    def _granted(self, packet: Connect) -> Properties:
        granted: dict[Property, Value] = {}
        if packet.assigned:
            granted[Property.ASSIGNED_CLIENT_ID] = packet.client_id
        if packet.keep_alive != self._keep_alive:
            granted[Property.SERVER_KEEP_ALIVE] = self._keep_alive
        seconds = self.session.expiry_seconds
        if number(packet.properties, Property.SESSION_EXPIRY, 0) != seconds:
            granted[Property.SESSION_EXPIRY] = seconds
        return granted


def _expiry_seconds(packet: Connect) -> int:
    if packet.version != V5:
        return 0 if packet.clean_start else limits.SESSION_SECONDS
    asked = number(packet.properties, Property.SESSION_EXPIRY, 0)
    return min(asked, limits.SESSION_SECONDS)


def _keep_alive_seconds(packet: Connect) -> int:
    asked = packet.keep_alive or limits.KEEP_ALIVE_SECONDS_MAX
    return min(max(asked, limits.KEEP_ALIVE_SECONDS_MIN), limits.KEEP_ALIVE_SECONDS_MAX)
