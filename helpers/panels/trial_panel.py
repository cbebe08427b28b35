"""A button that works from the first line on, to press before anything is built."""

from collections import Counter

from helpers import button, certificate, closing, policy, thing
from helpers.account import Account
from helpers.button import Device
from helpers.certificate import Certificate
from helpers.closing import Part
from helpers.errors import LessonError
from helpers.key_files import KeyFiles
from helpers.panels.button_panel import ButtonPanel
from helpers.panels.panel import Picture
from helpers.policy import AccountPolicy
from helpers.table import Readable
from helpers.thing import Thing

GONE = "This button is gone: run the cell above again."
WAITS = (
    "This is a real AWS account, so the press waits until notebook 04. It takes two certificates, "
    "each of which lets somebody in, and AWS can take five minutes to let them go again. "
    "Nothing was made."
)
NOTHING = "There is nothing to remove."
_BUTTON, _LISTENER = "trial", "trial-listener"
_KINDS = {
    Certificate: ("certificate", "certificates"),
    AccountPolicy: ("policy", "policies"),
    Thing: ("Thing", "Things"),
    KeyFiles: ("folder of key files", "folders of key files"),
}


class Trial(ButtonPanel):
    """A button with everything that it needs, under names of its own, and gone by one call."""

    picture = Picture(
        "iot-trial.png",
        "The panel A button that works: a round button with a green ring, and below it the message "
        "that has arrived, with serial number, battery voltage and click type.",
    )

    def __init__(self, account: Account) -> None:
        """Make what the button and its listener need; what is there already stays as it is."""
        _wire(account)
        super().__init__(
            account, what=_BUTTON, listener=_LISTENER, title="A button that works: press it"
        )

    def device(self) -> Device:
        """Return the button, ready to be pressed.

        Raises:
            LessonError: it was removed, here or by the clean-up.
        """
        try:
            return super().device()
        except LessonError:
            raise LessonError(GONE, entry="What a cell needs is gone") from None

    def remove(self) -> Readable:
        """Delete all that this button and its listener needed, and nothing else.

        Returns:
            How many of what are gone.
        """
        with self._listening.making:  # a press that is under way may be making the listener
            self._listening.stop()
            gone = _own_parts(self._account)
            for part in gone:
                closing.remove(self._account, part)
        self.show_gone()
        return _told(gone)

    def show_gone(self) -> None:
        """Show that there is no button any more."""
        self.show_silence()
        self._silence.value = ""
        self._light("")
        self.outcome.say("done", GONE)
        self.outcome.show_code("")


class Waiting:
    """What stands there in a real account, where the learner makes everything knowingly."""

    def __repr__(self) -> str:
        return WAITS

    def remove(self) -> Readable:
        """Say that there is nothing to delete."""
        return _told([])


def trial(account: Account) -> Trial | Waiting:
    """Give a first button to press: a working one, or on a real account a line that says why not.

    Args:
        account: Where to make it. In one that others may use, too, nothing is made.
    """
    return Waiting() if account.shared else Trial(account)


def _wire(account: Account) -> None:
    name, rights = account.name(_BUTTON), account.name(f"{_BUTTON}-policy")
    made = thing.register(account.iot, name)
    least = policy.least_privilege(account.region, account.number, made.serial, client_id=name)
    policy.put_in_force(account.iot, rights, least)
    certificate.issue(account, name, rights)
    button.make_listener(account, made.serial, account.name(_LISTENER))


def _own_parts(account: Account) -> list[Part]:
    """List what is the trial's, in the order in which AWS lets it be deleted.

    A certificate is, if its files are in one of the trial's folders, or if it is attached to
    nothing but the trial's Things and policies.
    """
    found = closing.inventory(account)
    things = {account.name(_BUTTON), account.name(_LISTENER)}
    policies = {f"{name}-policy" for name in things}
    folders = [files for files in found.keys if files.folder.name in things]
    ids = {files.certificate_id for files in folders}

    def certifies_ours(each: Certificate) -> bool:
        attached, ours = {*each.things, *each.policies}, {*things, *policies}
        return each.certificate_id in ids or (bool(attached) and attached <= ours)

    return [
        *filter(certifies_ours, found.certificates),
        *(each for each in found.policies if each.name in policies),
        *(each for each in found.things if each.name in things),
        *folders,
    ]


def _told(gone: list[Part]) -> Readable:
    counts = Counter(_KINDS[type(part)] for part in gone)
    listed = ", ".join(f"{count} {kind[count > 1]}" for kind, count in counts.items())
    text = f"Gone: {listed}. The account is as it was before." if gone else NOTHING
    return Readable(text, f"<p>{text}</p>")
