"""The flowchart that the lesson closes with: Things, certificates, policies, and what is attached.

:func:`helpers.closing.flowchart` collects what an account holds; this module draws it, as
text and as SVG.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from typing import Any

import schemdraw
from schemdraw import flow
from schemdraw.elements import Element

from helpers.certificate import Certificate

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


def draw(
    things: Sequence[str], certificates: Sequence[Certificate], policies: Sequence[str]
) -> Flowchart:
    """Draw a column each; a dashed box stands for what is missing.

    Args:
        things: The Things' names; those that a certificate is attached to are drawn in any case.
        certificates: The certificates.
        policies: The policies' names; those of the certificates are drawn in any case.
    """
    things = list(dict.fromkeys(chain(things, *(each.things for each in certificates))))
    policies = list(dict.fromkeys(chain(policies, *(each.policies for each in certificates))))
    lines = [f"Thing {name}" for name in things] or ["No Thing yet"]
    for number, each in enumerate(certificates, 1):
        lines.append(f"Certificate {number}: {each.status}")
        lines += [f"  is attached to Thing {name}" for name in each.things]
        lines += [f"  has policy {name}" for name in each.policies]
    if not certificates:
        lines.append("No certificate yet")
    lines += [f"Policy {name}" for name in policies] or ["No policy yet"]
    text = "\n".join(lines)
    start, rest = _picture(things, certificates, policies).split(">", 1)
    # As wide as the page: at a width of its own it would be cut off at 200 %.
    start = re.sub(r'height="\S+" width="\S+"', 'width="100%"', start)
    return Flowchart(text, f'{start} role="img"><title>{escape(text)}</title>{rest}')


def _picture(
    things: Sequence[str], certificates: Sequence[Certificate], policies: Sequence[str]
) -> str:
    labels = {
        each.certificate_id: f"{number}: {each.status}"
        for number, each in enumerate(certificates, 1)
    }
    schemdraw.use("svg")
    with schemdraw.Drawing(show=False, fontsize=13, unit=1) as drawing:
        drawing.config(bgcolor="white", margin=0.3)
        thing_boxes = _column(0, "Thing", {name: name for name in things})
        certificate_boxes = _column(1, "Certificate", labels)
        policy_boxes = _column(2, "Policy", {name: name for name in policies})
        for each in certificates:
            box = certificate_boxes[each.certificate_id]
            for name in each.things:
                _attached(box.W, thing_boxes[name].E)
            for name in each.policies:
                _attached(box.E, policy_boxes[name].W)
    return bytes(drawing.get_imagedata("svg")).decode()


def _column(number: int, kind: str, labels: Mapping[str, str]) -> dict[str, Element]:
    """Draw a box for each label, and return the boxes by the labels' keys."""
    boxes = {
        key: _box(number, row).label(f"{kind}\n{label}").fill("#eef5ff")
        for row, (key, label) in enumerate(labels.items())
    }
    if not labels:
        _box(number, 0).label(f"no {kind} yet").linestyle("--").color("#767676")
    return boxes


def _box(column: int, row: int) -> Any:
    return flow.Box(w=BOX_WIDTH, h=BOX_HEIGHT).at((column * COLUMN, -row * ROW)).anchor("W")


def _attached(start: Any, end: Any) -> None:
    flow.Arrow().at(start).to(end).label("attached", fontsize=10, ofst=0.15)
