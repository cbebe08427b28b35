"""Who may come in with a CONNECT, and which messages may go out: every check, in AWS's order."""

import uuid
from functools import partial

import iot_policy as policy
from sandbox.broker.authority import Authority
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, Connect, Publish, Subscribe
from sandbox.mqtt.properties import Property
from sandbox.mqtt.reasons import Reason, RefusedError
from sandbox.mqtt.topics import check_topic
from sandbox.registry import RegisteredCertificate, Registry, certificate_names


def admit(
    packet: Connect,
    registry: Registry,
    certificate: RegisteredCertificate,
    *,
    source_ip: str,
    server_name: str | None,
) -> Authority:
    """Check a CONNECT: the certificate first, then what is asked, then the policies.

    Args:
        packet: Gets a client id of the broker's making if it has none.
        registry: Says what the certificate may do.
        certificate: The one that the client has proven to hold.
        source_ip: The client's address.
        server_name: The host that the client asked for by TLS's SNI.

    Returns:
        What the connection may do from now on.

    Raises:
        RefusedError: it may not come in.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/connect-policy.html
    """
    if not packet.client_id:
        packet.client_id, packet.assigned = _assigned(packet), True
    will = packet.will
    attributes = ["LastWill"] if will else []
    if not packet.clean_start:
        attributes.append("PersistentConnect")
    arn = certificate.arn.rpartition(":")[0]
    context_of = partial(
        policy.connection_context,
        packet.client_id,
        source_ip,
        certificate.certificate_id,
        certificate_names=certificate_names(certificate.pem),
        domain_name=server_name,
        connect_attributes=attributes,
        last_will_topic=f"{arn}:topic/{will.topic}" if will else None,
    )
    authority = Authority(registry, certificate, context_of)
    authority.check_certificate()
    _check_connect(packet)
    authority.check("iot:Connect", f"client/{packet.client_id}")
    if will:
        check_message(will, authority)
    return authority


def check_message(message: Publish, authority: Authority) -> None:
    """Raise RefusedError unless *message* may be published: its form first, then the policies.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#mqtt-differences
    """
    if message.qos > 1:
        raise RefusedError(Reason.QOS_NOT_SUPPORTED, "AWS IoT has no QoS 2: use QoS 0 or 1")
    check_topic(message.topic)
    if len(message.payload) > limits.PAYLOAD_BYTES:
        raise RefusedError(
            Reason.PACKET_TOO_LARGE,
            f"a payload of {len(message.payload)} bytes; "
            f"AWS IoT takes {limits.PAYLOAD_BYTES} at most",
        )
    resource = f"topic/{message.topic}"
    authority.check("iot:Publish", resource)
    if message.retain:
        if message.topic.startswith("$"):
            raise RefusedError(
                Reason.TOPIC_NAME_INVALID, "a reserved topic ($…) takes no retained message"
            )
        authority.check("iot:RetainPublish", resource)


def check_subscribe(packet: Subscribe) -> None:
    """Raise RefusedError if AWS IoT takes no such SUBSCRIBE, whatever the policies say."""
    if Property.SUBSCRIPTION_IDENTIFIER in packet.properties:
        raise RefusedError(
            Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "AWS IoT has no subscription identifiers"
        )
    if len(packet.subscriptions) > limits.FILTERS_A_SUBSCRIBE:
        raise RefusedError(
            Reason.QUOTA_EXCEEDED, f"a SUBSCRIBE has {limits.FILTERS_A_SUBSCRIBE} filters at most"
        )
    if any(each.qos > 1 for each in packet.subscriptions):
        raise RefusedError(
            Reason.QOS_NOT_SUPPORTED, "AWS IoT has no QoS 2: subscribe with QoS 0 or 1"
        )


def _check_connect(packet: Connect) -> None:
    if len(packet.client_id.encode()) > limits.CLIENT_ID_BYTES:
        raise RefusedError(
            Reason.CLIENT_IDENTIFIER_NOT_VALID,
            f"a client id of AWS IoT has {limits.CLIENT_ID_BYTES} bytes at most",
        )
    if packet.client_id.startswith("$") and not packet.assigned:
        raise RefusedError(
            Reason.CLIENT_IDENTIFIER_NOT_VALID,
            "a client id does not begin with $: AWS IoT's own do",
        )
    if Property.AUTHENTICATION_METHOD in packet.properties:
        raise RefusedError(
            Reason.BAD_AUTHENTICATION_METHOD,
            "AWS IoT knows a device by its certificate, not by an authentication method",
        )


def _assigned(packet: Connect) -> str:
    if packet.version != V5 and not packet.clean_start:
        raise RefusedError(
            Reason.CLIENT_IDENTIFIER_NOT_VALID,
            "a persistent session needs a client id: give one, or ask for a clean session",
        )
    return f"$GEN/{uuid.uuid4()}"
