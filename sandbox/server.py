"""The sandbox's one process: the control plane and the broker, over one registry."""

import asyncio
import errno
import json
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import psutil
from moto.iot.models import iot_backends

from sandbox import control, gaps, http_server, process
from sandbox.accounts import Members
from sandbox.broker.server import Broker
from sandbox.control import Application
from sandbox.errors import SandboxError
from sandbox.faults import Faults
from sandbox.files import write_whole
from sandbox.front_door import FrontDoor
from sandbox.http_server import HttpServer
from sandbox.line import Sandbox
from sandbox.mqtt import limits
from sandbox.registry import Registry
from sandbox.state import PRESSED, Milestones, State

IDLE_SECONDS = 8 * 3600.0
"""A sandbox that nobody owns ends after that long without a request or a device."""
_log = logging.getLogger("sandbox")


class Server:
    """A sandbox that is being served."""

    def __init__(
        self,
        folder: Path,
        *,
        owner: int | None = None,
        members: Members | None = None,
        faults: int | None = None,
        strict: bool = False,
    ) -> None:
        """Set up a sandbox.

        Args:
            folder: Where it keeps what it knows.
            owner: A process id; the sandbox ends when that process has gone.
            members: A class, each of whom has an account; without it, any access key opens the one
                account.
            faults: The seed of a plan of throttling, errors and lost answers; without it, there are
                none.
            strict: Whether a client id may connect once a second only, as on AWS.

        Raises:
            OSError: a file in *folder* cannot be read or written.
        """
        self._folder = folder
        self._members = members
        self._faults = faults
        self._owners = {psutil.Process(owner)} if owner else set[psutil.Process]()
        self._owned = bool(self._owners)
        self._last_used = time.monotonic()
        self._version = process.version()
        self._state = State(folder / "registry")
        self._registry = Registry()
        self._broker = Broker(
            self._registry, state_dir=folder, account_of=self._account_of, strict=strict
        )
        self._milestones = Milestones(folder / "milestones")

    async def run(self, port: int, mqtt_port: int, wss_port: int) -> None:
        """Serve until SIGTERM or SIGINT, or until nobody needs it any more.

        Args:
            port: Of the control plane; 0 means the last one, or else any.
            mqtt_port: Of the broker; 0 likewise, 8883 first.
            wss_port: Of the broker's WebSockets; 0 likewise.

        Raises:
            OSError: a file cannot be read or written.
        """
        ending = asyncio.Event()
        _on_signal(ending.set)
        before = process.last_known(self._folder)
        last_http = [before.port] if before else []
        last_mqtt = [before.mqtt_port] if before else []
        last_wss = [before.wss_port] if before else []
        gaps.fill(self._broker)
        self._state.restore()
        # The first use of a backend costs moto half a second: pay it before anyone waits.
        _ = iot_backends[process.ACCOUNT][process.REGION]
        mqtt_port = await _start(self._broker.start, mqtt_port, [*last_mqtt, 8883, 0])
        wss_port = await _start(self._broker.start_wss, wss_port, [*last_wss, 0])
        plane = control.ControlPlane(
            readers={
                "about": self._about,
                "refusals": self._refusals,
                "milestones": self._milestones.of,
            },
            changers={
                "owner": self._add_owner,
                "passed": self._milestones.reach,
                "forget": self._milestones.forget,
            },
            changed=self._changed,
            emptied=self._broker.empty,
        )
        inner = plane if self._faults is None else Faults(plane, self._faults)
        self._broker.serve_shadows(
            lambda *asked: plane.between_requests(
                partial(gaps.shadows.answer, *asked, save=self._save)
            )
        )
        server = _serve(FrontDoor(inner, self._members), port, [*last_http, 0])
        self._here = Sandbox(
            endpoint_url=f"http://{http_server.LOOPBACK}:{server.effective_port}",
            mqtt_host=gaps.MQTT_HOST,
            mqtt_port=mqtt_port,
            ca_file=str(self._broker.ca_file),
            region=process.REGION,
            account=process.ACCOUNT,
            pid=os.getpid(),
            version=self._version,
            wss_port=wss_port,
        )
        self._announce()
        await self._until(ending)
        # In a thread: a request that is being answered may be waiting for the broker, in this loop.
        await asyncio.to_thread(server.shutdown)
        await self._broker.stop()

    def _account_of(self, access_key: str) -> str | None:
        if self._members is None:
            return process.ACCOUNT
        member = self._members.holder(access_key)
        return member.account if member else None

    def _announce(self) -> None:
        self._write_about()
        print(json.dumps(self._here.to_json()), flush=True)  # noqa: T201  the one line that it promises

    def _write_about(self) -> None:
        said = json.dumps(self._here.to_json())
        write_whole(self._folder / "sandbox.json", said.encode())

    async def _until(self, ending: asyncio.Event) -> None:
        while not ending.is_set() and self._needed():
            for account in self._broker.published():
                self._milestones.reach(f"{account}/{PRESSED}")
            self._heal_about()
            try:
                await asyncio.wait_for(ending.wait(), timeout=1)
            except TimeoutError:
                continue

    def _heal_about(self) -> None:
        if process.last_known(self._folder) == self._here:
            return
        try:
            self._write_about()
        except OSError as problem:
            _log.error("Where the sandbox answers cannot be written: %s", problem)

    def _needed(self) -> bool:
        if self._owned:
            self._owners = {owner for owner in self._owners if owner.is_running()}
            return bool(self._owners)
        if self._broker.connections:
            self._last_used = time.monotonic()
        return time.monotonic() - self._last_used < IDLE_SECONDS

    def _changed(self) -> None:
        self._last_used = time.monotonic()
        self._save()
        self._registry.changed()

    def _save(self) -> None:
        try:
            self._state.save()
        except BaseException:
            self._broker.release(kept=False)
            self._registry.changed()  # it is again what it was
            raise
        self._broker.release(kept=True)

    def _about(self, account: str) -> object:
        return self._here.to_json() | ({"account": account} if account else {})

    def _add_owner(self, pid: str) -> object:
        owner = _process(pid)
        self._owners = self._owners | {owner}
        self._owned = True
        return owner.pid

    def _refusals(self, account: str) -> object:
        return [refusal.to_json() for refusal in self._broker.refusals(account)]


def _on_signal(end: Callable[[], object]) -> None:
    """Call *end* in the running event loop when the system, or a Ctrl-C, ends this process."""
    loop = asyncio.get_running_loop()

    def leave_word(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(end)

    # asyncio's own add_signal_handler does not exist on Windows (2026-11), which sends the last of
    # these when a console is closed.
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if number := getattr(signal, name, None):
            signal.signal(number, leave_word)


def _process(pid: str) -> psutil.Process:
    try:
        return psutil.Process(int(pid))
    except (ValueError, OverflowError, psutil.Error) as problem:
        raise ValueError(f"No process has the number {pid!r}.") from problem


async def _start(start: Callable[..., Awaitable[int]], asked: int, otherwise: list[int]) -> int:
    try:
        return await start(ports=[asked] if asked else otherwise)
    except OSError as problem:
        raise _not_served(asked, problem) from problem


def _serve(application: Application, asked: int, otherwise: list[int]) -> HttpServer:
    try:
        return http_server.serve(
            application,
            [asked] if asked else otherwise,
            connections=http_server.room_for_connections(limits.CONNECTIONS),
        )
    except OSError as problem:
        raise _not_served(asked, problem) from problem


def _not_served(port: int, problem: OSError) -> SandboxError:
    why = "another program has it" if problem.errno == errno.EADDRINUSE else problem.strerror
    return SandboxError(f"Port {port} cannot be served: {why}. Leave it out for any free one.")
