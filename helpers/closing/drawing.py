"""Draw what exists in the account, and what is attached to what."""

from dataclasses import dataclass
from html import escape
from typing import Any

import schemdraw
from schemdraw import flow
from schemdraw.elements import Element

from helpers.account import Account
from helpers.closing.inventory import Inventory, look

BOX_WIDTH, BOX_HEIGHT, ROW, COLUMN = 4.2, 1.3, 1.8, 6.2


@dataclass(frozen=True)
class Flowchart:
    """A picture in a notebook, lines of text in a terminal and for a screen reader."""

    text: str
    svg: str

    def __repr__(self) -> str:
        return self.text

    def _repr_svg_(self) -> str:
        return self.svg


def flowchart(account: Account) -> Flowchart:
    """Draw the summary that the lesson closes with, from what really exists.

    A dashed box stands for what is missing.
    """
    found = look(account)
    text = describe(found)
    return Flowchart(text, _with_alternative(_picture(found), text))


def describe(found: Inventory) -> str:
    """Say in lines of text what :func:`flowchart` draws."""
    lines = [f"Thing {each.name}" for each in found.things] or ["No Thing yet"]
    for number, each in enumerate(found.certificates, 1):
        lines.append(f"Certificate {number}: {each.status}")
        lines += [f"  is attached to Thing {name}" for name in each.things]
        lines += [f"  has policy {name}" for name in each.policies]
    if not found.certificates:
        lines.append("No certificate yet")
    lines += [f"Policy {each.name}" for each in found.policies] or ["No policy yet"]
    return "\n".join(lines)


def _picture(found: Inventory) -> str:
    schemdraw.use("svg")
    with schemdraw.Drawing(show=False, fontsize=13, unit=1) as drawing:
        drawing.config(bgcolor="white", margin=0.3)
        things = _column(0, "Thing", [each.name for each in found.things])
        certificates = _column(
            1,
            "Certificate",
            [f"{n}: {each.status}" for n, each in enumerate(found.certificates, 1)],
        )
        policies = _column(2, "Policy", [each.name for each in found.policies])
        for number, each in enumerate(found.certificates, 1):
            box = certificates[f"{number}: {each.status}"]
            for name in each.things:
                _attached(box.W, things[name].E)
            for name in each.policies:
                _attached(box.E, policies[name].W)
    return bytes(drawing.get_imagedata("svg")).decode()


def _column(number: int, kind: str, names: list[str]) -> dict[str, Element]:
    boxes = {}
    for row, name in enumerate(names or [""]):
        box = flow.Box(w=BOX_WIDTH, h=BOX_HEIGHT).at((number * COLUMN, -row * ROW)).anchor("W")
        if name:
            boxes[name] = box.label(f"{kind}\n{name}").fill("#eef5ff")
        else:
            box.label(f"no {kind} yet").linestyle("--").color("#767676")
    return boxes


def _attached(start: Any, end: Any) -> None:
    flow.Arrow().at(start).to(end).label("attached", fontsize=10, ofst=0.15)


def _with_alternative(svg: str, text: str) -> str:
    start, rest = svg.split(">", 1)
    return f'{start} role="img"><title>{escape(text)}</title>{rest}'
