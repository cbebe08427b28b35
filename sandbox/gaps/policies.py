"""Where moto's policies differ from AWS IoT's; their tags, which moto does not keep at all."""

from moto.core.responses import ActionResult, EmptyResult
from moto.iot.exceptions import IoTClientError, ResourceNotFoundException
from moto.iot.models import IoTBackend
from moto.iot.responses import IoTResponse

import iot_policy
from sandbox.gaps.operations import Answer, overriding

Tags = dict[str, str]


class MalformedPolicyException(IoTClientError):
    """The error of AWS IoT that moto does not have."""

    def __init__(self, message: str) -> None:
        super().__init__("MalformedPolicyException", message)


class LimitExceededException(IoTClientError):
    """The error of AWS IoT that moto does not have."""

    code = 410

    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


@overriding("create_policy", "create_policy_version")
def malformed_policy(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse a policy document that AWS IoT cannot read.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html
    """
    try:
        iot_policy.check(request._get_param("policyDocument"))
    except iot_policy.MalformedPolicy as problem:
        raise MalformedPolicyException(str(problem)) from problem
    return moto()


@overriding("create_policy")
def policy_tags(request: IoTResponse, moto: Answer) -> ActionResult:
    """Keep the tags that a policy is created with.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html
    """
    result = moto()
    made = request.iot_backend.get_policy(request._get_param("policyName"))
    _add_tags(request.iot_backend, made.arn, request._get_param("tags") or [])
    return result


@overriding("delete_policy")
def deleted_policy_tags(request: IoTResponse, moto: Answer) -> ActionResult:
    """Delete a policy's tags with it."""
    arn = request.iot_backend.get_policy(request._get_param("policyName")).arn
    result = moto()
    _all_tags(request.iot_backend).pop(arn, None)
    return result


@overriding("create_policy_version")
def not_the_default_version(request: IoTResponse, moto: Answer) -> ActionResult:
    """Say of a version that is not made the default that it is not; moto leaves the field out.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_PolicyVersion.html
    """
    result = moto()
    for version in request.iot_backend.list_policy_versions(request._get_param("policyName")):
        version.is_default = bool(version.is_default)
    return result


@overriding("set_default_policy_version")
def missing_version(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse to make a missing version the default; moto would leave none."""
    request.iot_backend.get_policy_version(
        request._get_param("policyName"), request._get_param("policyVersionId")
    )
    return moto()


@overriding("attach_policy")
def ten_policies(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse an eleventh policy for a certificate.

    Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html
    """
    target = request._get_param("target")
    attached = {found.name for found in request.iot_backend.list_attached_policies(target)}
    if len(attached | {request._get_param("policyName")}) > 10:
        raise LimitExceededException("The principal has the maximum number of policies (10)")
    return moto()


def tag_resource(request: IoTResponse) -> ActionResult:
    """Add tags, or give them new values.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_TagResource.html
    """
    _add_tags(request.iot_backend, request._get_param("resourceArn"), request._get_param("tags"))
    return EmptyResult()


def untag_resource(request: IoTResponse) -> ActionResult:
    """Remove tags by their keys.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UntagResource.html
    """
    tags = _tags(request.iot_backend, request._get_param("resourceArn"))
    for key in request._get_param("tagKeys"):
        tags.pop(key, None)
    return EmptyResult()


def list_tags_for_resource(request: IoTResponse) -> ActionResult:
    """List the tags of a resource.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListTagsForResource.html
    """
    tags = _tags(request.iot_backend, request._get_param("resourceArn"))
    return ActionResult({"tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]})


def _add_tags(backend: IoTBackend, arn: str, tags: list[dict[str, str]]) -> None:
    """Put *tags*, as AWS's API lists them, on the resource *arn*."""
    _tags(backend, arn).update({tag["Key"]: tag.get("Value", "") for tag in tags})


def _tags(backend: IoTBackend, arn: str) -> Tags:
    if arn not in {policy.arn for policy in backend.policies.values()}:
        raise ResourceNotFoundException(f"Resource {arn} does not exist or cannot be tagged")
    return _all_tags(backend).setdefault(arn, {})


def _all_tags(backend: IoTBackend) -> dict[str, Tags]:
    # On the backend itself, so that a reset drops the tags and a saved state keeps them.
    tags: dict[str, Tags] = vars(backend).setdefault("tags", {})
    return tags
