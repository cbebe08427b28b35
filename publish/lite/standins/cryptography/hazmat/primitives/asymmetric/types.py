"""The public keys that a certificate may hold."""

from cryptography.keys import PublicKey as PublicKeyTypes

__all__ = ["PublicKeyTypes"]
