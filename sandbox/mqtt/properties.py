"""What an MQTT 5 packet may carry beside its fixed fields.

Source: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901027
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from sandbox.mqtt import limits
from sandbox.mqtt.fields import Reader, binary, text, variable
from sandbox.mqtt.reasons import MalformedError, Reason, RefusedError


class Property(IntEnum):
    """The properties, by their identifiers."""

    PAYLOAD_FORMAT = 1
    MESSAGE_EXPIRY = 2
    CONTENT_TYPE = 3
    RESPONSE_TOPIC = 8
    CORRELATION_DATA = 9
    SUBSCRIPTION_IDENTIFIER = 11
    SESSION_EXPIRY = 17
    ASSIGNED_CLIENT_ID = 18
    SERVER_KEEP_ALIVE = 19
    AUTHENTICATION_METHOD = 21
    AUTHENTICATION_DATA = 22
    REQUEST_PROBLEM_INFORMATION = 23
    WILL_DELAY = 24
    REQUEST_RESPONSE_INFORMATION = 25
    RESPONSE_INFORMATION = 26
    SERVER_REFERENCE = 28
    REASON_STRING = 31
    RECEIVE_MAXIMUM = 33
    TOPIC_ALIAS_MAXIMUM = 34
    TOPIC_ALIAS = 35
    MAXIMUM_QOS = 36
    RETAIN_AVAILABLE = 37
    USER_PROPERTY = 38
    MAXIMUM_PACKET_SIZE = 39
    WILDCARD_SUBSCRIPTION_AVAILABLE = 40
    SUBSCRIPTION_IDENTIFIER_AVAILABLE = 41
    SHARED_SUBSCRIPTION_AVAILABLE = 42


P = Property
Value = int | str | bytes | list[tuple[str, str]]
Properties = Mapping[Property, Value]
"""Each property's value; the user properties, which may repeat, are a list of pairs."""
NO_PROPERTIES: Properties = MappingProxyType({})


def number(values: Properties, name: Property, default: int) -> int:
    """The value of a property that is a number."""
    value = values.get(name, default)
    assert isinstance(value, int)
    return value


FLAGS = frozenset(
    {
        P.PAYLOAD_FORMAT,
        P.REQUEST_PROBLEM_INFORMATION,
        P.REQUEST_RESPONSE_INFORMATION,
        P.MAXIMUM_QOS,
        P.RETAIN_AVAILABLE,
        P.WILDCARD_SUBSCRIPTION_AVAILABLE,
        P.SUBSCRIPTION_IDENTIFIER_AVAILABLE,
        P.SHARED_SUBSCRIPTION_AVAILABLE,
    }
)
"""One byte, 0 or 1."""
SHORTS = frozenset({P.SERVER_KEEP_ALIVE, P.RECEIVE_MAXIMUM, P.TOPIC_ALIAS_MAXIMUM, P.TOPIC_ALIAS})
LONGS = frozenset({P.MESSAGE_EXPIRY, P.SESSION_EXPIRY, P.WILL_DELAY, P.MAXIMUM_PACKET_SIZE})
BINARIES = frozenset({P.CORRELATION_DATA, P.AUTHENTICATION_DATA})
NEVER_ZERO = frozenset(
    {P.RECEIVE_MAXIMUM, P.MAXIMUM_PACKET_SIZE, P.TOPIC_ALIAS, P.SUBSCRIPTION_IDENTIFIER}
)


def read_properties(reader: Reader, allowed: frozenset[Property]) -> Properties:
    """A length, and so many bytes of properties."""
    length = reader.variable()
    if not length:
        return NO_PROPERTIES
    if length > limits.PROPERTIES_BYTES:
        raise RefusedError(
            Reason.PACKET_TOO_LARGE,
            f"{length} bytes of properties; {limits.PROPERTIES_BYTES} at most",
        )
    inner = Reader(reader.take(length))
    found: dict[Property, Value] = {}
    users: list[tuple[str, str]] = []
    while inner.more():
        name = _read_name(inner, allowed)
        if name is P.USER_PROPERTY:
            users.append((inner.text(), inner.text()))
            found[name] = users
        elif name in found:
            raise RefusedError(Reason.PROTOCOL_ERROR, f"the property {name.name} is given twice")
        else:
            found[name] = _read_value(inner, name)
    return found


def _read_name(reader: Reader, allowed: frozenset[Property]) -> Property:
    identifier = reader.variable()
    try:
        name = Property(identifier)
    except ValueError:
        raise MalformedError(f"an unknown property, {identifier}") from None
    if name not in allowed:
        raise RefusedError(Reason.PROTOCOL_ERROR, f"the property {name.name} does not belong here")
    return name


def _read_value(reader: Reader, name: Property) -> Value:
    value: Value
    if name in FLAGS:
        value = reader.byte()
        if value > 1:
            raise RefusedError(Reason.PROTOCOL_ERROR, f"the property {name.name} is 0 or 1")
    elif name in SHORTS:
        value = reader.short()
    elif name in LONGS:
        value = reader.long()
    elif name in BINARIES:
        value = reader.binary()
    elif name is P.SUBSCRIPTION_IDENTIFIER:
        value = reader.variable()
    else:
        value = reader.text()
    if value == 0 and name in NEVER_ZERO:
        raise RefusedError(Reason.PROTOCOL_ERROR, f"the property {name.name} is never 0")
    return value


def encode_properties(values: Properties) -> bytes:
    """Encode MQTT 5 properties behind their length."""
    encoded = b"".join(_property(name, value) for name, value in values.items())
    return variable(len(encoded)) + encoded


def _property(name: Property, value: Value) -> bytes:
    head = bytes((name,))
    if isinstance(value, list):
        return b"".join(head + text(key) + text(word) for key, word in value)
    if isinstance(value, str):
        return head + text(value)
    if isinstance(value, bytes):
        return head + binary(value)
    if name is P.SUBSCRIPTION_IDENTIFIER:
        return head + variable(value)
    return head + value.to_bytes(1 if name in FLAGS else 2 if name in SHORTS else 4, "big")
