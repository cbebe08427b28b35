"""One connection, from its first byte to its last: TLS, certificate, CONNECT, time-outs."""

import asyncio
import ssl
import time
from dataclasses import dataclass, field

from sandbox.broker.admission import admit
from sandbox.broker.client import WHY_LENGTH, Client
from sandbox.broker.endpoint import Endpoints
from sandbox.broker.refusals import Refusals
from sandbox.broker.secure import SecureProtocol
from sandbox.broker.tls import Trust, explain
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.decoder import decode, frames
from sandbox.mqtt.packets import V311, Connect
from sandbox.mqtt.reasons import Reason, RefusedError
from sandbox.registry import RegisteredCertificate, Registry


@dataclass(frozen=True)
class Services:
    """What all connections share."""

    registry: Registry
    trust: Trust
    connect_seconds: float = limits.CONNECT_SECONDS
    endpoints: Endpoints = field(default_factory=Endpoints)
    refusals: Refusals = field(default_factory=Refusals)
    connections: set["Connection"] = field(default_factory=set)


class Connection(SecureProtocol):
    """A device at the other end of a socket; once it is admitted, it is a :class:`Client`."""

    def __init__(self, services: Services) -> None:
        super().__init__(services.trust.context)
        self._services = services
        self._certificate: RegisteredCertificate | None = None
        self._buffer = bytearray()
        self._server_name: str | None = None
        self._version = V311
        self._client_id = ""
        self._opened = self._heard = time.monotonic()
        self.client: Client | None = None

    def note(self, error: RefusedError) -> None:
        """Record a refusal."""
        self._services.refusals.record(error, self._client_id, self._certificate)

    def cut(self, error: RefusedError) -> None:
        """Record a refusal and end the connection."""
        if not self.closing:
            self.note(error)
            self.end(error)

    def end(self, error: RefusedError) -> None:
        """Say why, where this version of MQTT can, and hang up."""
        if self.client:
            self.client.leave()
            self.send(encoder.disconnect(self._version, error.code, self.client.why(error)))
        elif self._certificate:
            self.send(encoder.connack_refused(self._version, error.code, error.reason[:WHY_LENGTH]))
        self.hang_up()

    def check(self, now: float) -> None:
        """End the connection if its time is up, or its certificate is no longer ACTIVE."""
        try:
            if self.closing:
                if now > self.hung_up + limits.LINGER_SECONDS:
                    self.abort()
            elif self.client:
                self.client.check(now - self._heard)
            elif now > self._opened + self._services.connect_seconds:
                raise RefusedError(
                    Reason.PROTOCOL_ERROR,
                    f"no CONNECT within {self._services.connect_seconds:g} seconds",
                )
        except RefusedError as error:
            self.cut(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or turn it away where there are too many."""
        super().connection_made(transport)
        if len(self._services.connections) >= limits.CONNECTIONS:
            self.note(
                RefusedError(
                    Reason.SERVER_BUSY, f"this sandbox takes {limits.CONNECTIONS} connections"
                )
            )
            self.abort()
        self._services.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed; see asyncio.Protocol."""
        self._services.connections.discard(self)
        if self.client:
            self.client.leave()

    def on_secured(self, tls: ssl.SSLObject) -> None:
        """Look up the certificate that the client holds."""
        self._server_name = self._services.trust.server_name(tls)
        self._certificate = self._services.trust.certificate(tls)
        if self._certificate is None:
            self.cut(RefusedError(Reason.NOT_AUTHORIZED, "the certificate is not registered here"))

    def on_insecure(self, error: ssl.SSLError) -> None:
        """Tell why there is no TLS connection."""
        self.note(RefusedError(Reason.PROTOCOL_ERROR, explain(error), action="TLS"))

    def on_received(self, data: bytes) -> None:
        """Act on each packet that is complete."""
        self._heard = time.monotonic()
        self._buffer += data
        try:
            for first, body in frames(self._buffer, limits.PACKET_BYTES):
                packet = decode(first, body, self._version)
                if self.client:
                    self.client.handle(packet)
                elif isinstance(packet, Connect):
                    self._admit(packet)
                else:
                    raise RefusedError(Reason.PROTOCOL_ERROR, "the first packet is not CONNECT")
                if self.closing:
                    return
        except RefusedError as error:
            self.cut(error)

    def on_writable(self) -> None:
        """Send what waits."""
        if self.client:
            self.client.session.pump()

    def _admit(self, packet: Connect) -> None:
        assert self._certificate is not None
        certificate, services = self._certificate, self._services
        self._version, self._client_id = packet.version, packet.client_id
        authority = admit(
            packet,
            services.registry,
            certificate,
            source_ip=self._transport.get_extra_info("peername")[0],
            server_name=self._server_name,
        )
        self._client_id = packet.client_id
        endpoint = services.endpoints.of(certificate.account, certificate.region)
        self.client = Client(self, packet, endpoint, authority)
