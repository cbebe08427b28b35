"""Where moto's certificates differ from AWS IoT's."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException, ResourceAlreadyExistsException
from moto.iot.responses import IoTResponse

from sandbox.gaps import issuer
from sandbox.gaps.filling import Answer, fills
from sandbox.registry import Registry


@fills("update_certificate")
def certificate_status(request: IoTResponse, moto: Answer) -> ActionResult:
    """Only ACTIVE, INACTIVE and REVOKED can be set.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateCertificate.html
    """
    status = request._get_param("newStatus")
    if status not in ("ACTIVE", "INACTIVE", "REVOKED"):
        raise InvalidRequestException(f"Certificate status cannot be set to {status}")
    return moto()


@fills("describe_certificate")
def described_validity(request: IoTResponse, moto: Answer) -> ActionResult:
    """The validity that is described is the certificate's own; moto says today and tomorrow.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CertificateValidity.html
    """
    found = request.iot_backend.describe_certificate(request._get_param("certificateId"))
    certificate = x509.load_pem_x509_certificate(found.certificate_pem.encode())
    found.validity_not_before = certificate.not_valid_before_utc.replace(tzinfo=None)
    found.validity_not_after = certificate.not_valid_after_utc.replace(tzinfo=None)
    return moto()


@fills("register_certificate", "register_certificate_without_ca")
def anothers_certificate(request: IoTResponse, moto: Answer) -> ActionResult:
    """A certificate that another account has registered cannot be had: it would answer for both.

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


@fills("create_certificate_from_csr")
def the_requests_own_key(request: IoTResponse, moto: Answer) -> ActionResult:
    """A certificate for a signing request holds the request's key; moto makes up another."""
    pem = issuer.issue_for(request._get_param("certificateSigningRequest"))
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
