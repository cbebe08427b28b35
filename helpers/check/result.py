"""What a check says."""

from collections.abc import Iterator
from dataclasses import dataclass

from helpers.account import Account


@dataclass(frozen=True)
class Result:
    """Whether an exercise is done, and if not, what is missing first."""

    missing: str
    """One sentence; empty where the exercise is done."""

    @property
    def passed(self) -> bool:
        """Whether the exercise is done."""
        return not self.missing

    def __repr__(self) -> str:
        return "Well done." if self.passed else f"Not yet. {self.missing}"


def conclude(account: Account, exercise: str, missing: Iterator[str]) -> Result:
    """Make the result of a check.

    Args:
        account: Whose exercise it is; an exercise that is done is taken down there.
        exercise: Its name.
        missing: What is missing, the first thing first; nothing where it is done.
    """
    result = Result(next(missing, ""))
    if result.passed:
        account.passed(exercise)
    return result
