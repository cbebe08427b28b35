"""How long an honest call takes beside clients that hold connections: ``python -m bench.door``.

Aim: under 200 ms beside 1 100 idle connections and 50 requests that are never sent to their end.
"""

import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import boto3

from sandbox import process
from sandbox.line import Sandbox

IDLE = 1100
HALF_SENT = 50
CALLS = 30


def milliseconds(call: Callable[[], object]) -> list[float]:
    """Time each of several calls."""
    times = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    return times


def crowd(running: Sandbox, stack: ExitStack) -> None:
    """Open the connections, until *stack* closes them."""
    port = int(running.endpoint_url.rpartition(":")[2])
    half = f"POST /things/x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 100\r\n\r\n{{"
    for number in range(IDLE + HALF_SENT):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        if number >= IDLE:
            connection.sendall(half.encode())


def main() -> None:
    """Print the times alone and beside the others, and their ratio."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        running = process.find_or_start(Path(name))
        stack.callback(process.stop, Path(name))
        iot = boto3.client(
            "iot",
            endpoint_url=running.endpoint_url,
            region_name=running.region,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        iot.create_thing(thingName="honest")
        alone = milliseconds(iot.list_things)
        crowd(running, stack)
        beside = milliseconds(iot.list_things)
    print(f"{'list_things, ms':<44}{'median':>8}{'worst':>8}")
    print(f"{'alone':<44}{statistics.median(alone):>8.1f}{max(alone):>8.1f}")
    name = f"beside {IDLE} idle and {HALF_SENT} half-sent connections"
    print(f"{name:<44}{statistics.median(beside):>8.1f}{max(beside):>8.1f}")
    print(f"ratio of the medians {statistics.median(beside) / statistics.median(alone):.1f}")


if __name__ == "__main__":
    main()
