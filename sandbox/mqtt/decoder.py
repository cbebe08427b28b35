"""From bytes to packets: what a client may send.

Sources: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html and
https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html
"""

from collections.abc import Callable, Iterator

from sandbox.mqtt.packets import (
    NO_PROPERTIES,
    V5,
    V311,
    Connect,
    Disconnect,
    MalformedError,
    Packet,
    Pingreq,
    Property,
    Puback,
    Publish,
    ReasonCode,
    RefusedError,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from sandbox.mqtt.properties import Reader, decoded, read_properties
from sandbox.mqtt.topics import share_name

P = Property
_MESSAGE = frozenset(
    {
        P.PAYLOAD_FORMAT,
        P.MESSAGE_EXPIRY,
        P.CONTENT_TYPE,
        P.RESPONSE_TOPIC,
        P.CORRELATION_DATA,
        P.USER_PROPERTY,
    }
)
_WILL = _MESSAGE | {P.WILL_DELAY}
_PUBLISH = _MESSAGE | {P.TOPIC_ALIAS}
_CONNECT = frozenset(
    {
        P.SESSION_EXPIRY,
        P.RECEIVE_MAXIMUM,
        P.MAXIMUM_PACKET_SIZE,
        P.TOPIC_ALIAS_MAXIMUM,
        P.REQUEST_RESPONSE_INFORMATION,
        P.REQUEST_PROBLEM_INFORMATION,
        P.USER_PROPERTY,
        P.AUTHENTICATION_METHOD,
        P.AUTHENTICATION_DATA,
    }
)
_ACKNOWLEDGEMENT = frozenset({P.REASON_STRING, P.USER_PROPERTY})
_SUBSCRIBE = frozenset({P.SUBSCRIPTION_IDENTIFIER, P.USER_PROPERTY})
_UNSUBSCRIBE = frozenset({P.USER_PROPERTY})
_ID_ZERO = "packet identifier 0"
_DISCONNECT = _ACKNOWLEDGEMENT | {P.SESSION_EXPIRY, P.SERVER_REFERENCE}


def frames(buffer: bytearray, limit: int) -> Iterator[tuple[int, bytes]]:
    """Cut whole packets off the front of *buffer*.

    Args:
        buffer: What has arrived so far; an incomplete packet stays in it.
        limit: The most bytes that a packet may have after its length.

    Yields:
        A packet's first byte (type and flags) and its body.

    Raises:
        RefusedError: a packet announces more than *limit*, or its length is malformed.
    """
    start = 0
    try:
        while (end := len(buffer)) - start >= 2:
            length, at = buffer[start + 1], start + 2
            if length > 0x7F:
                length &= 0x7F
                for shift in (7, 14, 21, 28):
                    if shift == 28:
                        raise MalformedError("a length of more than four bytes")
                    if at == end:
                        return
                    byte = buffer[at]
                    at += 1
                    length |= (byte & 0x7F) << shift
                    if byte < 0x80:
                        break
            if length > limit:
                raise RefusedError(
                    ReasonCode.PACKET_TOO_LARGE,
                    f"a packet of {length} bytes; AWS IoT takes {limit} at most",
                )
            if at + length > end:
                return
            first, body, start = buffer[start], bytes(buffer[at : at + length]), at + length
            yield first, body
    finally:
        del buffer[:start]


def decode(first: int, body: bytes, version: int) -> Packet:
    """Read a packet that a client has sent.

    Args:
        first: Its first byte: the type in the upper four bits, flags in the lower four.
        body: All that comes after its length.
        version: 4 for MQTT 3.1.1, 5 for MQTT 5; a CONNECT says its own.

    Raises:
        RefusedError: it does not follow MQTT's format, or no client may send it.
    """
    kind, flags = first >> 4, first & 0x0F
    if kind == 3:
        return _publish(flags, body, version)
    if flags != (2 if kind in (8, 10) else 0):
        raise MalformedError("reserved flags are set")
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise RefusedError(
            ReasonCode.PROTOCOL_ERROR, f"a packet of type {kind} that no client may send here"
        )
    reader = Reader(body)
    packet = decoder(reader, version)
    reader.expect_end()
    return packet


def _publish(flags: int, body: bytes, version: int) -> Publish:
    # Without a reader until there are properties: it would be a tenth of what a message takes.
    qos = flags >> 1 & 3
    if qos == 3 or (flags & 8 and not qos):
        raise MalformedError("impossible QoS flags")
    end = 2 + int.from_bytes(body[:2], "big")
    start = end + 2 if qos else end
    if start > len(body):
        raise MalformedError("it ends too early")
    topic = decoded(body[2:end])
    packet_id = int.from_bytes(body[end:start], "big")
    if qos and not packet_id:
        raise MalformedError(_ID_ZERO)
    payload, properties = body[start:], NO_PROPERTIES
    if version == V5:
        reader = Reader(payload)
        properties = read_properties(reader, _PUBLISH)
        payload = reader.rest()
    return Publish(topic, payload, qos, bool(flags & 1), bool(flags & 8), packet_id, properties)


def _connect(reader: Reader, _: int) -> Connect:
    protocol, version = reader.text(), reader.byte()
    if protocol != "MQTT" or version not in (V311, V5):
        raise RefusedError(
            ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
            f"protocol {protocol!r:.20} level {version}; AWS IoT speaks MQTT 3.1.1 and 5",
        )
    flags, keep_alive = reader.byte(), reader.short()
    if flags & 1:
        raise MalformedError("reserved flags are set")
    properties = read_properties(reader, _CONNECT) if version == V5 else NO_PROPERTIES
    client_id = reader.text()
    will = _will(flags, reader, version)
    if flags & 0x80:
        reader.text()  # the user name, which nobody reads: the certificate says who it is
    if flags & 0x40:
        if version == V311 and not flags & 0x80:
            raise MalformedError("a password without a user name")
        reader.binary()
    return Connect(version, client_id, bool(flags & 2), keep_alive, will, properties)


def _will(flags: int, reader: Reader, version: int) -> Publish | None:
    qos, retain = flags >> 3 & 3, bool(flags & 0x20)
    if not flags & 4:
        if qos or retain:
            raise MalformedError("will flags without a will")
        return None
    if qos == 3:
        raise MalformedError("impossible QoS flags")
    properties = read_properties(reader, _WILL) if version == V5 else NO_PROPERTIES
    return Publish(reader.text(), reader.binary(), qos, retain, properties=properties)


def _puback(reader: Reader, version: int) -> Puback:
    packet = Puback(_packet_id(reader))
    if version == V5 and reader.more():
        reader.byte()
        if reader.more():
            read_properties(reader, _ACKNOWLEDGEMENT)
    return packet


def _subscribe(reader: Reader, version: int) -> Subscribe:
    packet_id = _packet_id(reader)
    properties = read_properties(reader, _SUBSCRIBE) if version == V5 else NO_PROPERTIES
    subscriptions = [_subscription(reader, version)]
    while reader.more():
        subscriptions.append(_subscription(reader, version))
    return Subscribe(packet_id, subscriptions, properties)


def _subscription(reader: Reader, version: int) -> Subscription:
    topic_filter, options = reader.text(), reader.byte()
    qos, handling = options & 3, options >> 4 & 3
    if qos == 3 or handling == 3 or options & (0xC0 if version == V5 else 0xFC):
        raise MalformedError("impossible subscription options")
    if options & 4 and share_name(topic_filter):
        raise RefusedError(
            ReasonCode.PROTOCOL_ERROR, "a shared subscription has no option No Local"
        )
    return Subscription(topic_filter, qos, bool(options & 4), bool(options & 8), handling)


def _unsubscribe(reader: Reader, version: int) -> Unsubscribe:
    packet_id = _packet_id(reader)
    if version == V5:
        read_properties(reader, _UNSUBSCRIBE)
    filters = [reader.text()]
    while reader.more():
        filters.append(reader.text())
    return Unsubscribe(packet_id, filters)


def _pingreq(_: Reader, __: int) -> Pingreq:
    return Pingreq()


def _disconnect(reader: Reader, version: int) -> Disconnect:
    reason = reader.byte() if version == V5 and reader.more() else ReasonCode.SUCCESS
    more = version == V5 and reader.more()
    properties = read_properties(reader, _DISCONNECT) if more else NO_PROPERTIES
    return Disconnect(reason, properties)


def _packet_id(reader: Reader) -> int:
    packet_id = reader.short()
    if not packet_id:
        raise MalformedError(_ID_ZERO)
    return packet_id


_DECODERS: dict[int, Callable[[Reader, int], Packet]] = {
    1: _connect,
    4: _puback,
    8: _subscribe,
    10: _unsubscribe,
    12: _pingreq,
    14: _disconnect,
}
