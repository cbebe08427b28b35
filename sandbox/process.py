"""The sandbox as a process: find it, start it, stop it. Loads neither moto nor boto3."""

import hashlib
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.files import has_owners
from sandbox.line import HttpLine, Sandbox

if sys.platform != "emscripten":  # a page of a browser has no other process to ask about
    import psutil

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PROJECT = Path(__file__).parents[1]
"""The folder that holds the packages: a checkout's, or Python's site-packages."""
STARTING_TAKES_AT_MOST = 60.0
"""Seconds. It takes about two; a class that starts thirty at once on two cores takes longer."""
STOPPING_TAKES_AT_MOST = 10.0
"""Seconds; one that takes longer is killed, which costs nothing that it has answered."""
START_LOG = "start.log"
"""What Python itself said at the last start; the sandbox's own log is another."""
_HEALING_TAKES_AT_MOST = 3.0
"""Seconds. A running sandbox looks each second whether its sandbox.json is as it wrote it."""
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
    if sys.platform == "emscripten":  # where JupyterLite has the notebooks, for all of them
        return Path("/drive/.sandbox")
    if (PROJECT / "pyproject.toml").exists():
        return (PROJECT / ".sandbox").resolve()
    users = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME")
    return Path(users or Path.home() / ".local" / "state").resolve() / "iot-button-tutorial"


def inside_is_chosen() -> bool:
    """Return whether the sandbox is to run in this process: by choice, or in a browser.

    Raises:
        SandboxError: ``IOT_TUTORIAL_SANDBOX`` names no way to run it.
    """
    way = os.environ.get("IOT_TUTORIAL_SANDBOX") or ""
    if way not in ("", "inside", "process"):
        raise SandboxError(
            f"IOT_TUTORIAL_SANDBOX is {way!r}: 'inside' is this process, 'process' one of its own."
        )
    return way == "inside" or (not way and sys.platform == "emscripten")


def notebook_server() -> int | None:
    """Return the process id of the Jupyter server that started this kernel, if one did."""
    given = os.environ.get("JPY_PARENT_PID")
    if not given or sys.platform != "win32":
        return int(given) if given else None
    # There, the variable holds a handle of that process, which the kernel inherits.
    import ctypes

    return ctypes.windll.kernel32.GetProcessId(ctypes.c_void_p(int(given))) or None


def apart() -> dict[str, Any]:
    """Return how Popen starts a process that a terminal's Ctrl-C does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def last_known(folder: Path) -> Sandbox | None:
    """Return what the last sandbox that ran on *folder* said of itself, running or not."""
    try:
        return Sandbox.from_json(json.loads((folder / "sandbox.json").read_text()))
    except (OSError, ValueError, RecursionError):
        return None


def version() -> str:
    """Return what tells the program that is installed now from another: a digest of its source.

    It is read anew at each call: a notebook may have been open since before an update.
    """
    digest = hashlib.sha256(metadata.version("moto").encode())
    for package in ("iot_policy", "sandbox"):
        for file in sorted((PROJECT / package).rglob("*.py")):
            digest.update(f"\n{file.relative_to(PROJECT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def is_alive(pid: int) -> bool:
    """Return whether a process has this number now."""
    return bool(psutil.pid_exists(pid))


def running(folder: Path) -> Sandbox | None:
    """Return the sandbox that serves *folder* now, if one does."""
    known = last_known(folder)
    if known is None or not is_alive(known.pid):
        return None
    about = Sandbox.from_json(_line_to(known).read("about"))
    return known if about == known else None


def find_or_start(folder: Path, *, owner: int | None = None) -> Sandbox:
    """Return the running sandbox of *folder*, started first if need be.

    However many processes call this at once, one sandbox starts. One that runs another version of
    the program is replaced by one of this version, which knows what it knew.

    Args:
        folder: Where it keeps what it knows; made if it is not there.
        owner: A process id. The sandbox ends when the last of its owners has gone.

    Raises:
        SandboxError: it did not start; the message ends with what it said.
    """
    from sandbox.locks import only_one

    prepare(folder)
    try:
        with only_one(folder / "starting.lock", wait=STARTING_TAKES_AT_MOST):
            found = running(folder) or _start(folder, owner)
            if found.version != version():
                stop(folder)
                found = _start(folder, owner)
    except OSError as problem:  # a full disk; or another process has been starting one for long
        raise SandboxError(f"The sandbox did not start: {problem}") from problem
    if owner is not None:
        _line_to(found).change(f"owner/{owner}")
    return found


def prepare(folder: Path) -> None:
    """Make the folder of a sandbox if it is not there, and see that it is its owner's alone.

    Raises:
        SandboxError: it cannot be made or written, or others can use it; nothing is changed.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # On Windows a folder takes after the one that it is made in: in one of the user's, others
        # are kept out. What its mode says there, read-only or not, has no bearing on that.
        if has_owners():
            _keep_others_out(folder)
    except OSError as problem:
        raise SandboxError(
            f"The sandbox cannot keep its state in {folder} ({problem.strerror}). "
            "Set IOT_TUTORIAL_STATE_DIR to a folder of yours."
        ) from problem


def _keep_others_out(folder: Path) -> None:
    there = folder.stat()
    if there.st_uid != os.geteuid():
        raise PermissionError(0, "it belongs to another user")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(0, "it cannot be written")
    # To enter a folder without listing it, as a class's learners can, shows nothing.
    if stat.S_IMODE(there.st_mode) & 0o066:
        if any(folder.iterdir()) and not _has_served(folder):
            raise PermissionError(0, "others use it, too, and it holds other things")
        folder.chmod(0o700)


def _has_served(folder: Path) -> bool:
    lock = folder / "serving.lock"
    return lock.exists() and lock.stat().st_uid == os.geteuid()


@contextmanager
def serving(folder: Path, *, wait: float = 0) -> Iterator[None]:
    """Be the one sandbox that serves *folder*.

    Args:
        folder: Where it keeps what it knows.
        wait: How many seconds to wait for another one to end.

    Raises:
        SandboxError: another one does.
    """
    from sandbox.locks import only_one  # with the first sandbox, not with the lesson's first line

    with ExitStack() as held:
        try:
            held.enter_context(only_one(folder / "serving.lock", wait=wait))
        except TimeoutError as problem:
            raise SandboxError(
                f"A sandbox already serves {folder}. "
                "Use that one, or end it: python -m sandbox --stop"
            ) from problem
        yield


def stop(folder: Path) -> bool:
    """End the sandbox of *folder* and wait until it is gone.

    Returns:
        Whether one was running.
    """
    known = last_known(folder)
    if known is None:
        return False
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process = psutil.Process(known.pid)
        # It may be ending already; or its number may be another process's by now.
        if is_sandbox(process.cmdline()):
            process.terminate()
            if not _is_gone(process, within=STOPPING_TAKES_AT_MOST):
                process.kill()
                _is_gone(process, within=STOPPING_TAKES_AT_MOST)
            return True
    return False


def _line_to(sandbox: Sandbox) -> HttpLine:
    # Whatever a damaged file says, what is asked here stays on the machine.
    return HttpLine(f"http://127.0.0.1:{sandbox.port}")


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


def last_words(log: Path) -> str:
    """Return the last line of what a process said that did not start."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _is_gone(process: "psutil.Process", *, within: float) -> bool:
    give_up = time.monotonic() + within
    # A process that has ended and whose parent has not asked for its status yet is gone, too.
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def not_started(log: Path) -> SandboxError:
    """Return the error that a sandbox did not start, with the end of what it wrote to *log*."""
    return SandboxError(f"The sandbox did not start: {last_words(log)} (all of it: {log})")


def _start(folder: Path, owner: int | None) -> Sandbox:
    """Start a sandbox and wait until it answers; or until the one does that serves already."""
    command = [sys.executable, "-m", "sandbox", "--state-dir", str(folder)]
    if owner is not None:
        command += ["--owner", str(owner)]
    log = folder / START_LOG
    with log.open("w") as said:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            **apart(),
        )
    give_up = time.monotonic() + STARTING_TAKES_AT_MOST
    ended = False
    while time.monotonic() < give_up:
        found = running(folder)
        if found is not None:
            return found
        if not ended and process.poll() is not None:
            ended, give_up = True, time.monotonic() + _HEALING_TAKES_AT_MOST
        time.sleep(0.05)
    process.kill()
    raise not_started(log)
