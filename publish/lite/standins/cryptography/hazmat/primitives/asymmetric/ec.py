"""Elliptic curves."""

from cryptography.keys import ECDSA
from cryptography.keys import ECPrivateKey as EllipticCurvePrivateKey
from cryptography.keys import ECPublicKey as EllipticCurvePublicKey

__all__ = ["ECDSA", "EllipticCurvePrivateKey", "EllipticCurvePublicKey"]
