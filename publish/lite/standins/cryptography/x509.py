"""Certificates, read and made, and signing requests, read.

Source: https://www.rfc-editor.org/rfc/rfc5280 and https://www.rfc-editor.org/rfc/rfc2986
"""

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from cryptography import der
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat._oid import SHORT, NameOID, ObjectIdentifier
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

__all__ = ["NameOID", "ObjectIdentifier"]  # and what is written here
_SIGNATURES = {
    "1.2.840.113549.1.1.5": (rsa.RSAPublicKey, hashes.SHA1),
    "1.2.840.113549.1.1.11": (rsa.RSAPublicKey, hashes.SHA256),
    "1.2.840.113549.1.1.12": (rsa.RSAPublicKey, hashes.SHA384),
    "1.2.840.113549.1.1.13": (rsa.RSAPublicKey, hashes.SHA512),
    "1.2.840.113549.1.1.14": (rsa.RSAPublicKey, hashes.SHA224),
    "1.2.840.10045.4.1": (ec.ECPublicKey, hashes.SHA1),
    "1.2.840.10045.4.3.1": (ec.ECPublicKey, hashes.SHA224),
    "1.2.840.10045.4.3.2": (ec.ECPublicKey, hashes.SHA256),
    "1.2.840.10045.4.3.3": (ec.ECPublicKey, hashes.SHA384),
    "1.2.840.10045.4.3.4": (ec.ECPublicKey, hashes.SHA512),
}
"""Which kind of key signs, and with which hash."""
_SHA256_RSA = der.write_algorithm("1.2.840.113549.1.1.11")
_UTF8, _PRINTABLE, _IA5 = 0x0C, 0x13, 0x16
_TEXTS = {_UTF8: "utf-8", _PRINTABLE: "utf-8", 0x14: "utf-8", _IA5: "utf-8", 0x1E: "utf-16-be"}
"""How the value of a name's part is encoded, by its tag."""
_TAGS = {"C": _PRINTABLE, "DC": _IA5}
"""How it is written, where not in UTF-8."""


class InvalidVersion(ValueError):
    """It is of a version that there is not."""


class ExtensionNotFound(Exception):
    """A certificate has no such extension."""


class DuplicateExtension(Exception):
    """A certificate has an extension twice."""


class UnsupportedGeneralNameType(Exception):
    """An alternative name is of a kind that the library does not read."""


@dataclass(frozen=True)
class NameAttribute:
    """A part of a name."""

    oid: ObjectIdentifier
    value: str
    _type: int | None = None

    @property
    def _short(self) -> str:
        return SHORT.get(self.oid.dotted_string, self.oid.dotted_string)

    def rfc4514_string(
        self, attr_name_overrides: Mapping[ObjectIdentifier, str] | None = None
    ) -> str:
        text = re.sub(r'[\\"+,;<>]', r"\\\g<0>", self.value).replace("\0", "\\00")
        text = re.sub(r"^(?=[# ])|(?<=.)(?= \Z)", r"\\", text, flags=re.DOTALL)
        return f"{(attr_name_overrides or {}).get(self.oid, self._short)}={text}"

    def _written(self) -> bytes:
        tag = self._type or _TAGS.get(self._short, _UTF8)
        value = der.write(tag, self.value.encode(_TEXTS[tag]))
        return der.write(der.SEQUENCE, der.write_oid(self.oid.dotted_string), value)


class Name:
    """Whom a certificate is for, or from: parts, each of which may be several."""

    def __init__(self, attributes: Iterable[NameAttribute]) -> None:
        self._rdns = [[each] for each in attributes]

    def __iter__(self) -> Iterator[NameAttribute]:
        return (attribute for rdn in self._rdns for attribute in rdn)

    @classmethod
    def from_rfc4514_string(cls, data: str) -> "Name":
        """Read it from text that has nothing escaped in it."""
        parts, kinds = [], {short: dotted for dotted, short in SHORT.items()}
        for part in reversed(data.split(",")):
            short, value = part.split("=")
            if short not in kinds or re.search(r'[\\"+;<>]', value):
                raise ValueError(f"That is no name: {data}")
            parts.append(NameAttribute(ObjectIdentifier(kinds[short]), value))
        return cls(parts)

    @classmethod
    def _read(cls, found: der.Element) -> "Name":
        made = cls([])
        made._rdns = [[_part(each) for each in rdn.parts(der.SET)] for rdn in found.parts()]
        return made

    def rfc4514_string(
        self, attr_name_overrides: Mapping[ObjectIdentifier, str] | None = None
    ) -> str:
        parts = [
            "+".join(each.rfc4514_string(attr_name_overrides) for each in rdn) for rdn in self._rdns
        ]
        return ",".join(reversed(parts))

    def get_attributes_for_oid(self, oid: ObjectIdentifier) -> list[NameAttribute]:
        return [each for each in self if each.oid == oid]

    def public_bytes(self) -> bytes:
        sets = (der.write(der.SET, *sorted(each._written() for each in rdn)) for rdn in self._rdns)
        return der.write(der.SEQUENCE, *sets)


def _part(found: der.Element) -> NameAttribute:
    oid, (tag, content, _) = found.parts()
    if tag not in _TEXTS:
        raise ValueError("a part of a name is no text")
    return NameAttribute(ObjectIdentifier(oid.oid()), content.decode(_TEXTS[tag]), tag)


class _Signed:
    """What a certificate and a request have in common: a content and its signature."""

    label = ""
    _key: der.Element

    def __init__(self, found: der.Element) -> None:
        self._whole, (self._content, algorithm, signature) = found.whole, found.parts()
        kind, *_ = algorithm.parts()
        self._algorithm, self._signature = kind.oid(), signature.bits()

    @property
    def signature_hash_algorithm(self) -> hashes.HashAlgorithm:
        return self._signs()[1]()

    def _signs(self) -> tuple[type, type[hashes.HashAlgorithm]]:
        if self._algorithm not in _SIGNATURES:
            raise UnsupportedAlgorithm(f"signatures by {self._algorithm} are not known here")
        return _SIGNATURES[self._algorithm]

    def public_key(self) -> rsa.RSAPublicKey | ec.ECPublicKey:
        return serialization.read_public_key(self._key)

    def public_bytes(self, encoding: serialization.Encoding) -> bytes:
        return encoding.of(self.label, self._whole)


class Certificate(_Signed):
    """Somebody's word on whose a key is."""

    label = "CERTIFICATE"

    def __init__(self, found: der.Element) -> None:
        super().__init__(found)
        fields, version = self._content.parts(), 0
        if fields and fields[0].tag == der.FIELD_0:
            (number,) = fields.pop(0).parts(der.FIELD_0)
            version = number.integer()
        if version not in (0, 2):
            raise InvalidVersion(f"{version} is not a valid X509 version")
        serial, _, issuer, validity, subject, key, *rest = fields
        self.serial_number, self.issuer = serial.integer(), Name._read(issuer)
        since, until = validity.parts()
        self.not_valid_before_utc, self.not_valid_after_utc = since.time(), until.time()
        self.subject, self._key = Name._read(subject), key
        self._extensions = [each for each in rest if each.tag == der.FIELD_3]

    @property
    def extensions(self) -> "Extensions":
        return Extensions(self._extensions)

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        return hashlib.new(algorithm.name, self._whole).digest()


class CertificateSigningRequest(_Signed):
    """A request to certify a key."""

    label = "CERTIFICATE REQUEST"

    def __init__(self, found: der.Element) -> None:
        super().__init__(found)
        version, subject, key, *_ = self._content.parts()
        if version.integer() != 0:
            raise InvalidVersion("it is not a valid CSR version")
        self.subject, self._key = Name._read(subject), key

    @property
    def is_signature_valid(self) -> bool:
        key, (kind, algorithm) = self.public_key(), self._signs()
        if not isinstance(key, kind):
            return False
        if isinstance(key, ec.ECPublicKey):
            raise UnsupportedAlgorithm(ec.RSA_ONLY)
        try:
            key.verify(self._signature, self._content.whole, padding.PKCS1v15(), algorithm())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class GeneralName:
    """Another name of whom a certificate is for, or from."""

    value: Any


class RFC822Name(GeneralName):
    """A mail address."""


class DNSName(GeneralName):
    """A host."""


class UniformResourceIdentifier(GeneralName):
    """An address of the Web."""


class DirectoryName(GeneralName):
    """A name as certificates have it."""


class IPAddress(GeneralName):
    """An address, or a network."""


class RegisteredID(GeneralName):
    """An object identifier."""


class OtherName(GeneralName):
    """One of a kind of its own, unread."""


_GENERAL_TEXTS = {0x81: RFC822Name, 0x82: DNSName, 0x86: UniformResourceIdentifier}


def _general_name(found: der.Element) -> GeneralName:
    tag, content, _ = found
    if kind := _GENERAL_TEXTS.get(tag):
        return kind(content.decode("ascii"))
    if tag == 0xA4:
        (name,) = found.parts(tag)
        return DirectoryName(Name._read(name))
    if tag == 0x87:
        half = len(content) // 2 if len(content) in (8, 32) else len(content)
        address = ipaddress.ip_address(content[:half])
        if half == len(content):
            return IPAddress(address)
        ones = int.from_bytes(content[half:]).bit_count()
        network = ipaddress.ip_network(f"{address}/{ones}")
        if network.netmask.packed != content[half:]:
            raise ValueError("it is no netmask")
        return IPAddress(network)
    if tag not in (0x88, 0xA0):
        raise UnsupportedGeneralNameType(f"{tag:#x} is not read")
    return (RegisteredID if tag == 0x88 else OtherName)(content)


class _AlternativeName:
    """Further names; what is read of an extension."""

    _oid: ClassVar[str]

    def __init__(self, general_names: Iterable[GeneralName]) -> None:
        self._names = list(general_names)

    def __iter__(self) -> Iterator[GeneralName]:
        return iter(self._names)


class SubjectAlternativeName(_AlternativeName):
    """Further names of whom it is for."""

    _oid = "2.5.29.17"


class IssuerAlternativeName(_AlternativeName):
    """Further names of whom it is from."""

    _oid = "2.5.29.18"


@dataclass(frozen=True)
class Extension:
    """An extension of a certificate."""

    oid: ObjectIdentifier
    critical: bool
    value: _AlternativeName


class Extensions:
    """The extensions of a certificate, of which alternative names are read."""

    def __init__(self, extensions: Iterable[der.Element]) -> None:
        self._values: dict[str, tuple[bool, bytes]] = {}
        for field in extensions:
            (found,) = field.parts(der.FIELD_3)
            for oid, *flag, value in map(der.Element.parts, found.parts()):
                if oid.oid() in self._values:
                    raise DuplicateExtension(f"{oid.oid()} is there twice")
                self._values[oid.oid()] = bool(flag), value.read(der.OCTET_STRING)

    def get_extension_for_class(self, extclass: type[_AlternativeName]) -> Extension:
        if extclass._oid not in self._values:
            raise ExtensionNotFound(f"there is no {extclass.__name__}")
        critical, content = self._values[extclass._oid]
        (names,) = der.elements(content)
        value = extclass(map(_general_name, names.parts()))
        return Extension(ObjectIdentifier(extclass._oid), critical, value)


@dataclass(frozen=True)
class BasicConstraints:
    """Whether it may sign others."""

    ca: bool
    path_length: None

    def public_bytes(self) -> bytes:
        return der.write(der.SEQUENCE, der.write(der.BOOLEAN, b"\xff") if self.ca else b"")


class CertificateBuilder:
    """A certificate to be, in DER as far as it is known."""

    def __init__(self) -> None:
        self._parts: dict[str, bytes] = {}

    def _with(self, **part: bytes) -> "CertificateBuilder":
        made = CertificateBuilder()
        made._parts = self._parts | part
        return made

    def subject_name(self, name: Name) -> "CertificateBuilder":
        return self._with(subject=name.public_bytes())

    def issuer_name(self, name: Name) -> "CertificateBuilder":
        return self._with(issuer=name.public_bytes())

    def public_key(self, key: rsa.RSAPublicKey) -> "CertificateBuilder":
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._with(key=key.public_bytes(serialization.Encoding.DER, form))

    def serial_number(self, number: int) -> "CertificateBuilder":
        return self._with(serial=der.write_integer(number))

    def not_valid_before(self, time: datetime) -> "CertificateBuilder":
        return self._with(since=der.write_time(time))

    def not_valid_after(self, time: datetime) -> "CertificateBuilder":
        return self._with(until=der.write_time(time))

    def add_extension(self, extval: BasicConstraints, critical: bool) -> "CertificateBuilder":
        flag = der.write(der.BOOLEAN, b"\xff") if critical else b""
        value = der.write(der.OCTET_STRING, extval.public_bytes())
        extension = der.write(der.SEQUENCE, der.write_oid("2.5.29.19"), flag, value)
        return self._with(extensions=der.write(der.SEQUENCE, extension))

    def sign(
        self, private_key: rsa.RSAPrivateKey, algorithm: hashes.SHA256, backend: None = None
    ) -> Certificate:
        part = self._parts
        content = der.write(
            der.SEQUENCE,
            der.write(der.FIELD_0, der.write_integer(2)),
            part["serial"],
            _SHA256_RSA,
            part["issuer"],
            der.write(der.SEQUENCE, part["since"], part["until"]),
            part["subject"],
            part["key"],
            der.write(der.FIELD_3, part["extensions"]),
        )
        signature = private_key.sign(content, padding.PKCS1v15(), algorithm)
        bits = der.write(der.BIT_STRING, b"\0", signature)
        (made,) = der.elements(der.write(der.SEQUENCE, content, _SHA256_RSA, bits))
        return Certificate(made)


def random_serial_number() -> int:
    """Return a number of 159 bits, as long as it may be."""
    return secrets.randbits(159)


def load_pem_x509_certificate(data: bytes, backend: None = None) -> Certificate:
    """Read the first certificate of a text; a ValueError says that there is none."""
    return load_pem_x509_certificates(data)[0]


def load_pem_x509_certificates(data: bytes) -> list[Certificate]:
    """Read all certificates of a text; a ValueError says that there is none."""
    return [Certificate(it) for _, it in der.unarmor(data, "CERTIFICATE", "X509 CERTIFICATE")]


def load_pem_x509_csr(data: bytes, backend: None = None) -> CertificateSigningRequest:
    """Read the first request of a text; a ValueError says that there is none."""
    found = der.unarmor(data, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
    return CertificateSigningRequest(found[0][1])
