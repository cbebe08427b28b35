"""Write files that are whole at every moment, whenever the process is killed."""

import os
import threading
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int = 0o600, keep_owner: bool = False) -> None:
    """Write a file in one step: readers see what it held before, or all of *content*.

    Args:
        path: Which file; its folder exists.
        content: What it holds from now on.
        mode: Who may read and write it, from its first byte on.
        keep_owner: Whether a file that belongs to another user still does afterwards; only root can
            do that.
    """
    # No two writers at work have the same partial file; one that a killed writer left is removed.
    # Its name begins with a dot, so that no reader of the folder takes it for a whole one.
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        if keep_owner and path.exists():
            _copy_owner(path, partial)
        os.replace(partial, path)  # noqa: PTH105  the step that the function's name promises
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _copy_owner(path: Path, partial: Path) -> None:
    there = path.stat()
    if there.st_uid != os.geteuid():
        os.chown(partial, there.st_uid, there.st_gid)
