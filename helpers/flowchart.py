"""The flowchart that the lesson closes with: Things, certificates, policies, and what is attached.

:func:`helpers.closing.flowchart` collects what an account holds; this module draws it, as
text and as SVG.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from pathlib import Path

from helpers.certificate import Certificate

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
    lines = [f"Thing {name}" for name in things] or ["No Thing"]
    for number, each in enumerate(certificates, 1):
        lines.append(f"Certificate {number}: {_shown(each)}")
        lines += [f"  is attached to Thing {name}" for name in each.things]
        lines += [f"  has policy {name}" for name in each.policies]
    if not certificates:
        lines.append("No certificate")
    lines += [f"Policy {name}" for name in policies] or ["No policy"]
    text = "\n".join(lines)
    return Flowchart(text, _picture(text, things, certificates, policies))


def _shown(each: Certificate) -> str:
    return f"{each.certificate_id[:8]}… {each.status}"


def _picture(
    text: str, things: Sequence[str], certificates: Sequence[Certificate], policies: Sequence[str]
) -> str:
    """Draw it as SVG, on a card of its own: a page can be dark where the browser says light."""
    columns = {"Thing": things, "Certificate": [*map(_shown, certificates)], "Policy": policies}
    widths = [max(BOX_WIDTH, *(LETTER * len(n) + 24 for n in ("", *it))) for it in columns.values()]
    lefts = [MARGIN + sum(widths[:number]) + number * GAP for number in range(3)]
    width, rows = lefts[2] + widths[2] + MARGIN, max(1, *map(len, columns.values()))
    height = ROW * (rows - 1) + BOX_HEIGHT + 2 * MARGIN
    shapes = [_box(1, 1, width - 2, height - 2, "card")]
    for (kind, names), left, wide in zip(columns.items(), lefts, widths, strict=True):
        middle = left + wide // 2
        for row, name in enumerate(names):
            number = f" {row + 1}" if kind == "Certificate" else ""
            shapes += [_box(left, MARGIN + ROW * row, wide, BOX_HEIGHT, "made")]
            shapes += [_text(middle, _middle(row) - 6, f"{kind}{number}", "kind")]
            shapes += [_text(middle, _middle(row) + 18, name, "name")]
        if not names:
            none = f"no {kind if kind == 'Thing' else kind.lower()}"
            shapes += [_box(left, MARGIN, wide, BOX_HEIGHT, "missing")]
            shapes += [_text(middle, _middle(0) + 5, none, "quiet")]
    shapes += _lines([each.things for each in certificates], things, lefts[1], lefts[1] - GAP)
    end = lefts[2]
    shapes += _lines([each.policies for each in certificates], policies, end - GAP, end)
    return (
        # As wide as the page: at a width of its own it would be cut off at 200 %.
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:lang="en" width="100%" class="iot-flow" '
        f'viewBox="0 0 {max(width, PAGE)} {height}" role="img"><title>{escape(text)}</title>'
        f"<style>{_STYLES.read_text('utf-8')}</style>{''.join(shapes)}</svg>"
    )


def _lines(
    attached: Sequence[Sequence[str]], names: Sequence[str], start: int, end: int
) -> Iterator[str]:
    """Draw what each certificate is attached to, a dot at that end."""
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
