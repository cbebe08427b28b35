"""Measure the broker of the sandbox, its speed and its memory: `python -m bench.broker`."""

import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.broker_load import Load, MemoryLoad, WebSocketLoad
from bench.broker_servers import (
    DEVICES,
    change,
    make_certificates,
    registry_with,
    start_bare,
    start_changing,
    start_mosquitto,
    start_sandbox,
)
from sandbox.broker.connection import Services
from sandbox.broker.memory import MemoryLink, signer
from sandbox.broker.signature import SECRET, SERVICE

ROUNDS = 15
CONNECTS = 12
CERTIFICATES = (1, 1000)
ONLY_ANSWERS = ("bare TLS", "without certificate")
"""Servers that are no brokers: one byte is their welcome, and they answer a record as a message."""
Running = tuple[subprocess.Popen[str], int]
Sides = Mapping[str, Callable[[], float]]


def main() -> None:
    """Measure everything, side by side, and print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_certificates(folder)
        servers: dict[str, Running] = {}
        try:
            process, port, wss_port = start_sandbox(folder)
            servers["broker"] = process, port
            servers["WebSocket"] = process, wss_port
            servers["bare TLS"] = start_bare(folder)
            servers["without certificate"] = start_bare(folder, mutual=False)
            mosquitto = start_mosquitto(folder)
            if mosquitto:
                servers["mosquitto"] = mosquitto
            else:
                print("mosquitto is not installed: no comparison (apt-get install mosquitto)")
            measure(folder, servers)
            for count in CERTIFICATES:
                servers[f"broker{count}"] = start_changing(folder, count)
            measure_changes(folder, servers)
        finally:
            for server, _ in servers.values():
                server.kill()
                server.wait()


def measure(folder: Path, servers: dict[str, Running]) -> None:
    """Run each comparison. Memory at rest is measured first, before any load."""
    process, port = servers["broker"]
    at_rest = megabytes(process)
    ways = ways_in(folder, {name: port for name, (_, port) in servers.items()})

    def connected(name: str, client_id: str) -> Load:
        client = ways[name]()
        client.read(1) if name in ONLY_ANSWERS else client.connect(client_id)
        return client

    def connects(name: str) -> float:
        def work() -> None:
            for _ in range(CONNECTS):
                connected(name, "bench-connect").close()

        return per_second(CONNECTS, work)

    report("connects/s", {name: partial(connects, name) for name in ways}, *ONLY_ANSWERS)
    clients = {name: connected(name, f"bench-{number}") for number, name in enumerate(ways)}

    def publishes(name: str, count: int, window: int) -> float:
        return per_second(count, lambda: clients[name].publish("bench/x", count, window))

    brokers = [name for name in ways if name not in ONLY_ANSWERS]
    # With one in flight, a record is a message.
    for window, count, names in ((1, 1000, list(ways)), (50, 10000, brokers)):
        sides = {name: partial(publishes, name, count, window) for name in names}
        report(f"QoS 1 messages/s, {window} in flight", sides, "bare TLS", "mosquitto")
    for client in clients.values():
        client.close()
    print(f"memory at rest, moto imported: {at_rest:.0f} MB (aim: under 120)")
    print(f"memory with {DEVICES} devices: {with_devices(folder, process, port):.0f} MB")


def ways_in(folder: Path, ports: Mapping[str, int]) -> dict[str, Callable[[], Load]]:
    """Return what connects to each server, and to a broker in this process."""
    ways: dict[str, Callable[[], Load]] = {}
    for name, port in ports.items():
        context = client_context(folder, "device", name)
        if name == "WebSocket":
            ways[name] = partial(WebSocketLoad, port, context, signed_upgrade(port))
        else:
            ways[name] = partial(Load, port, context)
    certificate = (folder / "device.pem").read_bytes()
    services = Services(registry_with([certificate.decode()])[0])
    sign = signer((folder / "device.key").read_bytes())
    prove = partial(MemoryLink.open, certificate=certificate, sign=sign, server_name="localhost")
    ways["memory"] = partial(MemoryLoad, services, prove)
    return ways


def signed_upgrade(port: int) -> bytes:
    """Return the request that begins a WebSocket; its signature lasts five minutes."""
    request = AWSRequest("GET", f"https://localhost:{port}/mqtt")
    SigV4QueryAuth(Credentials("bench", SECRET), SERVICE, "eu-west-1").add_auth(request)
    assert request.url is not None
    lines = (
        f"GET /mqtt?{urlsplit(request.url).query} HTTP/1.1",
        f"Host: localhost:{port}",
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: mqtt"),
        *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    )
    return "\r\n".join([*lines, "", ""]).encode()


def measure_changes(folder: Path, servers: dict[str, Running]) -> None:
    """Measure a connect that comes right after one more certificate was registered."""

    def connects(name: str, context: ssl.SSLContext) -> float:
        server, port = servers[name]
        change(server)
        return per_second(1, lambda: connect(port, context))

    names = [f"broker{count}" for count in CERTIFICATES]
    sides = {
        name: partial(connects, name, client_context(folder, "device", name)) for name in names
    }
    report("connects/s after a change of 1 and of 1000 certificates", sides, names[0])


def connect(port: int, context: ssl.SSLContext) -> None:
    """Connect, wait for the welcome, hang up."""
    client = Load(port, context)
    client.connect("bench-connect")
    client.close()


def report(what: str, sides: Sides, *against: str) -> None:
    """Measure the sides in turn, and print the medians and their ratios."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    busy = time.process_time()
    start = time.perf_counter()
    for _ in range(ROUNDS):
        for name, side in sides.items():
            rates[name].append(side())
    busy = (time.process_time() - busy) / (time.perf_counter() - start)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    print(f"{what} (median of {ROUNDS}; this load generator is busy {busy:.0%} of the time)")
    for name, median in medians.items():
        ratios = [f"{median / medians[it]:.2f} of {it}" for it in against if it in medians]
        print(f"  {name:20}{median:8.0f}   {1e6 / median:7.1f} µs each   {', '.join(ratios)}")


def per_second(count: int, work: Callable[[], None]) -> float:
    """Return how many of *count* things *work* does in a second."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def with_devices(folder: Path, process: subprocess.Popen[str], port: int) -> float:
    """Return the broker's memory with 500 devices, each with its own certificate."""
    clients = []
    for number in range(DEVICES):
        client = Load(port, client_context(folder, f"device{number}", "broker"))
        client.connect(f"device{number}")
        clients.append(client)
    used = megabytes(process)
    for client in clients:
        client.close()
    return used


def client_context(folder: Path, device: str, server: str) -> ssl.SSLContext:
    """Return the TLS context with which a device connects to a server."""
    own = "broker" if server == "WebSocket" else server
    ca = folder / own / "ca.pem" if own.startswith("broker") else folder / "ca.pem"
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(folder / f"{device}.pem", folder / f"{device}.key")
    return context


def megabytes(process: subprocess.Popen[str]) -> float:
    """Return the resident memory of a process, in millions of bytes."""
    resident: int = psutil.Process(process.pid).memory_info().rss
    return resident / 1e6


if __name__ == "__main__":
    main()
