"""What of the lesson exists in the account now."""

from dataclasses import dataclass

from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.certificate import Certificate
from helpers.key_files import KeyFiles, all_saved
from helpers.policy import AccountPolicy
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


def look(account: Account) -> Inventory:
    """Look at what the lesson has made.

    Things and policies are found by their marker. A certificate is the lesson's where its files are
    in the lesson's folder, where the ledger has it, or where all that it is attached to is the
    lesson's.
    """
    iot = account.iot
    things = thing.made_here(iot, prefix=account.prefix)
    policies = policy.made_here(iot, prefix=account.prefix)
    keys = all_saved(account.key_folder)
    known = [files.certificate_id for files in keys] + account.ledger.ids()
    ids = known + _attached_to(account, things, policies)
    found = [certificate.find(iot, each) for each in dict.fromkeys(ids)]
    names = {each.name for each in things}, {each.name for each in policies}
    certificates = [
        each
        for each in found
        if each is not None
        and (
            each.certificate_id in known
            or (set(each.things) <= names[0] and set(each.policies) <= names[1])
        )
    ]
    return Inventory(tuple(things), tuple(policies), tuple(certificates), tuple(keys))


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
