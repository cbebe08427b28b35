"""The sandbox as a process: find, start, stop it. Loads neither moto nor boto3."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

import psutil
from filelock import FileLock

from sandbox.errors import SandboxError
from sandbox.line import Sandbox

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PROJECT = Path(__file__).parents[1]
STARTING_TAKES_AT_MOST = 60.0
"""Seconds. It takes about two; a class that starts thirty at once on two cores takes longer."""


def state_dir() -> Path:
    """Where the sandbox of this checkout keeps what it knows.

    ``IOT_TUTORIAL_STATE_DIR`` where that is set, else ``.sandbox`` beside the helpers.
    """
    return Path(os.environ.get("IOT_TUTORIAL_STATE_DIR") or PROJECT / ".sandbox").resolve()


def last_known(folder: Path) -> Sandbox | None:
    """What the last sandbox that ran on *folder* said of itself, running or not."""
    try:
        return Sandbox(**json.loads((folder / "sandbox.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def running(folder: Path) -> Sandbox | None:
    """The sandbox that serves *folder* now, if one does."""
    known = last_known(folder)
    if known is None or not psutil.pid_exists(known.pid):
        return None
    answer = ask(known, "about")
    return known if answer == known.to_json() else None


def at(url: str, *, key: str) -> Sandbox | None:
    """The sandbox that answers at *url*, as it shows itself to the holder of an access key id."""
    answer = ask(url, "about", key=key, timeout=STARTING_TAKES_AT_MOST)
    try:
        return Sandbox(**answer) if isinstance(answer, dict) else None
    except TypeError:
        return None


def ask(sandbox: Sandbox | str, page: str, *, key: str = "", timeout: float = 5) -> object:
    """Ask a sandbox for one of its own pages.

    Args:
        sandbox: Which one, or its URL.
        page: What follows ``/_sandbox/``.
        key: The access key id to ask with; a class's sandbox answers none without.
        timeout: Seconds.

    Returns:
        The answer; ``None`` where nothing, or something else, answers there.
    """
    # No proxy: whatever the environment says, this stays on the machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = sandbox if isinstance(sandbox, str) else sandbox.endpoint_url
    request = urllib.request.Request(  # noqa: S310  a sandbox's address
        f"{url}/_sandbox/{page}",
        headers={"Authorization": f"Credential={key}/"},
    )
    try:
        with direct.open(request, timeout=timeout) as answer:
            return json.load(answer)
    except (URLError, OSError, ValueError):
        return None


def find_or_start(folder: Path, *, owner: int | None = None) -> Sandbox:
    """Give the running sandbox of *folder*, started first if need be.

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
            ask(found, f"owner/{owner}")
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
        if "sandbox" in process.cmdline():
            process.terminate()
            _wait_until_gone(process)
            return True
    return False


def _wait_until_gone(process: psutil.Process) -> None:
    # One that has ended and that nobody has collected yet is gone, too.
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
