"""A learner's home: the lesson's notebooks in it, and nobody else who can read it."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from helpers.errors import LessonError
from sandbox.process import PROJECT

PREFIX = "iot-"
"""Of the system users' names, so that no learner becomes someone whom the machine knows already."""
TEACHER = "teacher"
NAME = r"[a-z][a-z0-9-]{0,23}\Z"
"""What a learner may be called: it becomes part of a system user's name, a path and an address."""


def system_user(name: str) -> pwd.struct_passwd:
    """Give the system user of someone in the class, made if it is not there.

    Raises:
        LessonError: it cannot be made.
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


def prepare(home: Path, content: Iterable[Path], owner: pwd.struct_passwd | None) -> None:
    """Make a home with copies of the lesson's files in it, unless it is there.

    Args:
        home: It is never touched again once it is there: it holds someone's work.
        content: The files to copy into its folder ``notebooks``.
        owner: Whose it is; ``None`` for whoever runs this.
    """
    if home.exists():
        return
    # Whole or not at all; and given away before its owner can put a link in the way.
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=home.parent))
    (unfinished / "notebooks").mkdir()
    for file in content:
        shutil.copyfile(file, unfinished / "notebooks" / file.name)
    if owner:
        for path in (unfinished, *unfinished.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    unfinished.rename(home)


def lesson(name: str) -> list[Path]:
    """The files that someone in the class finds in their home."""
    notebooks = sorted((PROJECT / "notebooks").glob("*.ipynb"))
    assert notebooks, "the lesson's notebooks are missing"
    return [*notebooks, PROJECT / "workshop" / "board.ipynb"] if name == TEACHER else notebooks


def check_readable(user: pwd.struct_passwd) -> None:
    """See that a learner can run the lesson's Python and read its code.

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
