"""Elliptic curves: a public key is recognised, so that what it is for is refused in plain words."""

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import HashAlgorithm

CURVES = {
    "1.2.840.10045.3.1.7": ("secp256r1", 32),
    "1.3.132.0.34": ("secp384r1", 48),
    "1.3.132.0.35": ("secp521r1", 66),
    "1.3.132.0.10": ("secp256k1", 32),
}
"""Their names, and how many bytes a coordinate has."""
RSA_ONLY = "the browser edition signs and checks RSA only"


@dataclass(frozen=True)
class ECDSA:
    """How an elliptic key signs."""

    algorithm: HashAlgorithm


class EllipticCurvePrivateKey:
    """There is none: load_pem_private_key refuses it."""


@dataclass(frozen=True)
class EllipticCurve:
    """A curve."""

    name: str


@dataclass(frozen=True)
class ECPublicKey:
    """A curve, and a point. The lesson shows the class's name, which is the library's own."""

    curve: EllipticCurve
    point: bytes

    def verify(self, signature: bytes, data: bytes, signature_algorithm: ECDSA) -> None:
        """Refuse to."""
        raise UnsupportedAlgorithm(RSA_ONLY)


EllipticCurvePublicKey = ECPublicKey
