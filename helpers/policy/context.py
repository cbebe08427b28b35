"""What is known of a connection: the values of a policy's variables and condition keys."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from helpers.policy.certificate import certificate_values
from helpers.policy.keys import THING


class Thing(Protocol):
    """A Thing that the certificate is attached to."""

    @property
    def name(self) -> str:
        """The Thing's name."""

    @property
    def type_name(self) -> str | None:
        """The Thing's type, if it has one."""

    @property
    def attributes(self) -> Mapping[str, str]:
        """The Thing's attributes."""


def connection_context(
    client_id: str | None,
    source_ip: str | None,
    certificate_id: str,
    things: Sequence[Thing],
    *,
    certificate_pem: str | None = None,
    domain_name: str | None = None,
    connect_attributes: Sequence[str] = (),
    last_will_topic: str | None = None,
) -> dict[str, str | tuple[str, ...]]:
    """Collect what policies may ask of a connection. It stays the same while the connection lives.

    Args:
        client_id: The MQTT client id; ``None`` where it is not known, as in TestAuthorization.
        source_ip: The client's address, IPv4 or IPv6.
        certificate_id: 64 hexadecimal digits.
        things: The Things that the certificate is attached to. The one whose name is the client
            id gives the Thing variables their values.
        certificate_pem: The certificate, for ``iot:Certificate.Subject.…`` and ``.Issuer.…``.
        domain_name: The name that the client asked for by TLS's SNI.
        connect_attributes: ``PersistentConnect`` (clean start is false), ``LastWill``.
        last_will_topic: Full ARN of the will's topic.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-policy-variables.html
    """
    known: dict[str, str | tuple[str, ...] | None] = {
        "iot:ClientId": client_id,
        "aws:SourceIp": source_ip,
        "iot:CertificateId": certificate_id,
        "iot:DomainName": domain_name,
        "iot:ConnectAttributes": tuple(connect_attributes) or None,
        "iot:LastWillTopic": last_will_topic,
    }
    if client_id is not None:
        known |= _thing_values(client_id, things)
    if certificate_pem is not None:
        known |= certificate_values(certificate_pem)
    return {key: value for key, value in known.items() if value is not None}


def _thing_values(client_id: str, things: Sequence[Thing]) -> dict[str, str | None]:
    thing = next((each for each in things if each.name == client_id), None)
    if thing is None:
        return {f"{THING}IsAttached": "false"}
    return {
        f"{THING}IsAttached": "true",
        f"{THING}ThingName": thing.name,
        f"{THING}ThingTypeName": thing.type_name,
        **{f"{THING}Attributes[{name}]": value for name, value in thing.attributes.items()},
    }
