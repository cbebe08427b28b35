"""A client's half of MQTT, for tests that need to send exactly what they like."""

import socket
import ssl
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from sandbox.mqtt.packets import V5, V311, Connect, Properties, Publish, Subscribe, Subscription
from sandbox.mqtt.properties import binary, encode_properties, text, variable

TIMEOUT = 5.0
"""Seconds; an answer that takes longer fails the test."""
CONNACK, PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 11, 13, 14


def packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + variable(len(body)) + body


def encode_connect(asked: Connect, user: str | None = None, password: bytes | None = None) -> bytes:
    will = asked.will
    flags = asked.clean_start << 1 | (user is not None) << 7 | (password is not None) << 6
    tail = text(asked.client_id)
    if will:
        flags |= 4 | will.qos << 3 | will.retain << 5
        tail += encode_properties(will.properties) if asked.version == V5 else b""
        tail += text(will.topic) + binary(will.payload)
    tail += text(user) if user is not None else b""
    tail += binary(password) if password is not None else b""
    head = text("MQTT") + bytes((asked.version, flags)) + asked.keep_alive.to_bytes(2, "big")
    head += encode_properties(asked.properties) if asked.version == V5 else b""
    return packet(0x10, head + tail)


def encode_publish(message: Publish, version: int) -> bytes:
    first = 0x30 | message.duplicate << 3 | message.qos << 1 | message.retain
    head = text(message.topic)
    head += message.packet_id.to_bytes(2, "big") if message.qos else b""
    head += encode_properties(message.properties) if version == V5 else b""
    return packet(first, head + message.payload)


def encode_subscribe(asked: Subscribe, version: int) -> bytes:
    body = asked.packet_id.to_bytes(2, "big")
    body += encode_properties(asked.properties) if version == V5 else b""
    for each in asked.subscriptions:
        options = each.qos
        if version == V5:
            options |= (
                each.no_local << 2 | each.retain_as_published << 3 | each.retain_handling << 4
            )
        body += text(each.filter) + bytes((options,))
    return packet(0x82, body)


class WireClient(ABC):
    """An MQTT client that checks nothing and hides nothing; subclasses carry its bytes."""

    def __init__(self) -> None:
        self.version = V311
        self._unread = b""

    @abstractmethod
    def send(self, data: bytes) -> None: ...

    @abstractmethod
    def receive(self) -> bytes:
        """More bytes; none once the broker has hung up."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(
        self,
        client_id: str,
        *,
        version: int = V311,
        clean: bool = True,
        keep_alive: int = 60,
        will: Publish | None = None,
        asked: Properties | None = None,
    ) -> tuple[int, bytes] | None:
        """Send CONNECT; the answer, or None where the broker just hangs up."""
        self.version = version
        wanted = Connect(version, client_id, clean, keep_alive, will, asked or {})
        self.send(encode_connect(wanted))
        return self.read()

    def publish(
        self, topic: str, payload: bytes = b"x", *, qos: int = 1, retain: bool = False
    ) -> None:
        message = Publish(topic, payload, qos, retain, packet_id=1 if qos else 0)
        self.send(encode_publish(message, self.version))

    def subscribe(self, *filters: str, qos: int = 1) -> tuple[int, bytes] | None:
        wanted = [Subscription(each, qos) for each in filters]
        self.send(encode_subscribe(Subscribe(7, wanted, {}), self.version))
        return self.read()

    def read(self) -> tuple[int, bytes] | None:
        """The next packet's first byte and body; None once the broker has hung up."""
        while (found := self._cut()) is None:
            more = self.receive()
            if not more:
                return None
            self._unread += more
        return found

    def _cut(self) -> tuple[int, bytes] | None:
        length, at = 0, 1
        while at < len(self._unread):
            length |= (self._unread[at] & 0x7F) << 7 * (at - 1)
            at += 1
            if self._unread[at - 1] < 0x80:
                break
        else:
            return None
        if len(self._unread) < at + length:
            return None
        found = self._unread[0], self._unread[at : at + length]
        self._unread = self._unread[at + length :]
        return found


def client_context(ca_file: Path, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def handshake_by_hand(
    context: ssl.SSLContext, plain: socket.socket
) -> tuple[ssl.SSLObject, ssl.MemoryBIO]:
    """TLS whose bytes the test sends itself, as they gather in the second of what it returns."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            return tls, outgoing
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))


class RawClient(WireClient):
    """Over TLS; it blocks until something comes."""

    def __init__(
        self,
        context: ssl.SSLContext,
        port: int,
        *,
        session: ssl.SSLSession | None = None,
        no_delay: bool = True,
        host: str | None = "localhost",
    ) -> None:
        super().__init__()
        plain = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, no_delay)
        self.socket = context.wrap_socket(plain, server_hostname=host, session=session)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return b""

    def close(self) -> None:
        self.socket.close()
