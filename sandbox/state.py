"""What the sandbox knows, on disk after every change: a killed sandbox comes back with it."""

import io
import json
import logging
import pickle
import re
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from moto.iot.models import IoTBackend, iot_backends

from sandbox.process import ACCOUNT
from sandbox.state_files import holds, keep, recall, take_over

PRESSED = "pressed"
"""The milestone that a device of the account has published a message."""
MILESTONES_PER_ACCOUNT = 50

_log = logging.getLogger("sandbox")
_Contents = dict[tuple[str, str], dict[str, Any]]
"""By account and region: the attributes of moto's backend."""
_EMPTY = "The sandbox starts with empty accounts: certificates that were made before are unknown."
_FORGOTTEN = "What learners have reached before is forgotten."


class State:
    """The IoT registry of every account, kept in one file.

    Pickled, because that is the whole registry with the links inside it, and read so that nothing
    but moto's data comes of it (docs/decisions/0003-state-is-pickled.md).
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._saved: bytes | None = None

    def save(self) -> None:
        """Write the registry, unless it is as it was at the last save.

        Raises:
            OSError: it cannot be written; the registry is again what it was at the last save.
        """
        try:
            content = _pickled({place: vars(backend) for place, backend in _backends().items()})
            if content != self._saved:
                keep(self.file, content)
                self._saved = content
        except Exception:
            # Whatever could not be written: what is not on disk has not happened.
            _put_back(_unpickled(self._saved) if self._saved else {})
            raise

    def restore(self) -> None:
        """Load what was saved, if anything was; what cannot be read is set aside.

        Raises:
            OSError: a file is there and the system does not let it be read.
        """
        earlier = self.file.with_name(f"{self.file.name}.pickle")
        if earlier.exists():  # written before 2026-12
            take_over(self.file, earlier, earlier.read_bytes(), _unpickled, lost=_EMPTY)
        self.refresh()

    def forget(self) -> None:
        """Know no more what was saved: the next refresh loads it."""
        self._saved = None

    def refresh(self) -> bool:
        """Load what another process has saved since; nothing, where the file is gone.

        Returns:
            Whether the registry is another one now.

        Raises:
            OSError: a file is there and the system does not let it be read.
        """
        there = holds(self.file, self._saved) if self._saved else not self.file.exists()
        if there and self._saved is not None:
            return False
        content = recall(self.file, _unpickled, lost=_EMPTY)
        _put_back(_unpickled(content) if content is not None else {})
        self._saved = content or b""
        return True


class Milestones:
    """What each account has reached in the lesson that its registry does not show, and when.

    Each method takes what follows the name of a page in its path, and returns what the page
    answers. What cannot be written has not happened; the log says so.
    """

    def __init__(self, file: Path) -> None:
        """Load what was reached before.

        Raises:
            OSError: a file is there and the system does not let it be read.
        """
        self._file = file
        self._lock = Lock()  # the server has one thread per request
        earlier = file.with_name(f"{file.name}.json")
        if earlier.exists():  # written before 2026-12
            take_over(file, earlier, earlier.read_bytes(), _milestones, lost=_FORGOTTEN)
        content = recall(file, _milestones, lost=_FORGOTTEN)
        self._reached = _milestones(content) if content is not None else {}

    def reach(self, rest: str) -> object:
        """Record ``<account>/<milestone>`` with the time; return whether it is new."""
        account, _, milestone = rest.partition("/")
        if not re.fullmatch(r"\d{12}", account) or not re.fullmatch(r"[\w.-]{1,64}", milestone):
            return False
        with self._lock:
            reached = self._reached.get(account, {})
            if milestone in reached or len(reached) >= MILESTONES_PER_ACCOUNT:
                return False
            now = datetime.now(UTC).isoformat()
            return self._save(self._reached | {account: reached | {milestone: now}})

    def of(self, account: str) -> object:
        """Return the milestones of an account, each with its time in UTC."""
        return self._reached.get(account, {})

    def forget(self, account: str) -> object:
        """Delete the milestones of an account; return whether there were any."""
        with self._lock:
            others = {each: found for each, found in self._reached.items() if each != account}
            return account in self._reached and self._save(others)

    def _save(self, reached: dict[str, dict[str, str]]) -> bool:
        try:
            keep(self._file, json.dumps(reached).encode())
        except OSError as problem:
            _log.error("What a learner has reached cannot be written: %s", problem)
            return False
        self._reached = reached
        return True


def _backends() -> dict[tuple[str, str], IoTBackend]:
    return {
        (account, region): backend
        for account, regions in list(iot_backends.items())
        for region, backend in list(regions.items())
    }


def _put_back(contents: _Contents) -> None:
    """Make the registry hold *contents*, and nothing else."""
    for account, region in contents.keys() | _backends().keys():
        backend = iot_backends[account][region]
        # In one step: the broker reads it at the same time.
        backend.__dict__ = vars(IoTBackend(region, account)) | contents.get((account, region), {})


class _Pickler(pickle.Pickler):
    """Refuses to write what the reader would not read."""

    def reducer_override(self, written: Any) -> Any:
        kind = written if isinstance(written, type) else type(written)
        if not _is_data(kind.__module__, kind.__qualname__):
            raise pickle.PicklingError(f"{kind.__module__}.{kind.__qualname__} is not moto's data")
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    """Makes objects of moto's data classes and of Python's, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if not _is_data(module, name):
            raise pickle.UnpicklingError(f"{module}.{name} is not moto's data")
        return super().find_class(module, name)


def _is_data(module: str, name: str) -> bool:
    of_moto = module in ("moto.iot.models", "moto.iotdata.models")
    return (of_moto and re.fullmatch(r"Fake\w+", name) is not None) or (module, name) in (
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
    )


def _pickled(contents: _Contents) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(contents)
    return file.getvalue()


def _unpickled(content: bytes) -> _Contents:
    """Read what :func:`_pickled` returned.

    Raises:
        ValueError: it is something else.
    """
    try:
        contents: _Contents = _Unpickler(io.BytesIO(content)).load()
        if not all(_fits(account, region, held) for (account, region), held in contents.items()):
            raise ValueError("it is no registry")
    except Exception as problem:  # bytes that are no pickle of ours may raise anything
        raise ValueError(f"{type(problem).__name__}: {problem}") from problem
    return contents


def _fits(account: str, region: str, held: dict[str, Any]) -> bool:
    fresh = vars(IoTBackend(region, account))
    return (
        re.fullmatch(r"\d{12}", account) is not None
        and region in iot_backends[ACCOUNT]
        and all(
            isinstance(held.get(name, empty), type(empty))
            for name, empty in fresh.items()
            if empty is not None
        )
    )


def _milestones(content: bytes) -> dict[str, dict[str, str]]:
    """Read what :class:`Milestones` has written.

    Raises:
        ValueError: it is something else.
    """
    try:
        found = json.loads(content)
    except RecursionError as problem:
        raise ValueError("it is nested too deeply") from problem
    if not isinstance(found, dict) or not all(map(_are_texts, found.values())):
        raise ValueError("it is no list of milestones")
    return found


def _are_texts(reached: object) -> bool:
    return isinstance(reached, dict) and all(isinstance(when, str) for when in reached.values())
