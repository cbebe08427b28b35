"""Tables that read well in a notebook, in a terminal and in the post."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prettytable import PrettyTable


@dataclass(frozen=True)
class Readable:
    """Something to read: HTML in a notebook, plain text everywhere else."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> PrettyTable:
    """Lay out rows under headers, left aligned: HTML in a notebook, plain text elsewhere.

    >>> print(table(["Step", "Done"], [["Thing", "yes"]]))
    +-------+------+
    | Step  | Done |
    +-------+------+
    | Thing | yes  |
    +-------+------+
    """
    # format=True left-aligns each cell in HTML, where a notebook's own style would right-align it.
    result = PrettyTable(list(headers), align="l", format=True)
    result.add_rows([list(row) for row in rows])
    return result
