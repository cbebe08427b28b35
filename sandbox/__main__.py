"""``python -m sandbox``: serve a local AWS IoT in the foreground, or stop it."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import NoReturn

import psutil

from sandbox import log, process
from sandbox.accounts import Members
from sandbox.errors import SandboxError


def main() -> None:
    """Do what the command line says."""
    chosen = _parser().parse_args()
    folder = (chosen.state_dir or process.state_dir()).resolve()
    if chosen.stop:
        process.stop(folder)
        return
    # moto must see nothing of the learner's AWS settings, and reaches no AWS in any case.
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    try:
        members = Members(chosen.members) if chosen.members else None
        process.prepare(folder)
        with process.serving(folder):
            log.begin(folder, debug=chosen.debug)
            from sandbox.server import Server

            server = Server(
                folder,
                owner=chosen.owner,
                members=members,
                faults=chosen.faults,
                strict=chosen.strict,
            )
            asyncio.run(server.run(chosen.port, chosen.mqtt_port, chosen.wss_port))
    except SandboxError as problem:
        sys.exit(str(problem))
    except OSError as problem:  # such as a full disk
        sys.exit(f"The sandbox cannot go on: {problem}")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the command line in one line; ``--help`` says the rest."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--state-dir", type=Path, help="where it keeps what it knows")
    parser.add_argument("--port", type=_port, default=0, help="of AWS's API (any free one)")
    parser.add_argument("--mqtt-port", type=_port, default=0, help="of the broker (8883, if free)")
    parser.add_argument("--wss-port", type=_port, default=0, help="of WebSockets (any free one)")
    parser.add_argument("--owner", type=_pid, metavar="PID", help="end when this process has gone")
    parser.add_argument("--members", type=Path, help="serve the class that this file lists")
    parser.add_argument(
        "--faults",
        type=int,
        metavar="SEED",
        default=os.environ.get("IOT_TUTORIAL_FAULTS") or None,
        help="be as awkward as AWS: throttle, fail, lose answers, detach late",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        default=bool(os.environ.get("IOT_TUTORIAL_STRICT")),
        help="take one CONNECT a second from each client id, as AWS does",
    )
    parser.add_argument("--debug", action="store_true", help="log errors with their tracebacks")
    parser.add_argument("--stop", action="store_true", help="stop the running one instead")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 1 to 65535, or 0 for any free one")
    return int(text)


def _pid(text: str) -> int:
    try:
        return int(psutil.Process(int(text)).pid)
    except (ValueError, OverflowError, psutil.Error) as problem:
        raise argparse.ArgumentTypeError(f"there is no process {text}") from problem


if __name__ == "__main__":
    main()
