"""The lesson's pictures: what each shows, where it stands, and how it is made."""

from dataclasses import dataclass
from html import escape

import schemdraw
from schemdraw import flow
from schemdraw.elements import Element

from publish.notebooks import ROOT

Point = tuple[float, float]

FOLDER = ROOT / "docs" / "pictures"
"""Where pictures made in a browser are kept, so that rendering needs none."""
SHOWN_BY_THE_README = "iot-flow1.svg"
"""The flowchart, kept as well: a README can show only what is committed."""


@dataclass(frozen=True)
class Picture:
    """A screenshot of a panel, and the clicks that lead to what it shows."""

    name: str
    """Its name in the post."""
    notebook: str
    alternative: str
    """What it shows, for readers who cannot see it."""
    clicks: tuple[str, ...] = ()
    """Buttons to click first, after those of the pictures above."""
    until: str = ""
    """Text that the panel shows once the last click is done."""
    part: str = ""
    """A CSS selector of the part to show; empty for the whole panel."""
    width: int = 1100
    """The browser window's width; one for each notebook."""
    cell: str = "panel"
    """Id of the cell that shows the panel."""

    @property
    def file(self) -> str:
        """The picture's file name."""
        return f"{self.name}.png"

    def content(self) -> bytes:
        """Read the picture's file."""
        return (FOLDER / self.file).read_bytes()


@dataclass(frozen=True)
class Drawing:
    """A picture that is drawn anew each time."""

    name: str
    notebook: str
    cell: str

    alternative: str
    """What it shows, for readers who cannot see it."""

    @property
    def file(self) -> str:
        """The picture's file name."""
        return f"{self.name}.svg"

    def content(self) -> bytes:
        """Draw it."""
        return draw_overview()


PICTURES = (
    Picture(
        "iot-registerathing",
        "01-thing",
        "The form Register a Thing: the name my-button, a serial number, the button Create thing, "
        "and below it the answer and the boto3 call that it made.",
        clicks=("Create thing",),
        until="The registry has the Thing",
    ),
    Picture(
        "iot-statementconnect",
        "02-policy",
        "The first statement in the form Create a policy: allow iot:Connect on client/my-button.",
        part=".iot-statement >> nth=0",
        width=1500,
    ),
    Picture(
        "iot-statementpublish",
        "02-policy",
        "The second statement in the form Create a policy: allow iot:Publish on the own topic.",
        part=".iot-statement >> nth=1",
        width=1500,
    ),
    Picture(
        "iot-cert",
        "03-certificate",
        "The form Create a certificate: the certificate is created and inactive, its files are "
        "offered for download, and the button Activate is next.",
        clicks=("Start again", "1. Create certificate"),
        until="Download private key",
    ),
    Picture(
        "iot-certdownload",
        "03-certificate",
        "The downloads: certificate, public key, root CA and, this once, the private key.",
        part=".iot-downloads",
    ),
    Picture(
        "iot-assigncerttopolicy",
        "03-certificate",
        "The form Create a certificate: the certificate is active, the policy my-button-policy is "
        "attached, and the button Attach to the Thing is next.",
        clicks=("2. Activate", "3. Attach policy"),
        until="has the policy",
    ),
)
OVERVIEW = (
    "Who talks to whom. The button shows its certificate and sends its message to the message "
    "broker, by MQTT over TLS. The broker asks the registry whether the certificate is active and "
    "what its policy allows, and passes the message on to the listener. You make Thing, policy and "
    "certificate in the registry, with boto3."
)
DRAWING = Drawing("thunderball-overview", "03-certificate", "why", OVERVIEW)


def after(notebook: str, cell: str) -> list[Picture | Drawing]:
    """Return the pictures that follow a cell, in order."""
    every = (DRAWING, *PICTURES)
    return [each for each in every if (each.notebook, each.cell) == (notebook, cell)]


def draw_overview() -> bytes:
    """Draw who talks to whom as SVG: button, broker, listener, and the registry that you write to.

    It takes the place of the picture that the post has from AWS's guide.
    """
    schemdraw.use("svg")
    with schemdraw.Drawing(show=False, fontsize=13, unit=1) as drawing:
        drawing.config(bgcolor="white", margin=0.3)
        button = _box((0, 0), "Button", "its certificate,\nits private key")
        listener = _box((0, -3.2), "Listener", "a device with\na certificate of its own")
        you = _box((0, -7.4), "You", "the notebooks,\nor the console")
        broker = _box(
            (8, -1.6), "Message broker", "lets in and passes on\nwhat policies allow", 5.4
        )
        registry = _box((8, -7.4), "Registry", "Things, policies,\ncertificates")
        _arrow(button.E, (8, 0), "MQTT over TLS")
        _arrow((8, -3.2), listener.E, "MQTT over TLS")
        _arrow(you.E, registry.W, "boto3")
        flow.Arrow().at(broker.S).to(registry.N).label(
            "certificate active?\npolicy allows it?", fontsize=11, ofst=(0, 0.35), halign="left"
        )
    svg = bytes(drawing.get_imagedata("svg")).decode()
    start, rest = svg.split(">", 1)
    return f'{start} role="img"><title>{escape(OVERVIEW)}</title>{rest}'.encode()


def _box(place: Point, name: str, about: str, height: float = 2.2) -> Element:
    box: Element = flow.Box(w=5.2, h=height).at(place).anchor("W").fill("#eef5ff")
    box.label(f"{name}\n{about}", fontsize=12)
    return box


def _arrow(start: Point, end: Point, label: str) -> None:
    flow.Arrow().at(start).to(end).label(label, fontsize=11, ofst=0.15)
