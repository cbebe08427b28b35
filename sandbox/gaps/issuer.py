"""Issue device certificates that look like the ones that AWS IoT issues."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.iot.exceptions import InvalidRequestException

ISSUER = x509.Name.from_rfc4514_string(
    "C=US,ST=Washington,L=Seattle,O=Amazon.com Inc.,OU=Amazon Web Services"
)
VALID_TO = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)


def issue(_backend: Any, _domain: str, subject: x509.Name, key: rsa.RSAPrivateKey) -> str:
    """Stand in for moto's method, which signs with the device's own key for one year.

    Returns:
        The certificate, PEM.
    """
    return _certificate(subject, key.public_key())


def issue_for(csr_pem: str) -> str:
    """Issue a certificate for a signing request.

    Returns:
        The certificate, PEM.

    Raises:
        InvalidRequestException: the text is not a signing request, or it is not signed by its key.
    """
    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
    except ValueError as problem:
        raise InvalidRequestException("The certificate signing request is not valid.") from problem
    if not csr.is_signature_valid:
        raise InvalidRequestException("The certificate signing request's signature is not valid.")
    return _certificate(csr.subject, csr.public_key())


def _certificate(subject: x509.Name, public_key: Any) -> str:
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ISSUER)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(minutes=2))
        .not_valid_after(VALID_TO)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(_authority_key(), hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@cache
def _authority_key() -> rsa.RSAPrivateKey:
    # Nobody checks this signature: the broker trusts a certificate because it is registered.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
