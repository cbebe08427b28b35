"""What reads well in a notebook, in a terminal and in the post: tables, verdicts, boxes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, repeat

from prettytable import PrettyTable

_STYLES = {
    True: "background: #d9f2df; border-radius: 4px; color: #0b4a1b; padding: ",
    False: "background: #fde0dd; border-radius: 4px; color: #7a1410; padding: ",
}
"""Green and red, ground and text together: they read well on a light page and on a dark one."""

# A notebook's own style would right-align each cell, and print a row's first one bold.
_HEAD = 'th scope="col" style="padding: 4px; text-align: left"'
_FIRST = 'th scope="row" style="font-weight: normal; padding: 4px; text-align: left"'
_CELL = 'td style="padding: 4px; text-align: left"'


@dataclass(frozen=True)
class Readable:
    """Something to read: HTML in a notebook, plain text everywhere else."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


@dataclass(frozen=True)
class Judged:
    """A table's cell that is as it should be, or not. A sign says so, and a colour."""

    text: str
    right: bool

    def __str__(self) -> str:
        return f"{'✓' if self.right else '✗'} {self.text}"

    @property
    def html(self) -> str:
        """The same with its colour."""
        # At 200 %, six columns find room only where IMPLICIT_DENY may break.
        shown = escape(str(self)).replace(" ", "&nbsp;", 1).replace("_", "_<wbr>")
        form = "1px 3px; display: inline-block; font-size: 0.9em"
        return f'<span style="{_STYLES[self.right]}{form}">{shown}</span>'


def verdict_box(right: bool, heading: str, sentences: Sequence[str] = ()) -> Readable:
    """Return a box, green or red: a heading, such as *Well done.*, and sentences below."""
    title = str(Judged(heading, right))
    below = "".join(f"<div>{escape(each)}</div>" for each in sentences)
    html = f'<div style="{_STYLES[right]}8px 14px"><b>{escape(title)}</b>{below}</div>'
    return Readable(" ".join([title, *sentences]), html)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Readable:
    """Lay out rows under headers, left aligned: HTML in a notebook, plain text elsewhere.

    >>> table(["May the button …", "my-posted"], [["connect", Judged("ALLOWED", right=True)]])
    +------------------+-----------+
    | May the button … | my-posted |
    +------------------+-----------+
    | connect          | ✓ ALLOWED |
    +------------------+-----------+
    """
    drawn = PrettyTable(list(headers), align="l")
    lines = ["<table><thead>", _row(headers, _HEAD), "</thead><tbody>"]
    for row in rows:
        drawn.add_row([str(cell) for cell in row])
        lines.append(_row(row, _FIRST, _CELL))
    return Readable(str(drawn), "\n".join([*lines, "</tbody></table>"]))


def _row(cells: Iterable[object], *tags: str) -> str:
    """Write the first cell with the first tag, the others with the last one."""
    shown = (cell.html if isinstance(cell, Judged) else escape(str(cell)) for cell in cells)
    pairs = zip(chain(tags, repeat(tags[-1])), shown, strict=False)
    return f"<tr>{''.join(f'<{tag}>{each}</{tag[:2]}>' for tag, each in pairs)}</tr>"
