"""From values to bytes: what the broker sends, in both versions of MQTT."""

from collections.abc import Sequence

from sandbox.mqtt import limits
from sandbox.mqtt.packets import NO_PROPERTIES, V5, V311, Properties, Property, ReasonCode
from sandbox.mqtt.properties import encode_properties, text, variable

PINGRESP = b"\xd0\x00"
_UNACCEPTABLE_PROTOCOL_VERSION = 1
"""The only refusal that an MQTT 3.1.1 client is told; after any other, AWS IoT just hangs up."""
_OFFER: Properties = {
    Property.RECEIVE_MAXIMUM: limits.UNACKNOWLEDGED,
    Property.MAXIMUM_QOS: limits.MAXIMUM_QOS,
    Property.MAXIMUM_PACKET_SIZE: limits.PACKET_BYTES,
    Property.TOPIC_ALIAS_MAXIMUM: limits.TOPIC_ALIASES,
    Property.SUBSCRIPTION_IDENTIFIER_AVAILABLE: 0,
}


def connack(version: int, *, session_present: bool, granted: Properties = NO_PROPERTIES) -> bytes:
    """Welcome a client; *granted* is what it gets instead of what it asked for (MQTT 5)."""
    tail = encode_properties({**_OFFER, **granted}) if version == V5 else b""
    return _packet(0x20, bytes((session_present, ReasonCode.SUCCESS)) + tail)


def connack_refused(version: int, code: ReasonCode, why: str) -> bytes:
    """Turn a client away; empty for an MQTT 3.1.1 client on which AWS IoT hangs up in silence."""
    if version == V5:
        return _packet(0x20, bytes((0, code)) + _reason_string(why))
    if code is ReasonCode.UNSUPPORTED_PROTOCOL_VERSION:
        return _packet(0x20, bytes((0, _UNACCEPTABLE_PROTOCOL_VERSION)))
    return b""


def publish(
    version: int,
    topic: str,
    payload: bytes,
    *,
    packet_id: int = 0,
    retain: bool = False,
    duplicate: bool = False,
    carried: Properties = NO_PROPERTIES,
) -> bytes:
    """Deliver a message: with QoS 1 if it has a packet identifier, else with QoS 0."""
    first = 0x30 | duplicate << 3 | (packet_id > 0) << 1 | retain
    head = text(topic)
    if packet_id:
        head += packet_id.to_bytes(2, "big")
    if version == V5:
        head += encode_properties(carried) if carried else b"\0"
    return _packet(first, head + payload)


def puback(
    version: int, packet_id: int, code: ReasonCode = ReasonCode.SUCCESS, why: str = ""
) -> bytes:
    """Acknowledge a QoS 1 message, or refuse it (MQTT 5 only)."""
    if version == V311 or code is ReasonCode.SUCCESS:
        return b"\x40\x02" + packet_id.to_bytes(2, "big")
    return _packet(0x40, packet_id.to_bytes(2, "big") + bytes((code,)) + _reason_string(why))


def suback(version: int, packet_id: int, codes: Sequence[int], why: str = "") -> bytes:
    """Answer each filter of a SUBSCRIBE with the granted QoS, or with a reason code (MQTT 5)."""
    head = packet_id.to_bytes(2, "big")
    return _packet(0x90, head + (_reason_string(why) if version == V5 else b"") + bytes(codes))


def unsuback(version: int, packet_id: int, codes: Sequence[int]) -> bytes:
    """Answer an UNSUBSCRIBE."""
    head = packet_id.to_bytes(2, "big")
    return _packet(0xB0, head + (b"\0" + bytes(codes) if version == V5 else b""))


def disconnect(version: int, code: ReasonCode, why: str) -> bytes:
    """Say why the broker hangs up; empty in MQTT 3.1.1, whose servers cannot say it."""
    return _packet(0xE0, bytes((code,)) + _reason_string(why)) if version == V5 else b""


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + variable(len(body)) + body


def _reason_string(why: str) -> bytes:
    return encode_properties({Property.REASON_STRING: why}) if why else b"\0"
