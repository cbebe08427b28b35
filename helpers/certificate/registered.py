"""A certificate that is registered: look it up, and delete it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers.patience import gone, until_gone

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient


@dataclass(frozen=True)
class Certificate:
    """A registered certificate and what it is attached to."""

    certificate_id: str
    """SHA-256 of the certificate's DER form, 64 lower-case hexadecimal digits."""
    arn: str
    status: str
    """``ACTIVE``, ``INACTIVE``, ``REVOKED``, …"""
    policies: tuple[str, ...]
    """Names of the policies attached to it."""
    things: tuple[str, ...]
    """Names of the Things that it is attached to."""


def find(iot: "IoTClient", certificate_id: str) -> Certificate | None:
    """Look a certificate up by its id, with what it is attached to.

    Returns:
        The certificate; ``None`` where there is none of that id.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DescribeCertificate.html
    """
    try:
        found = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
        arn = found["certificateArn"]
        attached = iot.get_paginator("list_attached_policies").paginate(target=arn)
        things = iot.get_paginator("list_principal_things").paginate(principal=arn)
        return Certificate(
            certificate_id,
            arn,
            found["status"],
            tuple(policy["policyName"] for page in attached for policy in page["policies"]),
            tuple(name for page in things for name in page["things"]),
        )
    except iot.exceptions.ResourceNotFoundException:
        return None


def remove(iot: "IoTClient", certificate_id: str) -> None:
    """Delete a certificate: deactivate it, detach it from everything, delete it.

    That is the order that AWS asks for. A missing certificate is no error.

    Raises:
        LessonError: AWS still says after some minutes that it is attached.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteCertificate.html
    """
    found = find(iot, certificate_id)
    if found is None:
        return
    iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    for policy_name in found.policies:
        with gone():
            iot.detach_policy(policyName=policy_name, target=found.arn)
    for thing_name in found.things:
        with gone():
            iot.detach_thing_principal(thingName=thing_name, principal=found.arn)
    until_gone(lambda: iot.delete_certificate(certificateId=certificate_id))
