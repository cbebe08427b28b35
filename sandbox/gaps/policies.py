"""Where moto's policies differ from AWS IoT's."""

from moto.core.responses import ActionResult
from moto.iot.exceptions import IoTClientError
from moto.iot.responses import IoTResponse

import iot_policy as policy
from sandbox.gaps import tags
from sandbox.gaps.filling import Answer, fills


class MalformedPolicyException(IoTClientError):
    """The error of AWS IoT that moto does not have."""

    def __init__(self, message: str) -> None:
        super().__init__("MalformedPolicyException", message)


class LimitExceededException(IoTClientError):
    """The error of AWS IoT that moto does not have."""

    code = 410

    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


@fills("create_policy", "create_policy_version")
def malformed_policy(request: IoTResponse, moto: Answer) -> ActionResult:
    """A policy document that is not one is refused.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html
    """
    try:
        policy.check(request._get_param("policyDocument"))
    except policy.MalformedPolicy as problem:
        raise MalformedPolicyException(str(problem)) from problem
    return moto()


@fills("create_policy")
def policy_tags(request: IoTResponse, moto: Answer) -> ActionResult:
    """The tags that a policy is created with are kept.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html
    """
    result = moto()
    made = request.iot_backend.get_policy(request._get_param("policyName"))
    tags.add(request.iot_backend, made.arn, request._get_param("tags") or [])
    return result


@fills("delete_policy")
def deleted_policy_tags(request: IoTResponse, moto: Answer) -> ActionResult:
    """A policy's tags go with it."""
    arn = request.iot_backend.get_policy(request._get_param("policyName")).arn
    result = moto()
    tags.forget(request.iot_backend, arn)
    return result


@fills("create_policy_version")
def not_the_default_version(request: IoTResponse, moto: Answer) -> ActionResult:
    """A version that is not made the default says so; moto leaves the field out.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_PolicyVersion.html
    """
    result = moto()
    for version in request.iot_backend.list_policy_versions(request._get_param("policyName")):
        version.is_default = bool(version.is_default)
    return result


@fills("set_default_policy_version")
def missing_version(request: IoTResponse, moto: Answer) -> ActionResult:
    """A version that is not there cannot become the default; moto would leave none."""
    request.iot_backend.get_policy_version(
        request._get_param("policyName"), request._get_param("policyVersionId")
    )
    return moto()


@fills("attach_policy")
def ten_policies(request: IoTResponse, moto: Answer) -> ActionResult:
    """A certificate holds ten policies at most.

    Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html
    """
    target = request._get_param("target")
    attached = {found.name for found in request.iot_backend.list_attached_policies(target)}
    if len(attached | {request._get_param("policyName")}) > 10:
        raise LimitExceededException("The principal has the maximum number of policies (10)")
    return moto()
