"""The control plane: moto's server, made to answer as AWS does and to save after every change."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

LOOPBACK = "127.0.0.1"

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


Page = Callable[[str], object]
"""Takes what follows the page's name in the path; returns what is answered, as JSON."""


class QuietHandler(MotoRequestHandler):
    """Logs no requests: the sandbox's log holds refusals and errors only."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class ControlPlane:
    """A WSGI application: AWS's API, and the sandbox's own pages under ``/_sandbox/``."""

    def __init__(
        self,
        *,
        readers: dict[str, Page],
        changers: dict[str, Page],
        changed: Callable[[], None],
    ) -> None:
        """Set up moto.

        Args:
            readers: The pages that change nothing, by name: they answer GET.
            changers: The pages that change something, by name: they answer POST.
            changed: Called after a request that may have changed the registry, before its answer.
        """
        self._moto = DomainDispatcherApplication(create_backend_app)
        # moto would read the list of its own folders, some two hundred, at each request.
        remembered = lru_cache(256)(self._moto.get_backend_for_host)
        self._moto.get_backend_for_host = remembered  # type: ignore[method-assign]
        pages = {"GET": readers, "POST": changers}
        self._pages = {
            name: (method, page) for method, named in pages.items() for name, page in named.items()
        }
        self._changed = changed
        # moto's registry is plain dictionaries, and the server has one thread per request.
        self._one_at_a_time = threading.Lock()

    def service(self, environ: dict[str, Any]) -> str:
        """Return the name of the moto service that would answer, such as ``iotdata``."""
        return str(self._moto.get_application(environ).service)  # type: ignore[attr-defined]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        root, _, path = environ["PATH_INFO"].removeprefix("/").partition("/")
        page, _, rest = path.partition("/")
        if root == "_sandbox" and page in self._pages:
            return self._answer(page, rest, environ, start_response)
        with self._one_at_a_time:
            answer = list(self._moto(environ, start_response))
            if environ["REQUEST_METHOD"] != "GET":
                self._changed()
        return answer

    def _answer(
        self, name: str, rest: str, environ: dict[str, Any], start_response: Any
    ) -> Iterable[bytes]:
        method, page = self._pages[name]
        if environ["REQUEST_METHOD"] != method:
            start_response("405 Method Not Allowed", [("Allow", method)])
            return []
        body = json.dumps(page(rest)).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body]


def serve(application: Application, port: int) -> BaseWSGIServer:
    """Serve *application* on loopback, in a thread of its own.

    Args:
        application: What answers.
        port: The port to listen on; 0, or one that is taken, means any free port.

    Returns:
        The running server: ``.port``, and ``.shutdown()`` to end it.
    """
    try:
        listener = socket.create_server((LOOPBACK, port), backlog=128)
    except OSError:
        listener = socket.create_server((LOOPBACK, 0), backlog=128)
    with listener:
        server = make_server(
            LOOPBACK,
            listener.getsockname()[1],
            application,
            threaded=True,
            request_handler=QuietHandler,
            fd=listener.fileno(),  # werkzeug takes a copy; alone it would exit on a taken port
        )
    threading.Thread(target=server.serve_forever, name="control plane", daemon=True).start()
    return server
