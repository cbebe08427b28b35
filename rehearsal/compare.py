"""Compare two recordings: what differs in code, text, shape, order and time."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

WITHIN = 5.0
"""Seconds by which two times may differ: AWS is farther away than a sandbox."""
KINDS = {"status": "code", "code": "code", "outcome": "code", "text": "text", "seconds": "time"}
"""What kind of difference a field makes; any other makes one of shape."""
NOT_COMPARED = {"retries"}

Entry = TypeVar("Entry")


class Difference(NamedTuple):
    """Something that is not the same in two recordings."""

    kind: str
    """``code``, ``text``, ``shape``, ``order`` or ``time``."""
    where: str
    """The cell, what was asked in it, and which part of the answer."""
    recorded: object
    now: object

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.recorded} in the recording, {self.now} now"


class Cell(NamedTuple):
    """What happened in a cell of a notebook, or in another part of a rehearsal."""

    name: str
    events: list[dict[str, Any]]


def read(file: Path) -> list[Cell]:
    """Read a recording; its first line, which says what it is, is left out.

    Raises:
        ValueError: it is none.
    """
    head, *lines = map(json.loads, file.read_text("utf-8").splitlines() or ["{}"])
    if head.get("rehearsal") != 1:
        raise ValueError(f"{file} is no recording of a rehearsal")
    cells: list[Cell] = []
    for event in lines:
        if "cell" in event:
            cells.append(Cell(event["cell"], []))
        else:
            cells[-1].events.append(event)
    return cells


def compare(recorded: list[Cell], now: list[Cell], *, within: float = WITHIN) -> list[str]:
    """List what differs, a line each; what differs several times in the same way stands once.

    Args:
        recorded: A recording, such as one of AWS.
        now: Another one, such as a new one of the sandbox.
        within: Seconds by which two times may differ.
    """
    found: list[Difference] = []
    for before, after in _pairs(recorded, now, lambda cell: cell.name, "", found):
        events = _pairs(before.events, after.events, _name, f"{before.name}, ", found)
        for one, other in events:
            where = f"{before.name}, {_name(one)}"
            for field in sorted((one.keys() | other.keys()) - NOT_COMPARED):
                path, sides = f"{where}, {field}", (one.get(field), other.get(field))
                if field != "seconds":
                    found += _values(KINDS.get(field, "shape"), path, *sides)
                elif abs(one[field] - other[field]) > within:
                    found.append(Difference("time", path, *sides))
    return [
        f"{each} ({n} times)" if n > 1 else each for each, n in Counter(map(str, found)).items()
    ]


def _name(event: dict[str, Any]) -> str:
    """Name what happened; where two events have the same name, they can be compared."""
    return event.get("call") or event.get("mqtt") or "end"


def _pairs(
    recorded: list[Entry],
    now: list[Entry],
    name: Callable[[Entry], str],
    where: str,
    found: list[Difference],
) -> Iterator[tuple[Entry, Entry]]:
    """Iterate over what is in both, in the same order; of the rest, add the differences."""
    names = [*map(name, recorded)], [*map(name, now)]
    alone: list[str] = []
    for kind, at, until, there, end in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from zip(recorded[at:until], now[there:end], strict=True)
        else:
            alone += names[0][at:until] + names[1][there:end]
    for each in dict.fromkeys(alone):
        sides = [f"there {_times(names[side].count(each))}" for side in (0, 1)]
        if sides[0] == sides[1]:
            sides = ["in one place", "in another"]
        found.append(Difference("order", f"{where}{each}", *sides))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _values(kind: str, path: str, recorded: Any, now: Any) -> Iterator[Difference]:
    """Find the parts in which two values differ; a list in another order is one difference."""
    if recorded == now:
        return
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in sorted(recorded.keys() | now.keys()):
            yield from _values(kind, f"{path}.{key}", recorded.get(key), now.get(key))
    elif isinstance(recorded, list) and isinstance(now, list) and _sorted(recorded) == _sorted(now):
        yield Difference("order", path, json.dumps(recorded), json.dumps(now))
    elif isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        for number, (one, other) in enumerate(zip(recorded, now, strict=True)):
            yield from _values(kind, f"{path}[{number}]", one, other)
    else:
        yield Difference(kind, path, json.dumps(recorded), json.dumps(now))


def _sorted(values: list[Any]) -> list[str]:
    return sorted(map(json.dumps, values))
