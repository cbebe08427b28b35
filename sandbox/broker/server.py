"""The MQTT broker of the sandbox: it does what AWS IoT's device endpoint does, on loopback."""

import asyncio
import ipaddress
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from sandbox.broker.by_http import Answer, Publisher
from sandbox.broker.connection import Services
from sandbox.broker.endpoint import Endpoint, Endpoints
from sandbox.broker.link import Link
from sandbox.broker.services import Done, Respond, ShadowService, Work
from sandbox.broker.signature import AccountOf
from sandbox.broker.store import Store
from sandbox.broker.tls import TlsLink, Trust
from sandbox.broker.websocket import WebSocketLink
from sandbox.line import Refusal
from sandbox.mqtt import limits
from sandbox.mqtt.packets import ReasonCode, RefusedError
from sandbox.process import ACCOUNT
from sandbox.registry import Registry

_ANSWER_SECONDS = 20.0
"""How long a request by HTTP waits for the broker, which answers in a millisecond."""
_STOP_SECONDS = 1.0
"""How long clients may take to hang up when the broker stops."""


class Broker(Publisher):
    """Serves devices over MQTT 3.1.1 and 5, with the registry's certificates and policies.

    Beside devices with certificates on one port, it serves programs with credentials on another,
    over WebSocket: what AWS IoT has on 443.

    Args:
        registry: Read at each decision; a change that it is told of takes effect at once.
        state_dir: Where the broker's certificate authority is kept between runs, and what devices
            were told is kept.
        connect_seconds: How long a client may take from its TCP connection to its CONNECT.
        account_of: Returns the account that an access key id opens.
        strict: Whether a client id may connect once a second only, as on AWS.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html
    """

    def __init__(
        self,
        registry: Registry,
        state_dir: Path,
        *,
        connect_seconds: float = limits.CONNECT_SECONDS,
        account_of: AccountOf = lambda access_key: ACCOUNT,
        strict: bool = False,
    ) -> None:
        super().__init__()
        endpoints = Endpoints()
        self._store = Store(state_dir / "messages", endpoints)
        self._services = Services(registry, connect_seconds, strict, endpoints, store=self._store)
        self._trust = Trust(registry, state_dir)
        self._account_of = account_of
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._worker = ThreadPoolExecutor(1, "shadows")

    def serve_shadows(self, answer: Respond) -> None:
        """Have requests to the shadow service answered.

        Args:
            answer: Answers one, in a thread: it may wait for a lock, and for the disk.
        """
        self._services.endpoints.shadows = ShadowService(
            answer, self._services.publish, self._in_thread
        )

    @property
    def ca_file(self) -> Path:
        """What clients check the broker's certificate against; the same after a restart."""
        return self._trust.ca_file

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._services.connected

    async def start(self, host: str = "127.0.0.1", ports: Sequence[int] = (8883, 0)) -> int:
        """Serve in the running event loop.

        Args:
            host: An address of this machine that no other machine can reach.
            ports: Where to listen: on the first that is free. 0 is any free one.

        Returns:
            The port that it listens on.

        Raises:
            OSError: none of *ports* is free; it is that of the last. Or what was kept cannot be
                read.
            ValueError: *host* is not a loopback address.
        """
        self._loop = asyncio.get_running_loop()
        # Before anyone waits: reading a thousand certificates takes OpenSSL a tenth of a second.
        self._trust.context()
        link = partial(TlsLink, self._trust.context, self._trust.peer, self._services.accept)
        self._store.refresh()
        bound = await self._listen(link, host, ports)
        self._sweep()
        return bound

    async def start_wss(self, host: str = "127.0.0.1", ports: Sequence[int] = (0,)) -> int:
        """Serve MQTT over WebSocket as well; see :meth:`start`.

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
        """

        def accept(link: Link) -> WebSocketLink:
            return WebSocketLink(link, self._services.accept, self._account_of)

        link = partial(TlsLink, self._trust.open_context, self._trust.peer, accept)
        return await self._listen(link, host, ports)

    async def stop(self) -> None:
        """Accept no more clients, say good-bye to those that are connected, and close."""
        for server in self._servers:
            server.close()
        if self._sweeper:
            self._sweeper.cancel()
        reason = RefusedError(ReasonCode.SERVER_SHUTTING_DOWN, "the sandbox stops")
        for connection in list(self._services.connections):
            connection.end(reason)
        deadline = time.monotonic() + _STOP_SECONDS
        while self._services.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self._services.connections):
            connection.link.abort()
        self._worker.shutdown(wait=False)
        self._store.close()
        self._servers.clear()

    def ask(self, account: str, region: str, question: Callable[[Endpoint], Answer]) -> Answer:
        """Call *question* with an endpoint, in the broker's event loop, and return its answer.

        It may be called from any thread but the loop's own.
        """
        return self._in_loop(partial(self._services.ask, account, region, question))

    def empty(self, account: str) -> None:
        """Forget an account's sessions and retained messages; from any thread, likewise."""
        self._in_loop(partial(self._services.empty, account))

    def published(self) -> set[str]:
        """Return the accounts whose devices have published since this was last asked."""
        return self._services.endpoints.published()

    def refusals(self, account: str) -> list[Refusal]:
        """Return the last 100 refusals of an account, the newest last."""
        return self._services.refusals.of(account)

    def _in_loop(self, work: Callable[[], Answer]) -> Answer:
        async def done() -> Answer:
            return work()

        if self._loop is None:
            raise RuntimeError("the broker has not been started")
        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(_ANSWER_SECONDS)

    def _in_thread(self, work: Work, done: Done) -> None:
        assert self._loop is not None
        loop = self._loop
        self._worker.submit(lambda: loop.call_soon_threadsafe(done, work()))

    async def _listen(self, link: Callable[[], TlsLink], host: str, ports: Sequence[int]) -> int:
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox's broker listens on loopback only, not on {host}")
        listen = partial(
            asyncio.get_running_loop().create_server, link, host, backlog=limits.CONNECTIONS
        )
        *first, last = ports
        for port in first:
            with suppress(OSError):  # taken: the next one
                server = await listen(port)
                break
        else:
            server = await listen(last)
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    def _sweep(self) -> None:
        # The next one is scheduled first: whatever happens in this one, the sweeps go on.
        assert self._loop is not None
        self._sweeper = self._loop.call_later(limits.SWEEP_SECONDS, self._sweep)
        self._services.sweep()
