"""What each account has reached in the lesson that its registry does not show."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

PRESSED = "pressed"
"""A device of the account has published a message."""
_MOST = 50
"""Milestones an account."""


class Milestones:
    """When each account reached what, kept in a file; the first time counts.

    Each method takes the rest of the path of one of the sandbox's own pages, and returns what that
    page answers.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()  # the server has a thread a request
        self._reached: dict[str, dict[str, str]] = (
            json.loads(file.read_text()) if file.exists() else {}
        )

    def reach(self, rest: str) -> object:
        """Take down ``<account>/<milestone>``; answer whether that is new."""
        account, _, milestone = rest.partition("/")
        if not re.fullmatch(r"\d{12}", account) or not re.fullmatch(r"[\w.-]{1,64}", milestone):
            return False
        with self._lock:
            reached = self._reached.setdefault(account, {})
            if milestone in reached or len(reached) >= _MOST:
                return False
            reached[milestone] = datetime.now(UTC).isoformat()
            self._save()
        return True

    def of(self, account: str) -> object:
        """Answer with the milestones of ``<account>``, each with its time in UTC."""
        return self._reached.get(account, {})

    def forget(self, account: str) -> object:
        """Forget those of ``<account>``; answer whether there were any."""
        with self._lock:
            there = self._reached.pop(account, None) is not None
            self._save()
        return there

    def _save(self) -> None:
        partial = self._file.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(self._reached))
        partial.replace(self._file)
