"""The lesson on an AWS that throttles, fails, loses answers and detaches late: 200 seeds of it."""

from collections.abc import Callable

import in_process
import lessons
import pytest

from helpers import closing
from helpers.account import Account
from helpers.sandbox.faults import Application, Faults

SEEDS = range(100)
"""For each of the two kinds of account."""
MORE_SEEDS = range(100, 1000)

pytestmark = pytest.mark.usefixtures("nowhere")

Kind = Callable[[Application], Account]


def run(kind: Kind, lesson: Callable[[Account], None], seed: int) -> None:
    """The lesson ends with everything made, the clean-up with nothing left, others untouched."""
    calm = kind(in_process.plane())
    lessons.others(calm.learner)
    theirs = in_process.holdings()
    aws = kind(Faults(in_process.plane(), seed))
    lessons.until_it_works(lambda: lesson(aws))
    lessons.assert_complete(calm)
    lessons.until_it_works(lambda: closing.clean_up(aws))
    assert in_process.holdings() == theirs
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
