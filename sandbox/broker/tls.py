"""TLS over TCP: the link of a broker on a port, and which certificates it trusts.

asyncio's own TLS transport drops a failed handshake without a word, and takes its context before
the client has said anything. :class:`TlsLink` asks for the context at the client's first byte, says
why a handshake failed, and passes bytes through one layer less.
"""

import asyncio
import hashlib
import ipaddress
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from weakref import WeakKeyDictionary

from sandbox.broker.link import Accept, LinkHandler, Peer
from sandbox.broker.refusals import NOT_REGISTERED, REGISTER_IT
from sandbox.ca import authority
from sandbox.device import MQTT_BY_ALPN
from sandbox.files import write_whole
from sandbox.mqtt import limits
from sandbox.mqtt.packets import ReasonCode, RefusedError
from sandbox.registry import Registry

_NOT_HERE = {
    "mqtt": "ALPN mqtt asks for custom authentication, and the sandbox has no authorizers: "
    f"ask for {MQTT_BY_ALPN}, or for nothing, with a certificate",
    "x-amzn-http-ca": "ALPN x-amzn-http-ca asks for HTTPS publish, which the sandbox has not: "
    "publish by MQTT, or by iot-data's Publish",
}
"""What AWS has behind the other names that a client may ask for by ALPN.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
"""
HOST = "localhost"
"""The name that clients know the broker by."""
_HANDSHAKES_REMEMBERED = 1000
"""TLS 1.2 remembers each handshake for a resumption, as long as the context lives."""
_ANCHORS_LEFT_OVER = 1000
"""Certificates that are registered no more, and that a context may still hold: 5 MB."""
_ANCHORS_PER_HANDSHAKE = 25
"""How many of its successor's anchors a handshake loads, at 0.1 ms each."""
_RECORD_BYTES = 16 * 1024
"""The most that one TLS record holds."""
_arrivals = memoryview(bytearray(64 * 1024))
"""Bytes on their way from a socket into TLS: never longer than one call, so all links share it."""


class TlsLink(asyncio.BufferedProtocol):
    """The server's end of one TLS connection; see :class:`sandbox.broker.link.Link`."""

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        peer: Callable[[ssl.SSLObject, str], Peer],
        accept: Accept,
    ) -> None:
        """Set up the link; a connection begins with :meth:`connection_made`.

        Args:
            context: Returns the context for a handshake that begins now.
            peer: Returns what a finished handshake has shown of a client at an address.
            accept: Makes the handler.
        """
        self._context = context
        self._peer = peer
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
            self._leave()
        except ssl.SSLError as error:
            self._fail(self._not_here() or explain(error))
        finally:
            self._reading = False
        self._flush()

    def eof_received(self) -> None:
        """Part with a peer that closed TCP with no good-bye; asyncio then closes this end too."""
        self._leave()

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
            context = self._context()
            self._tls = context.wrap_bio(self._from_peer, self._to_peer, server_side=True)
        try:
            self._tls.do_handshake()
        finally:
            self._flush_records()
        self._secured = True
        self._acknowledge()
        if absent := self._not_here():
            self._fail(absent)
            return False
        address = self._transport.get_extra_info("peername")[0]
        self._handler.opened(self._peer(self._tls, address))
        return True

    def _not_here(self) -> str:
        """Return why the protocol that the client has asked for by ALPN is not to be had."""
        return _NOT_HERE.get(self._tls.selected_alpn_protocol() or "", "") if self._tls else ""

    def _fail(self, reason: str) -> None:
        self._handler.failed(RefusedError(ReasonCode.PROTOCOL_ERROR, reason, action="TLS"))
        self.hang_up()

    def _acknowledge(self) -> None:
        # Most clients send no CONNECT before TCP acknowledges the last packet of the handshake, and
        # Linux, with no TLS ticket to carry that, would take 40 ms.
        if sys.platform == "linux":
            tcp = self._transport.get_extra_info("socket")
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _read(self) -> None:
        assert self._tls is not None
        while not self.closing:
            data = self._tls.read(_RECORD_BYTES)
            if not data:  # the peer's good-bye
                self._leave()
                return
            self._handler.received(data)
            if not self._from_peer.pending and not self._tls.pending():
                return

    def _leave(self) -> None:
        if not self.closing:
            self._handler.left()
            self.hang_up()

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
    """Knows which certificates may come in, as the registry has them now.

    A certificate that AWS IoT issued has no chain that a sandbox could check, so each registered
    one is a trust anchor of its own. Anchors can be added to a context and not removed from it:
    who holds one that is registered no more is turned away after the handshake.
    """

    def __init__(self, registry: Registry, state_dir: Path) -> None:
        self._registry = registry
        self._chain = state_dir / "server.pem"
        self.ca_file = state_dir / "ca.pem"
        """The authority that clients check the broker against, in place of Amazon Root CA 1."""
        self._revision = -1
        self._pems: dict[str, str] = {}
        self._names: WeakKeyDictionary[ssl.SSLObject, str] = WeakKeyDictionary()
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        ca = authority(state_dir)
        write_whole(self._chain, ca.issue_cert(HOST).private_key_and_cert_chain_pem.bytes())
        self._anchored = self._without_anchors()
        self._successor: _Anchored | None = None
        self._open = self._bare("http/1.1")

    def context(self) -> ssl.SSLContext:
        """Return the context for a handshake that begins now."""
        if self._revision != self._registry.revision:
            # Before the certificates are read: after a change meanwhile, the next handshake
            # reads them again.
            self._revision = self._registry.revision
            self._pems = self._registry.pems()
            self._anchored.load(self._pems)
        self._renew()
        return self._anchored.context

    def peer(self, tls: ssl.SSLObject, address: str) -> Peer:
        """Return what a finished handshake has shown of the client, who comes from *address*."""
        der = tls.getpeercert(binary_form=True)
        certificate_id = hashlib.sha256(der).hexdigest() if der else None
        return Peer(address, certificate_id, self._names[tls])

    def _renew(self) -> None:
        """Replace a context that holds too much, a few anchors at each handshake."""
        left_over = len(self._anchored.ids) - len(self._pems)
        remembered = self._anchored.context.session_stats()["number"]
        if left_over > _ANCHORS_LEFT_OVER or remembered > _HANDSHAKES_REMEMBERED:
            self._successor = self._successor or self._without_anchors()
        if self._successor:
            self._successor.load(self._pems, most=_ANCHORS_PER_HANDSHAKE)
            if self._successor.ids >= self._pems.keys():
                self._anchored, self._successor = self._successor, None

    def open_context(self) -> ssl.SSLContext:
        """Return the context for a handshake on a port that asks for no certificate."""
        if self._open.session_stats()["number"] > _HANDSHAKES_REMEMBERED:
            self._open = self._bare("http/1.1")
        return self._open

    def _without_anchors(self) -> "_Anchored":
        context = self._bare(MQTT_BY_ALPN, *_NOT_HERE)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return _Anchored(context)

    def _bare(self, *protocols: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._chain)
        # A ticket would outlive the context, and what is remembered with it.
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 0
        context.sni_callback = self._take_name
        context.set_alpn_protocols(protocols)
        return context

    def _take_name(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None or _is_address(name):
            return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        self._names[tls] = name
        return None


class _Anchored:
    """A TLS context, and which certificates are its trust anchors."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.ids: set[str] = set()

    def load(self, pems: Mapping[str, str], *, most: int | None = None) -> None:
        """Add the certificates that it does not have yet, or *most* of them."""
        for certificate_id in list(islice(pems.keys() - self.ids, most)):
            self.ids.add(certificate_id)
            # moto registers any text as a certificate; such a one just cannot connect.
            with suppress(ssl.SSLError, TypeError, ValueError):
                self.context.load_verify_locations(cadata=pems[certificate_id])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def explain(error: ssl.SSLError) -> str:
    """Say in one sentence what went wrong in a handshake, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{NOT_REGISTERED}, or it is not valid ({error.verify_message}): {REGISTER_IT}"
    reason = error.reason or str(error)
    return _REASONS.get(reason, f"the TLS handshake failed: {reason.replace('_', ' ').lower()}")


_NOT_TLS = "this port speaks TLS only: connect with TLS and, for MQTT, the device's certificate"
_CA_UNKNOWN = "the client does not trust this broker: give it the sandbox's ca_file as root CA"
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (
        "the client showed no certificate: give it the device's certificate and private key"
    ),
    "CALLBACK_FAILED": (
        "the client did not say which host it connects to (SNI in its TLS handshake), as AWS IoT "
        f"requires: connect to the name {HOST}, not to 127.0.0.1"
    ),
    "HTTP_REQUEST": _NOT_TLS,
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "TLSV1_ALERT_UNKNOWN_CA": _CA_UNKNOWN,
    "SSLV3_ALERT_BAD_CERTIFICATE": _CA_UNKNOWN,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _CA_UNKNOWN,
    "UNSUPPORTED_PROTOCOL": "the client offers no TLS version that AWS IoT takes: 1.2 or 1.3",
}
