"""A button that works from the first line on, to press before anything is built."""

from collections import Counter
from collections.abc import Collection, Sequence
from html import escape

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

GONE = "This button has been removed since. Run this cell again, and you can press it."
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
        """Make what the button and its listener need; what is there already stays as it is.

        Where that cannot be made, nothing of it stays.
        """
        try:
            self._issued = _wire(account)
        except BaseException:  # the menu's Interrupt Kernel, too
            _remove(account, ())
            raise
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
            How many of what are gone, and what is left where something is.
        """
        with self._listening.making:  # a press that is under way may be making the listener
            self._listening.stop()
            ids = {*self._issued, self._listening.certificate_id} - {""}
            gone = _remove(self._account, ids)
        self.show_gone()
        return _told(gone, _left(self._account, ids))

    def show_gone(self) -> None:
        """Show that there is no button any more."""
        self.show_silence()
        self._silence.value = ""
        self._light("")
        self.outcome.say("idle", GONE)
        self.outcome.show_code("")


class Waiting:
    """What stands there in a real account, where the learner makes everything knowingly."""

    def __repr__(self) -> str:
        return WAITS

    def remove(self) -> Readable:
        """Say that there is nothing to delete."""
        return _told([], [])


def trial(account: Account) -> Trial | Waiting:
    """Give a first button to press: a working one, or on a real account a line that says why not.

    Args:
        account: Where to make it. In one that others may use, too, nothing is made.
    """
    return Waiting() if account.shared else Trial(account)


def _wire(account: Account) -> list[str]:
    """Make all of it; return the certificates' ids."""
    name, rights = account.name(_BUTTON), account.name(f"{_BUTTON}-policy")
    made = thing.register(account.iot, name)
    least = policy.least_privilege(account.region, account.number, made.serial, client_id=name)
    policy.put_in_force(account.iot, rights, least)
    shown = certificate.issue(account, name, rights)
    ear = button.make_listener(account, made.serial, account.name(_LISTENER))
    return [shown.certificate_id, ear.files.certificate_id]


def _names(account: Account) -> tuple[set[str], set[str]]:
    """Return the names of the trial's Things and of its policies."""
    things = {account.name(_BUTTON), account.name(_LISTENER)}
    return things, {f"{name}-policy" for name in things}


def _remove(account: Account, ids: Collection[str]) -> list[Part]:
    gone = _own_parts(account, ids)
    for part in gone:
        closing.remove(account, part)
    return gone


def _own_parts(account: Account, issued: Collection[str]) -> list[Part]:
    """List what is the trial's, in the order in which AWS lets it be deleted.

    A certificate is, if it was issued for it, if its files are in one of the trial's folders, or if
    it is attached to nothing but the trial's Things and policies.
    """
    found, (things, policies) = closing.inventory(account), _names(account)
    ours = {*things, *policies}
    folders = [
        files for files in found.keys if files.folder.name in things or files.known_id in issued
    ]
    ids = {*issued, *(files.known_id for files in folders)}

    def certifies_ours(each: Certificate) -> bool:
        attached = {*each.things, *each.policies}
        return each.certificate_id in ids or (bool(attached) and attached <= ours)

    return [
        *filter(certifies_ours, found.certificates),
        *(each for each in found.policies if each.name in policies),
        *(each for each in found.things if each.name in things),
        *folders,
    ]


def _left(account: Account, ids: Collection[str]) -> list[str]:
    """Say what is still there: what lost its marker is not deleted."""
    iot, (things, policies) = account.iot, _names(account)
    return [
        *(f"certificate {each[:8]}…" for each in sorted(ids) if certificate.find(iot, each)),
        *(f"policy {each}" for each in sorted(policies) if policy.find(iot, each)),
        *(f"Thing {each}" for each in sorted(things) if thing.find(iot, each)),
    ]


def _told(gone: Sequence[Part], left: Sequence[str]) -> Readable:
    counts = Counter(_KINDS[type(part)] for part in gone)
    listed = ", ".join(f"{count} {kind[count > 1]}" for kind, count in counts.items())
    text = f"Gone: {listed}." if gone else NOTHING
    if left:
        text += (
            f" Still there: {', '.join(left)}. The lesson does not know it as its own any more: "
            "if it is yours, delete it in the console."
        )
    elif gone:
        text += " The account is as it was before."
    return Readable(text, f"<p>{escape(text)}</p>")
