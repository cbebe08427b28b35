"""The root certificate that AWS IoT's endpoints are checked against."""

import hashlib
import re
import ssl
from pathlib import Path

import certifi

from helpers.errors import LessonError

FINGERPRINT = "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e"
"""SHA-256 of Amazon Root CA 1, DER."""


def amazon_root_ca(bundle: str | None = None) -> str:
    """Give Amazon Root CA 1, PEM, known by its fingerprint.

    Args:
        bundle: Text with certificates in PEM; certifi's where not given.

    Raises:
        LessonError: it is not among them.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/server-authentication.html
    """
    text = Path(certifi.where()).read_text("ascii", "ignore") if bundle is None else bundle
    for pem in re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.S):
        if hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == FINGERPRINT:
            return f"{pem}\n"
    raise LessonError(
        "Amazon Root CA 1 is not in the package certifi. Install that again: without it, "
        "nothing tells AWS's endpoint from another's."
    )
