"""What the tests of the docs share: a copy of the project to build, Jekyll, a server."""

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

from browser_lab import missing

from publish.notebooks import ROOT


def copy_project(folder: Path) -> Path:
    """Copy what the docs are made from, for a test may change it."""
    leave = shutil.ignore_patterns("keys", ".*", "__pycache__")
    for name in ("docs", "exercises", "helpers", "iot_policy", "notebooks", "publish", "sandbox"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
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
    return shutil.which("jekyll") or missing("Jekyll")


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
