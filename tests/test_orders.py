"""Any cell twice, and any order that a learner tries: no riddle, and nothing that clean-up leaves.

Learners run a cell twice, jump back, skip a section, restart the kernel, clean up too early. Here
each notebook is run so, in orders drawn from a fixed seed, on the sandbox inside this process. An
error may come of it if the learner is told why (:func:`explained`).
"""

import ast
import asyncio
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import in_process
import nbformat
import pytest
from botocore.exceptions import ClientError
from cells import Kernel, code_cells, promised, run_notebook, with_answers
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers import closing
from helpers.account import Account
from helpers.errors import ENTRIES, LessonError
from publish.notebooks import FOLDER, NOTEBOOKS

ORDERS, FEW = 50, 3
"""For each notebook: how many orders, and how many of them without ``--long``."""

# The orders: lists of things that a learner does.


@dataclass(frozen=True)
class Notebook:
    """A notebook's code cells, and the sections that they are in."""

    name: str
    cells: list[NotebookNode]
    sections: list[list[int]]
    """The numbers of the cells below each heading; what connects and catches up is the first."""

    @property
    def all(self) -> list["Act"]:
        return list(range(len(self.cells)))

    @property
    def beginning(self) -> list["Act"]:
        """The cells that connect, and make what is missing of the notebooks before."""
        return [*self.sections[0]]


RESTART, CLEAN_UP = "restart the kernel", "clean up from another notebook"
EARLIER = "run the notebooks before it"
Act = int | str
"""The number of a cell to run, or one of the three above."""


def repeated(book: Notebook, random: Random) -> list[Act]:
    """Run every third cell two or three times."""
    return [act for act in book.all for _ in range(random.choice([1, 1, 1, 1, 2, 3]))]


def jumping_back(book: Notebook, random: Random) -> list[Act]:
    """Go on for a while, go back to where some section begins, and on from there. Twice."""
    acts: list[Act] = []
    begin = 0
    for _ in range(2):
        end = random.randrange(begin + 1, len(book.cells) + 1)
        acts += book.all[begin:end]
        begin = random.choice([numbers[0] for numbers in book.sections if numbers[0] < end])
    return acts + book.all[begin:]


def one_section_again(book: Notebook, random: Random) -> list[Act]:
    """Run an earlier section again at some later moment, and go on from where one was."""
    here = random.randrange(1, len(book.cells) + 1)
    again = random.choice([numbers for numbers in book.sections if numbers[0] < here])
    return [*book.all[:here], *again, *book.all[here:]]


def skipping(book: Notebook, random: Random) -> list[Act]:
    """Leave out one section or two, but not the first."""
    left_out = random.sample(book.sections[1:], random.choice([1, 2]))
    return [act for act in book.all if not any(act in section for section in left_out)]


def twice(book: Notebook, random: Random) -> list[Act]:
    """Run it all, and again: sometimes after a restart, sometimes after a clean-up."""
    between = random.choice([[], [RESTART], [CLEAN_UP], [RESTART, CLEAN_UP]])
    return [*book.all, *between, *book.all]


def restarting(book: Notebook, random: Random) -> list[Act]:
    """Restart, try to go on, run the first cells, and go on."""
    here = random.randrange(1, len(book.cells))
    tried = book.all[here : here + random.randrange(1, 4)]
    return [*book.all[:here], RESTART, *tried, *book.beginning, *book.all[here:]]


def cleaning_up_early(book: Notebook, random: Random) -> list[Act]:
    """Clean up in the middle, and go on: at once, or from the first cells."""
    here = random.randrange(1, len(book.cells))
    again = random.choice([[], book.beginning])
    return [*book.all[:here], CLEAN_UP, *again, *book.all[here:]]


def swapped(book: Notebook, random: Random) -> list[Act]:
    """Run a few cells before others that stand above them."""
    acts = book.all
    for _ in range(random.randrange(2, 5)):
        first = random.randrange(1, len(acts) - 1)
        second = min(first + random.randrange(1, 4), len(acts) - 1)
        acts[first], acts[second] = acts[second], acts[first]
    return acts


def beside_the_others(book: Notebook, random: Random) -> list[Act]:
    """Run the notebooks before it, exercises and all: first, or in the middle."""
    here = random.choice([0, random.randrange(1, len(book.cells))])
    return [*book.all[:here], EARLIER, *book.all[here:]]


def doubled(book: Notebook, _: Random) -> list[Act]:
    """Run every cell twice."""
    return [act for act in book.all for _ in range(2)]


def each_after_a_clean_up(book: Notebook, _: Random) -> list[Act]:
    """Run it all, and then each cell by itself in an account that is empty again."""
    return book.all + [act for cell in book.all for act in (CLEAN_UP, cell)]


def each_after_a_restart(book: Notebook, _: Random) -> list[Act]:
    """Run it all, and then each cell by itself in a new kernel."""
    return book.all + [act for cell in book.all for act in (RESTART, cell)]


WHOLE = {0: doubled, FEW: each_after_a_clean_up, FEW + 1: each_after_a_restart}
"""The orders that leave nothing to chance, by their numbers."""
DRAWN: list[Callable[[Notebook, Random], list[Act]]] = [
    restarting,
    cleaning_up_early,
    jumping_back,
    skipping,
    twice,
    one_section_again,
    swapped,
    beside_the_others,
    repeated,
]


@dataclass(frozen=True)
class Order:
    """What a learner does with one notebook."""

    book: Notebook
    kind: str
    acts: list[Act]
    answered: bool
    """Whether the exercises' answers are put in."""

    @property
    def leaves_out(self) -> bool:
        """Whether what a cell needs can be missing; else only promised errors are explained."""
        return self.kind not in (doubled.__name__, repeated.__name__, twice.__name__)

    def told(self, done: int) -> str:
        """What was done up to an act, for whoever has to find the mistake."""
        return f"{self.book.name}, {self.kind}, answered: {self.answered}: " + ", ".join(
            self.book.cells[act].id if isinstance(act, int) else act.upper()
            for act in self.acts[: done + 1]
        )


def order(name: str, number: int) -> Order:
    """Draw an order: the same one at each run."""
    random = Random(f"{name} {number}")
    # The few that always run are of other kinds in each notebook.
    turn = number - 1 + (FEW - 1) * NOTEBOOKS.index(name)
    kind = WHOLE.get(number) or DRAWN[turn % len(DRAWN)]
    answered = random.random() < 0.5
    book = read(name, answered=answered)
    return Order(book, kind.__name__, kind(book, random), answered)


@cache
def committed(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


@cache
def read(name: str, *, answered: bool) -> Notebook:
    notebook = with_answers(committed(name)) if answered else committed(name)
    sections: list[list[int]] = []
    number = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            sections[-1].append(number)
            number += 1
        elif cell.source.startswith(("# ", "## ")) and (not sections or sections[-1]):
            sections.append([])
    return Notebook(name, code_cells(notebook), [each for each in sections if each])


# What may happen.

TOLD_BY_AWS = {"ResourceNotFoundException", "VersionsLimitExceededException"}
"""What was skipped, or has been cleaned up, is not there or not gone; troubleshooting has both."""


def explained(problem: Exception, found: Order, number: int) -> bool:
    """Whether a learner is told why: by the cell, by the lesson's error, or by a line below it."""
    cell = found.book.cells[number]
    if type(problem).__name__ in promised(cell) or not found.leaves_out:
        return type(problem).__name__ in promised(cell)
    if isinstance(problem, NameError):
        # ``helpers/errors.py`` adds a line to it which says that a cell above makes this name.
        at_the_cell = traceback.extract_tb(problem.__traceback__)[-1].filename == cell.id
        return at_the_cell and problem.name in made_above(found.book, number)
    if isinstance(problem, ClientError):
        return problem.response["Error"]["Code"] in TOLD_BY_AWS
    return isinstance(problem, LessonError)


def made_above(book: Notebook, number: int) -> set[str]:
    """The names that the cells above a cell make."""
    made: set[str] = set()
    for cell in book.cells[:number]:
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                made.add(node.id)
            elif isinstance(node, ast.alias):
                made.add(node.asname or node.name.split(".")[0])
    return made


# The place.


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


async def follow(found: Order, aws: Account, kernel: Kernel | None = None) -> list[str]:
    """Do all of it, through every error, as Shift+Enter does.

    Returns:
        The errors that nobody explains.
    """
    kernel, riddles = kernel or Kernel(), list[str]()
    for done, act in enumerate(found.acts):
        if act == RESTART:
            kernel = Kernel()
        elif act == CLEAN_UP:
            closing.clean_up(aws)
        elif act == EARLIER:
            for name in NOTEBOOKS[: NOTEBOOKS.index(found.book.name)]:
                await run_notebook(with_answers(committed(name)))
        elif isinstance(act, int):
            try:
                await kernel.run(found.book.cells[act])
            except Exception as problem:
                if not explained(problem, found, act):
                    told = f"{type(problem).__name__}: {problem}"
                    riddles.append(f"{told}\n  in the last of {found.told(done)}")
    return riddles


def each_order() -> list[object]:
    """Every order's notebook and number: the first few, and the others with ``--long`` only."""
    return [
        pytest.param(name, number, marks=[pytest.mark.long] if number >= FEW else [])
        for number in range(ORDERS)
        for name in NOTEBOOKS
    ]


@pytest.mark.parametrize(("name", "number"), each_order())
def test_no_order_ends_in_a_riddle_or_leaves_anything(name: str, number: int, aws: Account) -> None:
    found = order(name, number)
    riddles = asyncio.run(follow(found, aws))
    assert not riddles, "\n".join(riddles)
    closing.clean_up(aws)
    left = {
        "things": [each["thingName"] for each in aws.iot.list_things()["things"]],
        "policies": [each["policyName"] for each in aws.iot.list_policies()["policies"]],
        "certificates": len(aws.iot.list_certificates()["certificates"]),
        "shadows": in_process.orphaned_shadows(),
        "files": in_process.files(Path()),
    }
    assert not any(left.values()), f"{left} is left by {found.told(len(found.acts))}"


# What the test itself promises.


def test_every_kind_of_order_is_drawn_and_always_the_same() -> None:
    drawn = {kind.__name__ for kind in DRAWN}
    for name in NOTEBOOKS:
        kinds = {order(name, number).kind for number in range(ORDERS)}
        assert kinds == drawn | {kind.__name__ for kind in WHOLE.values()}
    few = {order(name, number).kind for name in NOTEBOOKS for number in range(FEW)}
    assert few == drawn - {"repeated"} | {"doubled"}
    assert order("02-policy", 7).acts == order("02-policy", 7).acts


def test_what_aws_tells_is_on_the_page() -> None:
    assert ENTRIES.keys() >= TOLD_BY_AWS


def gone(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeThing")


@pytest.mark.parametrize(
    ("kind", "last", "told"),
    [
        (skipping, "made", ""),
        (skipping, "never_made", "NameError: name 'never_made' is not defined"),
        (skipping, "made_below", "NameError: name 'made_below' is not defined"),
        (skipping, "helper()", "NameError: name 'made' is not defined"),
        (skipping, "{}['key']", "KeyError: 'key'"),
        (skipping, "raise LessonError('Do this.')", ""),
        (skipping, "raise gone('ResourceNotFoundException')", ""),
        (skipping, "raise gone('InvalidRequestException')", "ClientError: "),
        (repeated, "made", "NameError: name 'made' is not defined"),
        (repeated, "raise gone('ResourceNotFoundException')", "ClientError: "),
        (repeated, "raise LessonError('Do this.')", "LessonError: Do this."),
    ],
)
def test_an_error_that_nobody_explains_is_told(
    kind: Callable[..., list[Act]], last: str, told: str, inside: Account
) -> None:
    def helper() -> None:
        raise NameError("name 'made' is not defined", name="made")

    sources = ["given = 1", "made = 1", last, "made_below = 1"]
    cells = [new_code_cell(each, id=f"c{number}") for number, each in enumerate(sources)]
    book = Notebook("01-thing", cells, [[0]])
    kernel = Kernel()
    kernel.names |= {"LessonError": LessonError, "gone": gone, "helper": helper}
    riddles = asyncio.run(follow(Order(book, kind.__name__, [0, 2], False), inside, kernel))
    assert [riddle.split("\n")[0].startswith(told) for riddle in riddles] == [True] * bool(told)


def test_the_promised_error_is_explained(inside: Account) -> None:
    for name, told in (("KeyError", 0), ("ValueError", 1)):
        shown = new_output("error", ename=name, evalue="'key'")
        cell = new_code_cell("{}['key']", id="c", outputs=[shown])
        order = Order(Notebook("01-thing", [cell], [[0]]), "repeated", [0], False)
        assert len(asyncio.run(follow(order, inside))) == told


@pytest.mark.parametrize(("name", "passes"), [("KeyError", True), ("ValueError", False)])
def test_a_notebook_goes_on_past_the_error_that_it_promises_alone(name: str, passes: bool) -> None:
    shown = new_output("error", ename=name, evalue="'key'")
    book = new_notebook(cells=[new_code_cell("{}['key']", id="c", outputs=[shown])])
    with nullcontext() if passes else pytest.raises(KeyError):
        assert asyncio.run(run_notebook(book)) == {"c": None}
