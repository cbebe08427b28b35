"""State files: read back only as they were written, and never lost for one damaged byte.

Each begins with a line that holds the SHA-256 of the rest; the version before it lies beside it.
One that is damaged is set aside, never deleted.
"""

import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

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
