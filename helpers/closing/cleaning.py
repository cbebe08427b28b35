"""Remove what the lesson made, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

from prettytable import PrettyTable

from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.certificate import Certificate
from helpers.closing.inventory import Inventory, look
from helpers.errors import LessonError
from helpers.key_files import KeyFiles, unfinished
from helpers.table import table


@dataclass(frozen=True)
class Removed:
    """One thing that the clean-up takes away."""

    kind: str
    name: str


def to_remove(account: Account) -> PrettyTable:
    """Show what :func:`clean_up` would remove, in its order. Nothing is changed."""
    parts = _parts(look(account))
    return table(["What goes", "Its name"], [(part.kind, part.name) for part in parts])


def clean_up(account: Account) -> list[Removed]:
    """Remove all that the lesson made, and nothing else, from whatever state it is in.

    Certificates go first, for AWS deletes neither a policy nor a Thing that one is attached to.

    Returns:
        What was removed, in the order in which it went.

    Raises:
        LessonError: AWS still says after some minutes that something is attached; or there is a
            certificate of which it cannot be told whether the lesson made it.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/delete-device-certs.html
    """
    doubtful = certificate.settle(account)
    parts = _parts(look(account))
    for part in parts:
        _take_away(account, part)
    for left_over in unfinished(account.key_folder):
        left_over.delete()
    if doubtful:
        raise _in_doubt(doubtful)
    return parts


def _parts(found: Inventory) -> list[Removed]:
    return [
        *(Removed("certificate", each.certificate_id) for each in found.certificates),
        *(Removed("policy", each.name) for each in found.policies),
        *(Removed("Thing", each.name) for each in found.things),
        *(Removed("key files", str(each.folder)) for each in found.keys),
    ]


def _take_away(account: Account, part: Removed) -> None:
    match part.kind:
        case "certificate":
            # Detached and not yet deleted, only the ledger tells that it is ours.
            account.ledger.note(part.name)
            certificate.remove(account.iot, part.name)
        case "policy":
            policy.remove(account.iot, part.name)
        case "Thing":
            thing.remove(account.iot, part.name)
        case "key files":
            files = KeyFiles(Path(part.name))
            account.ledger.forget(files.certificate_id)
            files.delete()


def _in_doubt(doubtful: list[Certificate]) -> LessonError:
    ids = ", ".join(each.certificate_id for each in doubtful)
    return LessonError(
        "All that is known to be yours is removed. But one of AWS's answers was lost, and these "
        f"certificates came into being just then, inactive and attached to nothing: {ids}. If "
        "nobody else who uses this account knows them, delete them in the console."
    )
