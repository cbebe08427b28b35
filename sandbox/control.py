"""The control plane: AWS's API, and pages of the sandbox's own."""

import json
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from moto.iot.models import iot_backends
from werkzeug.wrappers import Response

from sandbox import aws_api
from sandbox.errors import AwsError

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""What answers a request; see WSGI."""
Page = Callable[[str], object]
"""Takes what follows the page's name in the path; returns what is answered, as JSON."""
Result = TypeVar("Result")

_log = logging.getLogger("sandbox")


class ControlPlane:
    """A WSGI application: AWS's API, and the sandbox's own pages under ``/_sandbox/``."""

    def __init__(
        self,
        *,
        readers: dict[str, Page],
        changers: dict[str, Page],
        changed: Callable[[], None],
        emptied: Callable[[str], None] = lambda account: None,
    ) -> None:
        """Set up the control plane.

        Args:
            readers: The pages that change nothing, by name: they answer GET.
            changers: The pages that change something, by name: they answer POST.
            changed: Called after a request that may have changed the registry, before its answer;
                raises an error, OSError for one, if the change cannot be kept, and has then undone
                it.
            emptied: Called with an account that holds nothing any more.
        """
        pages = {"GET": readers, "POST": {**changers, "empty": self._empty}}
        self._pages = {
            name: (method, page) for method, named in pages.items() for name, page in named.items()
        }
        self._changed = changed
        self._emptied = emptied
        # moto's registry is plain dictionaries, and the server has several threads.
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        try:
            response = self._answer(environ)
        except AwsError as problem:
            response = aws_api.refusal(problem, environ)
        return response(environ, start_response)

    def between_requests(self, work: Callable[[], Result]) -> Result:
        """Do some work on the registry while no request is answered; return what comes of it."""
        with self._one_at_a_time:
            return work()

    def _answer(self, environ: dict[str, Any]) -> Response:
        root, _, path = environ["PATH_INFO"].removeprefix("/").partition("/")
        if root == "_sandbox":
            return self._page(path, environ["REQUEST_METHOD"])
        with self._one_at_a_time:
            response = aws_api.answer(environ)
            if environ["REQUEST_METHOD"] != "GET":
                self._keep(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return response

    def _page(self, path: str, asked: str) -> Response:
        name, _, rest = path.partition("/")
        if name not in self._pages:
            raise AwsError(404, "ResourceNotFoundException", f"The sandbox has no page {name!r}.")
        method, page = self._pages[name]
        if asked != method:
            return Response(status=405, headers={"Allow": method})
        try:
            return Response(json.dumps(page(rest)), mimetype="application/json")
        except ValueError as problem:
            raise AwsError(400, "InvalidRequestException", str(problem)) from problem

    def _empty(self, account: str) -> object:
        """Delete all that an account holds, at once; return whether it held anything.

        The broker's next sweep cuts the devices that are connected.
        """
        with self._one_at_a_time:
            held = iot_backends.pop(account, None)
            self._keep("emptying an account")
            self._emptied(account)
        return held is not None

    def _keep(self, what: str) -> None:
        try:
            self._changed()
        except OSError as problem:
            _log.error("what was asked is undone, for it cannot be kept: %s", problem)
            raise AwsError(
                503,
                "ServiceUnavailableException",
                f"The sandbox cannot write what it knows ({problem.strerror}): nothing is changed. "
                "Make room, then try again.",
            ) from problem
        except Exception as problem:
            raise aws_api.failure(what, problem) from problem
