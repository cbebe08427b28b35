"""Static sites for the browser edition's tests: served from loopback, stopped, changed, listed."""

import functools
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from publish.notebooks import ROOT

LITE = ROOT / "publish" / "lite"
LIST = "iot-files.json"
WORKER = "service-worker.js"
JUPYTERLITE = """
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', event => {
    if (event.request.url.includes('/api/')) event.respondWith(new Response('JupyterLite'));
});
"""
"""Stands for JupyterLite's own text of the service worker where nothing else of it is needed."""


class Server:
    """A folder on loopback; what was asked for is kept, and it can be gone for a while."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self._port = 0
        self.start()

    @property
    def address(self) -> str:
        """The site's address, with a slash at its end."""
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Serve, on the same port as before."""
        asked = self.asked

        class Handler(SimpleHTTPRequestHandler):
            extensions_map = {  # noqa: RUF012
                **SimpleHTTPRequestHandler.extensions_map,
                ".mjs": "text/javascript",
            }

            def do_GET(self) -> None:
                asked.append(self.path)
                super().do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        handler = functools.partial(Handler, directory=str(self.folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Be gone: connections are refused."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Serve a folder for as long as the ``with`` block lasts."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


def list_files(site: Path, *, first: tuple[str, ...] = ()) -> None:
    """Write the site's list of files, as the build does."""
    files = {
        file.relative_to(site).as_posix(): file.read_bytes()
        for file in sorted(site.rglob("*"))
        if file.is_file() and file.name not in (LIST, WORKER)
    }
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    listed = {
        "version": hashlib.sha256(json.dumps(digests).encode()).hexdigest(),
        "files": {name: len(content) for name, content in files.items()},
        "sha256": digests,
        "first": list(first),
        "download": sum(len(files[name]) for name in first),
    }
    (site / LIST).write_text(json.dumps(listed))


def tiny_site(site: Path) -> None:
    """Make a site of a few files with the lesson's service worker and page, without JupyterLite."""
    shutil.copytree(LITE / "extension", site / "extensions" / "iot-lesson")
    (site / WORKER).write_text((LITE / WORKER).read_text() + JUPYTERLITE)
    page = "<!doctype html><meta charset=utf-8><title>one</title><script defer src='{}'></script>"
    (site / "index.html").write_text(page.format("extensions/iot-lesson/static/page.js"))
    (site / "plain.html").write_text("<!doctype html><title>plain</title>")
    (site / "one.txt").write_text("one, version 1")
    (site / "two.txt").write_text("two, version 1")
    (site / "files").mkdir()
    (site / "files" / "lesson.txt").write_text("the lesson")
    list_files(site, first=("one.txt",))
