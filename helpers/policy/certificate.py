"""The subject and the issuer of a device's certificate, as policy variables."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from helpers.policy.keys import CERTIFICATE_NAMES, VALUES_A_NAME

if TYPE_CHECKING:
    from cryptography.x509 import Name

_LONGEST = 1024
_WILDCARDS = frozenset("*?+#")


@lru_cache(maxsize=1024)
def certificate_values(pem: str) -> Mapping[str, str | tuple[str, ...]]:
    """Read the keys ``iot:Certificate.Subject.…`` and ``iot:Certificate.Issuer.…``.

    ``CommonName`` is the first value, ``CommonName.1`` the second, ``CommonName.List`` all. A
    value that holds a wildcard or more than 1024 characters is left out, as on AWS.

    Args:
        pem: The certificate.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/cert-policy-variables.html
    """
    from cryptography import x509  # costs 50 ms, and most policies never ask

    certificate = x509.load_pem_x509_certificate(pem.encode())
    return {
        **dict(_name_values("Subject", certificate.subject)),
        **dict(_name_values("Issuer", certificate.issuer)),
    }


def _name_values(whose: str, name: "Name") -> Iterator[tuple[str, str | tuple[str, ...]]]:
    from cryptography.x509 import ObjectIdentifier

    for part, oid in CERTIFICATE_NAMES.items():
        key = f"iot:Certificate.{whose}.{part}"
        found = name.get_attributes_for_oid(ObjectIdentifier(oid))[:VALUES_A_NAME]
        values = {
            index: str(attribute.value)
            for index, attribute in enumerate(found)
            if _substituted(str(attribute.value))
        }
        if 0 in values:
            yield key, values[0]
        if values:
            yield f"{key}.List", tuple(values.values())
        for index, value in values.items():
            yield f"{key}.{index}", value


def _substituted(value: str) -> bool:
    return len(value) <= _LONGEST and not _WILDCARDS & set(value)
