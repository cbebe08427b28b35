"""The sandbox in the caller's own process: no socket, no thread, no waiting.

A browser's page has nothing else, and a test is quicker with it. Several processes may use one
folder, such as the kernels of two notebooks: each request has the folder to itself, and begins with
what the others have saved, retained messages and sessions of clients that are away included.
Connections, and messages to who is connected, are this process's own.
"""

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError

from sandbox import aws_api, gaps, log, process
from sandbox.broker.by_http import Answer, Publisher
from sandbox.broker.connection import Services
from sandbox.broker.endpoint import Endpoint, Endpoints
from sandbox.broker.memory import MemoryLink, signer
from sandbox.broker.services import ShadowService
from sandbox.broker.store import Store
from sandbox.control import Application, ControlPlane
from sandbox.device import InsideLink, MemorySocket
from sandbox.errors import AwsError, SandboxError
from sandbox.faults import Faults, LostAnswer
from sandbox.line import Sandbox
from sandbox.mqtt import limits
from sandbox.process import ACCOUNT, REGION
from sandbox.registry import Registry
from sandbox.state import Milestones, State

if TYPE_CHECKING:
    from botocore.client import BaseClient

NOWHERE = "http://127.0.0.1:1"
"""What a request is addressed to: nothing listens there, and nothing is sent there."""
NO_AUTHORITY = "There is no TLS within one process, so there is no authority to check.\n"
"""What stands in place of a root certificate."""
WAITS_AT_MOST = 20.0
"""Seconds, for what another process does in the same folder: a request takes milliseconds."""


@cache
def opened(folder: Path) -> "Inside":
    """Return the sandbox on *folder*, opened once in a process."""
    return Inside(folder)


class Inside(Publisher):
    """A sandbox that answers by a call. Its requests and its connections take turns.

    Raises:
        SandboxError: its folder cannot be used, or a sandbox in a process of its own serves it.
    """

    _latest: "Inside | None" = None
    """Whose registry moto holds, and whose broker it publishes to: it has one a process."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        process.prepare(folder)
        self._folder = folder
        self._turn = threading.RLock()
        self._has_turn = False
        self._registry = Registry()
        self._state = State(folder / "registry")
        endpoints = Endpoints()
        self._store = Store(folder / "messages", endpoints)
        strict = bool(os.environ.get("IOT_TUTORIAL_STRICT"))
        self._services = Services(
            self._registry, strict=strict, endpoints=endpoints, store=self._store
        )
        endpoints.shadows = ShadowService(
            partial(gaps.shadows.answer, save=self._save), self._services.publish
        )
        self._swept = time.monotonic()
        plane = ControlPlane(
            readers={
                "about": lambda account: self.about.to_json(),
                "refusals": self._refusals,
                "milestones": lambda account: self._milestones().of(account),
            },
            changers={
                "passed": lambda reached: self._milestones().reach(reached),
                "forget": lambda account: self._milestones().forget(account),
            },
            changed=self._changed,
            emptied=self._services.empty,
        )
        self._plane: Application = _with_faults(plane)
        ca_file = folder / "no-authority.txt"
        ca_file.write_text(NO_AUTHORITY)
        self.about = Sandbox(NOWHERE, gaps.MQTT_HOST, 1, str(ca_file), REGION, ACCOUNT, os.getpid())
        """What it says of itself."""
        self.line = InsideLine(self)
        self.link = InsideLink(self)
        with self.turn():
            pass  # what is wrong with the folder shows now

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request; see WSGI."""
        environ[aws_api.ACCOUNT_HEADER] = ACCOUNT
        try:
            with self.turn():
                return self._plane(environ, start_response)
        except SandboxError as problem:
            busy = AwsError(503, "ServiceUnavailableException", str(problem))
            return aws_api.refusal(busy, environ)(environ, start_response)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only one who reads and changes the folder, and know what others have changed.

        Raises:
            SandboxError: a sandbox in a process of its own serves the folder.
        """
        with self._turn:
            if self._has_turn:  # such as a message that is published by HTTP
                yield
                return
            with process.serving(self._folder, wait=WAITS_AT_MOST):
                self._has_turn = True
                try:
                    if Inside._latest is not self:
                        gaps.fill(self)
                        log.lead_to(self._folder)
                        self._state.forget()
                        Inside._latest = self
                    if self._state.refresh():
                        self._registry.changed()
                    self._store.refresh()
                    try:
                        yield
                    finally:
                        # Before another process has its turn, which would not know of it.
                        self._store.save()
                finally:
                    self._has_turn = False

    def dial(self, certificate: bytes, private_key: bytes, host: str) -> MemorySocket:
        """Connect a device, which proves that it holds the key of its certificate.

        Args:
            certificate: PEM.
            private_key: PEM.
            host: The name of the data endpoint.

        Raises:
            ValueError: the private key cannot be read.
            ConnectionRefusedError: the broker does not let it in.
        """
        sign = signer(private_key)
        with self.turn():
            link = MemoryLink(self._services.accept)
            link.open(certificate, sign, host)
        return MemorySocket(self, link)

    def sweep(self) -> None:
        """End what has had its time, at most once a second: connections, wills, sessions."""
        now = time.monotonic()
        if now - self._swept >= limits.SWEEP_SECONDS:
            self._swept = now
            with self.turn():
                self._services.sweep()

    def ask(self, account: str, region: str, question: Callable[[Endpoint], Answer]) -> Answer:
        """Call *question* with an endpoint, and return its answer."""
        return self._services.ask(account, region, question)

    def _changed(self) -> None:
        self._save()
        self._registry.changed()

    def _save(self) -> None:
        try:
            self._state.save()
        except BaseException:
            self.release(kept=False)
            self._registry.changed()  # it is again what it was
            raise
        self.release(kept=True)

    def _refusals(self, account: str) -> object:
        return [refusal.to_json() for refusal in self._services.refusals.of(account)]

    def _milestones(self) -> Milestones:
        return Milestones(self._folder / "milestones")  # read anew: others write it, too


class InsideLine:
    """The line to a control plane in this process: see :class:`sandbox.line.Line`."""

    def __init__(self, application: Application) -> None:
        """Set up the line to a WSGI application: a control plane, or what stands before it."""
        self._application = application

    def read(self, page: str) -> object:
        """Return what a page answers; ``None`` where there is no such page."""
        return self._ask("GET", page)

    def change(self, page: str) -> object:
        """Ask a page that changes something to do so; return its answer, or ``None``."""
        return self._ask("POST", page)

    def carry(self, client: "BaseClient") -> None:
        """Make the requests of a boto3 client go this way."""
        # Nobody checks a signature, and making one takes a tenth of the time.
        client.meta.events.register("choose-signer", lambda **_: UNSIGNED)
        name, region = client.meta.service_model.signing_name, client.meta.region_name
        send: Any = partial(self._send, signed(name, region))
        client.meta.events.register_last("before-send", send)

    def _ask(self, method: str, page: str) -> object:
        status, _, body = call(self._application, method, f"{NOWHERE}/_sandbox/{page}")
        return json.loads(body) if status == 200 else None

    def _send(self, signature: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        assert request.method is not None
        body: Any = request.body or b""
        sent = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        try:
            status, headers, content = call(
                self._application,
                request.method,
                request.url,
                headers=sent | {"Authorization": signature},
                body=body.encode() if isinstance(body, str) else body,
            )
        except LostAnswer as problem:
            raise ConnectionClosedError(endpoint_url=request.url) from problem
        told = dict(
            sorted({**headers, "Date": formatdate(usegmt=True)}.items())
        )  # as a server does
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(told), _Raw(content))


def signed(service: str, region: str = REGION, *, key: str = "inside") -> str:
    """Write what the control plane reads of a signature: who asks, where, for which service."""
    return f"AWS4-HMAC-SHA256 Credential={key}/20171001/{region}/{service}/aws4_request, x=y"


def call(
    application: Application,
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> tuple[int, dict[str, str], bytes]:
    """Call a WSGI application; return status, headers and body of its answer."""
    parts = urlsplit(url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path, "latin-1") or "/",
        "RAW_URI": url.removeprefix(f"{parts.scheme}://{parts.netloc}"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": parts.netloc,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    started: list[tuple[str, list[tuple[str, str]]]] = []
    answer = application(environ, lambda status, sent, *_: started.append((status, sent)))
    content = b"".join(answer)
    status, sent = started[-1]
    return int(status[:3]), dict(sent), content


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _with_faults(plane: Application) -> Application:
    seed = os.environ.get("IOT_TUTORIAL_FAULTS")
    if not seed:
        return plane
    if not seed.isdecimal():
        raise SandboxError(f"IOT_TUTORIAL_FAULTS is {seed!r}: a number is one plan of faults.")
    return Faults(plane, int(seed))
