"""Find and end the processes of a class."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import psutil

from workshop import homes

MARK = "IOT_TUTORIAL_CLASS"
"""An environment variable of every process of a class; its value is the class's folder."""
LAST_WORDS_SECONDS = 5.0


def of_class(folder: Path) -> Iterator[psutil.Process]:
    """Yield every process of the class in *folder*, however it was started.

    A learner can hide the mark, but not the system user.
    """
    users = _system_users(folder)
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid():
                continue
            if process.uids().real in users or process.environ().get(MARK) == str(folder):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue  # gone meanwhile, or someone else's


def end(folder: Path) -> int:
    """End every process of a class: with SIGTERM first, with SIGKILL after a few seconds.

    Returns:
        How many processes there were.
    """
    found = list(of_class(folder))
    for process in found:
        _send(process, "terminate")
    _, alive = psutil.wait_procs(found, timeout=LAST_WORDS_SECONDS)
    for process in alive:
        _send(process, "kill")
    psutil.wait_procs(alive, timeout=LAST_WORDS_SECONDS)
    return len(found)


def _send(process: psutil.Process, signal: str) -> None:
    try:
        getattr(process, signal)()
    except psutil.NoSuchProcess:
        return  # that is what was wanted


def _system_users(folder: Path) -> set[int]:
    if os.geteuid() != 0 or not (folder / "homes").is_dir():
        return set()
    names = {homes.PREFIX + home.name for home in (folder / "homes").iterdir()}
    return {user.pw_uid for user in pwd.getpwall() if user.pw_name in names}
