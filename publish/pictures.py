"""The lesson's pictures: what each shows, where it stands, and how it is made."""

from dataclasses import dataclass

from publish import overview
from publish.notebooks import ROOT

FOLDER = ROOT / "docs" / "pictures"
"""Where the pictures that a browser has made are kept: rendering needs no browser."""
SHOWN_BY_THE_README = "iot-flow1.svg"
"""The flowchart, kept as well: a README shows what is committed."""


@dataclass(frozen=True)
class Picture:
    """A picture of a panel, and how to bring the panel into the state that it shows."""

    name: str
    """As the post names it."""
    notebook: str
    alternative: str
    """What it shows, for who cannot see it."""
    clicks: tuple[str, ...] = ()
    """Buttons to click first, on top of the clicks of the pictures above it."""
    until: str = ""
    """What the panel says once the last click has done its work."""
    part: str = ""
    """A CSS selector: the part of the panel to show; all of it where empty."""
    width: int = 1100
    """Of the browser's window; one width for each notebook."""
    cell: str = "panel"
    """Id of the cell that shows the panel."""

    @property
    def file(self) -> str:
        """The picture's file name."""
        return f"{self.name}.png"

    def content(self) -> bytes:
        """Give the picture as it is kept."""
        return (FOLDER / self.file).read_bytes()


@dataclass(frozen=True)
class Drawing:
    """A picture that is drawn anew each time."""

    name: str
    notebook: str
    cell: str

    alternative = overview.ALTERNATIVE

    @property
    def file(self) -> str:
        """The picture's file name."""
        return f"{self.name}.svg"

    def content(self) -> bytes:
        """Draw it."""
        return overview.draw()


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
DRAWING = Drawing("thunderball-overview", "03-certificate", "why")


def after(notebook: str, cell: str) -> list[Picture | Drawing]:
    """Give the pictures that follow a cell, in order."""
    every = (DRAWING, *PICTURES)
    return [each for each in every if (each.notebook, each.cell) == (notebook, cell)]
