"""Notebook 04: bring a half-wired button to life."""

from collections.abc import Iterator

from helpers import button, certificate, policy, thing
from helpers.account import Account
from helpers.certificate import Certificate
from helpers.check.result import Result, conclude
from helpers.check.second_button import SECOND_SERIAL
from helpers.key_files import saved


def half_wired_button(account: Account) -> Certificate:
    """Make a button that has everything, and does not work.

    Returns:
        Its certificate, switched off and not attached to its Thing; AWS's recommended policy is
        attached to it.
    """
    iot, name, rights = account.iot, account.name("dark-button"), account.name("dark-policy")
    thing.register(iot, name, serial=SECOND_SERIAL)
    policy.put_in_force(iot, rights, policy.recommended(account.region, account.number))
    files = certificate.create(account, name)
    arn = account.arn("cert", files.certificate_id)
    iot.update_certificate(certificateId=files.certificate_id, newStatus="INACTIVE")
    iot.attach_policy(policyName=rights, target=arn)
    found = certificate.find(iot, files.certificate_id)
    assert found is not None
    for attached in found.things:
        iot.detach_thing_principal(thingName=attached, principal=arn)
    return Certificate(found.certificate_id, arn, found.status, found.policies, ())


def alive(account: Account) -> Result:
    """Check that the half-wired button works: by its certificate, then by a real press."""
    return conclude(account, "half-wired", _missing(account))


def _missing(account: Account) -> Iterator[str]:
    name = account.name("dark-button")
    files = saved(account.key_folder / name)
    found = files and certificate.find(account.iot, files.certificate_id)
    if not found:
        yield "Its certificate is gone: run the cell above once more."
        return
    if found.status != "ACTIVE":
        yield f"Its certificate is {found.status}: nobody can connect with it."
    if not found.policies:
        yield "No policy is attached to its certificate any more: run the cell above once more."
    if name not in found.things:
        yield (
            f"Its certificate is not attached to the Thing {name}, "
            "so the variables of its policy have no value."
        )
    try:
        button.press(button.device(account, name))
    except button.Refused as refused:
        yield f"A press is still refused: {refused}"
