"""The lesson's pictures: what each shows, where it stands, and where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass

from docs import overview


@dataclass(frozen=True)
class Picture:
    """One picture, and the cell that it follows."""

    name: str
    """As the post names it."""
    notebook: str
    cell: str
    """Id of the cell after which it is shown."""
    alternative: str
    """What it shows, for who cannot see it."""
    content: Callable[[], bytes]
    file: str
    note: str = ""
    """A line of Markdown below it."""


PICTURES = (
    Picture(
        "thunderball-overview",
        "03-certificate",
        "why",
        overview.ALTERNATIVE,
        overview.draw,
        "thunderball-overview.svg",
    ),
)


def after(notebook: str, cell: str) -> list[Picture]:
    """Give the pictures that follow a cell, in order."""
    return [each for each in PICTURES if (each.notebook, each.cell) == (notebook, cell)]
