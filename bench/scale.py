"""Measure how the sandbox grows: ``python -m bench.scale``.

Each row is one figure at three sizes, and then the last divided by the first, below what the size
itself grew by. What stays at 1 does not grow; what grows as the size costs so much for each.
"""

import argparse
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import psutil
import trustme

from bench import broker_servers
from bench.broker_load import Load
from bench.broker_servers import EVERYTHING, make_certificates
from sandbox import process
from sandbox.line import Sandbox

THINGS = (1000, 3000, 10000)
CERTIFICATES = (100, 300, 1000)
DEVICES = (50, 150, 500)
CALLS = 20
AUTHORITY = trustme.CA()
Figures = dict[str, float]
"""By what was measured, with its unit."""


def main() -> None:
    """Measure everything, or with ``--fill`` make one registry in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fill", nargs=4, metavar=("FOLDER", "KEYS", "THINGS", "CERTIFICATES"))
    asked = parser.parse_args()
    if asked.fill:
        folder, keys, size, certificates = asked.fill
        fill(Path(folder), Path(keys), int(size), int(certificates))
        return
    with tempfile.TemporaryDirectory() as name:
        keys = Path(name)
        make_certificates(keys)
        show("Things", THINGS, [beside_things(size, keys) for size in THINGS])
        show(
            "certificates", CERTIFICATES, [beside_certificates(size, keys) for size in CERTIFICATES]
        )
        show("connected devices", DEVICES, [beside_devices(size, keys) for size in DEVICES])


def beside_things(size: int, keys: Path) -> Figures:
    """Measure the calls that concern Things, beside that many."""
    with sandbox(size, 0, keys) as (running, started):
        iot, number = client(running), count()
        return {
            "start, s": started,
            "memory, MB": megabytes(running),
            "registry on disk, MB": Path(running.ca_file).with_name("registry").stat().st_size
            / 1e6,
            "create_thing, ms": median(lambda: iot.create_thing(thingName=f"n{next(number)}")),
            "describe_thing, ms": median(lambda: iot.describe_thing(thingName="thing7")),
            "list_things, a page, ms": median(lambda: iot.list_things(maxResults=100)),
            "list_things by attribute, ms": median(
                lambda: iot.list_things(attributeName="kind", attributeValue="7")
            ),
            "delete_thing, ms": median(lambda: iot.delete_thing(thingName=f"thing{next(number)}")),
        }


def beside_certificates(size: int, keys: Path) -> Figures:
    """Measure calls and connections beside that many certificates, each with a Thing and a policy.

    After a change nothing is remembered of what the policies say.
    """
    with sandbox(size, size, keys) as (running, started):
        iot, number = client(running), count()

        def changed() -> None:
            iot.create_thing(thingName=f"n{next(number)}")

        return {
            "start, s": started,
            "memory, MB": megabytes(running),
            "create_keys_and_certificate, ms": median(iot.create_keys_and_certificate),
            "list_certificates, a page, ms": median(lambda: iot.list_certificates(pageSize=100)),
            "list_targets_for_policy, ms": median(
                lambda: iot.list_targets_for_policy(policyName="bench")
            ),
            "connect after a change, ms": median(
                lambda: connect(running, keys, 0).close(), changed
            ),
            "connect, ms": median(lambda: connect(running, keys, 0).close()),
        }


def beside_devices(size: int, keys: Path) -> Figures:
    """Measure messages beside that many connected devices, each subscribed to a topic of all."""
    with sandbox(size, size, keys) as (running, _), ExitStack() as stack:
        before = megabytes(running)
        crowd = [connect(running, keys, number) for number in range(size)]
        for each in crowd:
            stack.callback(each.close)
            each.subscribe("bench/all")
        memory = megabytes(running) - before

        def to_all() -> None:
            crowd[0].send(b"\x30\x0b\0\x09bench/all")
            for each in crowd:
                each.read(13)

        return {
            "memory for the devices, MB": memory,
            "one message, acknowledged, ms": median(lambda: crowd[0].publish("bench/one", 1, 1)),
            "one message to all, ms": median(to_all),
            "one comes back, ms": median(lambda: connect(running, keys, 0).close()),
        }


def show(what: str, sizes: tuple[int, ...], figures: list[Figures]) -> None:
    """Print a table: a row for each figure, a column for each size, and how it grows."""
    print(f"{what:<34}", *(f"{size:>9}" for size in sizes), f"{sizes[-1] / sizes[0]:>8.0f} x")
    for name in figures[0]:
        found = [each[name] for each in figures]
        print(f"  {name:<32}", *(f"{x:>9.1f}" for x in found), f"{found[-1] / found[0]:>8.1f} x")


def median(call: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """Return how many milliseconds a call takes, the median of several, each after another one."""
    times = []
    for _ in range(CALLS):
        before()
        begun = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


@contextmanager
def sandbox(size: int, certificates: int, keys: Path) -> Iterator[tuple[Sandbox, float]]:
    """Start a sandbox whose registry holds that much; give it, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as name:
        filling = [sys.executable, "-m", "bench.scale", "--fill", name, str(keys)]
        subprocess.run([*filling, str(size), str(certificates)], check=True)
        begun = time.perf_counter()
        running = process.find_or_start(Path(name))
        try:
            yield running, time.perf_counter() - begun
        finally:
            process.stop(Path(name))


def fill(folder: Path, keys: Path, size: int, certificates: int) -> None:
    """Write a registry with that many Things, and certificates of the first of them."""
    from moto.core.config import default_user_config
    from moto.iot.models import iot_backends

    from sandbox.state import State

    default_user_config["iot"] = {"use_valid_cert": True}
    backend = iot_backends[process.ACCOUNT][process.REGION]
    backend.create_policy("bench", json.dumps(EVERYTHING))  # type: ignore[arg-type]  # moto's hint
    for number in range(size):
        attributes = {"attributes": {"kind": str(number % 10)}}
        backend.create_thing(f"thing{number}", "", attributes)
    for number in range(certificates):
        made = backend.register_certificate_without_ca(pem(keys, number), "ACTIVE")
        backend.attach_policy("bench", made.arn)
        backend.attach_thing_principal(f"thing{number}", made.arn)
    process.prepare(folder)
    State(folder / "registry").save()


def pem(keys: Path, number: int) -> str:
    """Return a device's certificate; of one that never connects, the key is nowhere."""
    if number < broker_servers.DEVICES:
        return (keys / f"device{number}.pem").read_text()
    return AUTHORITY.issue_cert(common_name=f"device {number}").cert_chain_pems[0].bytes().decode()


def client(running: Sandbox) -> Any:
    """Return a boto3 client of the sandbox."""
    return boto3.client(
        "iot",
        endpoint_url=running.endpoint_url,
        region_name=running.region,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


def connect(running: Sandbox, keys: Path, number: int) -> Load:
    """Connect a device."""
    context = ssl.create_default_context(cafile=running.ca_file)
    context.load_cert_chain(keys / f"device{number}.pem", keys / f"device{number}.key")
    device = Load(running.mqtt_port, context)
    device.connect(f"thing{number}")
    return device


def megabytes(running: Sandbox) -> float:
    """Return the sandbox's resident memory, in millions of bytes."""
    resident: int = psutil.Process(running.pid).memory_info().rss
    return resident / 1e6


if __name__ == "__main__":
    main()
