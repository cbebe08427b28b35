"""The class's register: its members, and the word that reserves a name for one person."""

import hashlib
from hmac import compare_digest
from pathlib import Path

from helpers.errors import LessonError
from sandbox import accounts
from sandbox.accounts import Member
from sandbox.errors import SandboxError


def members(file: Path) -> list[Member]:
    """List who is in the class.

    Raises:
        LessonError: the file cannot be read, or it is not a list of members.
    """
    try:
        return accounts.read(file)
    except SandboxError as problem:
        raise LessonError(str(problem)) from problem


def enter(file: Path, name: str, *, room: int) -> Member:
    """Return the member of this name; the first time, create one with a new account.

    Args:
        file: The class's list of members.
        name: The member's name.
        room: How many learners the class has room for.

    Raises:
        LessonError: the class is full, or its list of members cannot be read.
    """
    entered = members(file)
    found = next((member for member in entered if member.name == name), None)
    if found:
        return found
    if sum(not member.teacher for member in entered) >= room:
        raise LessonError(
            f"This class has its {room} learners. "
            "Sign in with the name that you had before, or ask your teacher."
        )
    found = accounts.create(name, entered)
    accounts.write(file, [*entered, found])
    return found


class Words:
    """The words that learners may add to the class's code; each reserves a name for its owner."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fits(self, name: str, word: str) -> bool:
        """Return whether this is the word of *name*; the first one given becomes it."""
        file = self._folder / name
        hashed = hashlib.scrypt(word.encode(), salt=name.encode(), n=2**12, r=8, p=1).hex()
        try:
            with file.open("x") as new:
                new.write(hashed)
        except FileExistsError:
            return compare_digest(file.read_text(), hashed)
        return True
