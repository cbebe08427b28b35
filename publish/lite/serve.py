"""Serves the built site on loopback, the way a static host does."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from waitress.server import create_server
from whitenoise import WhiteNoise

TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm", ".tar": "application/x-tar"}
_MAX_AGE = 600  # seconds, as GitHub Pages has it

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def _not_found(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"There is no such file.\n"]


def application(site: Path) -> Wsgi:
    """Return the site as a WSGI application: types, compressed copies, ETags and dates."""
    served: Any = WhiteNoise(
        _not_found, root=str(site), index_file=True, max_age=_MAX_AGE, mimetypes=TYPES
    )
    for folder in [each for each in served.files if each.endswith("/")]:
        # WhiteNoise redirects here; a static host answers.
        served.files[f"{folder}index.html"] = served.files[folder]
    app: Wsgi = served
    return app


def server(app: Wsgi, port: int = 0) -> Any:
    """Return a server on loopback; ``effective_port`` is its port, and ``run()`` serves."""
    return create_server(app, host="127.0.0.1", port=port, threads=8, ident=None)


def serve(site: Path, port: int) -> None:
    """Serve the site until Ctrl-C, and print one line: its address."""
    running = server(application(site), port)
    print(f"http://127.0.0.1:{running.effective_port}/", flush=True)
    running.run()
