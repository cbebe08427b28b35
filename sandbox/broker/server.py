"""The MQTT broker of the sandbox: it does what AWS IoT's device endpoint does, on loopback."""

import asyncio
import ipaddress
import time
from pathlib import Path

from sandbox.broker.connection import Services
from sandbox.broker.tls import TlsLink, Trust
from sandbox.line import Refusal
from sandbox.mqtt import limits
from sandbox.mqtt.packets import Publish, ReasonCode, RefusedError
from sandbox.mqtt.topics import check_topic
from sandbox.registry import Registry

_STOP_SECONDS = 1.0
"""How long clients may take to hang up when the broker stops."""


class Broker:
    """Serves devices over MQTT 3.1.1 and 5, with the registry's certificates and policies.

    Args:
        registry: Read at each decision; a change that it is told of takes effect at once.
        state_dir: Where the broker's certificate authority is kept between runs.
        connect_seconds: How long a client may take from its TCP connection to its CONNECT.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html
    """

    def __init__(
        self,
        registry: Registry,
        state_dir: Path,
        *,
        connect_seconds: float = limits.CONNECT_SECONDS,
    ) -> None:
        self._services = Services(registry, connect_seconds)
        self._trust = Trust(registry, state_dir)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def ca_file(self) -> Path:
        """What clients check the broker's certificate against; the same after a restart."""
        return self._trust.ca_file

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._services.connected

    async def start(self, host: str = "127.0.0.1", port: int = 8883) -> int:
        """Serve in the running event loop.

        Args:
            host: An address of this machine that no other machine can reach.
            port: Where to listen; if it is taken, or 0, on any free one.

        Returns:
            The port that it listens on.

        Raises:
            ValueError: *host* is not a loopback address.
        """
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox's broker listens on loopback only, not on {host}")
        self._loop = asyncio.get_running_loop()
        try:
            self._server = await self._listen(host, port)
        except OSError:
            self._server = await self._listen(host, 0)
        self._sweep()
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Accept no more clients, say good-bye to those that are connected, and close."""
        if self._server is None or self._sweeper is None:
            return
        self._server.close()
        self._sweeper.cancel()
        reason = RefusedError(ReasonCode.SERVER_SHUTTING_DOWN, "the sandbox stops")
        for connection in list(self._services.connections):
            connection.end(reason)
        deadline = time.monotonic() + _STOP_SECONDS
        while self._services.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self._services.connections):
            connection.link.abort()
        self._server = self._sweeper = None

    def publish(
        self,
        account: str,
        region: str,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
    ) -> None:
        """Deliver a message that came by HTTP. It may be called from any thread.

        Args:
            account: Whose subscribers get it, as far as their iot:Receive allows.
            region: Of the endpoint.
            topic: At most 256 bytes and 7 slashes, without wildcards.
            payload: At most 128 KB.
            qos: 0 or 1.
            retain: Whether to keep it for later subscribers.

        Raises:
            RefusedError: AWS IoT takes no such message.

        Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_Publish.html
        """
        check_topic(topic)
        if len(payload) > limits.PAYLOAD_BYTES:
            raise RefusedError(
                ReasonCode.PACKET_TOO_LARGE, f"a payload has {limits.PAYLOAD_BYTES} bytes at most"
            )
        if self._loop is None:
            raise RuntimeError("the broker has not been started")
        message = Publish(topic, payload, min(qos, limits.MAXIMUM_QOS), retain)
        self._loop.call_soon_threadsafe(self._publish, account, region, message)

    def published(self) -> set[str]:
        """Return the accounts whose devices have published since this was last asked."""
        return self._services.endpoints.published()

    def refusals(self, account: str) -> list[Refusal]:
        """Return the last 100 refusals of an account, the newest last."""
        return self._services.refusals.of(account)

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: TlsLink(self._trust, self._services.accept),
            host,
            port,
            backlog=limits.CONNECTIONS,
        )

    def _publish(self, account: str, region: str, message: Publish) -> None:
        try:
            self._services.endpoints.of(account, region).publish(message)
        except RefusedError as error:
            self._services.refusals.record(error, "", None)

    def _sweep(self) -> None:
        # The next one is scheduled first: whatever happens in this one, the sweeps go on.
        assert self._loop is not None
        self._sweeper = self._loop.call_later(limits.SWEEP_SECONDS, self._sweep)
        self._services.sweep()
