"""One connection, from its first byte to its last.

A :class:`Connection` is given the link to its peer and turns bytes into packets. The first packet
has to be a CONNECT; once it is admitted, a :class:`Client` acts on the others.
"""

import time
from dataclasses import dataclass, field

from sandbox.broker.authority import (
    Authority,
    admit,
    check_message,
    check_subscribe,
    check_subscription,
)
from sandbox.broker.link import Link, Peer
from sandbox.broker.refusals import NOT_REGISTERED, REGISTER_IT, Refusals
from sandbox.broker.sessions import Endpoint, Endpoints, Session
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.decoder import decode, frames
from sandbox.mqtt.packets import (
    V5,
    V311,
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
    ReservedTopicError,
    service_published_to,
    service_subscribed_to,
)
from sandbox.mqtt.topics import check_topic
from sandbox.registry import RegisteredCertificate, Registry

_REFUSED_BY_PUBACK = (
    ReasonCode.NOT_AUTHORIZED,
    ReasonCode.TOPIC_NAME_INVALID,
    ReasonCode.QUOTA_EXCEEDED,
)
"""Refusals of a QoS 1 message after which an MQTT 5 client stays connected."""
_REASON_CHARACTERS = 400
"""The most that a client is told of a reason; the log has all of it."""
_REASON_PACKET_BYTES = 2048
"""A client that takes no packets of this size is told reason codes without words."""


@dataclass(frozen=True)
class Services:
    """What all connections of a broker share."""

    registry: Registry
    connect_seconds: float = limits.CONNECT_SECONDS
    endpoints: Endpoints = field(default_factory=Endpoints)
    refusals: Refusals = field(default_factory=Refusals)
    connections: set["Connection"] = field(default_factory=set)

    @property
    def connected(self) -> int:
        """How many clients are connected. It may be asked from any thread."""
        return sum(
            each.client is not None and not each.link.closing for each in list(self.connections)
        )

    def accept(self, link: Link) -> "Connection":
        """Return the connection behind a new link, which is aborted if there are too many."""
        connection = Connection(self, link)
        if len(self.connections) >= limits.CONNECTIONS:
            connection.record_refusal(
                RefusedError(
                    ReasonCode.SERVER_BUSY, f"this sandbox takes {limits.CONNECTIONS} connections"
                )
            )
            link.abort()
        self.connections.add(connection)
        return connection

    def sweep(self) -> None:
        """End what has had its time: connections, delayed wills, sessions."""
        now = time.monotonic()
        for connection in list(self.connections):
            connection.recheck(now)
        self.endpoints.expire()


class Connection:
    """A peer at the other end of a link; see :class:`sandbox.broker.link.LinkHandler`."""

    def __init__(self, services: Services, link: Link) -> None:
        self.link = link
        self.client: Client | None = None
        """Who the peer is, once its CONNECT is admitted."""
        self._services = services
        self._peer: Peer | None = None
        self._certificate: RegisteredCertificate | None = None
        self._buffer = bytearray()
        self._version = V311
        self._client_id = ""
        self._accepted = self._heard = time.monotonic()

    def opened(self, peer: Peer) -> None:
        """Look up the certificate that the peer holds."""
        self._peer = peer
        if peer.certificate_id:
            self._certificate = self._services.registry.certificate(peer.certificate_id)
        if self._certificate is None:
            self.refuse(
                RefusedError(
                    ReasonCode.NOT_AUTHORIZED, f"{NOT_REGISTERED}: {REGISTER_IT}", action="TLS"
                )
            )

    def failed(self, error: RefusedError) -> None:
        """Record why the link can be used no more, and part with the peer."""
        self.record_refusal(error)
        self.left()

    def received(self, data: bytes) -> None:
        """Act on each packet that is complete."""
        link = self.link
        self._heard = time.monotonic()
        self._buffer += data
        try:
            for first, body in frames(self._buffer, limits.PACKET_BYTES):
                packet = decode(first, body, self._version)
                if self.client:
                    self.client.handle(packet)
                elif isinstance(packet, Connect):
                    self._connect(packet)
                else:
                    raise RefusedError(ReasonCode.PROTOCOL_ERROR, "the first packet is not CONNECT")
                if link.closing:
                    return
        except RefusedError as error:
            self.refuse(error)

    def caught_up(self) -> None:
        """Send what waits."""
        if self.client:
            self.client.session.send_waiting()

    def left(self) -> None:
        """Part with the peer: its session waits or ends, and its will goes out."""
        if self.client:
            self.client.leave()

    def closed(self) -> None:
        """Part with the peer, whether it said good-bye or not."""
        self._services.connections.discard(self)
        self.left()

    def record_refusal(self, error: RefusedError) -> None:
        """Log a refusal, and keep it for the account."""
        self._services.refusals.record(error, self._client_id, self._certificate)

    def refuse(self, error: RefusedError) -> None:
        """Record a refusal and end the connection."""
        if not self.link.closing:
            self.record_refusal(error)
            self.end(error)

    def end(self, error: RefusedError) -> None:
        """Say why, if the peer's version of MQTT can be told, and hang up."""
        if self.client:
            self.client.leave()
            self.link.send(
                encoder.disconnect(self._version, error.code, self.client.words_for(error))
            )
        elif self._certificate:
            self.link.send(
                encoder.connack_refused(
                    self._version, error.code, error.reason[:_REASON_CHARACTERS]
                )
            )
        self.link.hang_up()

    def recheck(self, now: float) -> None:
        """End the connection if its time is up, or its certificate is no longer ACTIVE."""
        try:
            if self.client:
                self.client.check_may_stay(now - self._heard)
            elif now > self._accepted + self._services.connect_seconds:
                raise RefusedError(
                    ReasonCode.PROTOCOL_ERROR,
                    f"no CONNECT within {self._services.connect_seconds:g} seconds",
                )
        except RefusedError as error:
            self.refuse(error)

    def _connect(self, packet: Connect) -> None:
        assert self._peer and self._certificate
        certificate, services = self._certificate, self._services
        self._version, self._client_id = packet.version, packet.client_id
        authority = admit(packet, services.registry, certificate, self._peer)
        self._client_id = packet.client_id
        endpoint = services.endpoints.of(certificate.account, certificate.region)
        session, present = endpoint.open_session(
            packet.client_id, certificate.certificate_id, clean=packet.clean_start
        )
        self.client = Client(self, packet, authority, endpoint, session)
        self.client.welcome(packet, session_present=present)


class Client:
    """A client whose CONNECT is admitted; see :class:`sandbox.broker.sessions.Subscriber`."""

    def __init__(
        self,
        connection: Connection,
        packet: Connect,
        authority: Authority,
        endpoint: Endpoint,
        session: Session,
    ) -> None:
        asked = packet.properties
        self.version = packet.version
        self.authority = authority
        self.session = session
        self.receive_maximum = min(
            number(asked, Property.RECEIVE_MAXIMUM, limits.UNACKNOWLEDGED), limits.UNACKNOWLEDGED
        )
        self.packet_limit = number(asked, Property.MAXIMUM_PACKET_SIZE, limits.PACKET_BYTES)
        self._wants_words = number(asked, Property.REQUEST_PROBLEM_INFORMATION, 1)
        self._connection = connection
        self._link = connection.link
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
        self._connection.record_refusal(error)

    def refuse(self, error: RefusedError) -> None:
        """Record a refusal and end the connection."""
        self._connection.refuse(error)

    def taken_over(self) -> None:
        """End the connection: another one has come with this client id."""
        self._connection.end(
            RefusedError(ReasonCode.SESSION_TAKEN_OVER, "another connection has this client id now")
        )

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
        self.session.expiry_seconds = _expiry_seconds(packet)
        self.send(
            encoder.connack(
                self.version, session_present=session_present, granted=self._granted(packet)
            )
        )
        self._endpoint.attach(self.session, self)

    def leave(self) -> None:
        """Part with the session, and publish the will now or later. Twice does no harm."""
        if self.session.subscriber is not self:
            return
        self._endpoint.detach(self.session)
        if self._will:
            delay = number(self._will.properties, Property.WILL_DELAY, 0)
            delay = min(delay, self.session.expiry_seconds)
            if delay:
                self._endpoint.delay_will(self.session, delay, self)
            else:
                self.publish_will()

    def words_for(self, error: RefusedError) -> str:
        """Return the words to send along with a reason code: none to a client that wants none."""
        if not self._wants_words or self.packet_limit < _REASON_PACKET_BYTES:
            return ""
        return error.reason[:_REASON_CHARACTERS]

    def check_may_stay(self, silent_seconds: float) -> None:
        """Raise RefusedError if the client was silent for too long, or is no longer ACTIVE."""
        if silent_seconds > 1.5 * self._keep_alive:
            raise RefusedError(
                ReasonCode.KEEP_ALIVE_TIMEOUT,
                f"nothing heard for {silent_seconds:.0f} seconds; "
                f"the keep-alive is {self._keep_alive}",
            )
        self.authority.check_certificate()

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
            words = self.words_for(error)
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
        granted: list[Subscription] = []
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
                words = words or self.words_for(error)
            else:
                codes.append(subscription.qos)
                if subscription.retain_handling == 0 or (
                    subscription.retain_handling == 1 and not known
                ):
                    granted.append(subscription)
                if service := service_subscribed_to(subscription.filter):
                    self._record_unanswered(
                        "iot:Subscribe", f"topicfilter/{subscription.filter}", service
                    )
        self.send(encoder.suback(self.version, packet.packet_id, codes, words))
        for subscription in granted:
            self._endpoint.send_retained(self.session, subscription)

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

    def _disconnect(self, packet: Disconnect) -> None:
        if packet.reason != ReasonCode.DISCONNECT_WITH_WILL:
            self._will = None
        seconds = number(packet.properties, Property.SESSION_EXPIRY, self.session.expiry_seconds)
        if seconds and not self.session.expiry_seconds:
            raise RefusedError(
                ReasonCode.PROTOCOL_ERROR, "a session that ends now cannot be prolonged"
            )
        self.session.expiry_seconds = min(seconds, limits.SESSION_SECONDS_MAX)
        self.leave()
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
    return min(asked, limits.SESSION_SECONDS_MAX)


def _keep_alive_seconds(packet: Connect) -> int:
    asked = packet.keep_alive or limits.KEEP_ALIVE_SECONDS_MAX
    return min(max(asked, limits.KEEP_ALIVE_SECONDS_MIN), limits.KEEP_ALIVE_SECONDS_MAX)
