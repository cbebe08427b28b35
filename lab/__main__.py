"""Open the lesson in JupyterLab: ``./tutorial lab``, or ``python -m lab`` in conda's environment.

A learner works on a copy, in ``work/``. Other options go to JupyterLab.
"""

import argparse
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from lab import copies
from sandbox import process

WORK = "work"
"""The folder of the copy, beside ``notebooks/``."""
SETTINGS = Path(__file__).with_name("settings")
"""What JupyterLab is told: no news; long lines of code go on in the next, at 200 % too; a page of
text opens as one reads it."""


class NoCopyError(Exception):
    """There can be no copy of the notebooks; the message says why, and what to do."""


def work(notebooks: Path = copies.NOTEBOOKS, *, fresh: bool = False) -> Path:
    """Return the learner's copy of the notebooks, made or brought up to date.

    Args:
        notebooks: What it is a copy of; it lies beside.
        fresh: Whether to set an existing copy aside and make a new one.

    Raises:
        NoCopyError: what has its name is no folder.
        OSError: it cannot be written.
    """
    copy = notebooks.with_name(WORK)
    new = fresh or not copy.exists()
    if copy.is_symlink() or (copy.exists() and not copy.is_dir()):
        kind = "link" if copy.is_symlink() else "file"
        raise NoCopyError(
            f"{copy} is a {kind}, and a folder of that name is to hold your copy of the notebooks. "
            "Move it away, then try again"
        )
    if fresh and copy.exists():
        say(f"what you had is in {copies.set_aside(copy).name}/ now; your keys stay in work/keys")
    copy.mkdir(exist_ok=True)
    newer = copies.update(copy, notebooks)
    changed = copies.uncommitted(notebooks) if new else []
    if new:
        say("work/ is your own copy of the notebooks: change there what you like")
    if changed:
        say(
            f"notebooks/ has changes in {', '.join(changed)}; work/ has them now, too. Where they "
            "stop 'git pull', 'git checkout notebooks' undoes them in notebooks/"
        )
    if newer:
        say(
            f"notebooks/ has a newer {', '.join(newer)}; yours stay as they are, and "
            "'./tutorial lab --fresh' takes the new ones and keeps yours"
        )
    return copy


def share_keys(folder: Path, other: Path) -> None:
    """Let the lesson in *folder* find the keys that were made in *other*: one account, one set."""
    try:
        linked = copies.share_keys(folder, other)
    except OSError as problem:  # Windows lets not everyone make a link
        say(f"{folder.name}/ is without the keys of {other.name}/keys: {problem.strerror}")
        return
    if linked:
        say(f"{folder.name}/keys leads to {other.name}/keys: keys that you have made stay there")


def serve(folder: Path, options: list[str]) -> int:
    """Serve the notebooks of *folder* until JupyterLab ends, then end the sandbox.

    Returns:
        JupyterLab's exit status; 0 where a signal, such as Ctrl-C's, ended it.
    """
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.default_url=/lab/tree/01-thing.ipynb", "--ip=127.0.0.1"]
    command += [f"--LabApp.app_settings_dir={SETTINGS}"]
    command += ["--KernelManager.transport_encryption=auto", "--allow-root"]
    command += ["--ServerApp.log_level=ERROR", "--LabApp.log_level=ERROR"]
    command += ["--Application.log_format=%(message)s", *options]
    print("Starting JupyterLab; Ctrl-C here ends it, and the sandbox with it.", flush=True)
    server, asked = None, False

    def end(*_: object) -> None:
        nonlocal asked
        asked = True
        if server:
            server.terminate()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
    # A terminal's Ctrl-C reaches it once, through here. The second of two signals would end
    # JupyterLab at once, before it has ended its kernels.
    server = subprocess.Popen(command, **process.apart())
    if asked:
        server.terminate()
    status = _wait(server)
    process.stop(process.state_dir())
    return 0 if asked else status


def _wait(server: subprocess.Popen[bytes]) -> int:
    # On Windows a Ctrl-C does not interrupt a wait for a process: look up from it now and then.
    pause = 1 if sys.platform == "win32" else None
    while True:
        with suppress(subprocess.TimeoutExpired):
            return server.wait(timeout=pause)


def say(what: str) -> None:
    """Print a line as the script ``tutorial`` does."""
    print(f"tutorial: {what}", flush=True)


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="./tutorial lab", description=__doc__, allow_abbrev=False)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--fresh", action="store_true", help="a new copy; what you had is kept")
    which.add_argument("--edit", action="store_true", help="for authors: notebooks/ itself")
    asked, options = parser.parse_known_args()
    try:
        folder, other = copies.NOTEBOOKS, copies.NOTEBOOKS.with_name(WORK)
        if not asked.edit:
            folder, other = work(fresh=asked.fresh), folder
        share_keys(folder, other)
    except NoCopyError as problem:
        sys.exit(f"tutorial: {problem}")
    except OSError as problem:
        sys.exit(f"tutorial: your copy of the notebooks cannot be made: {problem}")
    except KeyboardInterrupt:
        sys.exit("tutorial: stopped; the next start goes on from here")
    sys.exit(serve(folder, options))


if __name__ == "__main__":
    main()
