"""Where moto's policies differ from AWS IoT's."""

from moto.core.responses import ActionResult
from moto.iot.responses import IoTResponse

import iot_policy
from sandbox.gaps.errors import MalformedPolicyException
from sandbox.gaps.operations import Answer, overriding


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
def creation_date(request: IoTResponse, moto: Answer) -> ActionResult:
    """Record when a policy was created, which its list is sorted by."""
    result = moto()
    made = request.iot_backend.get_policy(request._get_param("policyName"))
    vars(made)["creation_date"] = made.versions[0].create_datetime
    return result


@overriding("list_policies")
def policies_by_date(request: IoTResponse, _moto: Answer) -> ActionResult:
    """List the policies with the dates of their creation.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListPolicies.html
    """
    policies = request.iot_backend.list_policies()
    return ActionResult(
        {
            "policies": [
                {**each.to_dict(), "creationDate": vars(each).get("creation_date")}
                for each in policies
            ]
        }
    )


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
