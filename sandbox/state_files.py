"""State files: read back only as they were written, and never lost for one damaged byte.

Each begins with a line that holds the SHA-256 of the rest; the version before it lies beside it.
One that is damaged is set aside, never deleted. What changes too often to be written whole each
time has a :class:`Journal` beside its file.
"""

import hashlib
import itertools
import json
import logging
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.files import write_whole

DAMAGED_KEPT = 5
"""How many damaged versions of a file are kept, the newest."""

_FORMAT = b"iot-button-tutorial state 1, SHA-256 of what follows: "
_log = logging.getLogger("sandbox")


def keep(path: Path, content: bytes) -> None:
    """Write a state file with its checksum; the version that was there stays beside it.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    write_whole(path, _sealed(content), before=_before(path))


def holds(path: Path, content: bytes) -> bool:
    """Return whether a state file holds *content*, whole."""
    try:
        return path.read_bytes() == _sealed(content)
    except FileNotFoundError:
        return False


def recall(path: Path, check: Callable[[bytes], object], *, lost: str) -> bytes | None:
    """Read what :func:`keep` wrote; what is damaged is set aside, and a line of the log says so.

    Args:
        path: Which state file.
        check: Called with the content; raises ValueError where that cannot be used.
        lost: What it means that nothing can be read, in whole sentences.

    Returns:
        The content; that of the version before, where only that can be read; ``None`` where neither
        is there, or neither can be read.

    Raises:
        OSError: a file is there and the system does not let it be read.
    """
    before = _before(path)
    wrong = []
    for candidate in (path, before):
        try:
            content = _unsealed(candidate.read_bytes())
            check(content)
        except FileNotFoundError:
            continue
        except ValueError as problem:
            aside = _set_aside(candidate)
            wrong.append(f"{candidate.name} is damaged ({problem}) and lies in {aside} now")
        else:
            if candidate == before:
                before.replace(path)
                missing = " and ".join(wrong) or f"{path.name} is not there"
                _log.warning("%s: the version before it is used, without the last change", missing)
            return content
    if wrong:
        _log.warning("%s. %s", " and ".join(wrong), lost)
    return None


def take_over(
    path: Path, earlier: Path, content: bytes, check: Callable[[bytes], object], *, lost: str
) -> None:
    """Make a state file from one of the time before checksums, and delete that.

    Args:
        path: The state file to write.
        earlier: The old file; if its content cannot be used, it is set aside.
        content: What it holds.
        check: Called with the content; raises ValueError where that cannot be used.
        lost: What it means that it cannot be used, in whole sentences.

    Raises:
        OSError: the new file cannot be written; the old one is still there.
    """
    try:
        check(content)
    except ValueError as problem:
        aside = _set_aside(earlier)
        _log.warning("%s is damaged (%s) and lies in %s. %s", earlier.name, problem, aside, lost)
    else:
        keep(path, content)
        earlier.unlink()


class Journal:
    """The changes since a state file was last written: a line each, with a checksum of its own.

    What is appended outlives the process as soon as it is written. A loss of power may cost what
    the system has not brought to the disk yet: the last seconds.
    """

    def __init__(self, path: Path) -> None:
        """Set up the journal; it begins anew with each version of its state file."""
        self._path = path
        self.size = 0
        """Of the file, in bytes, as this process knows it."""
        self.ends_well = True
        """Whether more can be appended; else the state file is to be written anew."""

    @property
    def as_known(self) -> bool:
        """Whether no other process has written it since."""
        return self._there() == self.size

    def append(self, content: bytes, entries: Iterable[object]) -> None:
        """Append entries, which JSON can carry.

        Args:
            content: Of the state file that they change.
            entries: What has changed.

        Raises:
            OSError: they cannot be written, or not all of them: write the state file instead.
        """
        lines = [] if self.size else [_line(hashlib.sha256(content).hexdigest())]
        whole = b"".join([*lines, *map(_line, entries)])
        if not self.size:
            self._path.touch(0o600)
        with self._path.open("ab" if self.size else "wb") as file:
            file.write(whole)
        self.size += len(whole)

    def read(self, content: bytes) -> list[Any]:
        """Return the entries that change a state file of this *content*.

        Those behind a damaged line are lost, and a line of the log says so. The journal of another
        version has none: the sandbox was killed just after it had replaced that one. Neither has a
        line without its end: the sandbox was killed while it wrote that.

        Raises:
            OSError: a file is there and the system does not let it be read.
        """
        try:
            *lines, rest = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            self.size = 0
            return []
        sound = list(itertools.takewhile(lambda line: line + b"\n" == _line(_entry(line)), lines))
        if len(sound) < len(lines):
            self.set_aside(f"{len(lines) - len(sound)} of its {len(lines)} lines")
        found = [_entry(line) for line in sound]
        own = found[:1] == [hashlib.sha256(content).hexdigest()]
        self.ends_well = own and not rest and len(sound) == len(lines)
        self.size = self._there()
        return found[1:] if own else []

    def set_aside(self, lost: str) -> None:
        """Rename a journal that cannot be used, and say in the log what is *lost* with it."""
        aside = _set_aside(self._path)
        _log.warning("%s is damaged and lies in %s now: %s are lost", self._path.name, aside, lost)
        self.ends_well = False

    def clear(self) -> None:
        """Begin anew: the state file has been written whole."""
        self._path.unlink(missing_ok=True)
        self.size, self.ends_well = 0, True

    def _there(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0


def _line(entry: object) -> bytes:
    text = json.dumps(entry).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _entry(line: bytes) -> Any:
    try:
        return json.loads(line[9:])
    except (ValueError, RecursionError):
        return None


def _before(path: Path) -> Path:
    return path.with_name(f"{path.name}.before")


def _sealed(content: bytes) -> bytes:
    return _FORMAT + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def _unsealed(whole: bytes) -> bytes:
    _, _, content = whole.partition(b"\n")
    if whole != _sealed(content):
        raise ValueError("its checksum does not fit")
    return content


def _set_aside(path: Path) -> str:
    """Rename a damaged file so that it is in nobody's way; return its new name."""
    earlier = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    for surplus in earlier[: max(0, len(earlier) - DAMAGED_KEPT + 1)]:
        surplus.unlink()
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%fZ}")
    path.rename(aside)
    return aside.name
