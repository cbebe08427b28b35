"""Certificates and signing requests: read and made.

Source: https://www.rfc-editor.org/rfc/rfc5280 and https://www.rfc-editor.org/rfc/rfc2986
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import der
from cryptography.der import Reader
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat._oid import SHORT, NameOID, ObjectIdentifier
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.keys import (
    ECDSA,
    ECPublicKey,
    Encoding,
    PublicFormat,
    PublicKey,
    RSAPrivateKey,
    RSAPublicKey,
    load_der_public_key,
    read_algorithm,
    read_frame,
    write_algorithm,
)

__all__ = ["NameOID", "ObjectIdentifier"]  # and what is written here
_RSA = {
    "1.2.840.113549.1.1.5": hashes.SHA1,
    "1.2.840.113549.1.1.11": hashes.SHA256,
    "1.2.840.113549.1.1.12": hashes.SHA384,
    "1.2.840.113549.1.1.13": hashes.SHA512,
    "1.2.840.113549.1.1.14": hashes.SHA224,
}
_ECDSA = {
    "1.2.840.10045.4.1": hashes.SHA1,
    "1.2.840.10045.4.3.1": hashes.SHA224,
    "1.2.840.10045.4.3.2": hashes.SHA256,
    "1.2.840.10045.4.3.3": hashes.SHA384,
    "1.2.840.10045.4.3.4": hashes.SHA512,
}
_EDWARDS = ("1.3.101.112", "1.3.101.113")
_PRINTABLE, _UNIVERSAL, _BMP = 0x13, 0x1C, 0x1E
_TEXTS = dict.fromkeys((0x04, 0x0C, 0x12, _PRINTABLE, 0x14, 0x16, 0x17, 0x18, 0x1A), "utf-8")
_TEXTS |= {_UNIVERSAL: "utf-32-be", _BMP: "utf-16-be"}
"""How the value of a name's part is encoded, by its tag."""
_TAGS = {"C": _PRINTABLE, "DC": 0x16}
"""How it is written, where not in UTF-8."""
_ESCAPED = re.compile(r"\\(00|.)", re.DOTALL)
_PART = re.compile(rf"({'|'.join(SHORT.values())}|[\d.]+)=((?:[^\\,+\"<>;]|\\.)*)", re.DOTALL)


class InvalidVersion(Exception):
    """It is of a version that there is not."""


@dataclass(frozen=True)
class NameAttribute:
    """A part of a name."""

    oid: ObjectIdentifier
    value: str

    @property
    def short(self) -> str:
        """Its kind, as ``CN``."""
        return SHORT.get(self.oid.dotted_string, self.oid.dotted_string)

    def rfc4514_string(self) -> str:
        text = re.sub(r'[\\"+,;<>]', r"\\\g<0>", self.value).replace("\0", "\\00")
        text = re.sub(r"^(?=#| .)|(?<=.)(?= \Z)", r"\\", text, flags=re.DOTALL)
        return f"{self.short}={text}"


class Name:
    """Whom a certificate is for, or from: parts, each of which may be several."""

    def __init__(self, attributes: Iterable[NameAttribute]) -> None:
        self.rdns = [[each] for each in attributes]

    def __iter__(self) -> Iterator[NameAttribute]:
        return (attribute for rdn in self.rdns for attribute in rdn)

    @classmethod
    def from_rfc4514_string(cls, data: str) -> "Name":
        """Read it from text; parts that are several are not supported here."""
        kinds = {short: dotted for dotted, short in SHORT.items()}
        parts = list(_PART.finditer(data))
        if ",".join(part[0] for part in parts) != data:
            raise ValueError(f"That is no name: {data}")
        found = []
        for part in reversed(parts):
            value = _ESCAPED.sub(lambda at: "\0" if at[1] == "00" else at[1], part[2])
            found.append(NameAttribute(ObjectIdentifier(kinds.get(part[1], part[1])), value))
        return cls(found)

    def rfc4514_string(self) -> str:
        parts = ["+".join(each.rfc4514_string() for each in rdn) for rdn in self.rdns]
        return ",".join(reversed(parts))

    def get_attributes_for_oid(self, oid: ObjectIdentifier) -> list[NameAttribute]:
        return [each for each in self if each.oid == oid]

    def public_bytes(self) -> bytes:
        rdns = []
        for each in self:
            value = der.write(_TAGS.get(each.short, 0x0C), each.value.encode())
            pair = der.write(der.SEQUENCE, der.write_oid(each.oid.dotted_string), value)
            rdns.append(der.write(der.SET, pair))
        return der.write(der.SEQUENCE, *rdns)


_RawName = list[list[tuple[str, int, bytes]]]
"""What a name's parts are made of: object identifier, tag and value."""


def _read_name(reader: Reader) -> _RawName:
    """Read the frame of a name, and what the library decodes at once; the rest when it is asked."""
    rdns: _RawName = []
    names = reader.inside(der.SEQUENCE)
    while names.more():
        rdns.append([])
        for pair in _set_of(names.inside(der.SET)):
            fields = Reader.of(pair)
            oid, (tag, content, _) = fields.oid(), fields.element()
            fields.end()
            text = content.decode(_TEXTS[tag]) if tag in (_PRINTABLE, _UNIVERSAL, _BMP) else ""
            if tag == _PRINTABLE and not re.fullmatch(r"[A-Za-z0-9 '()+,./:=?-]*", text):
                raise ValueError("a name has a character that its kind of text has not")
            rdns[-1].append((oid, tag, content))
    return rdns


def _name(rdns: _RawName) -> Name:
    made = Name([])
    for rdn in rdns:
        if any(tag == der.BIT_STRING for _, tag, _ in rdn):
            raise TypeError("oid must be X500_UNIQUE_IDENTIFIER for BitString type.")
        if not all(tag in _TEXTS for _, tag, _ in rdn):
            raise ValueError("a part of a name is no text")
        parts = [(ObjectIdentifier(oid), value.decode(_TEXTS[tag])) for oid, tag, value in rdn]
        made.rdns.append([NameAttribute(*part) for part in parts])
    return made


class _Signed:
    """What a certificate and a request have in common: a content and its signature."""

    label = ""

    def __init__(self, content: bytes) -> None:
        self._der, outer = content, Reader.of(content)
        self._content = outer.whole(der.SEQUENCE)
        self._algorithm, _ = read_algorithm(outer)
        self._signature, _ = outer.bits()
        outer.end()

    @property
    def subject(self) -> Name:
        return _name(self._subject)

    @property
    def signature_hash_algorithm(self) -> hashes.HashAlgorithm | None:
        if self._algorithm in _EDWARDS:  # they have their hash built in
            return None
        found = (_RSA | _ECDSA).get(self._algorithm)
        if found is None:
            raise UnsupportedAlgorithm(f"Signature algorithm {self._algorithm} is not read here")
        return found()

    def public_key(self) -> PublicKey:
        return load_der_public_key(self._key)

    def public_bytes(self, encoding: Encoding) -> bytes:
        return encoding.of(self.label, self._der)

    def _read_whose(self, fields: Reader) -> None:
        self._subject, self._key = _read_name(fields), fields.whole(der.SEQUENCE)
        read_frame(self._key)  # the rest is read when it is asked for, as in the library


class Certificate(_Signed):
    """Somebody's word on whose a key is."""

    label = "CERTIFICATE"

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        fields, version = Reader.of(self._content), 0
        if fields.next_is(der.FIELD_0):
            inner = fields.inside(der.FIELD_0)
            version = inner.natural()
            inner.end()
            if version == 0:
                raise ValueError("what goes without saying is said")
        self.serial_number = fields.integer()
        read_algorithm(fields)
        self._issuer = _read_name(fields)
        validity = fields.inside(der.SEQUENCE)
        self.not_valid_before_utc, self.not_valid_after_utc = (
            validity.time(),
            validity.time(),
        )
        validity.end()
        self._read_whose(fields)
        if fields.next_is(der.FIELD_3):
            inner = fields.inside(der.FIELD_3)
            _check_extensions(inner.inside(der.SEQUENCE))
            inner.end()
        fields.end()
        if version not in (0, 2):
            raise InvalidVersion(f"{version} is not a valid X509 version")

    @property
    def issuer(self) -> Name:
        return _name(self._issuer)

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        return hashlib.new(algorithm.name, self._der).digest()


class CertificateSigningRequest(_Signed):
    """A request to certify a key."""

    label = "CERTIFICATE REQUEST"

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        fields = Reader.of(self._content)
        version = fields.natural()
        self._read_whose(fields)
        for attribute in _set_of(fields.inside(der.FIELD_0)):
            inner = Reader.of(attribute)
            inner.oid()
            _set_of(inner.inside(der.SET))
            inner.end()
        fields.end()
        if version != 0:
            raise InvalidVersion(f"{version} is not a valid CSR version")

    @property
    def is_signature_valid(self) -> bool:
        key, algorithm = self.public_key(), self.signature_hash_algorithm
        if algorithm is None:
            raise UnsupportedAlgorithm("Signatures of Ed25519 and Ed448 are not checked here")
        try:
            if isinstance(key, RSAPublicKey) and self._algorithm in _RSA:
                key.verify(self._signature, self._content, PKCS1v15(), algorithm)
            elif isinstance(key, ECPublicKey) and self._algorithm in _ECDSA:
                key.verify(self._signature, self._content, ECDSA(algorithm))
            else:
                return False
        except InvalidSignature:
            return False
        return True


def _set_of(reader: Reader) -> list[bytes]:
    """Return the elements of a set, which DER puts in order."""
    found = []
    while reader.more():
        found.append(reader.element()[2])
    if found != sorted(found):
        raise ValueError("a set is not in order")
    return found


def _check_extensions(reader: Reader) -> None:
    while reader.more():
        fields = reader.inside(der.SEQUENCE)
        fields.oid()
        if fields.next_is(der.BOOLEAN) and fields.read(der.BOOLEAN) != b"\xff":
            raise ValueError("what goes without saying is said")
        fields.read(der.OCTET_STRING)
        fields.end()


@dataclass(frozen=True)
class BasicConstraints:
    """Whether it may sign others."""

    ca: bool
    path_length: None

    def public_bytes(self) -> bytes:
        return der.write(der.SEQUENCE, der.write(der.BOOLEAN, b"\xff") if self.ca else b"")


@dataclass(frozen=True)
class CertificateBuilder:
    """A certificate to be, in DER as far as it is known."""

    _subject: bytes = b""
    _issuer: bytes = b""
    _key: bytes = b""
    _serial: bytes = b""
    _before: bytes = b""
    _after: bytes = b""
    _extensions: bytes = b""

    def subject_name(self, name: Name) -> "CertificateBuilder":
        return replace(self, _subject=name.public_bytes())

    def issuer_name(self, name: Name) -> "CertificateBuilder":
        return replace(self, _issuer=name.public_bytes())

    def public_key(self, key: RSAPublicKey | ECPublicKey) -> "CertificateBuilder":
        return replace(self, _key=key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def serial_number(self, number: int) -> "CertificateBuilder":
        return replace(self, _serial=der.write_integer(number))

    def not_valid_before(self, time: datetime) -> "CertificateBuilder":
        return replace(self, _before=der.write_time(time))

    def not_valid_after(self, time: datetime) -> "CertificateBuilder":
        return replace(self, _after=der.write_time(time))

    def add_extension(self, extval: BasicConstraints, critical: bool) -> "CertificateBuilder":
        flag = der.write(der.BOOLEAN, b"\xff") if critical else b""
        value = der.write(der.OCTET_STRING, extval.public_bytes())
        extension = der.write(der.SEQUENCE, der.write_oid("2.5.29.19"), flag, value)
        return replace(self, _extensions=self._extensions + extension)

    def sign(
        self,
        private_key: RSAPrivateKey,
        algorithm: hashes.HashAlgorithm,
        backend: None = None,
    ) -> Certificate:
        content = der.write(
            der.SEQUENCE,
            der.write(der.FIELD_0, der.write_integer(2)),
            self._serial,
            _signs(algorithm),
            self._issuer,
            der.write(der.SEQUENCE, self._before, self._after),
            self._subject,
            self._key,
            der.write(der.FIELD_3, der.write(der.SEQUENCE, self._extensions)),
        )
        return Certificate(_signed(content, private_key, algorithm))


@dataclass(frozen=True)
class CertificateSigningRequestBuilder:
    """A request to be."""

    _subject: bytes = b""

    def subject_name(self, name: Name) -> "CertificateSigningRequestBuilder":
        return replace(self, _subject=name.public_bytes())

    def sign(
        self,
        private_key: RSAPrivateKey,
        algorithm: hashes.HashAlgorithm,
        backend: None = None,
    ) -> CertificateSigningRequest:
        key = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        parts = der.write_integer(0), self._subject, key, der.write(der.FIELD_0)
        content = der.write(der.SEQUENCE, *parts)
        return CertificateSigningRequest(_signed(content, private_key, algorithm))


def _signs(algorithm: hashes.HashAlgorithm) -> bytes:
    return write_algorithm(next(oid for oid, kind in _RSA.items() if isinstance(algorithm, kind)))


def _signed(content: bytes, key: RSAPrivateKey, algorithm: hashes.HashAlgorithm) -> bytes:
    signature = der.write(der.BIT_STRING, b"\0", key.sign(content, PKCS1v15(), algorithm))
    return der.write(der.SEQUENCE, content, _signs(algorithm), signature)


def random_serial_number() -> int:
    """Return a number of 159 bits, as long as it may be."""
    return secrets.randbits(159)


def load_pem_x509_certificate(data: bytes, backend: None = None) -> Certificate:
    """Read the first certificate of a text; a ValueError says that there is none."""
    return Certificate(_find(data, "CERTIFICATE", "X509 CERTIFICATE")[0])


def load_pem_x509_certificates(data: bytes) -> list[Certificate]:
    """Read all certificates of a text; a ValueError says that there is none."""
    return [Certificate(each) for each in _find(data, "CERTIFICATE", "X509 CERTIFICATE")]


def load_pem_x509_csr(data: bytes, backend: None = None) -> CertificateSigningRequest:
    """Read the first request of a text; a ValueError says that there is none."""
    found = _find(data, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
    return CertificateSigningRequest(found[0])


def _find(data: bytes, *labels: str) -> list[bytes]:
    found = [content for label, _, content in der.unarmor(data) if label in labels]
    if not found:
        raise ValueError(f"Valid PEM but no BEGIN {labels[0]}/END {labels[0]} delimiters.")
    return found
