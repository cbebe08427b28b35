"""The hashes of signatures."""

# ruff: noqa: D101, D107


class HashAlgorithm:
    """A hash, by the name that it has in hashlib, too."""

    def __init__(self, name: str = "") -> None:
        self.name = name or type(self).__name__.lower()


class SHA1(HashAlgorithm): ...


class SHA224(HashAlgorithm): ...


class SHA256(HashAlgorithm): ...


class SHA384(HashAlgorithm): ...


class SHA512(HashAlgorithm): ...
