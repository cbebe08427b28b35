"""The public keys that a certificate may hold."""

from cryptography.keys import ECPublicKey, OtherPublicKey, RSAPublicKey

PublicKeyTypes = ECPublicKey | OtherPublicKey | RSAPublicKey
