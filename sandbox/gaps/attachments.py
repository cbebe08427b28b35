"""What is attached to what: policies to certificates, certificates to Things.

A policy counts for the certificates that it is attached to. Thing groups and Amazon Cognito
identities, which AWS IoT also takes, are not served.
"""

from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.iot.responses import IoTResponse

from iot_policy import split_arn
from sandbox.gaps.errors import LimitExceededException
from sandbox.gaps.operations import Answer, overriding
from sandbox.gaps.served import NotImplementedException

POLICIES_PER_CERTIFICATE = 10


@overriding("attach_policy", "attach_principal_policy")
def ten_policies(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse an eleventh policy for a certificate.

    Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html
    """
    attached = request.iot_backend.list_attached_policies(_principal(request))
    names = {policy.name for policy in attached}
    if len(names | {request._get_param("policyName")}) > POLICIES_PER_CERTIFICATE:
        raise LimitExceededException(
            f"The principal has the maximum number of policies ({POLICIES_PER_CERTIFICATE})"
        )
    return moto()


@overriding(
    "attach_policy",
    "detach_policy",
    "list_attached_policies",
    "attach_principal_policy",
    "detach_principal_policy",
    "list_principal_policies",
    "attach_thing_principal",
    "detach_thing_principal",
    "list_principal_things",
)
def certificates_alone(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse what is not a certificate of this account: moto takes others, and never lets go.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_AttachPolicy.html
    """
    principal = _principal(request)
    if principal in {each.arn for each in request.iot_backend.certificates.values()}:
        return moto()
    named = split_arn(principal)
    if named is not None and named.resource_type == "cert":
        raise ResourceNotFoundException(f"Certificate {named.name} is not in this account")
    what = "target" if request._get_param("target") else "principal"
    if named is not None and named.resource_type == "thinggroup":
        raise NotImplementedException(f"{request._get_action()}'s {what} where it is a thing group")
    if named is None and ":" in principal:  # region:identity
        raise NotImplementedException(
            f"{request._get_action()}'s {what} where it is a Cognito identity"
        )
    raise InvalidRequestException(f"{what} must be a certificate's ARN, arn:aws:iot:…:cert/…")


@overriding("list_policy_principals")
def principals_of_a_missing_policy(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse to list what a missing policy is attached to; moto lists nothing.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListPolicyPrincipals.html
    """
    request.iot_backend.get_policy(request._get_param("policyName"))
    return moto()


def _principal(request: IoTResponse) -> str:
    return str(request._get_param("target") or request._get_param("principal"))
