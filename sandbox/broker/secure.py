"""TLS under a protocol, on the event loop.

asyncio's own TLS transport drops a failed handshake without a word and takes its context before
the client has said anything. Here the context is asked for at the client's first byte, the reason
of a failure is told, and bytes pass through one layer less.
"""

import asyncio
import socket
import ssl
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

from sandbox.mqtt import limits

_RECORD = 16 * 1024
"""The most that one TLS record holds."""
_arrivals = memoryview(bytearray(64 * 1024))
"""Bytes on their way from a socket into TLS: never longer than one call, so all can share it."""


class SecureProtocol(asyncio.BufferedProtocol, ABC):
    """A server's end of one TLS connection; what it carries is the subclass's."""

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self._context = context
        self._from_peer = ssl.MemoryBIO()
        self._to_peer = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._secured = False
        self._unsent: list[bytes] = []
        self._reading = False
        self._discarded = 0
        self._transport: asyncio.Transport
        self.writable = True
        """Whether the peer keeps up with what it is sent."""
        self.closing = False
        self.hung_up = 0.0
        """When, on time.monotonic()'s clock."""

    @abstractmethod
    def on_secured(self, tls: ssl.SSLObject) -> None:
        """The handshake is done."""

    @abstractmethod
    def on_insecure(self, error: ssl.SSLError) -> None:
        """The handshake, or a record after it, is not right; the connection is closed next."""

    @abstractmethod
    def on_received(self, data: bytes) -> None:
        """Bytes have come in."""

    @abstractmethod
    def on_writable(self) -> None:
        """The peer has caught up."""

    def send(self, data: bytes) -> None:
        """Send *data*, together with all else that is sent in this turn of the event loop."""
        if not self._unsent and not self._reading:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(data)

    def hang_up(self) -> None:
        """Send what waits, say good-bye, and hear nothing more.

        The socket stays open until the peer closes it too, or :meth:`abort`: closed at once it
        would be reset, and the peer might lose the broker's last words.
        """
        if self.closing:
            return
        self._flush()
        self.closing, self.hung_up = True, time.monotonic()
        if self._secured and self._tls:
            # It asks for the peer's good-bye, for which nobody waits.
            with suppress(ssl.SSLError):
                self._tls.unwrap()
        self._flush_records()
        self._transport.resume_reading()
        if self._transport.is_closing():
            return
        try:
            self._transport.write_eof()
        except OSError:
            self.abort()  # the peer has gone before

    def abort(self) -> None:
        """Close at once; what waits is lost."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the TCP connection; see asyncio.BufferedProtocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        tcp = transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SEND_BUFFER_BYTES)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put what comes in; see asyncio.BufferedProtocol."""
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
            self.on_insecure(error)
            self.hang_up()
        finally:
            self._reading = False
        self._flush()

    def pause_writing(self) -> None:
        """Hear no more from a peer that does not listen; see asyncio.BufferedProtocol."""
        self.writable = False
        if not self.closing:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on; see asyncio.BufferedProtocol."""
        self.writable = True
        if not self.closing:
            self._transport.resume_reading()
            self.on_writable()

    def _handshake(self) -> bool:
        if self._tls is None:
            self._tls = self._context().wrap_bio(self._from_peer, self._to_peer, server_side=True)
        try:
            self._tls.do_handshake()
        finally:
            self._flush_records()
        self._secured = True
        self._acknowledge()
        self.on_secured(self._tls)
        return True

    def _acknowledge(self) -> None:
        # Most clients hold back their CONNECT until TCP acknowledges the handshake's last packet,
        # and with no TLS ticket to carry that, Linux would wait for 40 ms.
        if sys.platform == "linux":
            tcp = self._transport.get_extra_info("socket")
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _read(self) -> None:
        assert self._tls is not None
        while not self.closing:
            self.on_received(self._tls.read(_RECORD))
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
