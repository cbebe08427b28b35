"""What a check says: whether an exercise is done, what was proved, or what is wrong first."""

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from helpers.account import Account
from helpers.errors import LessonError
from helpers.table import Readable, verdict_box


@dataclass(frozen=True)
class Result:
    """Whether an exercise is done: what was proved, or what is wrong first."""

    missing: str = ""
    """What is wrong; empty where the exercise is done."""
    remedy: str = ""
    """How to put it right."""
    proved: str = ""
    next: str = ""

    @property
    def passed(self) -> bool:
        """Whether the exercise is done."""
        return not self.missing

    @property
    def cure(self) -> Readable:
        """What is wrong once more, and how to put it right."""
        if self.passed:
            return Readable("Nothing is wrong.", verdict_box(True, "Nothing is wrong.").html)
        told = verdict_box(False, self.missing, [self.remedy])
        return Readable(f"{self.missing} {self.remedy}", told.html)

    def __repr__(self) -> str:
        return " ".join(self._words())

    def _repr_html_(self) -> str:
        heading, *sentences = self._words()
        return verdict_box(self.passed, heading, sentences).html

    def _words(self) -> list[str]:
        if self.passed:
            return ["Well done.", self.proved, self.next]
        return ["Not yet.", self.missing, "For the cure, run the check with .cure at its end."]


class NotYet(Exception):
    """What is wrong, and how to put it right: the first two fields of a result."""


def want(right: object, missing: str, cure: str) -> None:
    """Raise what is wrong, unless *right* holds."""
    if not right:
        raise NotYet(missing, cure)


def expect(given: object, kind: type, name: str) -> None:
    """Raise LessonError where a name of the notebook stands for something of another kind."""
    if not isinstance(given, kind):
        raise LessonError(
            f"{name} should be a {kind.__name__}, and is {reprlib.repr(given)}: run the cells from "
            "the top.",
            entry="What a cell needs is gone",
        )


_P = ParamSpec("_P")
_Look = Callable[Concatenate[Account, _P], None]
_Check = Callable[Concatenate[Account, _P], Result]


def exercise(name: str, proved: str, then: str) -> Callable[[_Look[_P]], _Check[_P]]:
    """Make a check of a function that raises what is wrong; where nothing is, record it as done."""

    def decorate(look: _Look[_P]) -> _Check[_P]:
        def check(account: Account, /, *args: _P.args, **kwargs: _P.kwargs) -> Result:
            expect(account, Account, "aws")
            try:
                look(account, *args, **kwargs)
            except NotYet as problem:
                return Result(*problem.args)
            account.passed(name)
            return Result(proved=proved, next=then)

        return wraps(look)(check)

    return decorate
