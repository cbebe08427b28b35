"""``python -m sandbox``: serve a local AWS IoT in the foreground, or stop it."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from sandbox import process
from sandbox.errors import SandboxError


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--state-dir", type=Path, help="where it keeps what it knows")
    parser.add_argument("--port", type=int, default=0, help="of AWS's API (any free one)")
    parser.add_argument("--mqtt-port", type=int, default=0, help="of the broker (8883, if free)")
    parser.add_argument("--owner", type=int, metavar="PID", help="end when this process has gone")
    parser.add_argument("--members", type=Path, help="serve the class that this file lists")
    parser.add_argument(
        "--faults",
        type=int,
        metavar="SEED",
        default=os.environ.get("IOT_TUTORIAL_FAULTS"),
        help="be as awkward as AWS: throttle, fail, lose answers, detach late",
    )
    parser.add_argument("--stop", action="store_true", help="stop the running one instead")
    chosen = parser.parse_args()
    folder = (chosen.state_dir or process.state_dir()).resolve()
    if chosen.stop:
        process.stop(folder)
        return
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("sandbox").setLevel(logging.INFO)
    # moto must see nothing of the learner's AWS settings, and reaches no AWS in any case.
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    from sandbox.server import Server

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        asyncio.run(
            Server(folder, owner=chosen.owner, members=chosen.members, faults=chosen.faults).run(
                chosen.port, chosen.mqtt_port
            )
        )
    except SandboxError as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
