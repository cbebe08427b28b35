"""Where moto's certificates differ from AWS IoT's, and the authority that issues them."""

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.iot.exceptions import (
    CertificateStateException,
    DeleteConflictException,
    InvalidRequestException,
    ResourceAlreadyExistsException,
)
from moto.iot.responses import IoTResponse

from sandbox.gaps.errors import CertificateValidationException
from sandbox.gaps.operations import Answer, overriding
from sandbox.registry import UNREADABLE, Registry, certificate_names

ISSUER = x509.Name.from_rfc4514_string(
    "C=US,ST=Washington,L=Seattle,O=Amazon.com Inc.,OU=Amazon Web Services"
)
CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""P-256, P-384 and P-521."""
VALID_TO = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)


@overriding("update_certificate")
def certificate_status(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse to set a status other than ACTIVE, INACTIVE and REVOKED.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateCertificate.html
    """
    _check_status(request._get_param("newStatus"))
    return moto()


@overriding("update_certificate")
def modification_date(request: IoTResponse, moto: Answer) -> ActionResult:
    """Record when a certificate was changed."""
    result = moto()
    changed = request.iot_backend.describe_certificate(request._get_param("certificateId"))
    changed.last_modified_date = utcnow()
    return result


@overriding("delete_certificate")
def deleted_certificate(request: IoTResponse, _moto: Answer) -> ActionResult:
    """Delete a certificate; with ``forceDelete`` its policies are detached.

    moto would keep them attached to nothing, and delete no certificate any more.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteCertificate.html
    """
    backend = request.iot_backend
    certificate = backend.describe_certificate(request._get_param("certificateId"))
    if certificate.status == "ACTIVE":
        raise CertificateStateException(
            "Certificate must be deactivated (not ACTIVE) before deletion.",
            certificate.certificate_id,
        )
    if any(arn == certificate.arn for arn, _ in backend.principal_things):
        raise DeleteConflictException(
            f"Things must be detached before deletion (arn: {certificate.arn})"
        )
    policies = [name for arn, name in backend.principal_policies if arn == certificate.arn]
    if policies and not request._get_param("forceDelete"):
        raise DeleteConflictException(
            f"Certificate policies must be detached before deletion (arn: {certificate.arn})"
        )
    for name in policies:
        backend.detach_policy(name, certificate.arn)
    del backend.certificates[certificate.certificate_id]
    return EmptyResult()


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


@overriding("register_certificate_without_ca")
def registered_certificate(request: IoTResponse, _moto: Answer) -> ActionResult:
    """Register a certificate that is one, with a key that AWS takes, and that is nobody else's.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_RegisterCertificateWithoutCA.html
    """
    status = request._get_param("status", "INACTIVE")
    _check_status(status)
    certificate = _read(request._get_param("certificatePem"))
    found = Registry().certificate(certificate.fingerprint(hashes.SHA256()).hex())
    if found is not None and found.account != request.current_account:
        raise ResourceAlreadyExistsException(
            "The certificate is registered in another account", found.certificate_id, ""
        )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    made = request.iot_backend.register_certificate_without_ca(pem, status)
    return ActionResult({"certificateArn": made.arn, "certificateId": made.certificate_id})


@overriding("create_certificate_from_csr")
def the_requests_own_key(request: IoTResponse, _moto: Answer) -> ActionResult:
    """Issue a certificate for the signing request's own key; moto makes up another.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateCertificateFromCsr.html
    """
    pem = issue_for(request._get_param("certificateSigningRequest"))
    status = "ACTIVE" if request._get_param("setAsActive") else "INACTIVE"
    certificate = request.iot_backend.register_certificate_without_ca(pem, status)
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
        InvalidRequestException: the text is not a signing request, it is not signed by its key, or
            AWS takes no such key or signature.
    """
    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        problem = _weakness(csr)
        if not problem and not csr.is_signature_valid:
            problem = "it is not signed by its own key"
        if problem:
            raise InvalidRequestException(f"The certificate signing request is refused: {problem}.")
        return _certificate(csr.subject, csr.public_key())
    except UnsupportedAlgorithm as unknown:
        raise InvalidRequestException(
            f"The certificate signing request is refused: {unknown}."
        ) from unknown
    except UNREADABLE as unreadable:
        raise InvalidRequestException(
            "The certificate signing request is not valid."
        ) from unreadable


def _read(pem: str) -> x509.Certificate:
    """Read the one certificate that a text holds.

    Raises:
        CertificateValidationException: it holds none, several or something else; or AWS takes no
            such key or signature.
    """
    if "PRIVATE KEY" in pem:
        raise CertificateValidationException(
            "A private key is no certificate: keep it to yourself."
        )
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem.encode())
        certificate_names(certificate.public_bytes(serialization.Encoding.PEM).decode())
        problem = _weakness(certificate)
        # One that TLS cannot load would shut the broker to everybody.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(
            cadata=certificate.public_bytes(serialization.Encoding.DER)
        )
    except (*UNREADABLE, ssl.SSLError) as unreadable:
        raise CertificateValidationException(
            "The certificate is not valid: certificatePem takes one certificate in PEM form."
        ) from unreadable
    if problem:
        raise CertificateValidationException(f"The certificate is refused: {problem}.")
    return certificate


def _weakness(signed: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Tell which key or signature AWS does not take; empty where it takes both.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/x509-client-certs.html
    """
    key = signed.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < 2048:
            return f"its RSA key has {key.key_size} bits; AWS IoT takes 2048 and more"
    elif not (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES):
        kind = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__
        return f"its key is {kind}; AWS IoT takes RSA and the curves P-256, P-384 and P-521"
    digest = signed.signature_hash_algorithm
    if not isinstance(digest, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        name = digest.name.upper() if digest else "no hash"
        return f"it is signed with {name}; AWS IoT takes SHA256, SHA384 and SHA512"
    return ""


def _check_status(status: str) -> None:
    if status not in ("ACTIVE", "INACTIVE", "REVOKED"):
        raise InvalidRequestException(f"Certificate status cannot be set to {status}")


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
