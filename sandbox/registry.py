"""What the sandbox's broker and its policy answers read: moto's registry, live."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography import x509
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
        """Grows with every change made through the control plane: a cache's key."""

    def changed(self) -> None:
        """Say that the registry may have changed."""
        self.revision += 1

    def certificates(self) -> Iterator[RegisteredCertificate]:
        """Every registered certificate of every account and region."""
        for account, regions in list(iot_backends.items()):
            for region, backend in list(regions.items()):
                for found in list(backend.certificates.values()):
                    yield _certificate(found, account, region)

    def certificate(self, certificate_id: str) -> RegisteredCertificate | None:
        """The registered certificate with this id, in whichever account it is."""
        for account, regions in list(iot_backends.items()):
            for region, backend in list(regions.items()):
                found = backend.certificates.get(certificate_id)
                if found is not None:
                    return _certificate(found, account, region)
        return None

    def policies(self, certificate: RegisteredCertificate) -> list[tuple[str, str]]:
        """Name and JSON text of the default version of each policy attached to *certificate*."""
        backend = iot_backends[certificate.account][certificate.region]
        return [
            (policy.name, str(policy.document))
            for (target, _), (_, policy) in list(backend.principal_policies.items())
            if target == certificate.arn
        ]

    def things(self, certificate: RegisteredCertificate) -> list[AttachedThing]:
        """The Things that *certificate* is attached to."""
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


@lru_cache(maxsize=1024)
def certificate_names(pem: str) -> CertificateNames:
    """Read the subject and the issuer of a certificate, as policy variables have them.

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
