"""The flowchart that the lesson closes with: Things, certificates, groups, policies, attachments.

:func:`helpers.closing.flowchart` collects what an account holds; this module draws it, as
text and as SVG.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from pathlib import Path

from helpers.certificate import Certificate
from helpers.group import ThingGroup

# Pixels.
BOX_WIDTH, BOX_HEIGHT, ROW, GAP, MARGIN = 136, 60, 80, 90, 16
PAGE = 800
"""At least: a small drawing is not blown up."""
LETTER = 10
"""As wide as a letter of a name can be expected to be."""
_STYLES = Path(__file__).with_suffix(".css")


@dataclass(frozen=True)
class Flowchart:
    """A picture in a notebook, lines of text in a terminal and for a screen reader."""

    text: str
    svg: str

    def __repr__(self) -> str:
        return self.text

    def _repr_svg_(self) -> str:
        return self.svg


Middle = Sequence[Certificate | ThingGroup]
"""What stands between Things and policies, certificates first."""


def draw(things: Sequence[str], middle: Middle, policies: Sequence[str]) -> Flowchart:
    """Draw a column each; a dashed box stands for what is missing.

    Args:
        things: The Things' names; those of certificates and groups are drawn in any case.
        middle: The certificates, then the thing groups.
        policies: The policies' names; those of certificates and groups are drawn in any case.
    """
    things = list(dict.fromkeys(chain(things, *(each.things for each in middle))))
    policies = list(dict.fromkeys(chain(policies, *(each.policies for each in middle))))
    lines = [f"Thing {name}" for name in things] or ["No Thing"]
    for number, each in enumerate(middle, 1):
        group = isinstance(each, ThingGroup)
        lines.append((" " if group else ": ").join(_words(each, number)))
        lines += [f"  {'has' if group else 'is attached to'} Thing {name}" for name in each.things]
        lines += [f"  has policy {name}" for name in each.policies]
    if not any(isinstance(each, Certificate) for each in middle):
        lines.append("No certificate")
    lines += [f"Policy {name}" for name in policies] or ["No policy"]
    text = "\n".join(lines)
    return Flowchart(text, _picture(text, things, middle, policies))


def _words(each: Certificate | ThingGroup, number: int) -> tuple[str, str]:
    """Return what it is, and what it is called."""
    if isinstance(each, ThingGroup):
        return "Thing group", " in ".join([each.name, *each.parents[-1:]])
    return f"Certificate {number}", f"{each.certificate_id[:8]}… {each.status}"


def _picture(text: str, things: Sequence[str], middle: Middle, policies: Sequence[str]) -> str:
    """Draw it as SVG, on a card of its own: a page can be dark where the browser says light."""
    words = [_words(each, number) for number, each in enumerate(middle, 1)]
    columns = {"Thing": things, "Certificate": [name for _, name in words], "Policy": policies}
    widths = [max(BOX_WIDTH, *(LETTER * len(n) + 24 for n in ("", *it))) for it in columns.values()]
    lefts = [MARGIN + sum(widths[:number]) + number * GAP for number in range(3)]
    width, rows = lefts[2] + widths[2] + MARGIN, max(1, *map(len, columns.values()))
    height = ROW * (rows - 1) + BOX_HEIGHT + 2 * MARGIN
    shapes = [_box(1, 1, width - 2, height - 2, "card")]
    for (kind, names), left, wide in zip(columns.items(), lefts, widths, strict=True):
        centre = left + wide // 2
        for row, name in enumerate(names):
            what = words[row][0] if kind == "Certificate" else kind
            shapes += [_box(left, MARGIN + ROW * row, wide, BOX_HEIGHT, "made")]
            shapes += [_text(centre, _middle(row) - 6, what, "kind")]
            shapes += [_text(centre, _middle(row) + 18, name, "name")]
        if not names:
            none = f"no {kind if kind == 'Thing' else kind.lower()}"
            shapes += [_box(left, MARGIN, wide, BOX_HEIGHT, "missing")]
            shapes += [_text(centre, _middle(0) + 5, none, "quiet")]
    shapes += _lines([each.things for each in middle], things, lefts[1], lefts[1] - GAP)
    shapes += _lines([each.policies for each in middle], policies, lefts[2] - GAP, lefts[2])
    return (
        # As wide as the page: at a width of its own it would be cut off at 200 %.
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:lang="en" width="100%" class="iot-flow" '
        f'viewBox="0 0 {max(width, PAGE)} {height}" role="img"><title>{escape(text)}</title>'
        f"<style>{_STYLES.read_text('utf-8')}</style>{''.join(shapes)}</svg>"
    )


def _lines(
    attached: Sequence[Sequence[str]], names: Sequence[str], start: int, end: int
) -> Iterator[str]:
    """Draw what each certificate or group is attached to, a dot at that end."""
    pairs = [(row, names.index(name)) for row, listed in enumerate(attached) for name in listed]
    for row, other in pairs:
        yield f'<path d="M{start} {_middle(row)}L{end} {_middle(other)}"/>'
        yield f'<circle cx="{end}" cy="{_middle(other)}" r="4"/>'
    if pairs:  # once, above the uppermost place for a line, so that it lies on none
        yield _text((start + end) // 2, _middle(0) - 10, "attached", "quiet")


def _middle(row: int) -> int:
    return MARGIN + BOX_HEIGHT // 2 + ROW * row


def _box(x: int, y: int, width: int, height: int, what: str) -> str:
    return f'<rect class="{what}" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>'


def _text(x: int, y: int, text: str, what: str) -> str:
    return f'<text class="{what}" x="{x}" y="{y}">{escape(text)}</text>'
