"""Who is in a class: each learner's AWS account, and the access key id that opens it."""

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.errors import SandboxError

TEACHERS_ACCOUNT = "123456789012"
"""That of the sandbox without a class, so that what a teacher shows looks like the lesson."""
_FIRST_LEARNERS_ACCOUNT = 200_000_000_001


@dataclass(frozen=True)
class Member:
    """Someone in the class."""

    name: str
    account: str
    """12 digits."""
    key: str
    """The access key id. It is the secret: nobody checks a signature."""
    teacher: bool = False
    """Whether the key also opens what concerns the whole class."""


def create(name: str, others: Iterable[Member], *, teacher: bool = False) -> Member:
    """Make up a member with an account that is nobody else's.

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
        return [Member(**each) for each in json.loads(file.read_text())]
    except (OSError, ValueError, TypeError) as problem:
        raise SandboxError(f"The class's list of members cannot be read: {problem}") from problem


def write(file: Path, members: Iterable[Member]) -> None:
    """Write the list, whole or not at all, for its owner's eyes only."""
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(json.dumps([asdict(member) for member in members], indent=1))
    if file.exists():
        _keep_owner(file, partial)
    partial.replace(file)


def _keep_owner(file: Path, partial: Path) -> None:
    there = file.stat()
    if there.st_uid != os.geteuid():
        os.chown(partial, there.st_uid, there.st_gid)


class Members:
    """The members of a class by their keys; looks again when the list has changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._by_key: dict[str, Member] = {}

    def holder(self, key: str) -> Member | None:
        """Whose key this is; ``None`` where it is nobody's."""
        written = self._file.stat()
        now = (written.st_mtime_ns, written.st_ino)
        if now != self._seen:
            self._by_key = {member.key: member for member in read(self._file)}
            self._seen = now
        return self._by_key.get(key)
