"""Read moto's registry as it stands now: certificates, their policies and their Things."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from moto.iot.models import iot_backends

from iot_policy import AttachedThing, CertificateNames
from iot_policy.vocabulary import CERTIFICATE_NAMES


@dataclass(frozen=True)
class RegisteredCertificate:
    """A registered device certificate, as it stands now."""

    certificate_id: str
    """SHA-256 of the certificate's DER form, 64 lower-case hexadecimal digits."""
    arn: str
    pem: str
    status: str
    """``ACTIVE``, ``INACTIVE``, ``REVOKED``, …"""
    account: str
    region: str


class Registry:
    """Reads moto's IoT backends at every call; never keeps one, for a reset replaces them."""

    def __init__(self) -> None:
        self.revision = 0
        """Grows with every change through the control plane: what is cached is of one revision."""

    def changed(self) -> None:
        """Record that the registry may have changed."""
        self.revision += 1

    def pems(self) -> dict[str, str]:
        """Return every registered certificate in PEM, by its id, of all accounts and regions."""
        return {
            certificate_id: found.certificate_pem
            for regions in list(iot_backends.values())
            for backend in list(regions.values())
            for certificate_id, found in list(backend.certificates.items())
        }

    def certificate(self, certificate_id: str) -> RegisteredCertificate | None:
        """Return the registered certificate with this id, whichever account it is in."""
        for account, regions in list(iot_backends.items()):
            for region, backend in list(regions.items()):
                found = backend.certificates.get(certificate_id)
                if found is not None:
                    return _certificate(found, account, region)
        return None

    def status(self, certificate: RegisteredCertificate) -> str:
        """Return the status that *certificate* has now; ``deleted`` if its account has it not."""
        backend = iot_backends[certificate.account][certificate.region]
        found = backend.certificates.get(certificate.certificate_id)
        return str(found.status) if found else "deleted"

    def policies(self, certificate: RegisteredCertificate) -> list[tuple[str, str]]:
        """Return name and JSON text of each attached policy, in its default version."""
        backend = iot_backends[certificate.account][certificate.region]
        return [
            (policy.name, str(policy.document))
            for (target, _), (_, policy) in list(backend.principal_policies.items())
            if target == certificate.arn
        ]

    def things(self, certificate: RegisteredCertificate) -> list[AttachedThing]:
        """Return the Things that *certificate* is attached to."""
        backend = iot_backends[certificate.account][certificate.region]
        return [
            AttachedThing(
                thing.thing_name,
                thing.thing_type.thing_type_name if thing.thing_type else None,
                dict(thing.attributes),
            )
            for (target, _), (_, thing) in list(backend.principal_things.items())
            if target == certificate.arn
        ]


UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What the library raises for a certificate or a request that is damaged, or not of its kinds.

TypeError is for a name with bits in it."""


@lru_cache(maxsize=1024)
def certificate_names(pem: str) -> CertificateNames:
    """Read the subject and the issuer of a certificate, as policy variables have them.

    Raises:
        One of UNREADABLE: it is damaged.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/cert-policy-variables.html
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return {"Subject": _names(certificate.subject), "Issuer": _names(certificate.issuer)}


def _names(name: x509.Name) -> dict[str, list[str]]:
    found = {
        part: [str(each.value) for each in name.get_attributes_for_oid(x509.ObjectIdentifier(oid))]
        for part, oid in CERTIFICATE_NAMES.items()
    }
    return {part: values for part, values in found.items() if values}


def _certificate(found: Any, account: str, region: str) -> RegisteredCertificate:
    return RegisteredCertificate(
        found.certificate_id, found.arn, found.certificate_pem, found.status, account, region
    )
