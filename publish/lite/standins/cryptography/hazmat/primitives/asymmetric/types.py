"""The public keys that a certificate may hold."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa

PublicKeyTypes = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
