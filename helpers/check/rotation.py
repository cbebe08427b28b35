"""Notebook 03: give the button a new certificate, and take the old one out of service."""

from collections.abc import Iterator

from helpers import certificate
from helpers.account import Account
from helpers.check.result import Result, conclude
from helpers.key_files import saved


def rotation(account: Account, thing_name: str, old_id: str) -> Result:
    """Check that a Thing has a new certificate in working order, and that the old one is gone.

    Args:
        account: Whose.
        thing_name: Whose certificate it is.
        old_id: The id of the certificate before.
    """
    return conclude(account, "rotation", _missing(account, thing_name, old_id))


def _missing(account: Account, thing_name: str, old_id: str) -> Iterator[str]:
    files = saved(account.key_folder / thing_name)
    if files is None:
        yield f"{account.key_folder / thing_name} holds no certificate with its private key."
        return
    if files.certificate_id == old_id:
        yield f"{files.folder} still holds the old certificate: make room, then issue a new one."
        return
    new = certificate.find(account.iot, files.certificate_id)
    if new is None:
        yield "The saved certificate is not registered: issue one, and save what AWS answers."
        return
    if new.status != "ACTIVE":
        yield f"The new certificate is {new.status}: activate it."
    if not new.policies:
        yield "No policy is attached to the new certificate: it may do nothing."
    if thing_name not in new.things:
        yield f"The new certificate is not attached to the Thing {thing_name}."
    if certificate.find(account.iot, old_id) is not None:
        yield "The old certificate still exists: whoever has its key can still use it."
