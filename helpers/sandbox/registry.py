"""What the sandbox's broker and its policy answers read: moto's registry, live."""

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.iot.models import iot_backends


@dataclass(frozen=True)
class Certificate:
    """A registered device certificate, as it stands now."""

    certificate_id: str
    """SHA-256 of the certificate's DER form, 64 lower-case hexadecimal digits."""
    arn: str
    pem: str
    status: str
    """``ACTIVE``, ``INACTIVE``, ``REVOKED``, …"""
    account: str
    region: str


@dataclass(frozen=True)
class Thing:
    """A Thing that a certificate is attached to."""

    name: str
    type_name: str | None
    attributes: dict[str, str]


class Registry:
    """Reads moto's IoT backends at every call; never keeps one, for a reset replaces them."""

    def __init__(self) -> None:
        self.revision = 0
        """Grows with every change made through the control plane: a cache's key."""

    def changed(self) -> None:
        """Say that the registry may have changed."""
        self.revision += 1

    def certificates(self) -> Iterator[Certificate]:
        """Every registered certificate of every account and region."""
        for account, regions in list(iot_backends.items()):
            for region, backend in list(regions.items()):
                for found in list(backend.certificates.values()):
                    yield _certificate(found, account, region)

    def certificate(self, certificate_id: str) -> Certificate | None:
        """The registered certificate with this id, in whichever account it is."""
        for account, regions in list(iot_backends.items()):
            for region, backend in list(regions.items()):
                found = backend.certificates.get(certificate_id)
                if found is not None:
                    return _certificate(found, account, region)
        return None

    def policies(self, certificate: Certificate) -> list[tuple[str, str]]:
        """Name and JSON text of the default version of each policy attached to *certificate*."""
        backend = iot_backends[certificate.account][certificate.region]
        return [
            (policy.name, str(policy.document))
            for (target, _), (_, policy) in list(backend.principal_policies.items())
            if target == certificate.arn
        ]

    def things(self, certificate: Certificate) -> list[Thing]:
        """The Things that *certificate* is attached to."""
        backend = iot_backends[certificate.account][certificate.region]
        return [
            Thing(
                thing.thing_name,
                thing.thing_type.thing_type_name if thing.thing_type else None,
                dict(thing.attributes),
            )
            for (target, _), (_, thing) in list(backend.principal_things.items())
            if target == certificate.arn
        ]


def certificate_id(pem: str) -> str:
    """Give the id that AWS IoT gives a certificate: SHA-256 of its DER form.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_Certificate.html
    """
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def _certificate(found: Any, account: str, region: str) -> Certificate:
    return Certificate(
        found.certificate_id, found.arn, found.certificate_pem, found.status, account, region
    )
