"""The front door of a sandbox: who may ask, from where, and in which account.

A browser lets any page send requests to any port of its machine. None of them comes past here:
what a page sends names the page as its origin, bears no signature, or asks for another host.
"""

import re
from collections.abc import Iterable
from typing import Any

from sandbox.accounts import Member, Members
from sandbox.aws_api import ACCOUNT_HEADER, Signature, refusal
from sandbox.control import Application
from sandbox.errors import AwsError
from sandbox.process import ACCOUNT

NAMES = ("127.0.0.1", "localhost", "[::1]")
"""The hosts that the sandbox goes by. A page may have its own name lead here, and is refused."""
_HERE = re.compile(rf"(?:{'|'.join(map(re.escape, NAMES))})(?::(?P<port>[0-9]{{1,5}}))?")
PAGES_FOR_LEARNERS = ("about", "refusals", "passed")
"""The sandbox's own pages that are about one account."""


class FrontDoor:
    """A WSGI application that lets in requests of this machine's programs, and no web page's."""

    def __init__(self, plane: Application, members: Members | None = None) -> None:
        """Set up the door.

        Args:
            plane: What answers those that are let in.
            members: The class: each access key of it opens its own account, and nothing else.
                Without a class any access key opens the one account.
        """
        self._plane = plane
        self._members = members

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, in the account that it may use."""
        try:
            _check_sender(environ)
            environ[ACCOUNT_HEADER] = self._account(environ)
        except AwsError as problem:
            return refusal(problem, environ)(environ, start_response)
        return self._plane(environ, start_response)

    def _account(self, environ: dict[str, Any]) -> str:
        if self._members is None:
            return ACCOUNT
        access_key = Signature.read(environ["HTTP_AUTHORIZATION"]).access_key
        member = self._members.holder(access_key)
        if member is None:
            raise AwsError(
                403,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        if not member.teacher:
            _confine(environ, member)
        return member.account


def is_here(host: str, port: str | None = None) -> bool:
    """Return whether a host, as a header has it, is this machine; with *port*, at that port.

    >>> is_here("localhost:8888"), is_here("localhost:8888", "80"), is_here("localhost.example")
    (True, False, False)
    """
    found = _HERE.fullmatch(host)
    return found is not None and port in (None, found["port"])


def _check_sender(environ: dict[str, Any]) -> None:
    port = environ["SERVER_PORT"]
    host = environ.get("HTTP_HOST", "")
    if not is_here(host, port):
        raise AwsError(
            403, "AccessDeniedException", f"Ask {NAMES[0]}:{port}; {host or 'no host'} is not here."
        )
    origin = environ.get("HTTP_ORIGIN", f"http://{host}")
    site = environ.get("HTTP_SEC_FETCH_SITE", "none")
    if origin != f"http://{host}" or site not in ("none", "same-origin"):
        raise AwsError(403, "AccessDeniedException", "The sandbox answers no web page.")
    if not environ.get("HTTP_AUTHORIZATION"):
        raise AwsError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")


def _confine(environ: dict[str, Any], member: Member) -> None:
    """Confine a request for a page of the sandbox to the learner's own account."""
    root, _, path = environ["PATH_INFO"].removeprefix("/").partition("/")
    if root != "_sandbox":
        return
    page, _, rest = path.partition("/")
    if page not in PAGES_FOR_LEARNERS:
        raise AwsError(403, "AccessDeniedException", "This is not open to a learner's access key.")
    own = filter(None, (page, member.account, rest.partition("/")[2]))
    environ["PATH_INFO"] = f"/_sandbox/{'/'.join(own)}"
