"""The lesson's pictures: what each shows, where it stands, and how it is made."""

from dataclasses import dataclass

from publish.notebooks import FOLDER as NOTEBOOKS

FOLDER = NOTEBOOKS / "pictures"
"""Where pictures are kept, beside the notebooks that show them: rendering needs no browser."""
SHOWN_BY_THE_README = "iot-flow1.svg"
"""The flowchart, kept as well: a README can show only what is committed."""


@dataclass(frozen=True)
class Picture:
    """A screenshot of a panel, and the clicks that lead to what it shows."""

    name: str
    """Its name in the post."""
    notebook: str
    alternative: str = ""
    """What it shows, for readers who cannot see it; a panel says so itself of its first picture."""
    caption: str = ""
    """What to look at, below each picture that has an alternative here."""
    first: tuple[str, ...] = ()
    """Ids of cells of the notebook to run first, once more."""
    clicks: tuple[str, ...] = ()
    """Buttons to click first, after those of the pictures above."""
    until: str = ""
    """Text that the panel shows once the last click is done."""
    part: str = ""
    """A CSS selector of the part to show; empty for the whole panel."""
    width: int = 664
    """The panel's width."""
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
        "iot-trial",
        "01-thing",
        clicks=("Press",),
        until="batteryVoltage",
        cell="trial",
    ),
    Picture(
        "iot-registerathing",
        "01-thing",
        clicks=("Create thing",),
        until="The registry has the Thing",
    ),
    Picture("iot-policy", "02-policy"),
    Picture(
        "iot-statementconnect",
        "02-policy",
        "The first statement in the form Create a policy: allow iot:Connect on client/my-button.",
        "The first statement lets the button connect, under its own client id.",
        part=".iot-statement >> nth=0",
        width=960,
    ),
    Picture(
        "iot-statementpublish",
        "02-policy",
        "The second statement in the form Create a policy: allow iot:Publish on the own topic.",
        "The second lets it publish, on its own topic.",
        part=".iot-statement >> nth=1",
        width=960,
    ),
    Picture(
        "iot-cert",
        "03-certificate",
        clicks=("Start again", "1. Create certificate"),
        until="Download private key",
    ),
    Picture(
        "iot-certdownload",
        "03-certificate",
        "The downloads: certificate, public key, root CA and, this once, the private key.",
        "Four files to download. The private key is offered this once.",
        part=".iot-downloads",
    ),
    Picture(
        "iot-assigncerttopolicy",
        "03-certificate",
        "The form Create a certificate: the certificate is active, the policy my-button-policy is "
        "attached, and the button Attach to the Thing is next.",
        "Two steps later. What is left is the step that the post leaves out.",
        clicks=("2. Activate", "3. Attach policy"),
        until="has the policy",
    ),
    Picture("iot-checklist", "04-closing", cell="checklist"),
    Picture("iot-press", "04-closing", clicks=("Press",), until="batteryVoltage"),
    Picture(
        "iot-press-refused",
        "04-closing",
        "The panel Press the button after a refused press: a red ring around the button, and in "
        "red that my-button could not connect, and what to change. Below it, statement by "
        "statement, the reason, and the message of the press before.",
        "The same with the post's own policy in force: the press is refused, and it says why.",
        first=("posted",),
        clicks=("Press",),
        until="could not connect",
    ),
)


def after(notebook: str, cell: str) -> list[Picture]:
    """Return the pictures of parts that follow a cell, below that of its whole panel, in order."""
    return [
        each
        for each in PICTURES
        if (each.notebook, each.cell) == (notebook, cell) and each.alternative
    ]
