"""TLS over TCP: the link of a broker on a port, and which certificates it trusts.

asyncio's own TLS transport drops a failed handshake without a word, and takes its context before
the client has said anything. :class:`TlsLink` asks for the context at the client's first byte, says
why a handshake failed, and passes bytes through one layer less.
"""

import asyncio
import hashlib
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

import trustme

from sandbox.broker.link import Accept, LinkHandler, Peer
from sandbox.files import write_whole
from sandbox.mqtt import limits
from sandbox.mqtt.packets import ReasonCode, RefusedError
from sandbox.registry import Registry

NAMES = ("localhost", "127.0.0.1", "::1")
_HANDSHAKES_REMEMBERED = 1000
"""TLS 1.2 remembers each handshake for a resumption, as long as the context lives."""
_RECORD_BYTES = 16 * 1024
"""The most that one TLS record holds."""
_arrivals = memoryview(bytearray(64 * 1024))
"""Bytes on their way from a socket into TLS: never longer than one call, so all links share it."""


class TlsLink(asyncio.BufferedProtocol):
    """The server's end of one TLS connection; see :class:`sandbox.broker.link.Link`."""

    def __init__(self, trust: "Trust", accept: Accept) -> None:
        self._trust = trust
        self._accept = accept
        self._handler: LinkHandler
        self._transport: asyncio.Transport
        self._tls: ssl.SSLObject | None = None
        self._from_peer = ssl.MemoryBIO()
        self._to_peer = ssl.MemoryBIO()
        self._secured = False
        self._unsent: list[bytes] = []
        self._reading = False
        self._discarded = 0
        self._lingering: asyncio.TimerHandle | None = None
        self.writable = True
        self.closing = False

    def send(self, data: bytes) -> None:
        """Send *data*, together with all else that is sent in this turn of the event loop."""
        if not self._unsent and not self._reading:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(data)

    def hang_up(self) -> None:
        """Send what waits, say good-bye, and ignore what still comes in.

        The socket stays open until the peer closes it too, for ``limits.LINGER_SECONDS`` at most:
        closed at once it would be reset, and the peer might lose the broker's last words.
        """
        if self.closing:
            return
        self._flush()
        self.closing, self.writable = True, False
        if self._secured and self._tls:
            # It raises because the peer's good-bye has not come yet; nobody waits for that.
            with suppress(ssl.SSLError):
                self._tls.unwrap()
        self._flush_records()
        self._transport.resume_reading()
        if self._transport.is_closing():
            return
        self._lingering = asyncio.get_running_loop().call_later(limits.LINGER_SECONDS, self.abort)
        try:
            self._transport.write_eof()
        except OSError:
            self.abort()  # the peer has closed already

    def abort(self) -> None:
        """Close at once; what waits is lost."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a new TCP connection; see asyncio.BufferedProtocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        tcp = transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SEND_BUFFER_BYTES)
        self._handler = self._accept(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End with the TCP connection; see asyncio.BaseProtocol."""
        self.closing, self.writable = True, False
        if self._lingering:
            self._lingering.cancel()
        self._handler.closed()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to put what comes in; see asyncio.BufferedProtocol."""
        return _arrivals

    def buffer_updated(self, nbytes: int) -> None:
        """Decrypt, hand on, and send the answers; see asyncio.BufferedProtocol."""
        if self.closing:
            self._discarded += nbytes
            if self._discarded > limits.LINGER_BYTES:
                self.abort()
            return
        self._from_peer.write(_arrivals[:nbytes])
        self._reading = True
        try:
            if self._secured or self._handshake():
                self._read()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.hang_up()
        except ssl.SSLError as error:
            self._handler.failed(
                RefusedError(ReasonCode.PROTOCOL_ERROR, explain(error), action="TLS")
            )
            self.hang_up()
        finally:
            self._reading = False
        self._flush()

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read; see asyncio.BaseProtocol."""
        self.writable = False
        if not self.closing:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with a peer that reads again; see asyncio.BaseProtocol."""
        if not self.closing:
            self.writable = True
            self._transport.resume_reading()
            self._handler.caught_up()

    def _handshake(self) -> bool:
        if self._tls is None:
            context = self._trust.context()
            self._tls = context.wrap_bio(self._from_peer, self._to_peer, server_side=True)
        try:
            self._tls.do_handshake()
        finally:
            self._flush_records()
        self._secured = True
        self._acknowledge()
        address = self._transport.get_extra_info("peername")[0]
        self._handler.opened(self._trust.peer(self._tls, address))
        return True

    def _acknowledge(self) -> None:
        # Most clients send no CONNECT before TCP acknowledges the last packet of the handshake, and
        # Linux, with no TLS ticket to carry that, would take 40 ms.
        if sys.platform == "linux":
            tcp = self._transport.get_extra_info("socket")
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _read(self) -> None:
        assert self._tls is not None
        while not self.closing:
            self._handler.received(self._tls.read(_RECORD_BYTES))
            if not self._from_peer.pending and not self._tls.pending():
                return

    def _flush(self) -> None:
        if not self._unsent or self.closing or self._tls is None:
            return
        data = memoryview(b"".join(self._unsent))
        self._unsent.clear()
        while data:
            data = data[self._tls.write(data) :]
        self._flush_records()

    def _flush_records(self) -> None:
        if self._to_peer.pending and not self._transport.is_closing():
            self._transport.write(self._to_peer.read())


class Trust:
    """Makes the TLS context of each handshake, from the registry as it is now.

    A certificate that AWS IoT issued has no chain that a sandbox could check, so each registered
    one is its own trust anchor. Anchors cannot be removed from a context: after a change of the
    registry, the next handshake gets a new one.
    """

    def __init__(self, registry: Registry, state_dir: Path) -> None:
        self._registry = registry
        self._chain = state_dir / "server.pem"
        self.ca_file = state_dir / "ca.pem"
        """The authority that clients check the broker against, in place of Amazon Root CA 1."""
        self._context: ssl.SSLContext | None = None
        self._revision = -1
        self._names: WeakKeyDictionary[ssl.SSLObject, str | None] = WeakKeyDictionary()
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        ca = _authority(self.ca_file, state_dir / "ca.key")
        write_whole(self._chain, ca.issue_cert(*NAMES).private_key_and_cert_chain_pem.bytes())

    def context(self) -> ssl.SSLContext:
        """Return the context for a handshake that begins now."""
        context = self._context
        if (
            context is None
            or self._revision != self._registry.revision
            or context.session_stats()["number"] > _HANDSHAKES_REMEMBERED
        ):
            # Before the certificates are read: after a change meanwhile, the next handshake
            # reads them again.
            self._revision = self._registry.revision
            context = self._context = self._build()
        return context

    def peer(self, tls: ssl.SSLObject, address: str) -> Peer:
        """Return what a finished handshake has shown of the client, who comes from *address*."""
        der = tls.getpeercert(binary_form=True)
        certificate_id = hashlib.sha256(der).hexdigest() if der else None
        return Peer(address, certificate_id, self._names.get(tls))

    def _build(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._chain)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        # A resumed session would not be checked against the registry.
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 0
        context.sni_callback = lambda tls, name, _: self._names.update({tls: name})
        context.set_alpn_protocols(["x-amzn-mqtt-ca"])
        anchors = [found.pem for found in self._registry.certificates()]
        try:
            if anchors:
                context.load_verify_locations(cadata="\n".join(anchors))
        except ssl.SSLError:
            _load_each(context, anchors)
        return context


def _load_each(context: ssl.SSLContext, anchors: list[str]) -> None:
    for pem in anchors:
        try:
            context.load_verify_locations(cadata=pem)
        except ssl.SSLError:
            # moto registers any text as a certificate; this one just cannot connect.
            continue


def _authority(certificate: Path, key: Path) -> trustme.CA:
    """Return the authority of the last run, so that clients' files stay valid, or make one."""
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    ca = trustme.CA(organization_name="IoT button tutorial sandbox")
    write_whole(key, ca.private_key_pem.bytes())
    write_whole(certificate, ca.cert_pem.bytes())
    return ca


def explain(error: ssl.SSLError) -> str:
    """Say in one sentence what went wrong in a handshake, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "the client's certificate is not one that is registered here, or it is not valid "
            f"({error.verify_message}): create one in this sandbox, or register it"
        )
    reason = error.reason or str(error)
    return _REASONS.get(reason, f"the TLS handshake failed: {reason.replace('_', ' ').lower()}")


_NOT_TLS = "this port speaks MQTT over TLS only: connect with TLS and the device's certificate"
_CA_UNKNOWN = "the client does not trust this broker: give it the sandbox's ca_file as root CA"
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (
        "the client showed no certificate: give it the device's certificate and private key"
    ),
    "HTTP_REQUEST": _NOT_TLS,
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "TLSV1_ALERT_UNKNOWN_CA": _CA_UNKNOWN,
    "SSLV3_ALERT_BAD_CERTIFICATE": _CA_UNKNOWN,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _CA_UNKNOWN,
    "UNSUPPORTED_PROTOCOL": "the client offers no TLS version that AWS IoT takes: 1.2 or 1.3",
}
