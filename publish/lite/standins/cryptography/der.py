"""Read and write DER, the bytes of keys and certificates, and PEM, their text.

Reading is strict: what DER does not allow is a ValueError, as it is in the library.

Source: https://www.itu.int/rec/T-REC-X.690 and https://www.rfc-editor.org/rfc/rfc7468
"""

import base64
import re
from datetime import UTC, datetime

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = range(1, 7)
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31
_SPACE = re.compile(r"[^\S\x1c-\x1f]")


def context(number: int) -> int:
    """Return the tag of a field that its sequence marks with a number, as ``[0] EXPLICIT``."""
    return 0xA0 | number


def write(tag: int, *parts: bytes) -> bytes:
    """Write one element that holds *parts*, one after the other."""
    content = b"".join(parts)
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    head = length or b"\0" if len(content) < 0x80 else bytes([0x80 | len(length)]) + length
    return bytes([tag]) + head + content


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


def write_bits(content: bytes) -> bytes:
    """Write a bit string of whole bytes."""
    return write(BIT_STRING, b"\0", content)


def write_time(moment: datetime) -> bytes:
    """Write a moment of a certificate's validity; one without a time zone is taken for UTC."""
    if moment.tzinfo:
        moment = moment.astimezone(UTC)
    if moment.year < 2050:
        return write(UTC_TIME, f"{moment:%y%m%d%H%M%SZ}".encode())
    return write(GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%SZ}".encode())


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

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self.more():
            raise ValueError("there is more than there should be")

    def more(self) -> bool:
        """Tell whether there is a next element."""
        return self.at < len(self.data)

    def element(self) -> tuple[int, bytes, bytes]:
        """Return the next element: its tag, its content, and all of it."""
        start, tag, length = self.at, self._byte(), self._byte()
        if tag & 0x1F == 0x1F or length == 0x80 or length > 0x84:
            raise ValueError("no such tag or length")
        if length > 0x80:
            size, length = length & 0x7F, 0
            for _ in range(size):
                length = length << 8 | self._byte()
            if length < 0x80 or length.bit_length() <= 8 * (size - 1):
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
        if not content or len(content) != (number ^ number >> 8 * len(content)).bit_length() // 8 + 1:
            raise ValueError("the number has another form")
        return number

    def natural(self) -> int:
        """Return the next element, a number that is not negative."""
        if (number := self.integer()) < 0:
            raise ValueError("the number is negative")
        return number

    def oid(self) -> str:
        """Return the next element, an object identifier, as ``2.5.4.3``."""
        arcs, arc, start = [], 0, True
        for byte in (content := self.read(OID)):
            if start and byte == 0x80:
                raise ValueError("an arc begins with nothing")
            arc, start = arc << 7 | byte & 0x7F, byte < 0x80
            if start:
                arcs.append(arc)
                arc = 0
        if not content or not start:
            raise ValueError("the object identifier is not whole")
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    def bits(self, tag: int = BIT_STRING) -> bytes:
        """Return the next element, a bit string; bits that are not there count as zero."""
        unused, *content = self.read(tag) or [8]
        if unused > 7 or (unused and (not content or content[-1] & (1 << unused) - 1)):
            raise ValueError("the bit string has another form")
        return bytes(content)

    def time(self) -> datetime:
        """Return the next element, a moment of a certificate's validity, in UTC."""
        tag, content, _ = self.element()
        digits, kind = content[:-1].decode("ascii"), (tag, len(content), content[-1:])
        if kind not in ((UTC_TIME, 13, b"Z"), (GENERALIZED_TIME, 15, b"Z")) or not digits.isdigit():
            raise ValueError("that is no time")
        if tag == UTC_TIME:
            digits = ("19" if digits >= "5" else "20") + digits
        return datetime(*map(int, re.findall("^....|..", digits)), tzinfo=UTC)  # type: ignore[arg-type]

    def _byte(self) -> int:
        if not self.more():
            raise ValueError("it ends too early")
        self.at += 1
        return self.data[self.at - 1]


def armor(label: str, der: bytes) -> bytes:
    """Return the PEM text of *der*."""
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def unarmor(pem: bytes) -> list[tuple[str, bytes, bytes]]:
    """Return each block of a PEM text: its label, its headers, what it holds.

    Raises:
        ValueError: there is no block, or one is damaged.
    """
    found, at = [], 0
    while (begin := _until(pem, at, b"-----BEGIN ")) and (label := _until(pem, begin, b"-----")):
        payload, end = _until(pem, label, b"-----END "), 0
        if not payload or not (end := _until(pem, payload, b"-----")):
            break
        headers, gap, text = pem[label : payload - 9].lstrip(b" \t\n\r").partition(b"\n\n")
        if not gap:
            headers, gap, text = headers.partition(b"\r\n\r\n")
        headers, text = (headers, text) if gap else (b"", headers)
        name, at = pem[begin : label - 5].decode(), end
        if pem[payload : end - 5] != name.encode() or not name:
            raise ValueError("The PEM text begins and ends with other words.")
        if any(b":" not in line for line in headers.splitlines()):
            raise ValueError("The PEM text has a line that is no header.")
        base64_text = _SPACE.sub("", text.decode())
        content = base64.b64decode(base64_text, validate=True)
        if base64.b64encode(content).decode() != base64_text:
            raise ValueError("The PEM text is not base64.")
        found.append((name, headers, content))
    if not found:
        raise ValueError("Unable to load PEM file.")
    return found


def _until(text: bytes, at: int, marker: bytes) -> int:
    """Return where the next *marker* ends; 0 where there is none.

    After part of a marker the library begins anew: six dashes in place of five hide it.
    """
    found = 0
    for index in range(at, len(text)):
        found = found + 1 if text[index] == marker[found] else 0
        if found == len(marker):
            return index + 1
    return 0
