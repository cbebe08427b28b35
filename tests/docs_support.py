"""What the tests of the docs share: a copy of the project to build, Jekyll, a server, a look."""

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
from playwright.sync_api import Browser

from publish.notebooks import ROOT

WIDTHS = (390, 1280)
"""Of a phone's page and a screen's, in pixels."""


def copy_project(folder: Path) -> Path:
    """Copy what the docs are made from, for a test may change it."""
    leave = shutil.ignore_patterns("keys", ".*", "__pycache__")
    folders = "docs exercises helpers iot_policy lab notebooks publish sandbox"
    for name in folders.split():
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    (folder / "workshop").mkdir()
    pages = ("CHANGELOG.md", "README.md", "SECURITY.md", "workshop/README.md")
    for name in (*pages, "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, folder / name)
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


def look(chromium: Browser, address: str) -> tuple[str, list[str]]:
    """Open a page; return its text and what is wrong with it, on a phone and on a screen."""
    page = chromium.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(f"console: {said.text}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1:", "data:"))
            else wrong.append(f"leaves the machine: {request.url}")
        ),
    )
    page.goto(address, wait_until="load")
    images = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
    wrong += [f"not shown: {source}" for source in page.evaluate(images)]
    described = "[...document.images].filter(i => !i.alt.trim()).map(i => i.src)"
    wrong += [f"not described: {source}" for source in page.evaluate(described)]
    anchors = """[...document.querySelectorAll('a[href^="#"]')].map(a => a.hash.slice(1))
        .filter(id => id && !document.getElementById(decodeURIComponent(id)))"""
    wrong += [f"no such place: #{name}" for name in page.evaluate(anchors)]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wrong.append(f"wider than a screen of {width} pixels")
    text = page.evaluate("document.body.innerText")
    page.close()
    return text, wrong
