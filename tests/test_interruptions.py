"""Killed at any of the lesson's calls, and resumed: everything is made, and nothing left over."""

import itertools
from collections.abc import Iterable
from typing import Any

import in_process
import lessons
import pytest

from helpers import closing

pytestmark = pytest.mark.usefixtures("nowhere")

KINDS = {
    "own account": (in_process.own_account, lessons.small),
    "own account, by hand": (in_process.own_account, lessons.by_hand),
    "shared account": (in_process.shared_account, lessons.small),
}


class Killed(BaseException):
    """Nothing in the lesson catches it."""


class Line:
    """The way to AWS: it can be cut at one request, before or after that is carried out."""

    def __init__(self) -> None:
        self.requests = 0
        self.cut_at = 0
        self.carried_out = False
        self.with_what: type[BaseException] = Killed

    def cut(self, at: int, *, carried_out: bool) -> None:
        self.requests, self.cut_at, self.carried_out = 0, at, carried_out

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests += 1
        if self.requests != self.cut_at:
            return in_process.plane()(environ, start_response)
        if self.carried_out:
            list(in_process.plane()(environ, start_response))
        raise self.with_what


@pytest.mark.parametrize("carried_out", [True, False], ids=["answer unheard", "not sent"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_in_the_lesson(kind: str, carried_out: bool) -> None:
    make, lesson = KINDS[kind]
    line = Line()
    aws = make(line)
    lessons.others(aws.learner)
    theirs = in_process.holdings()
    for call in itertools.count(1):
        line.cut(call, carried_out=carried_out)
        try:
            lesson(aws)
        except Killed:
            line.cut(0, carried_out=False)
            lesson(aws)
            lessons.assert_complete(aws)
            closing.clean_up(aws)
            assert in_process.holdings() == theirs, call
            assert lessons.left_over() == [], call
        else:
            break
    assert call > 7


@pytest.mark.parametrize("carried_out", [True, False], ids=["answer unheard", "not sent"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_cleaned_up_at_once(kind: str, carried_out: bool) -> None:
    """Without finishing the lesson first; and the clean-up is killed in its turn."""
    make, lesson = KINDS[kind]
    line = Line()
    aws = make(line)
    lessons.others(aws.learner)
    theirs = in_process.holdings()

    def both() -> None:
        lesson(aws)
        closing.clean_up(aws)

    for call in itertools.count(1):
        line.cut(call, carried_out=carried_out)
        try:
            both()
        except Killed:
            line.cut(0, carried_out=False)
            closing.clean_up(aws)
            assert in_process.holdings() == theirs, call
            assert lessons.left_over() == [], call
        else:
            break
    assert call > 25
