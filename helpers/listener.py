"""Somebody has to listen, or nobody would see a press: a device of its own."""

from helpers import button, certificate, policy, thing
from helpers.account import Account
from helpers.button import Device


def prepare(account: Account, serial: str, name: str) -> Device:
    """See that there is a device that may listen to one button, and to nothing else.

    Args:
        account: Where.
        serial: The serial number of the button that it listens to.
        name: Its own Thing's name. Its policy is called the same, with ``-policy``.

    Returns:
        The device, ready to connect.
    """
    iot, policy_name = account.iot, f"{name}-policy"
    thing.register(iot, name)
    policy.put_in_force(
        iot, policy_name, policy.listener(account.region, account.number, serial, name)
    )
    certificate.issue(account, name, policy_name)
    return button.device(account, name)
