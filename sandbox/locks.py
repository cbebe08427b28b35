"""Locks between processes: file locks, and in a browser the lock of the page's service worker."""

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(lock: Path, *, wait: float) -> Iterator[None]:
    """Be the only one, of all threads and processes, who holds a lock.

    Args:
        lock: A file that stands for it; its folder exists. In a browser there is one lock for all.
        wait: How many seconds to wait for it.

    Raises:
        TimeoutError: another one holds it.
    """
    if sys.platform == "emscripten":
        yield from _of_the_page()
        return
    from filelock import FileLock, Timeout  # a browser has none

    try:
        held = FileLock(lock, timeout=wait).acquire(poll_interval=0.01)
    except Timeout as problem:
        raise TimeoutError(f"{lock} is held by another process") from problem
    with held:
        yield


def _of_the_page() -> Iterator[None]:
    """Hold the lock that the notebooks of a browser share.

    Without a service worker there is no lock, and no drive that notebooks could share either.
    """
    holder = secrets.token_hex(8)
    _ask_page("POST", holder)
    try:
        yield
    finally:
        _ask_page("DELETE", holder)


def _ask_page(method: str, holder: str) -> None:
    import js  # Pyodide's way to the browser
    from pyodide.ffi import JsException

    site, _, _ = str(js.self.location.href).partition("/extensions/")
    request = js.XMLHttpRequest.new()
    try:
        request.open(method, f"{site}/api/iot-lock/{holder}", False)
        request.send()
    except JsException:
        return
