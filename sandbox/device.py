"""The device's end: how an MQTT client of paho's reaches a data endpoint, by TLS or in memory."""

import socket
import ssl
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from paho.mqtt.client import Client

    from sandbox.broker.memory import MemoryLink

Item = TypeVar("Item")
_PORT_SECONDS = 5.0
"""How long to wait for a port that a firewall may have closed."""
MQTT_BY_ALPN = "x-amzn-mqtt-ca"
"""What a client offers by ALPN on port 443, where AWS takes MQTT too."""


class DeviceLink(Protocol):
    """Connects an MQTT client, which proves that it holds its certificate's private key."""

    @property
    def waits(self) -> bool:
        """Whether an answer takes a while: then a panel asks in a thread, and the page is free."""

    def open(
        self, client: "Client", host: str, *, certificate: Path, private_key: Path, root_ca: Path
    ) -> None:
        """Connect the client; raise OSError or ValueError where that cannot be."""

    def take(self, client: "Client", queue: "Queue[Item]", seconds: float) -> Item:
        """Return what comes into *queue* within so many seconds; raise Empty where nothing does."""

    def catch_up(self, client: "Client") -> None:
        """Let the client act on all that has arrived."""

    def close(self, client: "Client") -> None:
        """Disconnect."""


@dataclass(frozen=True)
class TlsLink:
    """MQTT over TLS over TCP, in a thread of the client's."""

    port: int
    """Where the data endpoint takes MQTT: 8883 on AWS."""
    alpn_port: int | None = None
    """Where it takes MQTT as well, if the client says so by ALPN: 443 on AWS."""
    waits = True

    def open(
        self, client: "Client", host: str, *, certificate: Path, private_key: Path, root_ca: Path
    ) -> None:
        """Connect the client; raise OSError where that cannot be, of which SSLError is one."""
        port = self.choose_port(host)
        alpn = [MQTT_BY_ALPN] if port == self.alpn_port else None
        client.tls_set(str(root_ca), str(certificate), str(private_key), alpn_protocols=alpn)
        try:
            client.connect(host, port)
        except OSError as problem:
            _is_open.cache_clear()  # the machine may be in another network by now
            if alpn and not isinstance(problem, ssl.SSLError):
                raise OSError(
                    f"neither port {self.port} nor {port} of {host} is reached ({problem}); a "
                    "proxy for HTTPS does not pass MQTT on"
                ) from problem
            raise
        client.loop_start()

    def choose_port(self, host: str) -> int:
        """Choose the port to connect to: 8883, or 443 where a firewall lets nothing else out.

        It is tried once for each host, and anew after a connection that failed.

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
        """
        if self.alpn_port is None or _is_open(host, self.port):
            return self.port
        return self.alpn_port

    def take(self, client: "Client", queue: "Queue[Item]", seconds: float) -> Item:
        """Return what comes into *queue* within so many seconds; raise Empty where nothing does."""
        return queue.get(timeout=seconds)

    def catch_up(self, client: "Client") -> None:
        """Do nothing: the client's thread does it."""

    def close(self, client: "Client") -> None:
        """Disconnect, and end the client's thread."""
        client.disconnect()
        client.loop_stop()


@cache
def _is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _PORT_SECONDS).close()
    except OSError:
        return False
    return True


class Broker(Protocol):
    """A broker in this process, as a device's end needs it."""

    def dial(self, certificate: bytes, private_key: bytes, host: str) -> "MemorySocket":
        """Connect a device."""

    def sweep(self) -> None:
        """End what has had its time."""

    def turn(self) -> AbstractContextManager[None]:
        """Be the only one who uses it."""


class InsideLink:
    """The device's end of a link to a broker in this process, for an MQTT client of paho's.

    Nothing comes by itself: what has arrived is taken when the client is asked for it.
    """

    waits = False

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def open(
        self, client: "Client", host: str, *, certificate: Path, private_key: Path, root_ca: Path
    ) -> None:
        """Connect a client.

        Args:
            client: It has not been connected yet.
            host: The name of the data endpoint.
            certificate: The device's, PEM.
            private_key: The certificate's, PEM.
            root_ca: Not read: there is no TLS.

        Raises:
            OSError: a file is missing, or the broker does not let the device in.
            ValueError: the private key cannot be read.
        """
        dialled = self._broker.dial(certificate.read_bytes(), private_key.read_bytes(), host)
        client._create_socket = lambda: dialled  # type: ignore[method-assign,assignment,return-value]
        client.connect(host)

    def catch_up(self, client: "Client") -> None:
        """Take what has arrived."""
        client.loop_misc()  # a ping, when one is due
        self._broker.sweep()
        while isinstance(dialled := client.socket(), MemorySocket) and dialled.waiting:
            client.loop_read()

    def take(self, client: "Client", queue: "Queue[Item]", seconds: float) -> Item:
        """Return what is next in *queue*; in this process, nothing comes later.

        Raises:
            Empty: there is nothing.
        """
        self.catch_up(client)
        return queue.get_nowait()

    def close(self, client: "Client") -> None:
        """Take what has arrived, then disconnect."""
        self.catch_up(client)
        client.disconnect()
        self.catch_up(client)


class MemorySocket:
    """What an MQTT client takes for its socket."""

    def __init__(self, broker: Broker, link: "MemoryLink") -> None:
        self._broker = broker
        self._link = link

    @property
    def waiting(self) -> bool:
        """Whether there is something to receive: bytes, or the end."""
        return self._link.waiting > 0 or self._link.closing

    def send(self, data: bytes) -> int:
        """Send bytes to the broker, which acts on them before this returns."""
        if self._link.closing:
            raise BrokenPipeError("the broker has hung up")
        with self._broker.turn():
            self._link.receive(bytes(data))
        return len(data)

    def recv(self, size: int) -> bytes:
        """Receive what waits; nothing, at the end."""
        if not self.waiting:
            raise BlockingIOError
        with self._broker.turn():
            return self._link.take(size)

    def close(self) -> None:
        """Hang up."""
        with self._broker.turn():
            self._link.close()

    def setblocking(self, flag: bool) -> None:
        """Do nothing: it never blocks."""

    def fileno(self) -> int:
        """Return that it has no file."""
        return -1
