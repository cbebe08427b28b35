"""Remove what the lesson made, and nothing else."""

from dataclasses import dataclass

from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.closing.inventory import look


@dataclass(frozen=True)
class Removed:
    """One thing that the clean-up took away."""

    kind: str
    name: str


def clean_up(account: Account) -> list[Removed]:
    """Remove all that the lesson made, and nothing else, from whatever state it is in.

    Certificates go first, for AWS deletes neither a policy nor a Thing that one is attached to.

    Returns:
        What was removed, in the order in which it went.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/delete-device-certs.html
    """
    iot = account.iot
    found = look(account)
    removed = []
    for each in found.certificates:
        certificate.remove(iot, each.certificate_id)
        removed.append(Removed("certificate", each.certificate_id))
    for each_policy in found.policies:
        policy.remove(iot, each_policy.name)
        removed.append(Removed("policy", each_policy.name))
    for each_thing in found.things:
        thing.remove(iot, each_thing.name)
        removed.append(Removed("Thing", each_thing.name))
    for files in found.keys:
        files.delete()
        removed.append(Removed("key files", str(files.folder)))
    return removed
