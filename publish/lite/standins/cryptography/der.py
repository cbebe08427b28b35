"""Read and write DER, the bytes of keys and certificates, and PEM, their text.

Source: https://www.itu.int/rec/T-REC-X.690 and https://www.rfc-editor.org/rfc/rfc7468
"""

import base64
import re
from datetime import UTC, datetime
from typing import NamedTuple

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = range(1, 7)
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31
FIELD_0, FIELD_3 = 0xA0, 0xA3
"""The tags of fields that their sequence numbers, as ``[0] EXPLICIT``."""
_BLOCK = re.compile(rb"-----BEGIN ([^-]+)-----(.*?)-----END \1-----", re.DOTALL)


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


def write_algorithm(dotted: str) -> bytes:
    """Write which algorithm it is, with no parameters."""
    return write(SEQUENCE, write_oid(dotted), write(NULL))


def write_time(moment: datetime) -> bytes:
    """Write a moment of a certificate's validity, which has a time zone."""
    moment = moment.astimezone(UTC)
    tag, form = (UTC_TIME, "%y") if moment.year < 2050 else (GENERALIZED_TIME, "%Y")
    return write(tag, moment.strftime(f"{form}%m%d%H%M%SZ").encode())


class Element(NamedTuple):
    """One element; each method raises ValueError where it is something else."""

    tag: int
    content: bytes
    whole: bytes

    def read(self, tag: int) -> bytes:
        """Return the content, of an element that must have this tag."""
        if self.tag != tag:
            raise ValueError(f"tag {self.tag:#x} instead of {tag:#x}")
        return self.content

    def parts(self, tag: int = SEQUENCE) -> list["Element"]:
        """Return the elements inside."""
        return elements(self.read(tag))

    def integer(self) -> int:
        """Return a number."""
        return int.from_bytes(self.read(INTEGER), signed=True)

    def oid(self) -> str:
        """Return an object identifier, as ``2.5.4.3``."""
        arcs = [0]
        for byte in self.read(OID):
            arcs[-1] = arcs[-1] << 7 | byte & 0x7F
            if byte < 0x80:
                arcs.append(0)
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:-1])))

    def bits(self) -> bytes:
        """Return a bit string of whole bytes."""
        content = self.read(BIT_STRING)
        if content[:1] != b"\0":
            raise ValueError("these bits are no whole bytes")
        return content[1:]

    def time(self) -> datetime:
        """Return a moment of a certificate's validity, in UTC."""
        text = self.content.decode()
        if self.tag == UTC_TIME:
            text = ("19" if text >= "5" else "20") + text
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def elements(data: bytes) -> list[Element]:
    """Read one element after the other, to the end."""
    found, at = [], 0
    while (start := at) < len(data):
        (tag, length), at = data[at : at + 2], at + 2
        if length >= 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size]), at + size
        content, at = data[at : at + length], at + length
        if at > len(data):
            raise ValueError("it ends too early")
        found.append(Element(tag, content, data[start:at]))
    return found


def armor(label: str, der: bytes) -> bytes:
    """Return the PEM text of *der*."""
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def unarmor(pem: bytes, *labels: str) -> list[tuple[str, Element]]:
    """Return each block of a PEM text that has one of these labels: its label, what it holds.

    Raises:
        ValueError: there is none, or one is damaged.
    """
    made = []
    for label, text in _BLOCK.findall(pem):
        if label.decode() in labels:
            (only,) = elements(base64.b64decode(b"".join(text.split()), validate=True))
            made.append((label.decode(), only))
    if not made:
        raise ValueError(f"There is no {labels[0]} in PEM form.")
    return made
