"""Elliptic curves."""

from cryptography.keys import ECDSA, ECPrivateKey, ECPublicKey

EllipticCurvePrivateKey, EllipticCurvePublicKey = ECPrivateKey, ECPublicKey
__all__ = ["ECDSA", "EllipticCurvePrivateKey", "EllipticCurvePublicKey"]
