"""RSA, with Python's own numbers. Source: https://www.rfc-editor.org/rfc/rfc8017."""

# ruff: noqa: D102

import hashlib
import math
import secrets
from dataclasses import astuple, dataclass
from functools import cache
from typing import TYPE_CHECKING

from cryptography import der
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import HashAlgorithm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import serialization

RSA = "1.2.840.113549.1.1.1"
PRIME_ROUNDS = 5
"""Leaves one composite in 2^112: FIPS 186-5, table B.1, primes of 1024 bits; longer ones need 4.

Source: https://nvlpubs.nist.gov/nistpubs/FIPS/NIST.FIPS.186-5.pdf"""


@dataclass(frozen=True)
class RSAPublicKey:
    """Modulus and exponent."""

    n: int
    e: int

    @property
    def key_size(self) -> int:
        return self.n.bit_length()

    def public_bytes(
        self, encoding: "serialization.Encoding", format: "serialization.PublicFormat"
    ) -> bytes:
        own = der.write(der.SEQUENCE, der.write_integer(self.n), der.write_integer(self.e))
        bits = der.write(der.BIT_STRING, b"\0", own)
        return encoding.of("PUBLIC KEY", der.write(der.SEQUENCE, der.write_algorithm(RSA), bits))

    def verify(
        self, signature: bytes, data: bytes, padding: PKCS1v15, algorithm: HashAlgorithm
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

    def private_bytes(
        self,
        encoding: "serialization.Encoding",
        format: "serialization.PrivateFormat",
        encryption_algorithm: "serialization.NoEncryption",
    ) -> bytes:
        numbers = map(der.write_integer, (0, *astuple(self)))
        return encoding.of("RSA PRIVATE KEY", der.write(der.SEQUENCE, *numbers))

    def sign(self, data: bytes, padding: PKCS1v15, algorithm: HashAlgorithm) -> bytes:
        size = (self.n.bit_length() + 7) // 8
        number = int.from_bytes(_padded(data, size, algorithm))
        # Modulo the two primes: four times as fast as modulo n.
        first, second = pow(number, self.dmp1, self.p), pow(number, self.dmq1, self.q)
        return (second + self.q * ((first - second) * self.iqmp % self.p)).to_bytes(size)


def generate_private_key(
    public_exponent: int, key_size: int, backend: None = None
) -> RSAPrivateKey:
    """Make an RSA key."""
    p = q = 1
    while p == q or math.gcd(public_exponent, (p - 1) * (q - 1)) != 1:
        p, q = _prime(key_size // 2), _prime(key_size // 2)
    return key_of(p, q, public_exponent)


def key_of(p: int, q: int, e: int) -> RSAPrivateKey:
    """Return the key with these primes and this exponent; ValueError where there is none."""
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    return RSAPrivateKey(p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))


def _prime(bits: int) -> int:
    """Find a prime whose two highest bits are set: two such ones multiply to twice its bits."""
    while True:
        number = secrets.randbits(bits) | 3 << bits - 2 | 3
        # A prime below 2000 divides six in seven of them, and that is told fifty times as fast.
        if math.gcd(number, _small_primes()) == 1 and _is_prime(number):
            return number


@cache
def _small_primes() -> int:
    return math.factorial(2000)


def _is_prime(number: int) -> bool:
    """Test by Miller and Rabin's way, which is this short for a number that is 4 k + 3."""
    bases = (2 + secrets.randbelow(number - 3) for _ in range(PRIME_ROUNDS))
    return all(pow(base, number // 2, number) in (1, number - 1) for base in bases)


def _padded(data: bytes, size: int, algorithm: HashAlgorithm) -> bytes:
    """Return what RSA signs: https://www.rfc-editor.org/rfc/rfc8017#section-9.2."""
    digest = der.write(der.OCTET_STRING, hashlib.new(algorithm.name, data).digest())
    content = der.write(der.SEQUENCE, der.write_algorithm(algorithm.oid), digest)
    return b"\0\1" + b"\xff" * (size - len(content) - 3) + b"\0" + content
