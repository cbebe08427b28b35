"""Measure the broker of the sandbox, its speed and its memory: `python -m bench.broker`."""

import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import psutil

from bench.broker_load import Load
from bench.broker_servers import (
    DEVICES,
    change,
    make_certificates,
    start_bare,
    start_changing,
    start_mosquitto,
    start_sandbox,
)

ROUNDS = 15
CONNECTS = 12
CERTIFICATES = (1, 1000)
Running = tuple[subprocess.Popen[str], int]
Sides = Mapping[str, Callable[[], float]]


def main() -> None:
    """Measure everything, side by side, and print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_certificates(folder)
        servers: dict[str, Running] = {}
        try:
            servers["broker"] = start_sandbox(folder)
            servers["bare TLS"] = start_bare(folder)
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
    contexts = {name: client_context(folder, "device", name) for name in servers}
    ports = {name: port for name, (_, port) in servers.items()}
    brokers = [name for name in ("broker", "mosquitto") if name in servers]

    def connects(name: str) -> float:
        return per_second(CONNECTS, lambda: connect_many(name, ports[name], contexts[name]))

    report(
        "connects/s, mutual TLS", {name: partial(connects, name) for name in servers}, "bare TLS"
    )
    clients = {name: Load(ports[name], contexts[name]) for name in servers}
    clients["bare TLS"].read(1)
    for name in brokers:
        clients[name].connect("bench")

    def publishes(name: str, count: int, window: int) -> float:
        return per_second(count, lambda: clients[name].publish("bench/x", count, window))

    # The bare server answers a record, not a message: that says something with one in flight only.
    for window, count, names in ((1, 1000, list(servers)), (50, 10000, brokers)):
        sides = {name: partial(publishes, name, count, window) for name in names}
        report(f"QoS 1 messages/s, {window} in flight", sides, "mosquitto")
    for client in clients.values():
        client.close()
    print(f"memory at rest, moto imported: {at_rest:.0f} MB (aim: under 120)")
    print(f"memory with {DEVICES} devices: {with_devices(folder, process, port):.0f} MB")


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


def report(what: str, sides: Sides, against: str) -> None:
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
        ratio = f"{median / medians[against]:.2f} of {against}" if against in medians else ""
        print(f"  {name:10} {median:8.0f}   {1e6 / median:7.1f} µs each   {ratio}")


def per_second(count: int, work: Callable[[], None]) -> float:
    """Return how many of *count* things *work* does in a second."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def connect_many(name: str, port: int, context: ssl.SSLContext) -> None:
    """Connect, wait for the welcome, hang up; the bare server's welcome is one byte."""
    for _ in range(CONNECTS):
        if name != "bare TLS":
            connect(port, context)
            continue
        client = Load(port, context)
        client.read(1)
        client.close()


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
    ca = folder / server / "ca.pem" if server.startswith("broker") else folder / "ca.pem"
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(folder / f"{device}.pem", folder / f"{device}.key")
    return context


def megabytes(process: subprocess.Popen[str]) -> float:
    """Return the resident memory of a process, in millions of bytes."""
    resident: int = psutil.Process(process.pid).memory_info().rss
    return resident / 1e6


if __name__ == "__main__":
    main()
