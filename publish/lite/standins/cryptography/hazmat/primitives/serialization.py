"""How a key is written, and how a private one is read."""

from cryptography.keys import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

__all__ = ["Encoding", "NoEncryption", "PrivateFormat", "PublicFormat", "load_pem_private_key"]
