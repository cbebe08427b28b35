"""Write files that are whole at every moment, and read back only what is as it was written.

A state file begins with a line that holds the SHA-256 of the rest; the version before it lies
beside it. One that is damaged is set aside, never deleted.
"""

import hashlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

DAMAGED_KEPT = 5
"""How many damaged versions of a file are kept, the newest."""

_FORMAT = b"iot-button-tutorial state 1, SHA-256 of what follows: "
_log = logging.getLogger("sandbox")


def write_whole(
    path: Path,
    content: bytes,
    *,
    mode: int = 0o600,
    keep_owner: bool = False,
    before: Path | None = None,
) -> None:
    """Write a file in one step: readers see what it held before, or all of *content*.

    Once this returns, *content* is on the disk, even if the machine loses its power.

    Args:
        path: Which file; its folder exists.
        content: What it holds from now on.
        mode: Who may read and write it, from its first byte on.
        keep_owner: Whether a file that belongs to another user still does afterwards; only root can
            do that.
        before: Where the file that was there goes; without it, that one is deleted.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    # No two writers at work have the same partial file; one that a killed writer left is removed.
    # Its name begins with a dot, so that no reader of the folder takes it for a whole one.
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep_owner and path.exists():
            _copy_owner(path, partial)
        _put_in_place(partial, path, before)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def keep(path: Path, content: bytes) -> None:
    """Write a state file with its checksum; the version that was there stays beside it.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    write_whole(path, _sealed(content), before=_before(path))


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


def _put_in_place(partial: Path, path: Path, before: Path | None) -> None:
    if before is not None:
        before.unlink(missing_ok=True)
        # A second name, so that there is no moment without the file. It fails where nothing was
        # there yet, and on a file system that has no links: there, no version before is kept.
        with suppress(OSError):
            before.hardlink_to(path)
    os.replace(partial, path)  # noqa: PTH105  the step that the function's name promises


def _sync_folder(folder: Path) -> None:
    # Without this, a loss of power may bring the old file back. Not every file system can do it,
    # and the new file is in its place already: that is no reason to fail.
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            os.fsync(descriptor)
        os.close(descriptor)


def _copy_owner(path: Path, partial: Path) -> None:
    there = path.stat()
    if there.st_uid != os.geteuid():
        os.chown(partial, there.st_uid, there.st_gid)
