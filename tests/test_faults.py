"""The lesson on an AWS that throttles, fails, loses answers and detaches late: 200 seeds of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import in_process
import lessons
import pytest

from helpers import closing
from helpers.account import Account
from helpers.sandbox.faults import Application, Faults

SEEDS = range(100)
"""For each of the two kinds of account."""
MORE_SEEDS = range(100, 1000)

Kind = Callable[[Application], Account]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account and an empty folder; waiting takes no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with lessons.few_keys(monkeypatch):
        in_process.empty()
        yield


def run(kind: Kind, lesson: Callable[[Account], None], seed: int) -> None:
    """The lesson ends with everything made, the clean-up with nothing left, others untouched."""
    calm = kind(in_process.plane())
    others = lessons.Others(calm.learner)
    theirs = others.everything()
    aws = kind(Faults(in_process.plane(), seed))
    lessons.until_it_works(lambda: lesson(aws))
    lessons.assert_complete(calm)
    lessons.until_it_works(lambda: closing.clean_up(aws))
    assert others.everything() == theirs
    assert lessons.left_over() == []


class TestOwnAccount:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_seed(self, seed: int) -> None:
        run(in_process.own_account, (lessons.small, lessons.by_hand)[seed % 2], seed)

    @pytest.mark.long
    @pytest.mark.parametrize("seed", MORE_SEEDS)
    def test_more(self, seed: int) -> None:
        run(in_process.own_account, (lessons.small, lessons.by_hand)[seed % 2], seed)


class TestSharedAccount:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_seed(self, seed: int) -> None:
        run(in_process.shared_account, lessons.small, seed)

    @pytest.mark.long
    @pytest.mark.parametrize("seed", MORE_SEEDS)
    def test_more(self, seed: int) -> None:
        run(in_process.shared_account, lessons.small, seed)
