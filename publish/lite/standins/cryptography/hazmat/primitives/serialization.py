"""How a key is written, and how it is read."""

from dataclasses import replace
from enum import Enum, auto

from cryptography import der
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_EC = "1.2.840.10045.2.1"
_OTHERS = {
    "1.2.840.10040.4.1": "DSAPublicKey",
    "1.3.101.110": "X25519PublicKey",
    "1.3.101.111": "X448PublicKey",
    "1.3.101.112": "Ed25519PublicKey",
    "1.3.101.113": "Ed448PublicKey",
}
"""Keys that AWS IoT does not take: the names of their classes, by which it refuses them."""


class Encoding(Enum):
    """Text or bytes."""

    PEM = auto()
    DER = auto()

    def of(self, label: str, content: bytes) -> bytes:
        """Return what is written in DER, as text where that is asked for."""
        return der.armor(label, content) if self is Encoding.PEM else content


class PublicFormat(Enum):
    """The key with its kind."""

    SubjectPublicKeyInfo = auto()


class PrivateFormat(Enum):
    """RSA's own form."""

    TraditionalOpenSSL = auto()


class NoEncryption:
    """Keys are not written behind a password."""


def read_public_key(found: der.Element) -> rsa.RSAPublicKey | ec.ECPublicKey:
    """Read the public key of a certificate.

    Raises:
        ValueError: it is damaged.
        UnsupportedAlgorithm: it is of a kind, or on a curve, that is not known here.
    """
    algorithm, bits = found.parts()
    kind, *parameters = algorithm.parts()
    dotted, content = kind.oid(), bits.bits()
    if dotted == rsa.RSA:
        (numbers,) = der.elements(content)
        n, e = (each.integer() for each in numbers.parts())
        if not 3 <= e < n or e % 2 == 0:
            raise ValueError("That is no RSA key.")
        return rsa.RSAPublicKey(n, e)
    if dotted == _EC:
        (curve,) = parameters
        dotted = curve.oid()
    if dotted in ec.CURVES:
        name, size = ec.CURVES[dotted]
        if len(content) != (1 + 2 * size if content[:1] == b"\4" else 1 + size):
            raise ValueError("That is no point of the curve.")
        return ec.ECPublicKey(ec.EllipticCurve(name), content)
    if dotted in _OTHERS:
        return type(_OTHERS[dotted], (), {})()  # type: ignore[no-any-return]
    raise UnsupportedAlgorithm(f"keys of {dotted} are not known here")


def load_pem_private_key(
    data: bytes,
    password: None,
    backend: None = None,
    *,
    unsafe_skip_rsa_key_validation: bool = False,
) -> rsa.RSAPrivateKey:
    """Read a private key.

    Raises:
        ValueError: it is damaged, or there is none, or it is behind a password.
        UnsupportedAlgorithm: it is not RSA.
    """
    label, found = der.unarmor(data, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")[0]
    if label == "PRIVATE KEY":
        _, algorithm, inside, *_ = found.parts()
        if algorithm.parts()[:1] == der.elements(der.write_oid(rsa.RSA)):
            label, (found,) = "RSA PRIVATE KEY", der.elements(inside.read(der.OCTET_STRING))
    if label != "RSA PRIVATE KEY":
        raise UnsupportedAlgorithm(ec.RSA_ONLY)
    _, n, e, d, p, q, dmp1, dmq1, iqmp = (each.integer() for each in found.parts())
    key = rsa.RSAPrivateKey(n, e, d, p, q, dmp1, dmq1, iqmp)
    if not unsafe_skip_rsa_key_validation and replace(rsa.key_of(p, q, e), d=d) != key:
        raise ValueError("The numbers of this key do not belong together.")
    return key
