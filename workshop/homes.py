"""A learner's home: it holds the lesson's notebooks, and nobody else can read it."""

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from helpers.errors import LessonError
from lab import copies
from sandbox.process import PROJECT

PREFIX = "iot-"
"""Begins each system user's name, so that no learner gets the name of an existing user."""
TEACHER = "teacher"
NAME = r"[a-z][a-z0-9-]{0,23}\Z"
"""A learner's name. It becomes part of a system user's name, a path and an address."""


def system_user(name: str) -> pwd.struct_passwd:
    """Return a member's system user, created first if need be.

    Raises:
        LessonError: it cannot be created.
    """
    user = PREFIX + name
    try:
        return pwd.getpwnam(user)
    except KeyError:
        make = ["useradd", "--system", "--user-group", "--no-create-home"]
    try:
        subprocess.run([*make, "--shell", "/bin/sh", user], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        said = getattr(problem, "stderr", b"").decode().strip()
        raise LessonError(f"The system user {user} cannot be made: {problem} {said}") from problem
    return pwd.getpwnam(user)


def prepare(home: Path, content: Sequence[Path], owner: pwd.struct_passwd | None) -> None:
    """Create a home with copies of the lesson's files, trusted, unless it exists.

    Args:
        home: An existing one is left as it is: it holds someone's work.
        content: The files to copy into its folder ``notebooks``.
        owner: The user who gets it; ``None`` for the one who runs this.
    """
    if home.exists():
        return
    # Complete or not at all; and its owner gets it before they can put a link into it.
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=home.parent))
    contents = {file: copies.as_new(file) for file in content}
    for file, its in contents.items():
        copy = unfinished / "notebooks" / _name(file)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(its)
    data_dir = unfinished / ".local" / "share" / "jupyter"
    data_dir.mkdir(parents=True, mode=0o700)
    copies.trust(contents.values(), data_dir=data_dir)
    if owner:
        for path in (unfinished, *unfinished.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    unfinished.rename(home)


def lesson(name: str) -> list[Path]:
    """Return the files that a member finds in their home."""
    files = copies.lesson()
    assert files, "the lesson's notebooks are missing"
    return [*files, PROJECT / "workshop" / "board.ipynb"] if name == TEACHER else files


def _name(file: Path) -> Path:
    """Return where a file lies in a home's ``notebooks``: the board beside the lesson's own."""
    ours = file.is_relative_to(copies.NOTEBOOKS)
    return file.relative_to(copies.NOTEBOOKS) if ours else Path(file.name)


def check_readable(user: pwd.struct_passwd) -> None:
    """Check that a learner can run the lesson's Python and read its code.

    Raises:
        LessonError: they cannot, which concerns the whole class.
    """
    look = "import jupyterhub, helpers.account, workshop.board"
    try:
        subprocess.run(
            [sys.executable, "-c", look],
            cwd=PROJECT,
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as problem:
        raise LessonError(
            f"Learners, who are not root, cannot run {sys.executable} in {PROJECT}: {problem}. "
            "Put the clone where everyone may read it, outside root's own folder."
        ) from problem
