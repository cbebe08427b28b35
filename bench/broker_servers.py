"""The servers that are measured: the sandbox's broker, mosquitto, and bare TLS."""

import asyncio
import datetime
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.registry import Registry

DEVICES = 500
_CHANGES = 100
"""How many more certificates a broker of :func:`start_changing` can register."""
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/bench/*"},
        {"Effect": "Allow", "Action": ["iot:Subscribe", "iot:Receive"], "Resource": "*"},
    ],
}


def make_certificates(folder: Path) -> None:
    """Write an authority, and certificates of a server, of 500 devices, and one in RSA as AWS's."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    _leaf(ca.issue_cert("localhost", "127.0.0.1"), folder / "server")
    rsa = trustme.KeyType.RSA
    _leaf(ca.issue_cert(common_name="device", key_type=rsa), folder / "device")
    for number in range(DEVICES):
        _leaf(ca.issue_cert(common_name=f"device {number}"), folder / f"device{number}")


def _leaf(made: trustme.LeafCert, stem: Path) -> None:
    made.cert_chain_pems[0].write_to_path(stem.with_suffix(".pem"))
    made.private_key_pem.write_to_path(stem.with_suffix(".key"))


def start_sandbox(folder: Path) -> tuple[subprocess.Popen[str], int, int]:
    """Start the sandbox's broker in a process of its own; return its ports, WebSocket's last."""
    server, port = _start("sandbox", folder)
    assert server.stdout is not None
    return server, port, int(server.stdout.readline())


def start_changing(folder: Path, certificates: int) -> tuple[subprocess.Popen[str], int]:
    """Start the sandbox's broker with that many certificates; :func:`change` adds one."""
    return _start("changing", folder, certificates)


def change(server: subprocess.Popen[str]) -> None:
    """Register one more certificate with a broker of :func:`start_changing`."""
    assert server.stdout is not None
    server.send_signal(signal.SIGUSR1)
    while server.stdout.readline() != "registered\n":  # its ports come first
        continue


def start_bare(folder: Path, *, mutual: bool = True) -> tuple[subprocess.Popen[str], int]:
    """Start a server that does little more than asyncio's own TLS, and return its port."""
    return _start("bare", folder, int(mutual))


def start_mosquitto(folder: Path) -> tuple[subprocess.Popen[str], int] | None:
    """Start Debian's mosquitto, if it is installed, with the same certificates; return its port."""
    found = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if not found:
        return None
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    lines = (
        f"listener {port} 127.0.0.1",
        f"cafile {folder / 'ca.pem'}",
        f"certfile {folder / 'server.pem'}",
        f"keyfile {folder / 'server.key'}",
        "user root",
        "require_certificate true",
        "allow_anonymous true",
        "set_tcp_nodelay true",
        "log_dest none",
    )
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    server = subprocess.Popen([found, "-c", str(folder / "mosquitto.conf")], text=True)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise RuntimeError("mosquitto does not start")


def _start(what: str, folder: Path, *more: int) -> tuple[subprocess.Popen[str], int]:
    command = [
        sys.executable,
        "-m",
        "bench.broker_servers",
        what,
        str(folder),
        *map(str, map(int, more)),
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, int(server.stdout.readline())


async def _serve_sandbox(folder: Path) -> None:
    await _serve(folder / "broker", [path.read_text() for path in folder.glob("device*.pem")], [])


async def _serve_changing(folder: Path, certificates: int) -> None:
    pems = [(folder / "device.pem").read_text(), *_self_signed(certificates + _CHANGES)]
    await _serve(folder / f"broker{certificates}", pems[:certificates], pems[certificates:])


def registry_with(pems: Iterable[str]) -> tuple[Registry, Callable[[str], None]]:
    """Return a registry with these certificates, and what registers another one."""
    from moto.core.config import default_user_config
    from moto.iot.models import iot_backends

    default_user_config["iot"] = {"use_valid_cert": True}
    backend = iot_backends["123456789012"]["eu-west-1"]
    backend.create_policy("bench", json.dumps(EVERYTHING))  # type: ignore[arg-type]  # moto's hint
    registry = Registry()

    def register(pem: str) -> None:
        made = backend.register_certificate_without_ca(pem, "ACTIVE")
        backend.attach_policy("bench", made.arn)
        registry.changed()

    for pem in pems:
        register(pem)
    return registry, register


async def _serve(state: Path, pems: list[str], spare: list[str]) -> None:
    from sandbox.broker.server import Broker

    registry, register = registry_with(pems)

    def register_another() -> None:
        register(spare.pop())
        print("registered", flush=True)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, register_another)
    broker = Broker(registry, state)
    print(await broker.start(ports=(0,)), flush=True)
    print(await broker.start_wss(), flush=True)
    await asyncio.Event().wait()


def _self_signed(count: int) -> Iterator[str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device")])
    now = datetime.datetime.now(datetime.UTC)
    for _ in range(count):
        made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        yield pem.decode()


async def _serve_bare(folder: Path, mutual: int) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    class Hello(asyncio.Protocol):
        """Says one byte after the handshake, and acknowledges whatever comes."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            transport.write(b"!")

        def data_received(self, data: bytes) -> None:
            self.transport.write(b"\x40\x02\0\x01")

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Hello, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    serve: dict[str, Callable[..., Coroutine[None, None, None]]] = {
        "sandbox": _serve_sandbox,
        "changing": _serve_changing,
        "bare": _serve_bare,
    }
    asyncio.run(serve[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:])))
