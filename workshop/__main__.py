"""``./tutorial workshop``: a class on this machine, until Ctrl-C."""

import argparse
import os
import secrets
import shutil
import socket
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.errors import LessonError
from sandbox import accounts
from sandbox.process import PROJECT
from workshop import homes, plan, processes
from workshop.classroom import Classroom

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that are not easily confused."""


def main() -> None:
    """Hold the class that the command line asks for, or say why not."""
    parser = argparse.ArgumentParser(prog="./tutorial workshop", description=__doc__)
    add = parser.add_argument
    add("--learners", type=int, default=30, metavar="N", help="how many there is room for (30)")
    add("--address", default="127.0.0.1", help="where to listen (127.0.0.1: this machine only)")
    add("--port", type=int, default=8000, help="0 for any free one (8000)")
    add("--certificate", type=Path, metavar="FILE", help="the hub's own certificate, for TLS")
    add("--private-key", type=Path, metavar="FILE", help="of that certificate")
    add("--insecure", action="store_true", help="let others on the network in without TLS")
    add("--trusted", action="store_true", help="let learners share your system user")
    add("--memory", type=int, default=1024, metavar="MB", help="the most of one process (1024)")
    add(
        "--idle",
        type=int,
        default=45,
        metavar="MIN",
        help="stop a Lab that is unused for this long (45)",
    )
    add("--folder", type=Path, default=PROJECT / ".workshop", help="where the class is kept")
    try:
        run(parser.parse_args())
    except LessonError as problem:
        sys.exit(f"workshop: {problem}")


def run(chosen: argparse.Namespace) -> None:
    """Check the options, and hold the class.

    Raises:
        LessonError: it cannot be held like this.
    """
    if bool(chosen.certificate) != bool(chosen.private_key):
        raise LessonError("--certificate and --private-key belong together: give both.")
    apart = plan.check(
        chosen.address,
        tls=bool(chosen.certificate),
        insecure=chosen.insecure,
        trusted=chosen.trusted,
    )
    if shutil.which("node") is None:
        raise LessonError("The hub's proxy needs Node 18 or newer. On Debian: apt-get install npm")
    folder = chosen.folder.resolve()
    os.umask(0o077)  # only the owner reads what is created for a class, unless it says otherwise
    make_folders(folder)
    try:
        with FileLock(folder / "hub" / "running.lock", blocking=False):
            hold(chosen, folder, apart=apart)
    except Timeout as problem:
        raise LessonError(f"A class is being held in {folder} already.") from problem


def hold(chosen: argparse.Namespace, folder: Path, *, apart: bool) -> None:
    """Prepare the class, print how to sign in, and wait until it is over."""
    processes.end(folder)  # what a run that was killed has left behind
    asked = plan.Plan(
        folder=str(folder),
        learners=chosen.learners,
        address=chosen.address,
        port=free_port(chosen.address, chosen.port),
        memory=chosen.memory,
        idle=chosen.idle * 60,
        apart=apart,
        code=new_code(),
        teacher_code=secrets.token_urlsafe(24),
        certificate=str(chosen.certificate.resolve()) if chosen.certificate else "",
        private_key=str(chosen.private_key.resolve()) if chosen.private_key else "",
    )
    enter_teacher(asked)
    print(plan.describe(chosen.learners), flush=True)
    print("Starting the class ...", flush=True)
    with Classroom(asked) as room:
        room.wait_until_open()
        print(
            f"Open:     {asked.url}\n"
            f"Learners: a name of their own (letters, digits, -) and the code {asked.code}\n"
            f"Teacher:  the name {homes.TEACHER} and the code {asked.teacher_code}\n"
            + (
                "Each learner is a system user of their own.\n"
                if apart
                else "All learners share your system user: each can read the others' files.\n"
            )
            + "Ctrl-C ends the class; what the learners have made stays.",
            flush=True,
        )
        room.stay()


def free_port(address: str, port: int) -> int:
    """Check that a port is free; return it, or some free port for 0.

    Raises:
        LessonError: it is taken, or this user may not use it.
    """
    try:
        with socket.create_server((address, port)) as here:
            return int(here.getsockname()[1])
    except OSError as problem:
        raise LessonError(
            f"Port {port} of {address} cannot be had: {problem.strerror}. Give another with --port."
        ) from problem


def new_code() -> str:
    """Return a new code: twelve letters and digits, easy to read from a board (59 bits)."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))


def make_folders(folder: Path) -> None:
    """Create the folders of a class; only their owner can read what is secret."""
    for place, mode in (("", 0o711), ("homes", 0o711), ("sandbox", 0o711), ("hub", 0o700)):
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place).chmod(mode)
    (folder / "hub" / "words").mkdir(exist_ok=True)


def enter_teacher(asked: plan.Plan) -> None:
    """Create the list of members if need be, and let the teacher read it."""
    if not asked.members.exists():
        teacher = accounts.create(homes.TEACHER, [], teacher=True)
        accounts.write(asked.members, [teacher])
    if asked.apart:
        user = homes.system_user(homes.TEACHER)
        homes.check_readable(user)
        os.chown(asked.members, user.pw_uid, user.pw_gid)


if __name__ == "__main__":
    main()
