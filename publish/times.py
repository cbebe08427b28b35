"""How long a notebook takes, by a formula: ``python -m publish.times`` prints it for each.

200 words of prose a minute, half a minute for each cell of code, five minutes for each exercise.
"""

import math
import re
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from publish.addresses import without_addresses
from publish.notebooks import FOLDER, NOTEBOOKS

WORDS_PER_MINUTE = 200
MINUTES_PER_CELL = 0.5
MINUTES_PER_EXERCISE = 5
ROUNDED_UP_TO = 5
"""Minutes. Nobody can tell 17 from 18, and a lesson that takes longer than it says annoys."""
ANSWER = "-answer"
"""The end of the id of a cell that folds an exercise's answer away; what is before it names it."""


class Time(NamedTuple):
    """How long a notebook takes, in minutes."""

    reading: int
    """Reading it and running its cells, without the exercises."""
    exercises: int

    def __str__(self) -> str:
        which = "exercise" if self.exercises == MINUTES_PER_EXERCISE else "exercises"
        return f"{self.reading} minutes, and {self.exercises} for the {which}"


def minutes(notebook: NotebookNode) -> Time:
    """Return how long a notebook takes, rounded up to five minutes."""
    estimate = words(notebook) / WORDS_PER_MINUTE + MINUTES_PER_CELL * cells(notebook)
    return Time(
        math.ceil(estimate / ROUNDED_UP_TO) * ROUNDED_UP_TO,
        MINUTES_PER_EXERCISE * len(exercises(notebook)),
    )


def words(notebook: NotebookNode) -> int:
    """Count the words that are read from top to bottom: neither code nor what is folded away."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return sum(len(re.findall(r"\S*\w\S*", _read_aloud(text))) for text in texts)


def cells(notebook: NotebookNode) -> int:
    """Count the cells of code, without those of the exercises: their five minutes hold them."""
    of_exercises = {f"{name}{end}" for name in exercises(notebook) for end in ("", "-check")}
    code = [cell.id for cell in notebook.cells if cell.cell_type == "code"]
    return len(code) - len(of_exercises.intersection(code))


def exercises(notebook: NotebookNode) -> list[str]:
    """List the exercises, by the ids of the cells that hold their stubs."""
    ids = [cell.id for cell in notebook.cells]
    return [each.removesuffix(ANSWER) for each in ids if each.endswith(ANSWER)]


def _read_aloud(text: str) -> str:
    """Leave of a Markdown text what is read: no folded part, no code block, picture or address."""
    text = without_addresses(text)
    for pattern, instead in (
        (r"(?s)<details>.*?</details>", ""),
        (r"(?ms)^```.*?^```", ""),
        (r"!\[.*?\]\(.*?\)", ""),
        (r"\[(.*?)\]\(.*?\)", r"\1"),
        (r"(?m)^\|[-| ]+\|$", ""),
        (r"<[^>]+>", ""),
    ):
        text = re.sub(pattern, instead, text)
    return text


def main() -> None:
    """Print each notebook's numbers, and the sum."""
    total = 0
    for name in NOTEBOOKS:
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
        estimate = words(notebook) / WORDS_PER_MINUTE + MINUTES_PER_CELL * cells(notebook)
        print(
            f"{name:15} {words(notebook):5} words, {cells(notebook):3} cells: {estimate:4.1f} "
            f"minutes. **Time:** {minutes(notebook)}."
        )
        total += sum(minutes(notebook))
    print(f"{total} minutes in all, exercises included")


if __name__ == "__main__":
    main()
