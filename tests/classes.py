"""A class's sandbox for tests: real, with members whose accounts can be opened."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from helpers.account import Account, join
from sandbox import accounts
from sandbox.accounts import Member


@dataclass
class ClassSandbox:
    """A running sandbox that serves the members that *file* lists."""

    url: str
    file: Path
    serving: subprocess.Popen[str]
    earlier: list[Member] = field(default_factory=list)
    """Whose accounts no later member gets."""

    def send_everyone_home(self) -> None:
        """Begin a class with nobody in it, on the sandbox that is running."""
        self.earlier += accounts.read(self.file)
        accounts.write(self.file, [])

    def member(self, name: str, *, teacher: bool = False) -> Member:
        """Give a member of this name, added to the list if need be."""
        members = accounts.read(self.file)
        found = next((each for each in members if each.name == name), None)
        if found is None:
            found = accounts.create(name, [*self.earlier, *members], teacher=teacher)
            accounts.write(self.file, [*members, found])
        return found

    def open(self, name: str) -> Account:
        """Connect to a member's account."""
        return join(self.url, self.member(name).key)


def start(folder: Path) -> ClassSandbox:
    """Start a class's sandbox in *folder*, with nobody in the class yet."""
    file = folder / "members.json"
    accounts.write(file, [])
    serving, here = accounts.start_with_members(folder, file)
    return ClassSandbox(here.endpoint_url, file, serving)
