"""Certificates and signing requests: read and made.

Source: https://www.rfc-editor.org/rfc/rfc5280 and https://www.rfc-editor.org/rfc/rfc2986
"""

import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import der
from cryptography.der import Reader
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat._oid import NameOID, ObjectIdentifier
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
    encoded,
    load_der_public_key,
    read_algorithm,
    write_algorithm,
)

_SHORT = {
    NameOID.COMMON_NAME: "CN",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COUNTRY_NAME: "C",
    NameOID.STREET_ADDRESS: "STREET",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.USER_ID: "UID",
}
_PART = re.compile(r'([A-Za-z][A-Za-z\d-]*|[\d.]+)=((?:[^\\,+"<>;]|\\.)*)(,|$)', re.DOTALL)
_PRINTABLE, _IA5, _UTF8, _BMP, _UNIVERSAL = 0x13, 0x16, 0x0C, 0x1E, 0x1C
_TEXT = {_BMP: "utf-16-be", _UNIVERSAL: "utf-32-be"}
_TEXT |= dict.fromkeys((der.OCTET_STRING, _UTF8, 0x12, _PRINTABLE, 0x14, _IA5, 0x17, 0x18, 0x1A), "utf-8")
"""How a part of a name is encoded, by its tag."""
_PRINTABLE_TEXT = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")
_RSA_SIGNATURES = {
    "sha1": "1.2.840.113549.1.1.5",
    "sha224": "1.2.840.113549.1.1.14",
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
}
_SIGNATURES = {dotted: (RSAPublicKey, name) for name, dotted in _RSA_SIGNATURES.items()} | {
    "1.2.840.10045.4.1": (ECPublicKey, "sha1"),
    "1.2.840.10045.4.3.1": (ECPublicKey, "sha224"),
    "1.2.840.10045.4.3.2": (ECPublicKey, "sha256"),
    "1.2.840.10045.4.3.3": (ECPublicKey, "sha384"),
    "1.2.840.10045.4.3.4": (ECPublicKey, "sha512"),
}
"""Whose signature it is, and of which hash."""
_EDWARDS = ("1.3.101.112", "1.3.101.113")
"""Ed25519 and Ed448, which have their hash built in."""


class InvalidVersion(Exception):
    """It is of a version that there is not."""


@dataclass(frozen=True)
class NameAttribute:
    """One part of a name."""

    oid: ObjectIdentifier
    value: str

    def rfc4514_string(self) -> str:
        """Write it as text, as ``CN=button``."""
        text = re.sub(r'[\\"+,;<>]', r"\\\g<0>", self.value).replace("\0", "\\00")
        text = re.sub(r"^(#| (?=.))", r"\\\1", text, flags=re.DOTALL)
        text = re.sub(r" \Z", r"\\ ", text)
        return f"{_SHORT.get(self.oid, self.oid.dotted_string)}={text}"


class Name:
    """The name of whom a certificate is for, or from: parts, each of which may be several."""

    def __init__(self, attributes: Sequence[NameAttribute]) -> None:
        self.rdns = [[each] for each in attributes]

    def __iter__(self) -> Iterator[NameAttribute]:
        return (attribute for rdn in self.rdns for attribute in rdn)

    @classmethod
    def from_rfc4514_string(cls, data: str) -> "Name":
        """Read what :meth:`rfc4514_string` writes, of parts that are one each."""
        found, at = [], 0
        while at < len(data):
            part = _PART.match(data, at)
            if part is None or (part[3] and part.end() == len(data)):
                raise ValueError(f"no name: {data}")
            oid = {short: oid for oid, short in _SHORT.items()}.get(part[1])
            if oid is None and not part[1][0].isdigit():
                raise ValueError(f"no part of a name: {part[1]}")
            value = re.sub(r"\\(.)", r"\1", part[2].replace("\\00", "\0"), flags=re.DOTALL)
            found.append(NameAttribute(oid or ObjectIdentifier(part[1]), value))
            at = part.end()
        return cls(found[::-1])

    def rfc4514_string(self) -> str:
        """Write it as text, as ``CN=button,O=Acme``: the last part comes first."""
        parts = ["+".join(each.rfc4514_string() for each in rdn) for rdn in self.rdns]
        return ",".join(reversed(parts))

    def get_attributes_for_oid(self, oid: ObjectIdentifier) -> list[NameAttribute]:
        """Return the parts of one kind."""
        return [each for each in self if each.oid == oid]

    def public_bytes(self) -> bytes:
        """Write it in DER."""
        rdns = []
        for each in self:
            tag = {NameOID.COUNTRY_NAME: _PRINTABLE, NameOID.DOMAIN_COMPONENT: _IA5}.get(each.oid)
            value = der.write(tag or _UTF8, each.value.encode())
            pair = der.write(der.SEQUENCE, der.write_oid(each.oid.dotted_string), value)
            rdns.append(der.write(der.SET, pair))
        return der.write(der.SEQUENCE, *rdns)


class _RawName:
    """A name as it stands in DER: its frame is read at once, its text when it is asked for."""

    def __init__(self, reader: Reader) -> None:
        self.rdns: list[list[tuple[str, int, bytes]]] = []
        names = reader.inside(der.SEQUENCE)
        while names.more():
            rdn = []
            for pair in _set_of(names.inside(der.SET)):
                fields = Reader.of(pair)
                oid, (tag, content, _) = fields.oid(), fields.element()
                fields.end()
                if tag in (_PRINTABLE, _BMP, _UNIVERSAL):
                    text = content.decode(_TEXT[tag])
                    if tag == _PRINTABLE and not _PRINTABLE_TEXT.fullmatch(text):
                        raise ValueError("a character that is not allowed in a name")
                rdn.append((oid, tag, content))
            self.rdns.append(rdn)

    def decoded(self) -> Name:
        name = Name([])
        for rdn in self.rdns:
            attributes = []
            for oid, tag, content in rdn:
                if tag == der.BIT_STRING:
                    raise TypeError("oid must be X500_UNIQUE_IDENTIFIER for BitString type.")
                if tag not in _TEXT:
                    raise ValueError(f"no text, by its tag: {tag:#x}")
                attributes.append(NameAttribute(ObjectIdentifier(oid), content.decode(_TEXT[tag])))
            name.rdns.append(attributes)
        return name


class _Signed:
    """What a certificate and a request have in common: something, and its signature."""

    label = ""

    def __init__(self, content: bytes) -> None:
        self._der = content
        outer = Reader.of(content)
        self._content = outer.whole(der.SEQUENCE)
        self._algorithm, _ = read_algorithm(outer)
        self._signature = outer.bits()
        outer.end()

    @property
    def subject(self) -> Name:
        """Whose it is."""
        return self._subject.decoded()

    def public_key(self) -> PublicKey:
        """Return the key whose owner it is for."""
        return load_der_public_key(self._key)

    @property
    def signature_hash_algorithm(self) -> hashes.HashAlgorithm | None:
        """The hash that is signed; none where the kind of signature has it built in."""
        if self._algorithm in _EDWARDS:
            return None
        if self._algorithm not in _SIGNATURES:
            raise UnsupportedAlgorithm(f"Signature algorithm OID: {self._algorithm} not recognized")
        made: hashes.HashAlgorithm = getattr(hashes, _SIGNATURES[self._algorithm][1].upper())()
        return made

    def public_bytes(self, encoding: Encoding) -> bytes:
        """Write it."""
        return encoded(encoding, self.label, self._der)

    def _read_key(self, fields: Reader) -> None:
        self._key = fields.whole(der.SEQUENCE)
        key = Reader.of(self._key)
        read_algorithm(key)
        key.bits()
        key.end()


class Certificate(_Signed):
    """A certificate."""

    label = "CERTIFICATE"

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        fields, version = Reader.of(self._content), 0
        if fields.next_is(der.context(0)):
            inner = fields.inside(der.context(0))
            version = inner.natural()
            inner.end()
            if version == 0:
                raise ValueError("the default is written down")
        self.serial_number = fields.integer()
        read_algorithm(fields)
        self._issuer = _RawName(fields)
        validity = fields.inside(der.SEQUENCE)
        self.not_valid_before_utc, self.not_valid_after_utc = validity.time(), validity.time()
        validity.end()
        self._subject = _RawName(fields)
        self._read_key(fields)
        for number in (1, 2):
            if fields.next_is(0x80 | number):
                fields.bits(0x80 | number)
        if fields.next_is(der.context(3)):
            inner = fields.inside(der.context(3))
            _check_extensions(inner.inside(der.SEQUENCE))
            inner.end()
        fields.end()
        if version not in (0, 2):
            raise InvalidVersion(f"{version} is not a valid X509 version")

    @property
    def issuer(self) -> Name:
        """Who signed it."""
        return self._issuer.decoded()

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        """Return its hash."""
        return hashlib.new(algorithm.name, self._der).digest()


class CertificateSigningRequest(_Signed):
    """A request to sign a certificate for a key."""

    label = "CERTIFICATE REQUEST"

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        fields = Reader.of(self._content)
        version = fields.natural()
        self._subject = _RawName(fields)
        self._read_key(fields)
        for attribute in _set_of(fields.inside(der.context(0))):
            parts = Reader.of(attribute)
            parts.oid()
            _set_of(parts.inside(der.SET))
            parts.end()
        fields.end()
        if version != 0:
            raise InvalidVersion(f"{version} is not a valid CSR version")

    @property
    def is_signature_valid(self) -> bool:
        """Whether who asks has the key."""
        key, algorithm = self.public_key(), self.signature_hash_algorithm
        if algorithm is None:
            raise UnsupportedAlgorithm(f"Signatures of kind {self._algorithm} cannot be checked here")
        if not isinstance(key, _SIGNATURES[self._algorithm][0]):
            return False
        try:
            if isinstance(key, RSAPublicKey):
                key.verify(self._signature, self._content, PKCS1v15(), algorithm)
            else:
                key.verify(self._signature, self._content, ECDSA(algorithm))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class BasicConstraints:
    """Whether it may sign others."""

    ca: bool
    path_length: int | None

    def public_bytes(self) -> bytes:
        """Write it in DER."""
        parts = [der.write(der.BOOLEAN, b"\xff")] if self.ca else []
        if self.path_length is not None:
            parts.append(der.write_integer(self.path_length))
        return der.write(der.SEQUENCE, *parts)


def random_serial_number() -> int:
    """Return a number of 159 bits."""
    return secrets.randbits(159)


@dataclass(frozen=True)
class CertificateBuilder:
    """A certificate to be; each method returns one that knows more."""

    _subject: bytes = b""
    _issuer: bytes = b""
    _key: bytes = b""
    _serial: int = 0
    _before: bytes = b""
    _after: bytes = b""
    _extensions: bytes = b""

    def subject_name(self, name: Name) -> "CertificateBuilder":
        """Say whose it is."""
        return replace(self, _subject=name.public_bytes())

    def issuer_name(self, name: Name) -> "CertificateBuilder":
        """Say who signs it."""
        return replace(self, _issuer=name.public_bytes())

    def public_key(self, key: RSAPublicKey | ECPublicKey) -> "CertificateBuilder":
        """Say which key it is for."""
        return replace(self, _key=_spki(key))

    def serial_number(self, number: int) -> "CertificateBuilder":
        """Number it."""
        return replace(self, _serial=number)

    def not_valid_before(self, time: datetime) -> "CertificateBuilder":
        """Say from when on it is valid."""
        return replace(self, _before=der.write_time(time))

    def not_valid_after(self, time: datetime) -> "CertificateBuilder":
        """Say until when it is valid."""
        return replace(self, _after=der.write_time(time))

    def add_extension(self, extval: BasicConstraints, critical: bool) -> "CertificateBuilder":
        """Say what more there is to it."""
        parts = [der.write_oid("2.5.29.19"), der.write(der.OCTET_STRING, extval.public_bytes())]
        if critical:
            parts.insert(1, der.write(der.BOOLEAN, b"\xff"))
        return replace(self, _extensions=self._extensions + der.write(der.SEQUENCE, *parts))

    def sign(
        self, private_key: RSAPrivateKey, algorithm: hashes.HashAlgorithm, backend: None = None
    ) -> Certificate:
        """Make it."""
        extensions = der.write(der.context(3), der.write(der.SEQUENCE, self._extensions))
        content = der.write(
            der.SEQUENCE,
            der.write(der.context(0), der.write_integer(2)),
            der.write_integer(self._serial),
            write_algorithm(_RSA_SIGNATURES[algorithm.name]),
            self._issuer,
            der.write(der.SEQUENCE, self._before, self._after),
            self._subject,
            self._key,
            extensions if self._extensions else b"",
        )
        return Certificate(_sign(content, private_key, algorithm))


@dataclass(frozen=True)
class CertificateSigningRequestBuilder:
    """A request to be."""

    _subject: bytes = b""

    def subject_name(self, name: Name) -> "CertificateSigningRequestBuilder":
        """Say who asks."""
        return replace(self, _subject=name.public_bytes())

    def sign(
        self, private_key: RSAPrivateKey, algorithm: hashes.HashAlgorithm, backend: None = None
    ) -> CertificateSigningRequest:
        """Make it."""
        key = _spki(private_key.public_key())
        parts = der.write_integer(0), self._subject, key, der.write(der.context(0))
        content = der.write(der.SEQUENCE, *parts)
        return CertificateSigningRequest(_sign(content, private_key, algorithm))


def load_pem_x509_certificate(data: bytes, backend: None = None) -> Certificate:
    """Read the first certificate of a text.

    Raises:
        ValueError: there is none, or the text is damaged.
    """
    return Certificate(_find(data, "CERTIFICATE", "X509 CERTIFICATE")[0])


def load_pem_x509_certificates(data: bytes) -> list[Certificate]:
    """Read all certificates of a text.

    Raises:
        ValueError: there is none, or the text is damaged.
    """
    return [Certificate(each) for each in _find(data, "CERTIFICATE", "X509 CERTIFICATE")]


def load_pem_x509_csr(data: bytes, backend: None = None) -> CertificateSigningRequest:
    """Read the first signing request of a text.

    Raises:
        ValueError: there is none, or the text is damaged.
    """
    found = _find(data, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
    return CertificateSigningRequest(found[0])


def _find(data: bytes, *labels: str) -> list[bytes]:
    found = [content for label, _, content in der.unarmor(data) if label in labels]
    if not found:
        raise ValueError(f"Valid PEM but no BEGIN {labels[0]}/END {labels[0]} delimiters.")
    return found


def _set_of(reader: Reader) -> list[bytes]:
    """Return the elements of a set, which DER puts in order."""
    found = []
    while reader.more():
        found.append(reader.element()[2])
    if found != sorted(found):
        raise ValueError("the set is not in order")
    return found


def _check_extensions(reader: Reader) -> None:
    while reader.more():
        fields = reader.inside(der.SEQUENCE)
        fields.oid()
        if fields.next_is(der.BOOLEAN) and fields.read(der.BOOLEAN) != b"\xff":
            raise ValueError("the default is written down")
        fields.read(der.OCTET_STRING)
        fields.end()


def _spki(key: RSAPublicKey | ECPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _sign(content: bytes, key: RSAPrivateKey, algorithm: hashes.HashAlgorithm) -> bytes:
    signature = der.write_bits(key.sign(content, PKCS1v15(), algorithm))
    oid = write_algorithm(_RSA_SIGNATURES[algorithm.name])
    return der.write(der.SEQUENCE, content, oid, signature)
