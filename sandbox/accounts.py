"""Who is in a class: each learner's AWS account, and the access key id that opens it."""

import json
import logging
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox import process
from sandbox.errors import SandboxError
from sandbox.files import write_whole
from sandbox.line import Sandbox

TEACHERS_ACCOUNT = "123456789012"
"""The account of a sandbox without a class, so that what a teacher shows looks like the lesson."""
_FIRST_LEARNERS_ACCOUNT = 200_000_000_001
_log = logging.getLogger("sandbox")


@dataclass(frozen=True)
class Member:
    """Someone in the class."""

    name: str
    account: str
    """12 digits."""
    key: str
    """The access key id. It is the secret, for no signature is checked."""
    teacher: bool = False
    """Whether the key also opens what concerns the whole class."""


def create(name: str, others: Iterable[Member], *, teacher: bool = False) -> Member:
    """Return a new member, with an account that nobody else has.

    >>> zoe = create("zoe", [])
    >>> create("ada", [zoe]).account == zoe.account
    False
    """
    taken = [int(other.account) for other in others]
    number = max([_FIRST_LEARNERS_ACCOUNT - 1, *taken]) + 1
    account = TEACHERS_ACCOUNT if teacher else str(number)
    return Member(name, account, f"CLASS{secrets.token_hex(16).upper()}", teacher)


def read(file: Path) -> list[Member]:
    """List the members that *file* names.

    Raises:
        SandboxError: it cannot be read, or it is not a list of members.
    """
    try:
        return [_member(each) for each in json.loads(file.read_text())]
    except (OSError, ValueError, TypeError, RecursionError) as problem:
        raise SandboxError(f"The class's list of members cannot be read: {problem}") from problem


def write(file: Path, members: Iterable[Member]) -> None:
    """Write the list whole or not at all; only its owner can read it, and its owner stays."""
    listed = json.dumps([asdict(member) for member in members], indent=1)
    write_whole(file, listed.encode(), keep_owner=True)


def start_with_members(
    folder: Path, members: Path, **env: str
) -> tuple["subprocess.Popen[str]", Sandbox]:
    """Start a sandbox with an account for each member; it ends with this process at the latest.

    Args:
        folder: Where it keeps what it knows; it is there.
        members: The list of them, see :func:`write`.
        env: Variables of its environment, beside those of this process.

    Returns:
        The process, and where it answers.

    Raises:
        SandboxError: it did not start; the message ends with what it said.
    """
    command = [sys.executable, "-m", "sandbox", "--state-dir", str(folder)]
    command += ["--members", str(members), "--owner", str(os.getpid())]
    log = folder / process.START_LOG
    with log.open("w") as said:
        serving = subprocess.Popen(
            command,
            cwd=process.PROJECT,
            env=os.environ | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            **process.apart(),
        )
    assert serving.stdout
    with serving.stdout as line:
        about = line.readline()
    if not about:
        serving.wait()  # then it has said all
        raise process.not_started(log)
    return serving, Sandbox(**json.loads(about))


class Members:
    """The members of a class by their access keys; the list is read again when it has changed."""

    def __init__(self, file: Path) -> None:
        """Read the list.

        Raises:
            SandboxError: it cannot be read.
        """
        self._file = file
        self._seen = self._stamp()
        self._by_key = {member.key: member for member in read(file)}

    def holder(self, key: str) -> Member | None:
        """Return the member whose access key id this is; ``None`` where it is nobody's.

        A list that can no longer be read counts as it was; the log says so, once.
        """
        now = self._stamp()
        if now != self._seen:
            self._seen = now
            try:
                self._by_key = {member.key: member for member in read(self._file)}
            except SandboxError as problem:
                _log.error("%s. The class goes on with the members that it had.", problem)
        return self._by_key.get(key)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            written = self._file.stat()
        except OSError:
            return None
        return written.st_mtime_ns, written.st_ino, written.st_size


def _member(fields: dict[str, Any]) -> Member:
    found = Member(**fields)
    texts = found.name, found.account, found.key
    if not all(isinstance(text, str) for text in texts) or type(found.teacher) is not bool:
        raise TypeError("a member has a name, an account and a key, each a text")
    if not re.fullmatch("[0-9]{12}", found.account):
        raise ValueError(f"{found.account!r} is no account")
    return found
