"""The fields that MQTT packets are made of: integers, strings, and MQTT 5's properties.

Source: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901006
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from helpers.sandbox.broker.reasons import MalformedError, Reason, RefusedError


class Property(IntEnum):
    """What an MQTT 5 packet may carry beside its fixed fields."""

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


class Reader:
    """Reads one packet's fields from front to back; what is not there is malformed."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        """The next *length* bytes."""
        start = self._at
        self._at = end = start + length
        if end > len(self._data):
            raise MalformedError("it ends too early")
        return self._data[start:end]

    def rest(self) -> bytes:
        """Whatever is left."""
        start, self._at = self._at, len(self._data)
        return self._data[start:]

    def more(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def end(self) -> None:
        """Nothing may be left."""
        if self.more():
            raise MalformedError("bytes after its end")

    def byte(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def short(self) -> int:
        """Two bytes, big-endian."""
        return int.from_bytes(self.take(2), "big")

    def long(self) -> int:
        """Four bytes, big-endian."""
        return int.from_bytes(self.take(4), "big")

    def variable(self) -> int:
        """One to four bytes, seven bits each, the lowest first."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise MalformedError("a length of more than four bytes")

    def binary(self) -> bytes:
        """A length of two bytes, and so many bytes."""
        # Spelled out, for it reads the topic of each message.
        start = self._at + 2
        self._at = end = start + int.from_bytes(self._data[self._at : start], "big")
        if end > len(self._data):
            raise MalformedError("it ends too early")
        return self._data[start:end]

    def text(self) -> str:
        """A length of two bytes, and so many bytes of UTF-8, without the null character."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError:
            raise MalformedError("text that is not UTF-8") from None
        if "\0" in text:
            raise MalformedError("a null character in text")
        return text

    def properties(self, allowed: frozenset[Property]) -> Properties:
        """A length, and so many bytes of properties."""
        length = self.variable()
        if not length:
            return NO_PROPERTIES
        inner = Reader(self.take(length))
        found: dict[Property, Value] = {}
        users: list[tuple[str, str]] = []
        while inner.more():
            name = inner._property_name(allowed)
            if name is P.USER_PROPERTY:
                users.append((inner.text(), inner.text()))
                found[name] = users
            elif name in found:
                raise RefusedError(
                    Reason.PROTOCOL_ERROR, f"the property {name.name} is given twice"
                )
            else:
                found[name] = inner._property_value(name)
        return found

    def _property_name(self, allowed: frozenset[Property]) -> Property:
        number = self.variable()
        try:
            name = Property(number)
        except ValueError:
            raise MalformedError(f"an unknown property, {number}") from None
        if name not in allowed:
            raise RefusedError(
                Reason.PROTOCOL_ERROR, f"the property {name.name} does not belong here"
            )
        return name

    def _property_value(self, name: Property) -> Value:
        value: Value
        if name in FLAGS:
            value = self.byte()
            if value > 1:
                raise RefusedError(Reason.PROTOCOL_ERROR, f"the property {name.name} is 0 or 1")
        elif name in SHORTS:
            value = self.short()
        elif name in LONGS:
            value = self.long()
        elif name in BINARIES:
            value = self.binary()
        elif name is P.SUBSCRIPTION_IDENTIFIER:
            value = self.variable()
        else:
            value = self.text()
        if value == 0 and name in NEVER_ZERO:
            raise RefusedError(Reason.PROTOCOL_ERROR, f"the property {name.name} is never 0")
        return value


def variable(value: int) -> bytes:
    """Encode an integer below 2**28 in one to four bytes.

    >>> variable(127).hex(), variable(128).hex()
    ('7f', '8001')
    """
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def binary(value: bytes) -> bytes:
    """Encode bytes behind their length."""
    return len(value).to_bytes(2, "big") + value


def text(value: str) -> bytes:
    """Encode text as UTF-8 behind its length.

    >>> text("a/b").hex(" ")
    '00 03 61 2f 62'
    """
    return binary(value.encode())


def properties(values: Properties) -> bytes:
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
