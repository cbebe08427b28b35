"""Write files that are whole at every moment, whenever the process is killed."""

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

_READ_WITHIN = 1.0
"""Seconds that a reader on Windows may take to close a file before a writer gives up."""


def has_owners() -> bool:
    """Decide whether files have an owner and a mode here: everywhere but on Windows."""
    return hasattr(os, "geteuid")


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


def _put_in_place(partial: Path, path: Path, before: Path | None) -> None:
    if before is not None:
        before.unlink(missing_ok=True)
        # A second name, so that there is no moment without the file. It fails where nothing was
        # there yet, and where there are no links, as in a browser: no version before is kept there.
        with suppress(OSError, NotImplementedError):
            before.hardlink_to(path)
    give_up = time.monotonic() + _READ_WITHIN
    while True:
        try:
            os.replace(partial, path)  # noqa: PTH105  the step that the function's name promises
            return
        except PermissionError:
            # Windows replaces no file that somebody has open, and readers here are quick.
            if has_owners() or time.monotonic() > give_up:
                raise
        time.sleep(0.01)


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
    if has_owners() and there.st_uid != os.geteuid():
        os.chown(partial, there.st_uid, there.st_gid)
