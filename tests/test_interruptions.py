"""Killed at any of the lesson's calls, and resumed: everything is made, and nothing left over."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import in_process
import lessons
import pytest

from helpers import closing
from helpers.account import Account
from publish.notebooks import ROOT
from sandbox import process

BY_HAND = "own account, by hand"
KINDS = {
    "own account": (in_process.own_account, lessons.small),
    BY_HAND: (in_process.own_account, lessons.by_hand),
    "shared account": (in_process.shared_account, lessons.small),
}
ANSWERS = pytest.mark.parametrize(
    "carried_out",
    [True, pytest.param(False, marks=pytest.mark.long)],
    ids=["answer unheard", "not sent"],
)


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
            return in_process.sandbox()(environ, start_response)
        if self.carried_out:
            list(in_process.sandbox()(environ, start_response))
        raise self.with_what


@pytest.mark.usefixtures("nowhere")
@ANSWERS
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


@pytest.mark.usefixtures("nowhere")
@ANSWERS
@pytest.mark.parametrize(
    "kind", ["own account", pytest.param(BY_HAND, marks=pytest.mark.long), "shared account"]
)
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


DYING = """
import os, sys
import lessons
from helpers.account import connect

left = int(sys.argv[1])

def die(**_):
    global left
    left -= 1
    if not left:
        os._exit(9)

aws = connect()
aws.iot.meta.events.register_first("needs-retry.iot", die)
lessons.small(aws)
"""


@pytest.mark.long
def test_a_real_process_killed_at_each_answer(aws: Account, tmp_path: Path) -> None:
    """The same with a process that ends without a word, against the sandbox's own process."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    env = os.environ | {"PYTHONPATH": path, "IOT_TUTORIAL_STATE_DIR": str(process.state_dir())}
    for call in itertools.count(1):
        command = [sys.executable, "-c", DYING, str(call)]
        code = subprocess.run(command, env=env, cwd=tmp_path, timeout=60).returncode
        if code == 0:
            break
        assert code == 9
        lessons.small(aws)
        lessons.assert_complete(aws)
        closing.clean_up(aws)
        assert lessons.left_over() == []
        assert aws.iot.list_certificates()["certificates"] == []
    assert call > 7
