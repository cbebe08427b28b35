"""The fields that MQTT packets are made of: integers, bytes and text.

Source: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901006
"""

from sandbox.mqtt.reasons import MalformedError


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
