"""Object identifiers, of the parts of a name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectIdentifier:
    """A number with dots."""

    dotted_string: str


class NameOID:
    """The part that moto asks for by its name."""

    COMMON_NAME = ObjectIdentifier("2.5.4.3")


SHORT = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
"""What stands for it in text: https://www.rfc-editor.org/rfc/rfc4514#section-3."""
