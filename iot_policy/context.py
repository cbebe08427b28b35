"""What is known of a connection: the values of a policy's variables and condition keys."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from iot_policy.vocabulary import CERTIFICATE, THING, VALUES_A_NAME, canonical


@dataclass(frozen=True, slots=True)
class AttachedThing:
    """A Thing that the certificate is attached to."""

    name: str
    type_name: str | None
    attributes: Mapping[str, str]
    exclusive: bool = False
    """Whether the certificate can be attached to no other, so that the client id may differ.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/exclusive-thing.html
    """


CertificateNames = Mapping[str, Sequence[str]]
"""Each attribute, such as ``Subject.CommonName`` or ``SerialNumber``, and its values."""

_MOST_CHARACTERS = 1024
_NOT_SUBSTITUTED = frozenset("*?+#$")


def connection_context(
    client_id: str | None,
    source_ip: str | None,
    certificate_id: str,
    things: Sequence[AttachedThing],
    *,
    certificate_names: CertificateNames | None = None,
    domain_name: str | None = None,
    connect_attributes: Sequence[str] = (),
    last_will_topic: str | None = None,
) -> dict[str, str | tuple[str, ...]]:
    """Collect what policies may ask of a connection. It stays the same while the connection lives.

    Args:
        client_id: The MQTT client id; ``None`` where it is not known, as in TestAuthorization.
        source_ip: The client's address, IPv4 or IPv6.
        certificate_id: 64 hexadecimal digits.
        things: The Things that the certificate is attached to. The exclusive one, or the one whose
            name is the client id, gives the Thing variables their values.
        certificate_names: What the certificate says, for ``iot:Certificate.…``.
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
    thing = next((each for each in things if each.exclusive or each.name == client_id), None)
    if thing is not None:
        known |= _thing_values(thing)
    elif client_id is not None:
        known[f"{THING}IsAttached"] = "false"
    of_certificate: dict[str, str | tuple[str, ...]] = {}
    for part, values in (certificate_names or {}).items():
        of_certificate |= dict(_name_values(f"{CERTIFICATE}{part}", values))
    if of_certificate:
        known[f"{CERTIFICATE}AvailableKeys"] = tuple(of_certificate)
    known |= of_certificate
    return {key: value for key, value in known.items() if value is not None}


def _thing_values(thing: AttachedThing) -> dict[str, str | None]:
    return {
        f"{THING}IsAttached": "true",
        f"{THING}ThingName": thing.name,
        f"{THING}ThingTypeName": thing.type_name,
        **{f"{THING}Attributes[{name}]": value for name, value in thing.attributes.items()},
    }


def _name_values(key: str, values: Sequence[str]) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """``CommonName`` is the first value, ``CommonName.1`` the second, ``CommonName.List`` all.

    A value that holds a wildcard or more than 1024 characters is left out, as on AWS.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/cert-policy-variables.html
    """
    kept = {
        index: value
        for index, value in enumerate(values[:VALUES_A_NAME])
        if len(value) <= _MOST_CHARACTERS and not _NOT_SUBSTITUTED & set(value)
    }
    if 0 in kept:
        yield key, kept[0]
    if kept and canonical(f"{key}.List"):  # a certificate has one serial number
        yield f"{key}.List", tuple(kept.values())
        for index, value in kept.items():
            yield f"{key}.{index}", value
