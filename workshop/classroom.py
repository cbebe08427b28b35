"""Start, watch and end the two processes that a class needs: the sandbox and the hub."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from helpers.errors import LessonError
from sandbox.accounts import start_with_members
from sandbox.errors import SandboxError
from sandbox.process import PROJECT, last_words
from workshop import processes
from workshop.plan import Plan
from workshop.processes import MARK

OPENING_TAKES_AT_MOST = 120.0
ENDING_TAKES_AT_MOST = 30.0
"""Seconds."""


class Classroom:
    """A running class; leaving the ``with`` block ends every process of it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._folder = Path(plan.folder)
        self._over = False
        self._sandbox: subprocess.Popen[str]
        self._hub: subprocess.Popen[bytes]

    def __enter__(self) -> "Classroom":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._end)
        try:
            self._plan = replace(self._plan, sandbox_url=self._start_sandbox())
            self._start_hub()
        except BaseException:
            processes.end(self._folder)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        print("Ending the class ...", flush=True)
        self._hub.terminate()
        try:
            self._hub.wait(timeout=ENDING_TAKES_AT_MOST)
        except subprocess.TimeoutExpired:
            self._hub.kill()
        processes.end(self._folder)

    def wait_until_open(self) -> None:
        """Wait until a browser would get the sign-in page.

        Raises:
            LessonError: the hub did not start.
        """
        give_up = time.monotonic() + OPENING_TAKES_AT_MOST
        while not self._over and not self._answers():
            if self._hub.poll() is not None or time.monotonic() > give_up:
                raise LessonError(f"The hub did not start. {self._last_words()}")
            time.sleep(0.2)

    def stay(self) -> None:
        """Wait until someone ends the class; restart the sandbox if it dies.

        Raises:
            LessonError: the hub has died.
        """
        while not self._over:
            if self._hub.poll() is not None:
                raise LessonError(f"The hub has ended. {self._last_words()}")
            if self._sandbox.poll() is not None:
                self._start_sandbox()
            time.sleep(0.2)

    def _end(self, *_: object) -> None:
        self._over = True

    def _start_sandbox(self) -> str:
        try:
            self._sandbox, here = start_with_members(
                self._folder / "sandbox", Path(self._plan.members), **{MARK: self._plan.folder}
            )
        except SandboxError as problem:
            raise LessonError(str(problem)) from problem
        Path(here.ca_file).chmod(0o644)  # what every device checks the broker against
        return here.endpoint_url

    def _start_hub(self) -> None:
        hub_port, proxy_port = _free_ports(2)
        here = {
            MARK: self._plan.folder,
            "IOT_TUTORIAL_PLAN": self._plan.to_json(),
            "IOT_TUTORIAL_HUB_PORT": str(hub_port),
            "IOT_TUTORIAL_PROXY_PORT": str(proxy_port),
            "PYTHONPATH": str(PROJECT),
        }
        kept = self._folder / "hub"
        command = [sys.executable, "-m", "jupyterhub", "-f", str(PROJECT / "workshop/settings.py")]
        with (kept / "hub.log").open("w") as log:
            self._hub = subprocess.Popen(
                command,
                cwd=kept,
                env=os.environ | here,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        # Through the proxy, as a browser asks: it learns where the hub is after the hub has begun.
        # No secret is sent, so the certificate, which may be for another name, is not checked.
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        direct = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked)
        )
        try:
            with direct.open(f"{self._plan.url}/hub/login", timeout=5) as page:
                return bool(page.status == 200)
        except OSError:
            return False

    def _last_words(self) -> str:
        log = self._folder / "hub" / "hub.log"
        return f"It said: {last_words(log)} (all of it: {log})"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
