"""One connection, from its first byte to its last, and what all of them share.

A :class:`Connection` is given the link to its peer and turns bytes into packets. The first packet
has to be a CONNECT; once it is admitted, a :class:`~sandbox.broker.client.Client` acts on the
others.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sandbox.broker.authority import admit
from sandbox.broker.client import Client
from sandbox.broker.endpoint import Endpoint, Endpoints
from sandbox.broker.link import Link, Peer, Signer
from sandbox.broker.refusals import NOT_REGISTERED, REGISTER_IT, Refusals
from sandbox.broker.rules import RuleService
from sandbox.broker.store import Store
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.decoder import decode, frames
from sandbox.mqtt.packets import V311, Connect, Disconnect, Publish, ReasonCode, RefusedError
from sandbox.registry import RegisteredCertificate, Registry

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Services:
    """What all connections of a broker share."""

    registry: Registry
    connect_seconds: float = limits.CONNECT_SECONDS
    strict: bool = False
    """Whether a client id may connect once a second only, as on AWS."""
    endpoints: Endpoints = field(default_factory=Endpoints)
    store: Store | None = None
    """Keeps what is to outlive this process, if anything is."""
    refusals: Refusals = field(default_factory=Refusals)
    connections: set["Connection"] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Let topic rules read the registry, and record what they cannot do."""
        self.endpoints.apply_rules = RuleService(self.registry, self.refusals).apply

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

    def ask(self, account: str, region: str, question: Callable[[Endpoint], Answer]) -> Answer:
        """Call *question* with an endpoint, keep what that has changed, and return its answer."""
        answer = question(self.endpoints.of(account, region))
        if self.store:
            self.store.settle()
        return answer

    def empty(self, account: str) -> None:
        """Forget what is kept of an account."""
        for place, endpoint in self.endpoints.items():
            if place.startswith(f"{account}/"):
                endpoint.empty()
        if self.store:
            self.store.save()

    def publish(self, account: str, region: str, message: Publish) -> None:
        """Deliver a message that no client has sent, and record if it cannot be retained."""
        try:
            self.ask(account, region, lambda endpoint: endpoint.publish(message))
        except RefusedError as error:
            self.refusals.record(error, "", None)

    def sweep(self) -> None:
        """End what has had its time: connections, delayed wills, sessions. Save the rest."""
        now = time.monotonic()
        for connection in list(self.connections):
            connection.recheck(now)
        self.endpoints.expire()
        if self.store:
            self.store.save()


class Connection:
    """A peer at the other end of a link; see :class:`sandbox.broker.link.LinkHandler`."""

    def __init__(self, services: Services, link: Link) -> None:
        self.link = link
        self.client: Client | None = None
        """Who the peer is, once its CONNECT is admitted."""
        self._services = services
        self._store = services.store
        self._peer: Peer | None = None
        self._principal: RegisteredCertificate | Signer | None = None
        self._buffer = bytearray()
        self._version = V311
        self._client_id = ""
        self._accepted = self._heard = time.monotonic()

    def opened(self, peer: Peer) -> None:
        """Take note of who has signed for the peer, or look up the certificate that it holds."""
        self._peer, self._principal = peer, peer.signer
        if peer.certificate_id:
            self._principal = self._services.registry.certificate(peer.certificate_id)
        if self._principal is None:
            self.refuse(
                RefusedError(
                    ReasonCode.NOT_AUTHORIZED, f"{NOT_REGISTERED}: {REGISTER_IT}", action="TLS"
                )
            )

    def failed(self, error: RefusedError) -> None:
        """Record why the link can be used no more, and part with the peer."""
        self.record_refusal(error)
        if self.client:
            self.client.leave("CLIENT_ERROR")

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
        finally:
            # The link sends what has been answered once this returns.
            if self._store:
                self._store.settle()

    def caught_up(self) -> None:
        """Send what waits."""
        if self.client:
            self.client.session.send_waiting()

    def left(self) -> None:
        """Part with the peer: its session waits or ends, and its will goes out."""
        if self.client:
            self.client.leave()

    def signed_off(self) -> None:
        """Part with the peer as after a DISCONNECT: its will does not go out.

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html
        """
        if self.client:
            self.client.handle(Disconnect(ReasonCode.SUCCESS, {}))

    def closed(self) -> None:
        """Part with the peer, whether it said good-bye or not."""
        self._services.connections.discard(self)
        self.left()

    def record_refusal(self, error: RefusedError) -> None:
        """Log a refusal, and keep it for the account."""
        self._services.refusals.record(error, self._client_id, self._principal)

    def refuse(self, error: RefusedError) -> None:
        """Record a refusal and end the connection."""
        if not self.link.closing:
            self.record_refusal(error)
            self.end(error)

    def end(self, error: RefusedError) -> None:
        """Say why, if the peer's version of MQTT can be told, and hang up."""
        if self.client:
            self.client.end(error)
            return
        if self._principal:
            words = error.reason[: limits.REASON_CHARACTERS]
            self.link.send(encoder.connack_refused(self._version, error.code, words))
        self.link.hang_up()

    def recheck(self, now: float) -> None:
        """End the connection if its time is up, or it may be no longer."""
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
        assert self._peer and self._principal
        principal, services, address = self._principal, self._services, self._peer.address
        endpoint = services.endpoints.of(principal.account, principal.region)
        self._version, self._client_id = packet.version, packet.client_id
        try:
            authority = admit(packet, services.registry, principal, self._peer)
        except RefusedError as error:
            if error.verdict != "REFUSED":  # a policy's
                who = packet.client_id, principal.principal_id, self._thing_name()
                endpoint.presence.tell_failed(*who, address)
            raise
        self._client_id = packet.client_id
        if services.strict:
            endpoint.presence.check_rate(packet.client_id)
        session, present = endpoint.open_session(
            packet.client_id, principal.principal_id, packet.version, clean=packet.clean_start
        )
        session.thing_name = self._thing_name()
        self.client = Client(
            self.link, self.record_refusal, packet, authority, endpoint, session, address
        )
        self.client.welcome(packet, session_present=present)

    def _thing_name(self) -> str:
        """Return the name of the Thing that the peer's certificate is exclusively attached to."""
        if not isinstance(self._principal, RegisteredCertificate):
            return ""
        thing = self._services.registry.thing(self._principal, None)
        return thing.name if thing else ""
