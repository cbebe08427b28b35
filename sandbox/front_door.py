"""The front door of a class's sandbox: each access key opens its own account, and nothing else."""

import json
from collections.abc import Iterable
from typing import Any

from sandbox.accounts import Member, Members
from sandbox.control import ControlPlane

SERVICES = ("iot", "iotdata")
"""What the lesson needs of moto; its other services and its own pages stay closed."""
PAGES_FOR_LEARNERS = ("about", "refusals", "passed")
"""The sandbox's own pages that are about one account."""

_UNRECOGNIZED = (
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
)
_DENIED = ("AccessDeniedException", "This is not open to a learner's access key.")


class FrontDoor:
    """A WSGI application that lets in whoever holds an access key of the class."""

    def __init__(self, plane: ControlPlane, members: Members) -> None:
        self._plane = plane
        self._members = members

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, in the account of the member who sent it."""
        access_key, service = signed_for(environ.get("HTTP_AUTHORIZATION", ""))
        member = self._members.holder(access_key)
        if member is None:
            return _refuse(start_response, *_UNRECOGNIZED)
        # Always set here, so that whatever the client sent under this name counts for nothing.
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = member.account
        if not member.teacher and not self._confine(environ, member, service):
            return _refuse(start_response, *_DENIED)
        return self._plane(environ, start_response)

    def _confine(self, environ: dict[str, Any], member: Member, service: str) -> bool:
        """Confine a request to the learner's account; return whether it may be answered at all."""
        root, _, path = environ["PATH_INFO"].removeprefix("/").partition("/")
        if root != "_sandbox":
            # moto goes by the signature, except where a path leads to its own pages.
            return service in SERVICES and self._plane.service(environ) in SERVICES
        page, _, rest = path.partition("/")
        detail = rest.partition("/")[2]
        own = filter(None, (page, member.account, detail))
        environ["PATH_INFO"] = f"/_sandbox/{'/'.join(own)}"
        return page in PAGES_FOR_LEARNERS


def signed_for(authorization: str) -> tuple[str, str]:
    """Read access key id and service from a request's signature; empty where there are none.

    >>> signed_for("AWS4-HMAC-SHA256 Credential=CLASS1/20171001/eu-west-1/iot/aws4_request, …")
    ('CLASS1', 'iot')

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    _, _, credential = authorization.partition("Credential=")
    parts = credential.split("/")
    return parts[0], parts[3] if len(parts) > 3 else ""


def _refuse(start_response: Any, code: str, message: str) -> Iterable[bytes]:
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
    start_response("403 Forbidden", headers)
    return [json.dumps({"message": message}).encode()]
