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


@dataclass(frozen=True)
class Readable:
    """Something to read: HTML in a notebook, plain text everywhere else."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def line(text: str) -> Readable:
    """Return a sentence as a paragraph."""
    return Readable(text, f"<p>{escape(text)}</p>")


@dataclass(frozen=True)
class Judged:
    """A table's cell that is as it should be, or not. A sign says so, and a colour.

    >>> print(Judged("ALLOWED", right=False))
    ✗ ALLOWED
    """

    text: str
    right: bool

    def __str__(self) -> str:
        return f"{'✓' if self.right else '✗'} {self.text}"

    @property
    def html(self) -> str:
        """The same with its colour."""
        shown = escape(str(self)).replace(" ", "&nbsp;", 1)
        return f'<span style="{_STYLES[self.right]}1px 6px">{shown}</span>'


def verdict_box(right: bool, heading: str, sentences: Sequence[str] = ()) -> Readable:
    """Return a coloured box: a heading with its sign, and sentences below.

    Args:
        right: Whether all is as it should be: green, else red.
        heading: A few words, such as *Well done.*
        sentences: One paragraph each.
    """
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
    lines = ["<table><thead>", _row(headers, 'th scope="col"', 'th scope="col"'), "</thead><tbody>"]
    for row in rows:
        drawn.add_row([str(cell) for cell in row])
        lines.append(_row(row, 'th scope="row"', "td"))
    return Readable(str(drawn), "\n".join([*lines, "</tbody></table>"]))


def _row(cells: Sequence[object], first: str, others: str) -> str:
    # A notebook's own style would right-align each cell, and print the first one bold.
    style = "text-align: left" + ("; font-weight: normal" if others == "td" else "")
    written = []
    for tag, cell in zip(chain([first], repeat(others)), cells, strict=False):
        shown = cell.html if isinstance(cell, Judged) else escape(str(cell))
        written.append(f'<{tag} style="{style}">{shown}</{tag[:2]}>')
    return f"<tr>{''.join(written)}</tr>"
