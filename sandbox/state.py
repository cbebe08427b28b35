"""What the sandbox knows, on disk after every change: a killed sandbox comes back with it."""

import json
import pickle
import re
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from moto.iot.models import iot_backends

from sandbox.errors import SandboxError
from sandbox.files import write_whole

PRESSED = "pressed"
"""The milestone that a device of the account has published a message."""
MILESTONES_PER_ACCOUNT = 50


class State:
    """The IoT registry of every account, kept in one file.

    Pickled, because that is the whole registry with the links inside it; the file stands in a
    folder that only its owner can write (docs/decisions/0003-state-is-pickled.md).
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._saved = b""

    def save(self) -> None:
        """Write the registry, unless it is as it was at the last save."""
        registry = {
            (account, region): vars(backend)
            for account, regions in list(iot_backends.items())
            for region, backend in list(regions.items())
        }
        content = pickle.dumps(registry)
        if content != self._saved:
            write_whole(self.file, content)
            self._saved = content

    def restore(self) -> None:
        """Load what was saved, if anything was.

        Raises:
            SandboxError: the file cannot be read; it is left as it is.
        """
        if not self.file.exists():
            return
        try:
            registry = pickle.loads(self.file.read_bytes())  # noqa: S301  our own file, in our own folder
        except (
            pickle.UnpicklingError,
            EOFError,
            AttributeError,
            ImportError,
            IndexError,
        ) as problem:
            raise SandboxError(
                f"The sandbox cannot read what it knew ({self.file.name}: {problem}). "
                f"Delete {self.file} to start with an empty account."
            ) from problem
        for (account, region), content in registry.items():
            vars(iot_backends[account][region]).update(content)


class Milestones:
    """What each account has reached in the lesson that its registry does not show, and when.

    Each method takes what follows the name of a page in its path, and returns what the page
    answers.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()  # the server has one thread per request
        self._reached: dict[str, dict[str, str]] = (
            json.loads(file.read_text()) if file.exists() else {}
        )

    def reach(self, rest: str) -> object:
        """Record ``<account>/<milestone>`` with the time; return whether it is new."""
        account, _, milestone = rest.partition("/")
        if not re.fullmatch(r"\d{12}", account) or not re.fullmatch(r"[\w.-]{1,64}", milestone):
            return False
        with self._lock:
            reached = self._reached.setdefault(account, {})
            if milestone in reached or len(reached) >= MILESTONES_PER_ACCOUNT:
                return False
            reached[milestone] = datetime.now(UTC).isoformat()
            self._save()
        return True

    def of(self, account: str) -> object:
        """Return the milestones of an account, each with its time in UTC."""
        return self._reached.get(account, {})

    def forget(self, account: str) -> object:
        """Delete the milestones of an account; return whether there were any."""
        with self._lock:
            there = self._reached.pop(account, None) is not None
            self._save()
        return there

    def _save(self) -> None:
        write_whole(self._file, json.dumps(self._reached).encode())
