"""The hashes of signatures, by the name that hashlib has for them, too."""

# ruff: noqa: D101


class HashAlgorithm:
    name, oid = "", ""


class SHA1(HashAlgorithm):
    name, oid = "sha1", "1.3.14.3.2.26"


class SHA224(HashAlgorithm):
    name, oid = "sha224", "2.16.840.1.101.3.4.2.4"


class SHA256(HashAlgorithm):
    name, oid = "sha256", "2.16.840.1.101.3.4.2.1"


class SHA384(HashAlgorithm):
    name, oid = "sha384", "2.16.840.1.101.3.4.2.2"


class SHA512(HashAlgorithm):
    name, oid = "sha512", "2.16.840.1.101.3.4.2.3"
