"""RSA keys, made and used with Python's own numbers; public elliptic keys, by the package ecdsa."""

# ruff: noqa: D102

import hashlib
import math
import re
import secrets
from dataclasses import astuple, dataclass
from enum import Enum, auto
from functools import cache
from typing import Any

from cryptography import der
from cryptography.der import Reader
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import HashAlgorithm

RSA, EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
OTHERS = {
    "1.2.840.10040.4.1": ("DSAPublicKey", 0),
    "1.3.101.110": ("X25519PublicKey", 32),
    "1.3.101.111": ("X448PublicKey", 56),
    "1.3.101.112": ("Ed25519PublicKey", 32),
    "1.3.101.113": ("Ed448PublicKey", 57),
}
"""Keys that AWS IoT does not take: the names of their classes, and how many bytes they have."""
CURVES = {
    "1.2.840.10045.3.1.1": "secp192r1",
    "1.2.840.10045.3.1.7": "secp256r1",
    "1.3.132.0.10": "secp256k1",
    "1.3.132.0.33": "secp224r1",
    "1.3.132.0.34": "secp384r1",
    "1.3.132.0.35": "secp521r1",
    "1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1",
    "1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1",
    "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
}
_PARAMETERS = {
    EC: rb"\x05\x00|\x06.*",
    "1.2.840.113549.1.1.10": rb"(\x30.*)?",  # RSASSA-PSS
    **dict.fromkeys(["1.2.840.10040.4.1", "1.2.840.10046.2.1"], rb"\x30.*"),  # DSA, Diffie-Hellman
    **dict.fromkeys(["1.3.101.110", "1.3.101.111", "1.3.101.112", "1.3.101.113"], b""),
    **{f"1.2.840.113549.1.1.{arc}": rb"(\x05\x00)?" for arc in (1, 5, 11, 12, 13, 14)},
    **{f"1.2.840.10045.4.3.{arc}": rb"(\x05\x00)?" for arc in (1, 2, 3, 4)},
}
"""Which parameters, in DER, an algorithm may have; what is not listed may have any."""
PRIME_ROUNDS = 5
"""Leaves one composite in 2^112: FIPS 186-5, table B.1, primes of 1024 bits; longer ones need 4.

Source: https://nvlpubs.nist.gov/nistpubs/FIPS/NIST.FIPS.186-5.pdf"""
_WINDOW = 4096


class Encoding(Enum):
    """Text or bytes."""

    PEM = auto()
    DER = auto()

    def of(self, label: str, content: bytes) -> bytes:
        """Return what is written in DER, as text where that is asked for."""
        return der.armor(label, content) if self is Encoding.PEM else content


class PublicFormat(Enum):
    """The key with its kind."""

    SubjectPublicKeyInfo = auto()


class PrivateFormat(Enum):
    """RSA's own form."""

    TraditionalOpenSSL = auto()


class NoEncryption:
    """Keys are not written behind a password."""


@dataclass(frozen=True)
class RSAPublicKey:
    """Modulus and exponent."""

    n: int
    e: int

    @property
    def key_size(self) -> int:
        return self.n.bit_length()

    def public_bytes(self, encoding: Encoding, _format: PublicFormat) -> bytes:
        own = der.write(der.SEQUENCE, der.write_integer(self.n), der.write_integer(self.e))
        bits = der.write(der.BIT_STRING, b"\0", own)
        return encoding.of("PUBLIC KEY", der.write(der.SEQUENCE, write_algorithm(RSA), bits))

    def verify(
        self, signature: bytes, data: bytes, _padding: Any, algorithm: HashAlgorithm
    ) -> None:
        size, number = (self.key_size + 7) // 8, int.from_bytes(signature)
        expected = int.from_bytes(_padded(data, size, algorithm))
        if len(signature) != size or number >= self.n or pow(number, self.e, self.n) != expected:
            raise InvalidSignature


@dataclass(frozen=True, repr=False)  # A secret is not shown by mistake.
class RSAPrivateKey:
    """The eight numbers of https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.2."""

    n: int
    e: int
    d: int
    p: int
    q: int
    dmp1: int
    dmq1: int
    iqmp: int

    def public_key(self) -> RSAPublicKey:
        return RSAPublicKey(self.n, self.e)

    def private_bytes(self, encoding: Encoding, _format: PrivateFormat, _encryption: Any) -> bytes:
        numbers = map(der.write_integer, (0, *astuple(self)))
        return encoding.of("RSA PRIVATE KEY", der.write(der.SEQUENCE, *numbers))

    def sign(self, data: bytes, _padding: Any, algorithm: HashAlgorithm) -> bytes:
        size = (self.n.bit_length() + 7) // 8
        number = int.from_bytes(_padded(data, size, algorithm))
        # Modulo the two primes: four times as fast as modulo n.
        first, second = pow(number, self.dmp1, self.p), pow(number, self.dmq1, self.q)
        return (second + self.q * ((first - second) * self.iqmp % self.p)).to_bytes(size)

    def is_sound(self) -> bool:
        """Tell whether the numbers belong together."""
        each = [(self.p, self.dmp1), (self.q, self.dmq1)]
        return (
            self.p * self.q == self.n
            and all(_is_prime(prime) and self.d % (prime - 1) == part for prime, part in each)
            and self.d * self.e % math.lcm(self.p - 1, self.q - 1) == 1
            and self.iqmp * self.q % self.p == 1
        )


def generate_private_key(
    public_exponent: int, key_size: int, backend: None = None
) -> RSAPrivateKey:
    """Make an RSA key."""
    p = q = 1
    while p == q or math.gcd(public_exponent, (p - 1) * (q - 1)) != 1:
        p, q = _prime(key_size // 2), _prime(key_size // 2)
    d = pow(public_exponent, -1, math.lcm(p - 1, q - 1))
    return RSAPrivateKey(p * q, public_exponent, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))


def _prime(bits: int) -> int:
    """Find a prime whose two highest bits are set: two such ones multiply to twice its bits."""
    while True:
        start = secrets.randbits(bits) | 3 << bits - 2 | 1
        maybe = bytearray(b"\1") * _WINDOW  # start, start + 2, start + 4, ...
        for prime in _small_primes():
            first = -start % prime * (prime + 1) // 2 % prime
            maybe[first::prime] = bytes(len(range(first, _WINDOW, prime)))
        for number in (start + 2 * at for at in range(_WINDOW) if maybe[at]):
            # Nearly every composite fails to the base 2: one test in place of five.
            if pow(2, number - 1, number) == 1 and _is_prime(number):
                return number


@cache
def _small_primes() -> list[int]:
    """List the odd primes below 2^16: trying them first spares nine tests in ten."""
    odd = bytearray(b"\1") * 2**15
    for number in range(3, 256, 2):
        odd[number**2 // 2 :: number] = bytes(len(range(number**2 // 2, 2**15, number)))
    return [2 * at + 1 for at in range(1, 2**15) if odd[at]]


def _is_prime(number: int) -> bool:
    """Test an odd number by Miller and Rabin's way, to random bases."""
    if number < 5 or number % 2 == 0:
        return number == 3
    halvings = (number - 1 & 1 - number).bit_length() - 1
    for _ in range(PRIME_ROUNDS):
        powers = [pow(secrets.randbelow(number - 3) + 2, number - 1 >> halvings, number)]
        while len(powers) < halvings:
            powers.append(powers[-1] ** 2 % number)
        if powers[0] != 1 and number - 1 not in powers:
            return False
    return True


def _padded(data: bytes, size: int, algorithm: HashAlgorithm) -> bytes:
    """Return what RSA signs: https://www.rfc-editor.org/rfc/rfc8017#section-9.2."""
    digest = der.write(der.OCTET_STRING, hashlib.new(algorithm.name, data).digest())
    content = der.write(der.SEQUENCE, write_algorithm(algorithm.oid), digest)
    return b"\0\1" + b"\xff" * (size - len(content) - 3) + b"\0" + content


@dataclass(frozen=True)
class ECDSA:
    """How an elliptic key signs."""

    algorithm: HashAlgorithm


@dataclass(frozen=True)
class EllipticCurve:
    """A curve."""

    dotted: str

    @property
    def name(self) -> str:
        return CURVES[self.dotted]

    @property
    def known(self) -> Any:
        """What ecdsa has for it."""
        if self.dotted not in CURVES:
            raise UnsupportedAlgorithm(f"Curve {self.dotted} is not supported")
        from ecdsa.curves import (
            find_curve,
        )  # takes longer than all the rest, and few need it

        return find_curve(tuple(map(int, self.dotted.split("."))))


@dataclass(frozen=True)
class ECPublicKey:
    """A curve, and ecdsa's key on it."""

    curve: EllipticCurve
    key: Any

    @classmethod
    def at(cls, curve: EllipticCurve, point: bytes) -> "ECPublicKey":
        """Return the key, or raise ValueError where the point is not on the curve."""
        from ecdsa import MalformedPointError, VerifyingKey

        try:
            return cls(curve, VerifyingKey.from_string(point, curve.known))
        except MalformedPointError as outside:
            raise ValueError("Invalid EC key") from outside

    def public_bytes(self, encoding: Encoding, _format: PublicFormat) -> bytes:
        return encoding.of("PUBLIC KEY", self.key.to_der())

    def verify(self, signature: bytes, data: bytes, way: ECDSA) -> None:
        from ecdsa import BadSignatureError
        from ecdsa.util import sigdecode_der

        hashed = getattr(hashlib, way.algorithm.name)
        try:
            self.key.verify(signature, data, hashed, sigdecode_der, allow_truncate=True)
        except BadSignatureError as another:
            raise InvalidSignature from another


@dataclass(frozen=True, repr=False)
class ECPrivateKey:
    """A curve, and ecdsa's key."""

    curve: EllipticCurve
    key: Any

    @classmethod
    def of(cls, curve: EllipticCurve, number: bytes) -> "ECPrivateKey":
        """Return the key, or raise ValueError where the curve has no such number."""
        from ecdsa import MalformedPointError, SigningKey

        try:
            return cls(
                curve,
                SigningKey.from_secret_exponent(int.from_bytes(number), curve.known),
            )
        except MalformedPointError as outside:
            raise ValueError("Invalid EC key") from outside

    def public_key(self) -> ECPublicKey:
        return ECPublicKey(self.curve, self.key.verifying_key)

    def sign(self, data: bytes, way: ECDSA) -> bytes:
        from ecdsa.util import sigencode_der

        hashed = getattr(hashlib, way.algorithm.name)
        made: bytes = self.key.sign(data, None, hashed, sigencode_der, allow_truncate=True)
        return made


class OtherPublicKey:
    """A key of a kind that AWS IoT does not take: its class's name is all that is asked."""


PublicKey = RSAPublicKey | ECPublicKey | OtherPublicKey


def write_algorithm(dotted: str) -> bytes:
    """Write which algorithm it is, with no parameters."""
    return der.write(der.SEQUENCE, der.write_oid(dotted), der.write(der.NULL))


def read_algorithm(reader: Reader) -> tuple[str, bytes]:
    """Return which algorithm it is, and its parameters, in DER.

    Raises:
        ValueError: it is damaged, or has parameters that it cannot have.
    """
    fields = reader.inside(der.SEQUENCE)
    dotted = fields.oid()
    parameters = fields.element()[2] if fields.more() else b""
    fields.end()
    if not re.fullmatch(_PARAMETERS.get(dotted, b".*"), parameters, re.DOTALL):
        raise ValueError("it has other parameters")
    if dotted == EC and parameters[0] == der.OID:
        Reader(parameters).oid()
    return dotted, parameters


def read_frame(content: bytes) -> tuple[str, bytes, bytes, int]:
    """Return what a public key is for, with which parameters, and its bits."""
    fields = Reader.of(content)
    (dotted, parameters), (bits, unused) = read_algorithm(fields), fields.bits()
    fields.end()
    return dotted, parameters, bits, unused


def load_der_public_key(content: bytes) -> PublicKey:
    """Read the public key of a certificate.

    Raises:
        ValueError: it is damaged.
        UnsupportedAlgorithm: it is of a kind that the library does not have.
    """
    dotted, parameters, bits, unused = read_frame(content)
    if unused:
        raise ValueError("A key has whole bytes.")
    if dotted == RSA:
        n, e = _naturals(bits, 2)
        if not 3 <= e < n or e % 2 == 0:
            raise ValueError("Invalid RSA key")
        return RSAPublicKey(n, e)
    if dotted == EC:
        return ECPublicKey.at(EllipticCurve(Reader(parameters).oid()), bits)
    if dotted in OTHERS:
        name, size = OTHERS[dotted]
        if size and len(bits) != size:
            raise ValueError(f"An {name} has {size} bytes.")
        made: OtherPublicKey = type(name, (OtherPublicKey,), {})()
        return made
    raise UnsupportedAlgorithm(f"Unknown key type: {dotted}")


def _naturals(content: bytes, count: int) -> list[int]:
    fields = Reader.of(content)
    numbers = [fields.natural() for _ in range(count)]
    fields.end()
    return numbers


def load_pem_private_key(
    data: bytes,
    password: None,
    backend: None = None,
    *,
    unsafe_skip_rsa_key_validation: bool = False,
) -> RSAPrivateKey | ECPrivateKey:
    """Read a private key.

    Raises:
        ValueError: it is damaged, or there is none.
        TypeError: it is behind a password.
        UnsupportedAlgorithm: it is of a kind that AWS IoT does not take.
    """
    for label, headers, content in der.unarmor(data):
        if label == "ENCRYPTED PRIVATE KEY" or b"Proc-Type" in headers:
            raise TypeError("Password was not given but private key is encrypted")
        if label in ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"):
            dotted, parameters = {"R": RSA, "E": EC}.get(label[0], ""), b""
            if label == "PRIVATE KEY":
                fields = Reader.of(content)
                if fields.natural() != 0:
                    raise ValueError("Invalid private key")
                dotted, parameters = read_algorithm(fields)
                content = fields.read(der.OCTET_STRING)
            if dotted == EC:
                return _read_elliptic(content, parameters)
            if dotted != RSA:
                raise UnsupportedAlgorithm(f"Unknown key type: {dotted}")
            version, *numbers = _naturals(content, 9)
            key = RSAPrivateKey(*numbers)
            if version != 0 or not (unsafe_skip_rsa_key_validation or key.is_sound()):
                raise ValueError("Invalid private key")
            return key
    raise ValueError("Valid PEM but no BEGIN/END delimiters for a private key found.")


def _read_elliptic(content: bytes, parameters: bytes) -> ECPrivateKey:
    """Read a key as in https://www.rfc-editor.org/rfc/rfc5915."""
    fields = Reader.of(content)
    version, number = fields.natural(), fields.read(der.OCTET_STRING)
    if fields.next_is(der.FIELD_0):
        parameters = fields.read(der.FIELD_0)
    named = Reader(parameters)
    curve = EllipticCurve(named.oid())
    named.end()
    key = ECPrivateKey.of(curve, number)
    public, unused = key.public_key(), 0
    if fields.next_is(der.FIELD_1):
        point, unused = fields.inside(der.FIELD_1).bits()
        public = ECPublicKey.at(curve, point)
    fields.end()
    if version != 1 or unused or public != key.public_key():
        raise ValueError("Invalid EC key")
    return key
