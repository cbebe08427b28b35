"""The sandbox as awkward as AWS: throttling, errors, lost answers, and detaching that takes time.

What goes wrong is decided by a seed: the same seed and the same calls give the same trouble.
"""

import io
import random
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.aws_api import refusal
from sandbox.control import Application
from sandbox.errors import AwsError

THROTTLED, FAILED, LOST = "throttled", "failed", "lost"
ODDS = {THROTTLED: 0.08, FAILED: 0.05, LOST: 0.05}
"""How often a request ends in each."""
CALLS_LATER = (2, 6)
"""A detachment takes effect after 2 to 6 more requests: on AWS, after seconds to minutes."""

_DETACHING = {"POST": r"/target-policies/", "DELETE": r"/things/[^/]+/principals"}
_ATTACHING = {"PUT": r"/target-policies/|/things/[^/]+/principals"}

_ERRORS = {
    THROTTLED: AwsError(400, "ThrottlingException", "Rate exceeded"),
    FAILED: AwsError(500, "InternalFailureException", "An error occurred"),
}


class LostAnswer(ConnectionError):
    """The request was carried out, but its answer is not sent: the server hangs up.

    That is what waitress does at any OSError.
    """


@dataclass(frozen=True)
class _Later:
    due: int
    environ: dict[str, Any]
    body: bytes


class Faults:
    """A WSGI application in front of AWS's API that throttles, fails and loses answers.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/CommonErrors.html
    """

    def __init__(self, plane: Application, seed: int) -> None:
        self._plane = plane
        self._dice = random.Random(seed)  # noqa: S311  a plan, not a secret
        self._requests = 0
        self._waiting: list[_Later] = []
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, unless its answer is to be lost.

        Raises:
            LostAnswer: it was carried out, and no answer is to be sent.
        """
        if environ["PATH_INFO"].startswith("/_sandbox/"):
            return self._plane(environ, start_response)
        with self._one_at_a_time:
            return self._answer(environ, start_response)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self._requests += 1
        self._catch_up(everything=_matches(_ATTACHING, environ))
        happens = self._next()
        if happens in _ERRORS:
            return refusal(_ERRORS[happens], environ)(environ, start_response)
        if _matches(_DETACHING, environ):
            answer = self._put_off(environ, start_response)
        else:
            answer = self._plane(environ, start_response)
        if happens == LOST:
            raise LostAnswer("the sandbox was told to lose an answer now and then")
        return answer

    def _next(self) -> str | None:
        drawn = self._dice.random()
        for fault, odds in ODDS.items():
            if drawn < odds:
                return fault
            drawn -= odds
        return None

    def _put_off(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        due = self._requests + self._dice.randint(*CALLS_LATER)
        self._waiting.append(_Later(due, dict(environ), body))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b"{}"]

    def _catch_up(self, *, everything: bool) -> None:
        # What is attached anew stays attached: AWS keeps the order in which it was asked.
        due = [each for each in self._waiting if everything or each.due <= self._requests]
        self._waiting = [each for each in self._waiting if each not in due]
        for each in due:
            again = each.environ | {"wsgi.input": io.BytesIO(each.body)}
            list(self._plane(again, lambda *_: None))


def _matches(calls: dict[str, str], environ: dict[str, Any]) -> bool:
    pattern = calls.get(environ["REQUEST_METHOD"])
    return pattern is not None and re.match(pattern, environ["PATH_INFO"]) is not None
