"""How a program or a test of a suite ended."""

from dataclasses import asdict, dataclass
from typing import Self

from outside.typist import Session


@dataclass(frozen=True)
class Result:
    """One program, or one test of a suite."""

    name: str
    passed: bool
    failed: list[str]
    """What did not hold of what would hold on AWS."""
    text: str = ""
    """What it printed."""

    @classmethod
    def of(cls, name: str, said: Session, **held: bool) -> Self:
        """Judge a program: it ended with 0, asked what was foreseen, and what is named held."""
        failed = [each for each, holds in held.items() if not holds]
        if said.problem:
            failed.append(said.problem)
        if said.exit_code != 0:
            failed.append(f"exit code {said.exit_code}")
        return cls(name, not failed, failed, said.text)

    def to_json(self) -> dict[str, object]:
        """Return its fields as values that JSON can hold."""
        return asdict(self)
