"""RSA."""

from cryptography.keys import RSAPrivateKey, RSAPublicKey, generate_private_key

__all__ = ["RSAPrivateKey", "RSAPublicKey", "generate_private_key"]
