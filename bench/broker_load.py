"""Clients that cost as little as Python allows: packets made beforehand, TLS over memory."""

import socket
import ssl
from collections.abc import Callable

from sandbox.broker.connection import Services
from sandbox.broker.memory import MemoryLink

_CONNECT = bytes.fromhex("10 00 00 04 4d 51 54 54 04 02 00 3c 00 00")
_MESSAGE = b"x" * 64


class Load:
    """One TLS connection, driven by hand."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._in.write(self._socket.recv(65536))
        self._flush()

    def connect(self, client_id: str) -> None:
        """Send CONNECT as an MQTT 3.1.1 client, and wait for the welcome."""
        name = client_id.encode()
        packet = bytearray(_CONNECT) + name
        packet[1], packet[13] = 12 + len(name), len(name)
        self.send(self.wrapped(bytes(packet)))
        if self.read(4) != b"\x20\x02\0\0":
            raise RuntimeError("the broker did not welcome the client")

    def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 0, so that nothing has to be acknowledged."""
        name = topic.encode()
        self.send(self.wrapped(bytes((0x82, 5 + len(name), 0, 1, 0, len(name))) + name + b"\0"))
        self.read(5)

    def publish(self, topic: str, count: int, window: int) -> None:
        """Publish with QoS 1, and wait for every acknowledgement.

        Args:
            topic: Where to publish.
            count: How many messages.
            window: How many may be unacknowledged at once.
        """
        ring, size = _ring(topic, window, self.wrapped)
        sent = acknowledged = 0
        refill = max(1, window // 5)
        while acknowledged < count:
            free = min(window - (sent - acknowledged), count - sent)
            if free >= refill or free == count - sent > 0:
                start = sent % window
                self.send(ring[start * size : (start + free) * size])
                sent += free
            acknowledged += len(self.read(4)) // 4

    def wrapped(self, packet: bytes) -> bytes:
        """Return a packet as this link carries it."""
        return packet

    def send(self, data: bytes) -> None:
        """Send bytes as one record."""
        self._tls.write(data)
        self._flush()

    def read(self, least: int) -> bytes:
        """Wait for *least* bytes, and return all that are there."""
        parts: list[bytes] = []
        got = 0
        while True:
            try:
                while True:
                    part = self._tls.read(16384)
                    if not part:
                        raise ConnectionError("the broker has hung up")
                    parts.append(part)
                    got += len(part)
            except ssl.SSLWantReadError:
                if got >= least:
                    return b"".join(parts)
                self._in.write(self._receive())

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _receive(self) -> bytes:
        data = self._socket.recv(262144)
        if not data:
            raise ConnectionError("the broker has hung up")
        return data

    def _flush(self) -> None:
        if self._out.pending:
            self._socket.sendall(self._out.read())


class WebSocketLoad(Load):
    """A TLS connection with a WebSocket in it; each packet is a frame of its own."""

    def __init__(self, port: int, context: ssl.SSLContext, request: bytes) -> None:
        """Connect, and send *request* for the upgrade."""
        super().__init__(port, context)
        self._rest = b""
        self.send(request)
        if not super().read(1).startswith(b"HTTP/1.1 101 "):
            raise RuntimeError("the broker did not take the upgrade")

    def wrapped(self, packet: bytes) -> bytes:
        """Return a packet as a frame whose mask changes nothing."""
        return bytes((0x82, 0x80 | len(packet))) + b"\0\0\0\0" + packet

    def read(self, least: int) -> bytes:
        """Wait for *least* bytes of packets, and return all that are there."""
        packets = b""
        while len(packets) < least:
            data, at = self._rest + super().read(1), 0
            while at + 4 <= len(data):
                start, size = at + 2, data[at + 1]
                if size == 126:  # many answers in one frame
                    start, size = at + 4, int.from_bytes(data[at + 2 : at + 4], "big")
                if start + size > len(data):
                    break
                packets += data[start : start + size]
                at = start + size
            self._rest = data[at:]
        return packets


class MemoryLoad(Load):
    """A link in memory, in this process: no TLS, no socket, nobody to wait for."""

    def __init__(self, services: Services, open_link: Callable[[MemoryLink], None]) -> None:
        """Connect; *open_link* does what stands in place of a handshake."""
        self._link = MemoryLink(services.accept)
        open_link(self._link)

    def send(self, data: bytes) -> None:
        """Send bytes; the broker acts on them before this returns."""
        self._link.receive(data)

    def read(self, least: int) -> bytes:
        """Return all bytes that are there."""
        return self._link.take(self._link.waiting)

    def close(self) -> None:
        """Hang up."""
        self._link.close()


def _ring(topic: str, window: int, wrapped: Callable[[bytes], bytes]) -> tuple[bytes, int]:
    """Return messages with packet identifiers 1 to *window*, twice over, and the size of one."""
    name = topic.encode()
    body = bytes((0, len(name))) + name
    head = bytes((0x32, len(body) + 2 + len(_MESSAGE))) + body
    packets = [
        wrapped(head + number.to_bytes(2, "big") + _MESSAGE) for number in range(1, window + 1)
    ]
    return b"".join(packets) * 2, len(packets[0])
