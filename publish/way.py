"""The way of a message: one drawing, at the top of each notebook with that notebook's piece lit."""

from dataclasses import dataclass
from html import escape

import schemdraw
from schemdraw import elements
from schemdraw.backends import svg
from schemdraw.elements import Element
from schemdraw.segments import (
    Segment,
    SegmentArc,
    SegmentCircle,
    SegmentPath,
    SegmentPoly,
    SegmentType,
)

from publish.notebooks import FOLDER

Point = tuple[float, float]

PICTURES = FOLDER / "pictures"
"""Beside the notebooks: JupyterLab shows no picture from above its root folder."""
WIDTH, HEIGHT = 668, 282
# Where things stand, in pixels: from the left edge, then from the upper one.
BUTTON, TLS, BROKER, LISTENER = 86, 244, 424, 584
GATES = BROKER - 42, BROKER + 42
ROUTE, REGISTRY = 104, 214
COLOURS = {
    "card": ("#ffffff", "#1b1f24"),
    "edge": ("#d0d7de", "#3d444d"),
    "field": ("#f3f5f7", "#262b31"),
    "line": ("#818b98", "#7d8792"),
    "quiet": ("#57606a", "#a9b3bd"),
    "ink": ("#24292f", "#e6e9ec"),
    "lit": ("#0b5cad", "#7cc0ff"),
    "glow": ("#e3f0fd", "#15304a"),
}
"""Each colour in light and in dark."""


@dataclass(frozen=True)
class Way:
    """The drawing as one notebook shows it."""

    notebook: str
    lit: str
    """The piece that the notebook is about; ``message`` lights everything."""
    alternative: str
    """What it shows, for readers who cannot see it."""

    @property
    def file(self) -> str:
        """The picture's file name."""
        return f"way-{self.lit}.svg"


_WAY = "The way of a message from the button through TLS and the message broker to the listener, "
WAYS = (
    Way(
        "01-thing",
        "thing",
        f"{_WAY}with the Thing lit: it says in the registry which device the button is.",
    ),
    Way(
        "02-policy",
        "policy",
        f"{_WAY}with the policy lit: it says at the broker's gates who may connect, publish, "
        "subscribe and receive.",
    ),
    Way(
        "03-certificate",
        "certificate",
        f"{_WAY}with the certificate lit: in TLS both sides show theirs and prove who they are.",
    ),
    Way(
        "04-closing",
        "message",
        f"{_WAY}with everything lit: past certificate and policy, the message arrives.",
    ),
)
DESCRIPTION = (
    "Above, from left to right: the button sends; in TLS, both sides show a certificate; the "
    "message broker checks and passes on; the listener receives. Below, in the registry, what you "
    "make, each piece under the place where it acts: the Thing under the button, the certificate "
    "under TLS, the policy under the broker's two gates. The certificate is attached to the Thing, "
    "and the policy to the certificate."
)


def write() -> None:
    """Draw the four pictures, beside the notebooks."""
    PICTURES.mkdir(exist_ok=True)
    for way in WAYS:
        (PICTURES / way.file).write_bytes(draw(way))


def stale() -> list[str]:
    """List the committed pictures that a fresh drawing differs from."""
    return [
        f"notebooks/pictures/{way.file}"
        for way in WAYS
        if not (file := PICTURES / way.file).exists() or file.read_bytes() != draw(way)
    ]


def draw(way: Way) -> bytes:
    """Draw the way of a message as SVG.

    Its text stays text, so that no size depends on the fonts of this machine. It stands on a card
    of its own, for a page can be dark where the browser says light.
    """
    schemdraw.use("svg")
    svg.config.text = "text"
    with schemdraw.Drawing(show=False) as drawing:
        drawing.config(inches_per_unit=1 / 72)  # a unit is a pixel
        _draw(way.lit)
    shapes = bytes(drawing.get_imagedata("svg")).decode().split(">", 1)[1]
    for name, (light, _) in COLOURS.items():  # schemdraw takes no variable for a colour
        shapes = shapes.replace(light, f"var(--{name})")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:lang="en" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title description">'
        f'<title id="title">{escape(way.alternative)}</title>'
        f'<desc id="description">{escape(DESCRIPTION)}</desc><style>{_style()}</style>{shapes}'
    ).encode()


def _style() -> str:
    light, dark = (
        "; ".join(f"--{name}: {colours[number]}" for name, colours in COLOURS.items())
        for number in (0, 1)
    )
    return (
        f"svg {{ {light} }} @media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }} "
        'text { font-family: system-ui, sans-serif } text[font-size="19"] { font-weight: 600 }'
    )


def _draw(lit: str) -> None:
    """Draw all of it; what comes later lies on top."""
    message = lit == "message"
    thing, certificate, policy = (
        message or lit == piece for piece in ("thing", "certificate", "policy")
    )
    _box((WIDTH / 2, HEIGHT / 2), WIDTH - 2, HEIGHT - 2, "card", "edge", radius=14)
    _box((WIDTH / 2, REGISTRY), WIDTH - 24, 112, "field", "field", radius=12)
    _line((BUTTON, REGISTRY), (BUTTON, 131), thing, dotted=True)
    _line((TLS, REGISTRY), (TLS, 131), certificate, dotted=True)
    for gate in GATES:
        _line((gate, REGISTRY), (gate, 141), policy, dotted=True)
    _line((BUTTON, REGISTRY), (BROKER, REGISTRY), message)
    _piece(BUTTON, 136, "Thing", "says which\ndevice it is", thing)
    _piece(TLS, 136, "Certificate", "proves who\nit is", certificate)
    _piece(BROKER, 168, "Policy", "connect, publish,\nsubscribe, receive", policy)
    _named((LISTENER, 203), "Registry", "what you make")

    _named((BUTTON, 34), "Button", "sends")
    _named((TLS, 34), "TLS", "both show a certificate")
    _named((BROKER, 34), "Message broker", "checks, passes on")
    _named((LISTENER, 34), "Listener", "it arrives" if message else "receives")
    for left, right in ((138, 356), (484, 530)):
        _box(((left + right) / 2, ROUTE), right - left, 38, *_shade(certificate))
    _box((BROKER, ROUTE), 84, 50, *_shade(message))
    _line((BUTTON, ROUTE), (GATES[0] - 5, ROUTE), message, arrow=True)
    _line((GATES[0], ROUTE), (LISTENER - 34, ROUTE), message, arrow=True)
    _icon(BROKER, message, SegmentCircle((0, 0), 7, fill=_stroke(message)))
    for gate in GATES:
        _box((gate, ROUTE), 10, 64, *[_edge(policy)] * 2, radius=4)
    _box((BUTTON, ROUTE), 84, 48, *_shade(message), radius=24)
    _icon(BUTTON, message, SegmentCircle((0, 0), 12, fill=_stroke(message)))
    _identity(164, certificate)
    _lock(TLS, certificate)
    _identity(328, certificate)
    _lock(507, certificate)
    _box((LISTENER, ROUTE), 68, 50, *_shade(message))
    _envelope(message)


def _piece(x: float, width: float, name: str, about: str, lit: bool) -> None:
    _box((x, REGISTRY), width, 88, *_shade(lit))
    _named((x, 192), name, about, lit)


def _named(place: Point, name: str, about: str, lit: bool = False) -> None:
    x, y = place
    _text(place, name, 19, "lit" if lit else "ink")
    for number, line in enumerate(about.splitlines()):
        _text((x, y + 23 + 20 * number), line, 16, "ink" if lit else "quiet")


def _lock(x: float, lit: bool) -> None:
    shackle = SegmentArc((0, 3), 14, 22, theta1=0, theta2=180, lw=2.2)
    _icon(x, lit, shackle, _rounded(22, 17, 3, _stroke(lit), low=5))


def _identity(x: float, lit: bool) -> None:
    face = SegmentCircle((-6, 0), 3, fill=_stroke(lit))
    lines = (Segment([(1, y), (8, y)]) for y in (3, -3))
    _icon(x, lit, _rounded(26, 18, 2, COLOURS["card"][0]), face, *lines)


def _envelope(lit: bool) -> None:
    flap = SegmentPoly([(-15, 9), (0, -2), (15, 9)], closed=False, color=COLOURS["card"][0])
    _icon(LISTENER, lit, _rounded(34, 24, 2.5, _stroke(lit)), flap)


def _icon(x: float, lit: bool, *segments: SegmentType) -> None:
    icon = Element().at(_up((x, ROUTE))).color(_stroke(lit)).linewidth(1.5).zorder(1)
    icon.segments.extend(segments)


def _box(
    middle: Point, width: float, height: float, fill: str, edge: str, *, radius: float = 8
) -> None:
    box = Element().at(_up(middle)).color(COLOURS[edge][0]).zorder(1)
    box.linewidth(2.5 if edge == "lit" else 1.5)
    box.segments.append(_rounded(width, height, radius, COLOURS[fill][0]))


def _rounded(
    width: float, height: float, radius: float, fill: str, *, low: float = 0
) -> SegmentPath:
    """Return a rectangle around the origin, with arcs as corners.

    schemdraw's own has hundreds of points instead, which makes the file ten times as long.
    """
    right, top, inner, upper = width / 2, height / 2, width / 2 - radius, height / 2 - radius
    ends = [(right, upper), (right, -upper), (inner, -top), (-inner, -top)]
    ends += [(-right, -upper), (-right, upper), (-inner, top), (inner, top)]
    path: list[Point | str] = ["M", (inner, top - low)]
    for number, (x, y) in enumerate(ends):
        path += ["L"] if number % 2 else ["A", f"{radius} {radius} 0 0 1"]
        path.append((x, y - low))
    return SegmentPath(path, fill=fill)


def _line(
    start: Point, end: Point, lit: bool, *, arrow: bool = False, dotted: bool = False
) -> None:
    line = elements.Line(arrow="->" if arrow else None, arrowwidth=9, arrowlength=11)
    line.at(_up(start)).to(_up(end)).color(_stroke(lit)).zorder(1)
    line.linewidth(2.5 if lit else 1.5).linestyle(":" if dotted else "-")


def _text(middle: Point, text: str, size: int, colour: str) -> None:
    label = elements.Label().at(_up(middle))
    label.label(text, loc="center", fontsize=size, color=COLOURS[colour][0], valign="center")


def _shade(lit: bool) -> tuple[str, str]:
    return ("glow", "lit") if lit else ("card", "line")


def _edge(lit: bool) -> str:
    return "lit" if lit else "line"


def _stroke(lit: bool) -> str:
    return COLOURS[_edge(lit)][0]


def _up(point: Point) -> Point:
    """Turn a point of SVG, whose y goes down, into one of schemdraw, whose y goes up."""
    return point[0], -point[1]
