"""The end of the lesson: what to type into a real button, and the clean-up."""

from dataclasses import dataclass

from prettytable import PrettyTable

from helpers import certificate, inventory, policy, thing
from helpers.account import Account
from helpers.key_files import KeyFiles
from helpers.table import table


@dataclass(frozen=True)
class Removed:
    """One thing that the clean-up took away."""

    kind: str
    name: str


def button_form(account: Account, serial: str, files: KeyFiles) -> PrettyTable:
    """Show what to type into the set-up page of a real button.

    Args:
        account: Whose endpoint the button is to use.
        serial: The button's serial number; its end, the Wi-Fi password, is not shown.
        files: The certificate's files; their names are shown, never what is in them.
    """
    endpoint = account.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    rows = [
        ("Wi-Fi network to join first", "Button ConfigureMe - XXX"),
        ("Its password", f"the last 8 characters of {thing.mask(serial)}"),
        ("Page to open", "http://192.168.0.1/index.html"),
        ("Wi-Fi name and password", "those of your own network"),
        ("Certificate", files.certificate),
        ("Private key", files.private_key),
        ("Endpoint subdomain", endpoint.split(".")[0]),
        ("Endpoint region", account.region),
    ]
    return table(["Field", "What goes in"], rows)


def clean_up(account: Account) -> list[Removed]:
    """Remove all that the lesson made, and nothing else, from whatever state it is in.

    Certificates go first, for AWS deletes neither a policy nor a Thing that one is attached to.

    Returns:
        What was removed, in the order in which it went.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/delete-device-certs.html
    """
    iot = account.iot
    found = inventory.look(account)
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
