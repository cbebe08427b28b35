"""What to type into a real button's own set-up page."""

from prettytable import PrettyTable

from helpers import thing
from helpers.account import Account
from helpers.key_files import KeyFiles
from helpers.table import table


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
