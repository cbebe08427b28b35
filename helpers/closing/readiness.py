"""The steps of the lesson: which are done, and what to do about the others."""

from dataclasses import dataclass

from prettytable import PrettyTable

from helpers.account import Account
from helpers.certificate import Certificate
from helpers.closing.inventory import Inventory, look
from helpers.table import table


@dataclass(frozen=True)
class Step:
    """One step of the lesson, and whether the account shows it done."""

    what: str
    done: bool
    to_do: str
    """Where to do it: empty where it is done."""


def steps(found: Inventory, thing_name: str) -> list[Step]:
    """List the steps of the lesson, each done or not.

    A step counts as done where one certificate has it all: the one that is furthest.

    Args:
        found: What exists.
        thing_name: The button's Thing. Certificates of other devices, the listener's for one, do
            not count.
    """
    its_own = [each for each in found.certificates if not _of_another(each, found, thing_name)]
    best = max(its_own, key=_progress, default=None)
    saved_ids = {files.certificate_id for files in found.keys}
    done_here = [
        ("The Thing is registered", bool(found.things), "01-thing"),
        ("The policy exists", bool(found.policies), "02-policy"),
        ("The certificate is issued", best is not None, "03-certificate"),
        (
            "Its private key is saved",
            best is not None and best.certificate_id in saved_ids,
            "03-certificate: a lost key cannot be had again, so issue a new one",
        ),
        (
            "The certificate is active",
            best is not None and best.status == "ACTIVE",
            "03-certificate, Activate",
        ),
        (
            "The policy is attached",
            best is not None and bool(best.policies),
            "03-certificate, Attach a policy",
        ),
        (
            "The Thing is attached",
            best is not None and bool(best.things),
            "03-certificate, the missing step",
        ),
    ]
    return [Step(what, done, "" if done else f"See {where}") for what, done, where in done_here]


def readiness(account: Account) -> PrettyTable:
    """Show the steps of the lesson as a table: done or not, and what to do."""
    listed = steps(look(account), account.name("button"))
    rows = [(step.what, "yes" if step.done else "no", step.to_do) for step in listed]
    return table(["Step", "Done", "What to do"], rows)


def _of_another(each: Certificate, found: Inventory, thing_name: str) -> bool:
    folders = [
        files.folder.name for files in found.keys if files.certificate_id == each.certificate_id
    ]
    names = {*each.things, *folders}
    return bool(names) and thing_name not in names


def _progress(each: Certificate) -> int:
    return (each.status == "ACTIVE") + bool(each.policies) + bool(each.things)
