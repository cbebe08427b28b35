"""What the tests of the docs share: a copy of the project to build, a browser, a server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, sync_playwright

from docs.notebooks import ROOT

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def copy_project(folder: Path) -> Path:
    """Copy what the docs are made from, for a test may change it."""
    leave = shutil.ignore_patterns("keys", ".*", "__pycache__")
    for name in ("docs", "helpers", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    return folder


def docs(project: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m docs`` in a copy of the project."""
    return subprocess.run(
        [sys.executable, "-m", "docs", *options],
        cwd=project,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=300,
    )


def program(*names: str) -> str:
    """Find an installed program, or say loudly that it is missing."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing = (
            f"NO {names[0].upper()}: the docs were NOT tested with it. Install it, test again."
        )
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(f"{missing} (2026-11: not every machine can have it)")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Start an installed Chromium."""
    path = program("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the browser tells what it missed."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback.

    Yields:
        Its address.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
