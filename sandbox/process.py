"""The sandbox as a process: find it, start it, stop it. Loads neither moto nor boto3."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from filelock import FileLock

from sandbox.errors import SandboxError
from sandbox.line import HttpLine, Sandbox

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PROJECT = Path(__file__).parents[1]
"""The folder that holds the packages: a checkout's, or Python's site-packages."""
STARTING_TAKES_AT_MOST = 60.0
"""Seconds. It takes about two; a class that starts thirty at once on two cores takes longer."""
_MODULES = ("sandbox", "helpers.sandbox")
"""What ``python -m`` runs; the second was the sandbox's name until 2026-11."""


def state_dir() -> Path:
    """Return the folder where the sandbox keeps what it knows.

    ``IOT_TUTORIAL_STATE_DIR`` where that is set; ``.sandbox`` in a checkout; else a folder of the
    user's, for what pip installed is no place to write to.

    Source: https://specifications.freedesktop.org/basedir/latest/
    """
    chosen = os.environ.get("IOT_TUTORIAL_STATE_DIR")
    if chosen:
        return Path(chosen).resolve()
    if (PROJECT / "pyproject.toml").exists():
        return (PROJECT / ".sandbox").resolve()
    users = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME")
    return Path(users or Path.home() / ".local" / "state").resolve() / "iot-button-tutorial"


def last_known(folder: Path) -> Sandbox | None:
    """Return what the last sandbox that ran on *folder* said of itself, running or not."""
    try:
        return Sandbox.from_json(json.loads((folder / "sandbox.json").read_text()))
    except (FileNotFoundError, ValueError):
        return None


def running(folder: Path) -> Sandbox | None:
    """Return the sandbox that serves *folder* now, if one does."""
    known = last_known(folder)
    if known is None or not psutil.pid_exists(known.pid):
        return None
    return known if HttpLine(known.endpoint_url).read("about") == known.to_json() else None


def find_or_start(folder: Path, *, owner: int | None = None) -> Sandbox:
    """Return the running sandbox of *folder*, started first if need be.

    However many processes call this at once, one sandbox starts.

    Args:
        folder: Where it keeps what it knows; made if it is not there.
        owner: A process id. The sandbox ends when the last of its owners has gone.

    Raises:
        SandboxError: it did not start; the message ends with what it said.
    """
    _make_private(folder)
    with FileLock(folder / "starting.lock", timeout=STARTING_TAKES_AT_MOST):
        found = running(folder)
        if found is None:
            return _start(folder, owner)
        if owner is not None:
            HttpLine(found.endpoint_url).change(f"owner/{owner}")
        return found


def stop(folder: Path) -> bool:
    """End the sandbox of *folder* and wait until it is gone.

    Returns:
        Whether one was running.
    """
    known = last_known(folder)
    if known is None:
        return False
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(known.pid)
        # It may be ending already; or its number may be another process's by now.
        if is_sandbox(process.cmdline()):
            process.terminate()
            _wait_until_gone(process)
            return True
    return False


def is_sandbox(command: Sequence[str]) -> bool:
    """Decide whether a command line is that of a sandbox: ``python … -m sandbox …``.

    >>> is_sandbox(["/usr/bin/python3", "-m", "sandbox", "--state-dir", "x"])
    True
    >>> is_sandbox(["/usr/bin/python3", "/usr/bin/pytest", "-m", "sandbox"])
    False
    """
    # What stands before the -m are Python's own options; a script's name would not begin with "-".
    arguments = iter(command[1:])
    option = next((each for each in arguments if each == "-m" or not each.startswith("-")), None)
    return option == "-m" and next(arguments, None) in _MODULES


def _wait_until_gone(process: psutil.Process) -> None:
    # A process that has ended and whose parent has not asked for its status yet is gone, too.
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as problem:
        raise SandboxError(
            f"The sandbox cannot keep its state in {folder} ({problem.strerror}). "
            "Set IOT_TUTORIAL_STATE_DIR to a folder of yours."
        ) from problem


def _start(folder: Path, owner: int | None) -> Sandbox:
    command = [sys.executable, "-m", "sandbox", "--state-dir", str(folder)]
    if owner is not None:
        command += ["--owner", str(owner)]
    log = folder / "sandbox.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # a Ctrl-C meant for the notebook server does not reach it
        )
    give_up = time.monotonic() + STARTING_TAKES_AT_MOST
    while time.monotonic() < give_up and process.poll() is None:
        found = last_known(folder)
        if found is not None and found.pid == process.pid and running(folder):
            return found
        time.sleep(0.05)
    process.kill()
    last_words = log.read_text().strip().splitlines()[-1:] or ["it said nothing"]
    raise SandboxError(f"The sandbox did not start: {last_words[0]} (all of it: {log})")
