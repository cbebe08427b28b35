"""Where moto's certificates differ from AWS IoT's, and the authority that issues them."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException, ResourceAlreadyExistsException
from moto.iot.responses import IoTResponse

from sandbox.gaps.operations import Answer, overriding
from sandbox.registry import Registry

ISSUER = x509.Name.from_rfc4514_string(
    "C=US,ST=Washington,L=Seattle,O=Amazon.com Inc.,OU=Amazon Web Services"
)
VALID_TO = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)


@overriding("update_certificate")
def certificate_status(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse to set a status other than ACTIVE, INACTIVE and REVOKED.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateCertificate.html
    """
    status = request._get_param("newStatus")
    if status not in ("ACTIVE", "INACTIVE", "REVOKED"):
        raise InvalidRequestException(f"Certificate status cannot be set to {status}")
    return moto()


@overriding("describe_certificate")
def described_validity(request: IoTResponse, moto: Answer) -> ActionResult:
    """Describe the certificate's own validity; moto says today and tomorrow.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CertificateValidity.html
    """
    found = request.iot_backend.describe_certificate(request._get_param("certificateId"))
    certificate = x509.load_pem_x509_certificate(found.certificate_pem.encode())
    found.validity_not_before = certificate.not_valid_before_utc.replace(tzinfo=None)
    found.validity_not_after = certificate.not_valid_after_utc.replace(tzinfo=None)
    return moto()


@overriding("register_certificate", "register_certificate_without_ca")
def anothers_certificate(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse a certificate that another account has registered: it would belong to both.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_RegisterCertificate.html
    """
    pem = request._get_param("certificatePem").encode()
    try:
        certificate_id = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()
    except ValueError:
        return moto()
    found = Registry().certificate(certificate_id)
    if found is not None and found.account != request.current_account:
        raise ResourceAlreadyExistsException(
            "The certificate is registered in another account", found.certificate_id, ""
        )
    return moto()


@overriding("create_certificate_from_csr")
def the_requests_own_key(request: IoTResponse, moto: Answer) -> ActionResult:
    """Issue a certificate for the signing request's own key; moto makes up another."""
    pem = issue_for(request._get_param("certificateSigningRequest"))
    active = request._get_bool_param("setAsActive", False)
    certificate = request.iot_backend.register_certificate_without_ca(
        pem, "ACTIVE" if active else "INACTIVE"
    )
    return ActionResult(
        {
            "certificateArn": certificate.arn,
            "certificateId": certificate.certificate_id,
            "certificatePem": certificate.certificate_pem,
        }
    )


def issue(_backend: Any, _domain: str, subject: x509.Name, key: rsa.RSAPrivateKey) -> str:
    """Issue a certificate, in place of moto's, which the device's own key signs for one year.

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
