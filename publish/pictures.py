"""The lesson's pictures: what each shows, where it stands, and how it is made."""

from dataclasses import dataclass

from publish.notebooks import ROOT

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


def after(notebook: str, cell: str) -> list[Picture]:
    """Return the pictures that follow a cell, in order."""
    return [each for each in PICTURES if (each.notebook, each.cell) == (notebook, cell)]
