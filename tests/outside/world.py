"""A small world for others' programs: AWS's host names lead to the sandbox, and nowhere else.

It is made of a network and a mount namespace (``unshare``): there is no network but loopback, the
hosts file and the trusted authorities are the world's own, and port 443 is told apart by the name
that a client asks for, and by ALPN, as AWS does it.
"""

import asyncio
import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

ROOT = Path(__file__).parents[2]
REGION = "eu-west-1"
OURS = [
    f"{name}.{REGION}.amazonaws.com"
    for name in ("iot", "data.iot", "data-ats.iot", "sandbox-ats.iot", "sts")
]
OTHERS = ["iam.amazonaws.com"] + [
    f"{name}.{REGION}.amazonaws.com" for name in ("cloudformation", "sns")
]
"""The rest of AWS, which is not the sandbox's subject: moto's own server, where it is there."""
_HOSTS, _TRUSTED = Path("/etc/hosts"), Path("/etc/ssl/certs/ca-certificates.crt")
_PASSED_ON = ("content-type", "x-amzn-requestid", "x-amzn-errortype")


@dataclass(frozen=True)
class World:
    """Where a suite runs."""

    folder: Path
    """Scratch, for one run."""
    sources: Path
    libraries: Path
    """What was installed for the suites alone."""
    endpoint_url: str
    mqtt_port: int
    ca_file: Path
    """The authorities that programs trust: the system's, the sandbox's and the world's own."""
    log: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Return what AWS's own pages tell a learner to set, and no more."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return kept | {
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CA_BUNDLE": str(self.ca_file),
            "NODE_EXTRA_CA_CERTS": str(self.ca_file),
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONUNBUFFERED": "1",
            **more,
        }


def enter(arguments: list[str]) -> None:
    """Replace this process by the same one inside namespaces of its own.

    Raises:
        OSError: there is no ``unshare``, or the system does not let it.
    """
    command = ["unshare", "-Urnm", sys.executable, "-m", "outside", *arguments]
    os.environ["OUTSIDE_INSIDE"] = "1"
    os.execvp("unshare", command)


@contextmanager
def opened(folder: Path, sources: Path, libraries: Path) -> Iterator[World]:
    """Open the world: this process is inside its namespaces already.

    Raises:
        CalledProcessError: the world cannot be made here.
    """
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    _put(_HOSTS, folder / "hosts", f"127.0.0.1 localhost {' '.join(OURS + OTHERS)}\n")
    authority = trustme.CA(organization_name="The world's own")
    with contextlib.ExitStack() as stack:
        about = stack.enter_context(_sandbox(folder))
        trusted = [_TRUSTED.read_text(), Path(about["ca_file"]).read_text()]
        trusted.append(authority.cert_pem.bytes().decode())
        _put(_TRUSTED, folder / "trusted.pem", "\n".join(trusted))
        others = stack.enter_context(_others(libraries))
        ways = dict.fromkeys(OURS, about["endpoint_url"])
        ways |= dict.fromkeys(OTHERS, others or about["endpoint_url"])
        https = _serve_https(authority, ways)
        stack.enter_context(_port_443(about, https))
        yield World(
            folder,
            sources,
            libraries,
            about["endpoint_url"],
            about["mqtt_port"],
            folder / "trusted.pem",
            folder / "state" / "sandbox.log",
        )


def _put(place: Path, file: Path, text: str) -> None:
    """Bind a file over one of the system's, in this mount namespace alone."""
    file.write_text(text)
    subprocess.run(["mount", "--bind", file, place], check=True)


@contextmanager
def _sandbox(folder: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "sandbox", "--state-dir", str(folder / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def _others(libraries: Path) -> Iterator[str | None]:
    """Serve the rest of AWS by moto's own server, where it is installed."""
    if not (libraries / "server").exists():
        yield None
        return
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(libraries / "server")}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "5001"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, cwd="/") as process:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 5001)):
                break
            time.sleep(0.1)
        try:
            yield "http://127.0.0.1:5001"
        finally:
            process.terminate()


class _Passing(BaseHTTPRequestHandler):
    """Answers a request to one of AWS's names by the HTTP server that is meant."""

    protocol_version = "HTTP/1.1"
    context: ssl.SSLContext
    ways: dict[str, str]

    def setup(self) -> None:
        self.request = self.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def pass_on(self) -> None:
        name = self.headers["Host"]
        headers = dict(self.headers)
        if name in OURS:  # the sandbox answers to its own name alone
            headers = {name: text for name, text in headers.items() if name.lower() != "host"}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        inner = HTTPConnection(self.ways[name].removeprefix("http://"))
        inner.request(self.command, self.path, body, headers)
        answer = inner.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, text in answer.getheaders():
            if name.lower() in _PASSED_ON:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"):
    setattr(_Passing, f"do_{method}", _Passing.pass_on)


def _serve_https(authority: trustme.CA, ways: dict[str, str]) -> int:
    """Serve AWS's names by HTTPS; return the port."""
    _Passing.ways = ways
    _Passing.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*ways).configure_cert(_Passing.context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Passing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


@contextmanager
def _port_443(about: dict[str, Any], https: int) -> Iterator[None]:
    """Lead each connection to port 443 where AWS would: HTTPS, MQTT by ALPN, or WebSocket."""
    mqtt, wss = about["mqtt_port"], about.get("wss_port")

    def way(hello: bytes) -> object:
        name = re.search(rb"[\w.-]+\.amazonaws\.com|localhost", hello)  # its SNI
        if name and name[0] != b"localhost" and b"sandbox-ats" not in name[0]:
            return https
        return mqtt if b"x-amzn-mqtt-ca" in hello else wss

    with forwarding(443, way), contextlib.ExitStack() as stack:
        if mqtt != 8883:
            stack.enter_context(forwarding(8883, lambda _: mqtt))
        yield


@contextmanager
def forwarding(
    port: int, way: Callable[[bytes], Any], tls: ssl.SSLContext | None = None
) -> Iterator[None]:
    """Pass connections on to the port that *way* finds in their first bytes, in a thread.

    With *tls* they are plain, and go on by TLS.
    """
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65536)
        target = way(first)
        if target is None:
            writer.close()
            return
        name = "localhost" if tls else None
        try:
            inner, outer = await asyncio.open_connection(
                "127.0.0.1", target, ssl=tls, server_hostname=name
            )
        except OSError:
            writer.close()
            return
        outer.write(first)
        async with _both(writer, outer):
            await asyncio.gather(_pump(reader, outer), _pump(inner, writer))

    async def serve() -> None:
        server = await asyncio.start_server(pass_on, "127.0.0.1", port)
        ready.set()
        await server.serve_forever()

    def run() -> None:
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(serve())

    threading.Thread(target=run, daemon=True).start()
    assert ready.wait(10)
    yield
    loop.call_soon_threadsafe(loop.stop)


@contextlib.asynccontextmanager
async def _both(*writers: asyncio.StreamWriter) -> AsyncIterator[None]:
    yield
    for writer in writers:
        writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
