"""What test_lite_standins.py asks: of the libraries in its own process, of the stand-ins in another.

Run as a script, it answers questions line by line, in JSON.
"""

import base64
import functools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import regex
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
HASHES = {each().name: each() for each in (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)}


def outcome(call: Callable[..., Any], *given: Any) -> Any:
    """What a call returns, or the class of its error; each kind of ValueError counts as one."""
    try:
        return call(*given)
    except ValueError:
        return "raises ValueError"
    except Exception as error:
        return f"raises {type(error).__name__}"


def told(call: Callable[..., Any], *given: Any) -> Any:
    """What a call of the sandbox returns, or its error with its sentence."""
    try:
        return call(*given)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"


def name(found: x509.Name) -> list[Any]:
    return [found.rfc4514_string(), [[each.oid.dotted_string, each.value] for each in found]]


def digest(signed: Any) -> str | None:
    found = signed.signature_hash_algorithm
    return found.name if found else None


def public(key: Any) -> list[Any]:
    if isinstance(key, rsa.RSAPublicKey):
        return ["RSA", key.key_size, key.public_bytes(PEM, SPKI).decode()]
    if isinstance(key, ec.EllipticCurvePublicKey):
        return [type(key).__name__, key.curve.name, key.public_bytes(PEM, SPKI).decode()]
    return [type(key).__name__]


def certificate(found: x509.Certificate) -> dict[str, Any]:
    return {
        "subject": outcome(lambda: name(found.subject)),
        "issuer": outcome(lambda: name(found.issuer)),
        "from": found.not_valid_before_utc.isoformat(),
        "until": found.not_valid_after_utc.isoformat(),
        "serial": found.serial_number,
        "digest": outcome(digest, found),
        "key": outcome(lambda: public(found.public_key())),
        "id": found.fingerprint(hashes.SHA256()).hex(),
        "pem": found.public_bytes(PEM).decode(),
        "der": found.public_bytes(DER).hex(),
    }


def read_certificate(pem: str) -> Any:
    return outcome(lambda: certificate(x509.load_pem_x509_certificate(unpacked(pem))))


def read_certificates(pem: str) -> Any:
    return outcome(lambda: [certificate(one) for one in x509.load_pem_x509_certificates(unpacked(pem))])


def csr(found: x509.CertificateSigningRequest) -> dict[str, Any]:
    return {
        "subject": outcome(lambda: name(found.subject)),
        "digest": outcome(digest, found),
        "key": outcome(lambda: public(found.public_key())),
        "valid": outcome(lambda: found.is_signature_valid),
        "pem": found.public_bytes(PEM).decode(),
    }


def read_csr(pem: str) -> Any:
    return outcome(lambda: csr(x509.load_pem_x509_csr(unpacked(pem))))


def read_key(pem: str, unchecked: bool) -> Any:
    load = functools.partial(
        serialization.load_pem_private_key,
        password=None,
        unsafe_skip_rsa_key_validation=unchecked,
    )
    return outcome(lambda: public(load(unpacked(pem)).public_key()))


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def unpacked(text: str) -> bytes:
    return base64.b64decode(text)


def main() -> None:
    for line in sys.stdin:
        question, *given = json.loads(line)
        print(json.dumps(globals()[question](*given)), flush=True)


if __name__ == "__main__":
    main()
