"""Read and write DER, the bytes of keys and certificates, and PEM, their text.

Reading is strict: what is not DER is a ValueError, as it is in the library.

Source: https://www.itu.int/rec/T-REC-X.690 and https://www.rfc-editor.org/rfc/rfc7468
"""

import base64
import re
from datetime import UTC, datetime

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = range(1, 7)
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31
FIELD_0, FIELD_1, FIELD_3 = 0xA0, 0xA1, 0xA3
"""The tags of fields that their sequence numbers, as ``[0] EXPLICIT``."""
# Five dashes, not six, as the library has it; the end of another block may stand before them.
_BLOCK = re.compile(
    rb"(?:(?<!-)|(?<=[^-]-----))-----BEGIN (.*?)-----[ \t\n\r]*(.*?)(?<!-)-----END (.*?)-----",
    re.DOTALL,
)


def write(tag: int, *parts: bytes) -> bytes:
    """Write one element that holds *parts*, one after the other."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def write_integer(number: int) -> bytes:
    """Write a number that is not negative."""
    return write(INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def write_oid(dotted: str) -> bytes:
    """Write an object identifier, as ``2.5.4.3``."""
    first, second, *others = map(int, dotted.split("."))
    content = b""
    for arc in (40 * first + second, *others):
        septets = [arc >> shift & 0x7F for shift in range(0, arc.bit_length() or 1, 7)]
        content += bytes(0x80 | each for each in septets[:0:-1]) + bytes(septets[:1])
    return write(OID, content)


def write_time(moment: datetime) -> bytes:
    """Write a moment of a certificate's validity; one without a time zone counts as UTC."""
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    tag, form = (UTC_TIME, "%y") if moment.year < 2050 else (GENERALIZED_TIME, "%Y")
    return write(tag, moment.strftime(f"{form}%m%d%H%M%SZ").encode())


class Reader:
    """Reads elements one after the other; each method raises ValueError where it does not fit."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    @classmethod
    def of(cls, data: bytes) -> "Reader":
        """Return a reader of the fields of the one sequence that *data* is."""
        whole = cls(data)
        fields = whole.inside(SEQUENCE)
        whole.end()
        return fields

    def more(self) -> bool:
        """Tell whether there is a next element."""
        return self.at < len(self.data)

    def end(self) -> None:
        """Make sure that there is no next element."""
        if self.more():
            raise ValueError("there is more than there should be")

    def byte(self) -> int:
        """Return the next byte."""
        self.at += 1
        if self.at > len(self.data):
            raise ValueError("it ends too early")
        return self.data[self.at - 1]

    def element(self) -> tuple[int, bytes, bytes]:
        """Return the next element: its tag, its content, and all of it."""
        start, tag, length = self.at, self.byte(), self.byte()
        if tag & 0x1F == 0x1F or length == 0x80 or length > 0x84:
            raise ValueError("there is no such tag or length")
        if length > 0x80:
            octets = bytes(self.byte() for _ in range(length & 0x7F))
            length = int.from_bytes(octets)
            if octets[0] == 0 or length < 0x80:
                raise ValueError("the length has a shorter form")
        self.at += length
        if self.at > len(self.data):
            raise ValueError("it ends too early")
        return tag, self.data[self.at - length : self.at], self.data[start : self.at]

    def read(self, tag: int) -> bytes:
        """Return the content of the next element, which must have this tag."""
        found, content, _ = self.element()
        if found != tag:
            raise ValueError(f"tag {found:#x} instead of {tag:#x}")
        return content

    def whole(self, tag: int) -> bytes:
        """Return all of the next element, which must have this tag."""
        start = self.at
        self.read(tag)
        return self.data[start : self.at]

    def inside(self, tag: int) -> "Reader":
        """Return a reader of what is inside the next element."""
        return Reader(self.read(tag))

    def next_is(self, tag: int) -> bool:
        """Tell whether there is a next element and it has this tag."""
        return self.data[self.at : self.at + 1] == bytes([tag])

    def integer(self) -> int:
        """Return the next element, a number."""
        content = self.read(INTEGER)
        number = int.from_bytes(content, signed=True)
        shortest = (number if number >= 0 else ~number).bit_length() // 8 + 1
        if len(content) != shortest:
            raise ValueError("the number has another form")
        return number

    def natural(self) -> int:
        """Return the next element, a number that is not negative."""
        if (number := self.integer()) < 0:
            raise ValueError("the number is negative")
        return number

    def oid(self) -> str:
        """Return the next element, an object identifier, as ``2.5.4.3``."""
        content = self.read(OID)
        if not re.fullmatch(rb"((?!\x80)[\x80-\xff]*[\0-\x7f])+", content):
            raise ValueError("that is no object identifier")
        arcs = [0]
        for byte in content:
            arcs[-1] = arcs[-1] << 7 | byte & 0x7F
            if byte < 0x80:
                arcs.append(0)
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:-1])))

    def bits(self) -> tuple[bytes, int]:
        """Return the next element, a bit string, and how many of its last bits are not there."""
        unused, *content = self.read(BIT_STRING) or [8]
        if unused > 7 or (unused and (not content or content[-1] & (1 << unused) - 1)):
            raise ValueError("the bit string has another form")
        return bytes(content), unused

    def time(self) -> datetime:
        """Return the next element, a moment of a certificate's validity, in UTC."""
        tag, content, _ = self.element()
        if tag == UTC_TIME:
            content = (b"19" if content >= b"5" else b"20") + content
        if tag not in (UTC_TIME, GENERALIZED_TIME) or not re.fullmatch(rb"\d{14}Z", content):
            raise ValueError("that is no time")
        year, month, day, hour, minute, second = map(int, re.findall(rb"^\d{4}|\d\d", content))
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def armor(label: str, der: bytes) -> bytes:
    """Return the PEM text of *der*."""
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def unarmor(pem: bytes) -> list[tuple[str, bytes, bytes]]:
    """Return each block of a PEM text: its label, its headers, what it holds.

    Raises:
        ValueError: one is damaged.
    """
    found = []
    for begin, payload, end in _BLOCK.findall(pem):
        gap = b"\n\n" if b"\n\n" in payload else b"\r\n\r\n"
        headers, _, data = payload.partition(gap) if gap in payload else (b"", b"", payload)
        if not begin or begin != end or any(b":" not in line for line in headers.splitlines()):
            raise ValueError("The PEM text is damaged.")
        text = "".join(data.decode().split())
        content = base64.b64decode(text, validate=True)
        if base64.b64encode(content).decode() != text:
            raise ValueError("The PEM text is not base64.")
        found.append((begin.decode(), headers, content))
    return found
