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
from typing import NoReturn

import pytest
from browser_lab import FLAGS, chromium
from playwright.sync_api import Browser, sync_playwright

from publish.notebooks import ROOT


def copy_project(folder: Path) -> Path:
    """Copy what the docs are made from, for a test may change it."""
    leave = shutil.ignore_patterns("keys", ".*", "__pycache__")
    for name in ("docs", "helpers", "iot_policy", "notebooks", "publish", "sandbox"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    return folder


def docs(project: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m publish`` in a copy of the project."""
    return subprocess.run(
        [sys.executable, "-m", "publish", *options],
        cwd=project,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=300,
    )


def jekyll() -> str:
    """Find Jekyll, or say loudly that it is missing."""
    return shutil.which("jekyll") or _missing("Jekyll")


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a Chromium, or say loudly that there is none."""
    path = chromium() or _missing("browser")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


def _missing(what: str) -> NoReturn:
    text = f"NO {what.upper()}: the docs were NOT looked at with it. Install it, then test again."
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(f"{text} (2026-11: not every machine can have it)")


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
