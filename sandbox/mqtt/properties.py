"""What packets are made of: integers, bytes and text, and the properties of MQTT 5.

Sources: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901006 (fields) and
https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901027 (properties)
"""

from sandbox.mqtt import limits
from sandbox.mqtt.packets import (
    NO_PROPERTIES,
    MalformedError,
    Properties,
    Property,
    ReasonCode,
    RefusedError,
    Value,
)

P = Property
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
"""Properties of one byte, 0 or 1."""
SHORTS = frozenset({P.SERVER_KEEP_ALIVE, P.RECEIVE_MAXIMUM, P.TOPIC_ALIAS_MAXIMUM, P.TOPIC_ALIAS})
"""Properties of two bytes."""
LONGS = frozenset({P.MESSAGE_EXPIRY, P.SESSION_EXPIRY, P.WILL_DELAY, P.MAXIMUM_PACKET_SIZE})
"""Properties of four bytes."""
BINARIES = frozenset({P.CORRELATION_DATA, P.AUTHENTICATION_DATA})
NEVER_ZERO = frozenset(
    {P.RECEIVE_MAXIMUM, P.MAXIMUM_PACKET_SIZE, P.TOPIC_ALIAS, P.SUBSCRIPTION_IDENTIFIER}
)


class Reader:
    """Reads one packet's fields from front to back, or raises MalformedError."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        """Read the next *length* bytes."""
        start = self._at
        self._at = end = start + length
        if end > len(self._data):
            raise MalformedError("it ends too early")
        return self._data[start:end]

    def rest(self) -> bytes:
        """Read all that is left."""
        start, self._at = self._at, len(self._data)
        return self._data[start:]

    def more(self) -> bool:
        """Return whether anything is left."""
        return self._at < len(self._data)

    def expect_end(self) -> None:
        """Raise MalformedError if anything is left."""
        if self.more():
            raise MalformedError("bytes after its end")

    def byte(self) -> int:
        """Read an integer of one byte."""
        return self.take(1)[0]

    def short(self) -> int:
        """Read an integer of two bytes, big-endian."""
        return int.from_bytes(self.take(2), "big")

    def long(self) -> int:
        """Read an integer of four bytes, big-endian."""
        return int.from_bytes(self.take(4), "big")

    def variable(self) -> int:
        """Read an integer of one to four bytes: seven bits in each, the lowest first."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise MalformedError("a length of more than four bytes")

    def binary(self) -> bytes:
        """Read a length of two bytes, then that many bytes."""
        return self.take(self.short())

    def text(self) -> str:
        """Read a length of two bytes, then that many bytes of UTF-8 with no null character."""
        return decoded(self.binary())


def decoded(data: bytes) -> str:
    """Read UTF-8 with no null character in it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise MalformedError("text that is not UTF-8") from None
    if "\0" in text:
        raise MalformedError("a null character in text")
    return text


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
    """Encode bytes, after two bytes of length."""
    return len(value).to_bytes(2, "big") + value


def text(value: str) -> bytes:
    """Encode text as UTF-8, after two bytes of length.

    >>> text("a/b").hex(" ")
    '00 03 61 2f 62'
    """
    return binary(value.encode())


def read_properties(reader: Reader, allowed: frozenset[Property]) -> Properties:
    """Read a length, then that many bytes of properties, each one of *allowed*."""
    length = reader.variable()
    if not length:
        return NO_PROPERTIES
    if length > limits.PROPERTIES_BYTES:
        raise RefusedError(
            ReasonCode.PACKET_TOO_LARGE,
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
            raise RefusedError(
                ReasonCode.PROTOCOL_ERROR, f"the property {name.name} is given twice"
            )
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
        raise RefusedError(
            ReasonCode.PROTOCOL_ERROR, f"the property {name.name} does not belong here"
        )
    return name


def _read_value(reader: Reader, name: Property) -> Value:
    value: Value
    if name in FLAGS:
        value = reader.byte()
        if value > 1:
            raise RefusedError(ReasonCode.PROTOCOL_ERROR, f"the property {name.name} is 0 or 1")
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
        if name is P.RESPONSE_TOPIC and ("+" in value or "#" in value):
            raise RefusedError(
                ReasonCode.PROTOCOL_ERROR, "a response topic is one topic: it has no + and no #"
            )
    if value == 0 and name in NEVER_ZERO:
        raise RefusedError(ReasonCode.PROTOCOL_ERROR, f"the property {name.name} is never 0")
    return value


def encode_properties(values: Properties) -> bytes:
    """Encode MQTT 5 properties, after their length."""
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
