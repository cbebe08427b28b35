"""The AWS IoT that answers: the same to the lesson, whether it is the sandbox or AWS."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.line import Line, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot_data import IoTDataPlaneClient

    from helpers.account.ledger import Ledger
    from sandbox.device import DeviceLink


@dataclass(frozen=True)
class Account:
    """The AWS IoT that answers, and how the lesson names and keeps what it makes there."""

    iot: "IoTClient" = field(repr=False)
    """A boto3 ``iot`` client."""
    data: "Callable[[], IoTDataPlaneClient]" = field(repr=False)
    """Makes a boto3 ``iot-data`` client, which has the shadows."""
    line: Line = field(repr=False)
    """What the lesson asks besides AWS's API goes this way: refusals, exercises that are done."""
    learner: str
    """Whose lesson this is: every name begins with it."""
    number: str
    """12 digits."""
    region: str
    """Such as ``eu-west-1``."""
    about: str
    """What the first cell of a notebook says: who answers, and what that means."""
    root_ca: str
    """The root certificate that the data endpoint is checked against, PEM."""
    key_folder: Path
    """The folder of the certificates' files; git ignores it."""
    link: "DeviceLink" = field(repr=False)
    """How a device reaches the data endpoint."""
    shared: bool
    """Whether others may work in this account, too."""

    def __repr__(self) -> str:
        return self.about

    @property
    def prefix(self) -> str:
        """What tells this learner's names from another's: empty where there is no other."""
        return f"{self.learner}-" if self.shared else ""

    @property
    def ledger(self) -> "Ledger":
        """The certificates that the lesson made here."""
        from helpers.account.ledger import Ledger  # with the first certificate, not the first line

        return Ledger(self.key_folder)

    def name(self, what: str) -> str:
        """Name something that the lesson makes: the learner first, then what it is."""
        return f"{self.learner}-{what}"

    def arn(self, kind: str, name: str) -> str:
        """Write the ARN of an IoT resource of this account.

        Args:
            kind: ``client``, ``topic``, ``topicfilter``, ``thing``, ``policy`` or ``cert``.
            name: What follows: the client id, the topic, …

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html
        """
        # The policy language loads with the first notebook that needs it, not with the first line.
        from iot_policy import arn

        return arn(self.region, self.number, f"{kind}/{name}")

    def refusals(self) -> list[Refusal]:
        """List what the broker refused last, the newest at the end. AWS's own does not tell."""
        kept: Any = self.line.read(f"refusals/{self.number}") or []
        return [Refusal.from_json(each) for each in kept]

    def passed(self, exercise: str) -> None:
        """Record that an exercise is done: in a class, the teacher's board shows it.

        Args:
            exercise: Its name: 1 to 64 letters, digits, ``.``, ``_`` and ``-``.
        """
        self.line.change(f"passed/{self.number}/{exercise}")
