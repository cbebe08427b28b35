"""The end of the lesson: what exists now, what is still to do, a real button, the clean-up."""

from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from helpers import certificate, group, policy, thing
from helpers.account import Account
from helpers.certificate import Certificate
from helpers.errors import LessonError
from helpers.flowchart import Flowchart, draw
from helpers.group import ThingGroup
from helpers.key_files import KeyFiles, unfinished, with_key
from helpers.policy import AccountPolicy
from helpers.table import Readable, table
from helpers.thing import Thing
from helpers.waiting import delete_when_detached, ignore_missing
from iot_policy import split_arn

Part = Certificate | ThingGroup | AccountPolicy | Thing | KeyFiles
"""What the lesson makes, and the clean-up deletes."""


@dataclass(frozen=True)
class Inventory:
    """The lesson's Things, policies and certificates, as the account has them."""

    things: tuple[Thing, ...]
    policies: tuple[AccountPolicy, ...]
    certificates: tuple[Certificate, ...]
    keys: tuple[KeyFiles, ...]
    """The files in each folder that holds a private key."""
    groups: tuple[ThingGroup, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing of the lesson is left, neither in the account nor on this machine."""
        return not self.parts

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of it, in the order in which AWS lets it be deleted.

        Certificates go first, because AWS deletes neither a policy nor a Thing with a certificate
        attached.
        """
        return (*self.certificates, *self.groups, *self.policies, *self.things, *self.keys)


def inventory(account: Account) -> Inventory:
    """Find what the lesson has made.

    Things and policies are found by their marker. A certificate is the lesson's if its files are in
    the lesson's folder, if the ledger has it, or if everything that it is attached to is the
    lesson's; a thing group, if everything in it is. In a real account the lesson makes none.
    """
    iot = account.iot
    things = thing.made_here(iot, prefix=account.prefix)
    policies = policy.made_here(iot, prefix=account.prefix)
    keys = with_key(account.key_folder)
    known = [files.known_id for files in keys if files.known_id] + account.ledger.ids()
    ids = known + _attached_to(account, things, policies)
    found = [certificate.find(iot, each) for each in dict.fromkeys(ids)]
    thing_names, policy_names = {each.name for each in things}, {each.name for each in policies}
    certificates = [
        each
        for each in found
        if each is not None
        and (
            each.certificate_id in known
            or (thing_names.issuperset(each.things) and policy_names.issuperset(each.policies))
        )
    ]
    groups = [] if account.shared else group.among(iot, thing_names, policy_names)
    return Inventory(
        tuple(things), tuple(policies), tuple(certificates), tuple(keys), tuple(groups)
    )


def _attached_to(account: Account, things: list[Thing], policies: list[AccountPolicy]) -> list[str]:
    """List the ids of all certificates that are attached to one of these."""
    of_things = account.iot.get_paginator("list_thing_principals")
    of_policies = account.iot.get_paginator("list_targets_for_policy")
    pages = [
        *(of_things.paginate(thingName=each.name).search("principals[]") for each in things),
        *(of_policies.paginate(policyName=each.name).search("targets[]") for each in policies),
    ]
    arns = map(split_arn, chain(*pages))
    return [arn.name for arn in arns if arn is not None and arn.resource_type == "cert"]


def flowchart(account: Account) -> Flowchart:
    """Draw the summary that the lesson closes with, from what really exists.

    A dashed box stands for what is missing.
    """
    found = inventory(account)
    return draw(
        [each.name for each in found.things],
        [*found.certificates, *found.groups],
        [each.name for each in found.policies],
    )


def button_form(account: Account, serial: str, files: KeyFiles) -> Readable:
    """Show what to type into the set-up page of a real button.

    Args:
        account: Whose endpoint the button is to use.
        serial: The button's serial number. Its end is the Wi-Fi password, and is not shown.
        files: The certificate's files; their names are shown, never what is in them.
    """
    endpoint = account.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    rows = [
        ("Wi-Fi network to join first", "Button ConfigureMe - XXX"),
        ("Its password", f"the last 8 characters of {thing.mask(serial)}"),
        ("Page to open", "http://192.168.0.1/index.html"),
        ("Wi-Fi name and password", "those of your own network"),
        ("Certificate", files.existing().certificate),
        ("Private key", files.private_key),
        ("Endpoint subdomain", endpoint.split(".")[0]),
        ("Endpoint region", account.region),
    ]
    return table(["Field", "What goes in"], rows)


class Removed(NamedTuple):
    """What the clean-up deletes, in words."""

    kind: str
    """``certificate``, ``thing group``, ``policy``, ``Thing`` or ``key files``."""
    name: str


def to_remove(account: Account) -> Readable:
    """Show what :func:`clean_up` would delete, in its order. Nothing is changed."""
    listed = map(_in_words, inventory(account).parts)
    rows = [(kind, f"{name[:8]}…" if kind == "certificate" else name) for kind, name in listed]
    return table(["What goes", "Its name"], rows)


def clean_up(account: Account) -> list[Removed]:
    """Delete everything that the lesson made, and nothing else, however far the lesson has come.

    Returns:
        What was deleted, in that order.

    Raises:
        LessonError: AWS still says after some minutes that something is attached; or there is a
            certificate that may be the lesson's or another's.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/delete-device-certs.html
    """
    doubtful = certificate.delete_unusable(account)
    parts = inventory(account).parts
    for part in parts:
        remove(account, part)
    for left_over in unfinished(account.key_folder):
        left_over.delete()
    account.ledger.forget_changes()
    if doubtful:
        ids = ", ".join(each.certificate_id for each in doubtful)
        raise LessonError(
            "All that is known to be yours is removed. But one of AWS's answers was lost, and "
            f"these certificates came into being just then, inactive and attached to nothing: "
            f"{ids}. If nobody else who uses this account knows them, delete them in the console.",
            entry="Certificates that belong to nothing",
        )
    return [_in_words(part) for part in parts]


def remove(account: Account, part: Part) -> None:
    """Delete one part of the inventory."""
    match part:
        case Certificate():
            # Once it is detached and not yet deleted, only the ledger says that it is ours.
            account.ledger.note(part.certificate_id)
            certificate.remove(account.iot, part.certificate_id)
        case ThingGroup():
            delete_when_detached(lambda: account.iot.delete_thing_group(thingGroupName=part.name))
        case AccountPolicy():
            policy.remove(account.iot, part.name)
        case Thing():
            with ignore_missing():  # a shadow outlives its Thing
                account.data().delete_thing_shadow(thingName=part.name)
            thing.remove(account.iot, part.name)
        case KeyFiles():
            account.ledger.forget(part.known_id)
            part.delete()


def _in_words(part: Part) -> Removed:
    match part:
        case Certificate():
            return Removed("certificate", part.certificate_id)
        case KeyFiles():
            return Removed("key files", str(part.folder))
    kinds = {ThingGroup: "thing group", AccountPolicy: "policy", Thing: "Thing"}
    return Removed(kinds[type(part)], part.name)
