"""RSA keys, made and used with Python's own numbers; elliptic keys, by the package ecdsa."""

import hashlib
import math
import secrets
from collections.abc import Callable
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
    "1.2.840.10040.4.1": "DSAPublicKey",
    "1.3.101.110": "X25519PublicKey",
    "1.3.101.111": "X448PublicKey",
    "1.3.101.112": "Ed25519PublicKey",
    "1.3.101.113": "Ed448PublicKey",
}
DIGESTS = {
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
PRIME_ROUNDS = 5
"""Leaves one composite in 2^112: FIPS 186-5, table B.1, for primes of 1024 bits; longer ones need 4.

Source: https://nvlpubs.nist.gov/nistpubs/FIPS/NIST.FIPS.186-5.pdf"""


class Encoding(Enum):
    """Text or bytes."""

    PEM = auto()
    DER = auto()


class PublicFormat(Enum):
    """The key with its kind, or RSA's own form."""

    SubjectPublicKeyInfo = auto()
    PKCS1 = auto()


class PrivateFormat(Enum):
    """RSA's own form, or the key with its kind."""

    TraditionalOpenSSL = auto()
    PKCS8 = auto()


class NoEncryption:
    """Here, no private key is written behind a password."""


def encoded(encoding: Encoding, label: str, content: bytes) -> bytes:
    """Return what is written in DER, as text where that is asked for."""
    return der.armor(label, content) if encoding is Encoding.PEM else content


@dataclass(frozen=True)
class RSAPublicKey:
    """Modulus and exponent."""

    n: int
    e: int

    @property
    def key_size(self) -> int:
        """How many bits the modulus has."""
        return self.n.bit_length()

    def public_bytes(self, encoding: Encoding, format: PublicFormat) -> bytes:
        """Write the key."""
        own = der.write(der.SEQUENCE, der.write_integer(self.n), der.write_integer(self.e))
        if format is PublicFormat.PKCS1:
            return encoded(encoding, "RSA PUBLIC KEY", own)
        whole = der.write(der.SEQUENCE, write_algorithm(RSA), der.write_bits(own))
        return encoded(encoding, "PUBLIC KEY", whole)

    def verify(self, signature: bytes, data: bytes, _padding: Any, algorithm: HashAlgorithm) -> None:
        """Raise InvalidSignature where this key's private one has not signed *data*."""
        size, number = (self.key_size + 7) // 8, int.from_bytes(signature)
        if len(signature) != size or number >= self.n:
            raise InvalidSignature
        if pow(number, self.e, self.n) != int.from_bytes(_padded(data, size, algorithm)):
            raise InvalidSignature


@dataclass(frozen=True, repr=False)  # A secret is not shown by mistake.
class RSAPrivateKey:
    """The eight numbers of RFC 8017, appendix A.1.2."""

    n: int
    e: int
    d: int
    p: int
    q: int
    dmp1: int
    dmq1: int
    iqmp: int

    @property
    def key_size(self) -> int:
        """How many bits the modulus has."""
        return self.n.bit_length()

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""
        return RSAPublicKey(self.n, self.e)

    def private_bytes(self, encoding: Encoding, format: PrivateFormat, _encryption: Any) -> bytes:
        """Write the key."""
        own = der.write(der.SEQUENCE, *map(der.write_integer, (0, *astuple(self))))
        if format is PrivateFormat.TraditionalOpenSSL:
            return encoded(encoding, "RSA PRIVATE KEY", own)
        content = der.write_integer(0), write_algorithm(RSA), der.write(der.OCTET_STRING, own)
        return encoded(encoding, "PRIVATE KEY", der.write(der.SEQUENCE, *content))

    def sign(self, data: bytes, _padding: Any, algorithm: HashAlgorithm) -> bytes:
        """Sign *data*, with half-sized numbers: four times as fast (RFC 8017, 5.1.2)."""
        size = (self.key_size + 7) // 8
        number = int.from_bytes(_padded(data, size, algorithm))
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
    public_exponent: int = 65537, key_size: int = 2048, backend: None = None
) -> RSAPrivateKey:
    """Make an RSA key."""
    p = q = 1
    while (p * q).bit_length() != key_size or math.gcd(public_exponent, (p - 1) * (q - 1)) != 1:
        # They cannot be so near to each other that the modulus would give them away.
        p, q = sorted((_prime(key_size // 2), _prime(key_size // 2)), reverse=True)
    d = pow(public_exponent, -1, math.lcm(p - 1, q - 1))
    return RSAPrivateKey(
        p * q, public_exponent, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)
    )


def _padded(data: bytes, size: int, algorithm: HashAlgorithm) -> bytes:
    """Return what RSA signs: EMSA-PKCS1-v1_5, RFC 8017, section 9.2."""
    digest = der.write(der.OCTET_STRING, hashlib.new(algorithm.name, data).digest())
    content = der.write(der.SEQUENCE, write_algorithm(DIGESTS[algorithm.name]), digest)
    return b"\0\1" + b"\xff" * (size - len(content) - 3) + b"\0" + content


def _prime(bits: int) -> int:
    """Find a prime whose two highest bits are set, so that two of them make a whole modulus."""
    window = 4096
    while True:
        start = secrets.randbits(bits) | 3 << bits - 2 | 1
        left = bytearray(b"\1") * window  # of start, start + 2, start + 4, ...
        for prime in _small_primes():
            first = -start % prime * (prime + 1) // 2 % prime
            left[first::prime] = bytes(len(range(first, window, prime)))
        for at in range(window):
            # Nearly every composite fails to the base 2, which is one test in place of five.
            if left[at] and pow(2, start + 2 * at - 1, start + 2 * at) == 1:
                if _is_prime(start + 2 * at):
                    return start + 2 * at


@cache
def _small_primes() -> list[int]:
    """List the odd primes below 2^16: what they divide need not be tested at length."""
    odd = bytearray(b"\1") * (1 << 15)
    for number in range(3, 256, 2):
        odd[number * number // 2 :: number] = bytes(len(range(number * number // 2, 1 << 15, number)))
    return [2 * at + 1 for at in range(1, 1 << 15) if odd[at]]


def _is_prime(number: int) -> bool:
    """Test by Miller and Rabin's way, to random bases."""
    if number < 5 or number % 2 == 0:
        return number in (2, 3)
    halvings = (number - 1 & 1 - number).bit_length() - 1
    for _ in range(PRIME_ROUNDS):
        power = pow(secrets.randbelow(number - 3) + 2, number - 1 >> halvings, number)
        for _ in range(halvings - 1):
            if power in (1, number - 1):
                break
            power = power * power % number
        if power not in (1, number - 1):
            return False
    return True


@dataclass(frozen=True)
class ECDSA:
    """How an elliptic key signs."""

    algorithm: HashAlgorithm


@dataclass(frozen=True)
class EllipticCurve:
    """A curve, by the name that the library has for it."""

    name: str


class ECPublicKey:
    """An elliptic key, which can verify."""

    def __init__(self, curve: str, key: Any) -> None:
        self.curve, self._key = EllipticCurve(curve), key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ECPublicKey) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key.to_der())

    def public_bytes(self, encoding: Encoding, _format: PublicFormat) -> bytes:
        """Write the key."""
        return encoded(encoding, "PUBLIC KEY", self._key.to_der())

    def verify(self, signature: bytes, data: bytes, way: ECDSA) -> None:
        """Raise InvalidSignature where this key's private one has not signed *data*."""
        from ecdsa import BadSignatureError
        from ecdsa.util import sigdecode_der

        hashed = getattr(hashlib, way.algorithm.name)
        try:
            self._key.verify(signature, data, hashed, sigdecode_der, allow_truncate=True)
        except BadSignatureError as another:
            raise InvalidSignature from another


class ECPrivateKey:
    """An elliptic key, which can sign."""

    def __init__(self, curve: str, key: Any) -> None:
        self.curve, self._key = EllipticCurve(curve), key

    def public_key(self) -> ECPublicKey:
        """Return the public half."""
        return ECPublicKey(self.curve.name, self._key.verifying_key)

    def sign(self, data: bytes, way: ECDSA) -> bytes:
        """Sign *data*."""
        from ecdsa.util import sigencode_der

        hashed = getattr(hashlib, way.algorithm.name)
        made: bytes = self._key.sign(data, None, hashed, sigencode_der, allow_truncate=True)
        return made


def _curve(dotted: str) -> tuple[str, Any]:
    """Return a curve's name in the library, and what ecdsa has for it.

    Raises:
        UnsupportedAlgorithm: the library does not have it either.
    """
    import ecdsa  # takes longer than all the rest, and few keys are elliptic

    names = [
        (ecdsa.NIST192p, "secp192r1"),
        (ecdsa.NIST224p, "secp224r1"),
        (ecdsa.NIST256p, "secp256r1"),
        (ecdsa.NIST384p, "secp384r1"),
        (ecdsa.NIST521p, "secp521r1"),
        (ecdsa.SECP256k1, "secp256k1"),
        (ecdsa.BRAINPOOLP256r1, "brainpoolP256r1"),
        (ecdsa.BRAINPOOLP384r1, "brainpoolP384r1"),
        (ecdsa.BRAINPOOLP512r1, "brainpoolP512r1"),
    ]
    for curve, name in names:
        if ".".join(map(str, curve.oid)) == dotted:
            return name, curve
    raise UnsupportedAlgorithm(f"Curve {dotted} is not supported")


class OtherPublicKey:
    """A key of a kind that AWS IoT does not take: only its class's name is of use."""


PublicKey = RSAPublicKey | ECPublicKey | OtherPublicKey
PrivateKey = RSAPrivateKey | ECPrivateKey


def write_algorithm(dotted: str) -> bytes:
    """Write which algorithm it is, one without parameters."""
    return der.write(der.SEQUENCE, der.write_oid(dotted), der.write(der.NULL))


def read_algorithm(reader: Reader) -> tuple[str, bytes]:
    """Return which algorithm it is, and its parameters, in DER.

    Raises:
        ValueError: it is not well formed, or has parameters where there are none.
    """
    fields = reader.inside(der.SEQUENCE)
    dotted, parameters = fields.oid(), b""
    if fields.more():
        _, _, parameters = fields.element()
    fields.end()
    family, _, number = dotted.rpartition(".")
    bare = {"1.2.840.113549.1.1": "1 5 11 12 13 14", "1.2.840.10045.4.3": "1 2 3 4"}
    wrong = number in bare.get(family, "").split() and parameters not in (b"", b"\5\0")
    if wrong or (dotted == EC and parameters[:1] not in (b"\5", b"\6", b"\x30")):
        raise ValueError("it has other parameters")
    return dotted, parameters


def load_der_public_key(content: bytes) -> PublicKey:
    """Read the public key of a certificate.

    Raises:
        ValueError: it is damaged.
        UnsupportedAlgorithm: it is of an unknown kind.
    """
    fields = Reader.of(content)
    dotted, parameters = read_algorithm(fields)
    bits = fields.bits()
    fields.end()
    if dotted == RSA:
        own = Reader.of(bits)
        key = RSAPublicKey(own.natural(), own.natural())
        own.end()
        if not 3 <= key.e < key.n or key.e % 2 == 0:
            raise ValueError("Invalid RSA key")
        return key
    if dotted == EC:
        import ecdsa

        name, curve = _curve(Reader(parameters).oid())
        try:
            return ECPublicKey(name, ecdsa.VerifyingKey.from_string(bits, curve))
        except ecdsa.MalformedPointError as outside:
            raise ValueError("Invalid EC key") from outside
    if dotted in OTHERS:
        return type(OTHERS[dotted], (OtherPublicKey,), {})()
    raise UnsupportedAlgorithm(f"Unknown key type: {dotted}")


def load_pem_private_key(
    data: bytes,
    password: bytes | None,
    backend: None = None,
    *,
    unsafe_skip_rsa_key_validation: bool = False,
) -> PrivateKey:
    """Read a private key.

    Raises:
        ValueError: it is damaged, or there is none.
        TypeError: it is behind a password, which is not supported here.
    """
    for label, headers, content in der.unarmor(data):
        if label == "ENCRYPTED PRIVATE KEY" or b"Proc-Type" in headers:
            raise TypeError("Password was not given but private key is encrypted")
        if label in _READERS:
            key = _READERS[label](content)
            skipped = unsafe_skip_rsa_key_validation or isinstance(key, ECPrivateKey)
            if not skipped and not key.is_sound():
                raise ValueError("Invalid private key")
            return key
    raise ValueError("Valid PEM but no BEGIN/END delimiters for a private key found.")


def _read_rsa(content: bytes) -> RSAPrivateKey:
    fields = Reader.of(content)
    version, *numbers = [fields.natural() for _ in range(9)]
    fields.end()
    if version != 0:
        raise ValueError("Invalid private key")
    return RSAPrivateKey(*numbers)


def _read_ec(content: bytes, parameters: bytes = b"") -> ECPrivateKey:
    import ecdsa

    fields = Reader.of(content)
    version, secret = fields.integer(), fields.read(der.OCTET_STRING)
    if fields.next_is(der.context(0)):
        parameters = fields.read(der.context(0))
    named = Reader(parameters)
    name, curve = _curve(named.oid())
    named.end()
    if version != 1:
        raise ValueError("Invalid private key")
    try:
        key = ecdsa.SigningKey.from_string(secret.rjust(curve.baselen, b"\0"), curve)
        public = key.verifying_key
        if fields.next_is(der.context(1)):
            point = fields.inside(der.context(1)).read(der.BIT_STRING)
            public = ecdsa.VerifyingKey.from_string(point.removeprefix(b"\0"), curve)
    except ecdsa.MalformedPointError as outside:
        raise ValueError("Invalid private key") from outside
    fields.end()
    if public != key.verifying_key:
        raise ValueError("Invalid private key")
    return ECPrivateKey(name, key)


def _read_pkcs8(content: bytes) -> PrivateKey:
    fields = Reader.of(content)
    version, (dotted, parameters) = fields.natural(), read_algorithm(fields)
    own = fields.read(der.OCTET_STRING)
    if version != 0:
        raise ValueError("Invalid private key")
    if dotted == RSA:
        return _read_rsa(own)
    if dotted == EC:
        return _read_ec(own, parameters)
    raise UnsupportedAlgorithm(f"Unknown key type: {dotted}")


_READERS: dict[str, Callable[[bytes], Any]] = {
    "PRIVATE KEY": _read_pkcs8,
    "RSA PRIVATE KEY": _read_rsa,
    "EC PRIVATE KEY": _read_ec,
}
