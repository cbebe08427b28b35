"""Read moto's registry as it stands now: certificates, their policies and their Things."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from moto.iot.models import FakePolicy, FakeRule, FakeThingGroup, IoTBackend, iot_backends

from iot_policy import AttachedThing, CertificateNames, arn
from iot_policy.vocabulary import ALTERNATIVE_NAMES, CERTIFICATE_NAMES


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

    @property
    def principal_id(self) -> str:
        """What AWS IoT knows the device by."""
        return self.certificate_id


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

    def policies(
        self, certificate: RegisteredCertificate, thing: AttachedThing | None
    ) -> list[tuple[FakePolicy, str]]:
        """Return the policies that count for a connection, each with the group that it is from.

        That the groups of an exclusive Thing count whatever the client id is, AWS does not
        document; else it asks for a client id that is the Thing's name.

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
        """
        backend = iot_backends[certificate.account][certificate.region]
        return policies_for(backend, certificate.arn, thing.name if thing else None)

    def rules(self, account: str, region: str) -> list[FakeRule]:
        """Return the topic rules that are in force."""
        held = iot_backends[account][region].rules
        return [rule for rule in list(held.values()) if not rule.rule_disabled]

    def thing(
        self, certificate: RegisteredCertificate, client_id: str | None
    ) -> AttachedThing | None:
        """Return the Thing that a connection is taken for: the exclusive one, or its namesake.

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/exclusive-thing.html
        """
        backend = iot_backends[certificate.account][certificate.region]
        exclusive = exclusive_things(backend).get(certificate.arn)
        _, thing = backend.principal_things.get(
            (certificate.arn, exclusive or client_id or ""), ("", None)
        )
        if thing is None:
            return None
        kind = thing.thing_type.thing_type_name if thing.thing_type else None
        return AttachedThing(
            thing.thing_name, kind, dict(thing.attributes), exclusive=exclusive is not None
        )


def policies_for(
    backend: IoTBackend, target: str | None, thing_name: str | None = None
) -> list[tuple[FakePolicy, str]]:
    """List the policies of a target, then those of a Thing's groups; of groups, the parents' too.

    Args:
        backend: Holds the registry of one account and Region.
        target: ARN of a certificate or a thing group; ``None`` for the Thing's groups alone.
        thing_name: The Thing whose groups count.

    Returns:
        Each policy once, with the name of the group that it is from; empty for the target's own.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-groups.html
    """
    origins = {target: ""} if target else {}
    thing_arn = arn(backend.region_name, backend.account_id, f"thing/{thing_name}")
    for group in list(backend.thing_groups.values()):
        if group.arn == target:
            origins |= parents(group)
        if thing_name is not None and thing_arn in group.things:
            origins |= {group.arn: group.thing_group_name} | parents(group)
    found: dict[str, tuple[FakePolicy, str]] = {}
    for origin, group_name in origins.items():
        for policy in list(backend.policies.values()):
            if (origin, policy.name) in backend.principal_policies:
                found.setdefault(policy.name, (policy, group_name))
    return list(found.values())


def parents(group: FakeThingGroup) -> dict[str, str]:
    """Return ARN and name of each group above *group*, the nearest first."""
    above = group.metadata.get("rootToParentThingGroups", [])
    return {each["groupArn"]: each["groupName"] for each in reversed(above)}


def exclusive_things(backend: IoTBackend) -> dict[str, str]:
    """Return the Things that certificates are attached to exclusively, by the certificates' ARNs.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/exclusive-thing.html
    """
    # On the backend itself, so that a reset drops them and a saved state keeps them.
    found: dict[str, str] = vars(backend).setdefault("exclusive_things", {})
    return found


UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What the library raises for a certificate or a request that is damaged, or not of its kinds.

TypeError is for a name with bits in it."""


@lru_cache(maxsize=1024)
def certificate_names(pem: str) -> CertificateNames:
    """Read what a certificate says, as policy variables have it.

    Raises:
        One of UNREADABLE: it is damaged.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/use-policy-variables.html
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return {
        "SerialNumber": [str(certificate.serial_number)],
        **_names("Subject", certificate.subject),
        **_names("Issuer", certificate.issuer),
        **_alternative_names("Subject", certificate, x509.SubjectAlternativeName),
        **_alternative_names("Issuer", certificate, x509.IssuerAlternativeName),
    }


def _names(whose: str, name: x509.Name) -> dict[str, list[str]]:
    found = {
        part: [str(each.value) for each in name.get_attributes_for_oid(x509.ObjectIdentifier(oid))]
        for part, oid in CERTIFICATE_NAMES.items()
    }
    return {f"{whose}.{part}": values for part, values in found.items() if values}


_SHORT_NAMES = {
    x509.ObjectIdentifier(oid): short
    for oid, short in (
        ("2.5.4.3", "cn"),
        ("2.5.4.6", "c"),
        ("2.5.4.7", "l"),
        ("2.5.4.8", "st"),
        ("2.5.4.10", "o"),
        ("2.5.4.11", "ou"),
    )
}
"""How AWS writes a directory's name: ``cn=LightBulb,o=IoT,c=US``."""


def _alternative_names(
    whose: str,
    certificate: x509.Certificate,
    extension: type[x509.SubjectAlternativeName | x509.IssuerAlternativeName],
) -> dict[str, list[str]]:
    try:
        names = certificate.extensions.get_extension_for_class(extension).value
    except x509.ExtensionNotFound:
        return {}
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return {}  # TLS takes such a certificate; the names that it cannot tell have no value
    found: dict[str, list[str]] = {}
    for name in names:
        if (kind := type(name).__name__) in ALTERNATIVE_NAMES:
            directory = isinstance(name, x509.DirectoryName)
            text = name.value.rfc4514_string(_SHORT_NAMES) if directory else str(name.value)
            found.setdefault(f"{whose}.AlternativeName.{kind}", []).append(text)
    return found


def _certificate(found: Any, account: str, region: str) -> RegisteredCertificate:
    return RegisteredCertificate(
        found.certificate_id, found.arn, found.certificate_pem, found.status, account, region
    )
