"""What of the lesson exists in the account now, and what is still to be done."""

from dataclasses import dataclass

from prettytable import PrettyTable

from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.certificate import Certificate
from helpers.key_files import KeyFiles, saved
from helpers.policy import AccountPolicy
from helpers.table import table
from helpers.thing import Thing


@dataclass(frozen=True)
class Inventory:
    """The lesson's Things, policies and certificates, as the account has them."""

    things: tuple[Thing, ...]
    policies: tuple[AccountPolicy, ...]
    certificates: tuple[Certificate, ...]
    keys: tuple[KeyFiles, ...]
    """The certificates whose files are saved here."""

    @property
    def empty(self) -> bool:
        """Whether nothing of the lesson is left, neither in the account nor on this machine."""
        return not (self.things or self.policies or self.certificates or self.keys)


@dataclass(frozen=True)
class Step:
    """One step of the lesson, and whether the account shows it done."""

    what: str
    done: bool
    to_do: str
    """Where to do it: empty where it is done."""


def look(account: Account) -> Inventory:
    """Look at what the lesson has made.

    Things and policies are found by their marker. A certificate is the lesson's where its files are
    in the lesson's folder, or where all that it is attached to is the lesson's.
    """
    iot = account.iot
    things = thing.made_here(iot)
    policies = policy.made_here(iot)
    keys = _saved_keys(account)
    ids = [files.certificate_id for files in keys]
    ids += _attached_to(account, things, policies)
    found = [certificate.find(iot, each) for each in dict.fromkeys(ids)]
    names = {each.name for each in things}, {each.name for each in policies}
    certificates = [
        each
        for each in found
        if each is not None
        and (
            each.certificate_id in {files.certificate_id for files in keys}
            or (set(each.things) <= names[0] and set(each.policies) <= names[1])
        )
    ]
    return Inventory(tuple(things), tuple(policies), tuple(certificates), tuple(keys))


def steps(found: Inventory) -> list[Step]:
    """List the steps of the lesson, each done or not.

    A step counts as done where one certificate has it all: the one that is furthest.
    """
    best = max(found.certificates, key=_progress, default=None)
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


def readiness(found: Inventory) -> PrettyTable:
    """Show the steps of the lesson as a table: done or not, and what to do."""
    rows = [(step.what, "yes" if step.done else "no", step.to_do) for step in steps(found)]
    return table(["Step", "Done", "What to do"], rows)


def _saved_keys(account: Account) -> list[KeyFiles]:
    if not account.keys.exists():
        return []
    folders = sorted(folder for folder in account.keys.iterdir() if folder.is_dir())
    return [files for files in map(saved, folders) if files is not None]


def _attached_to(account: Account, things: list[Thing], policies: list[AccountPolicy]) -> list[str]:
    of_things = account.iot.get_paginator("list_thing_principals")
    of_policies = account.iot.get_paginator("list_targets_for_policy")
    arns = [
        arn
        for each in things
        for page in of_things.paginate(thingName=each.name)
        for arn in page["principals"]
    ]
    arns += [
        arn
        for each in policies
        for page in of_policies.paginate(policyName=each.name)
        for arn in page["targets"]
    ]
    return [arn.rsplit("/", 1)[1] for arn in arns if ":cert/" in arn]


def _progress(each: Certificate) -> int:
    return (each.status == "ACTIVE") + bool(each.policies) + bool(each.things)
