"""What is attached to what: policies to certificates and thing groups, certificates to Things.

Amazon Cognito identities, which AWS IoT also takes, are not served.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.iot.models import IoTBackend
from moto.iot.responses import IoTResponse

from iot_policy import split_arn
from sandbox.gaps.errors import LimitExceededException
from sandbox.gaps.operations import Answer, overriding
from sandbox.gaps.served import NotImplementedException
from sandbox.registry import exclusive_things, policies_for

POLICIES_PER_CERTIFICATE = 10
POLICIES_PER_GROUP = 2
EXCLUSIVE, OTHERWISE = "EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"


@overriding("attach_policy", "attach_principal_policy")
def ten_policies(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse an eleventh policy for a certificate, and a third for a thing group.

    Sources: https://docs.aws.amazon.com/general/latest/gr/iot-core.html and
    https://docs.aws.amazon.com/iot/latest/developerguide/thing-groups.html
    """
    backend, target = request.iot_backend, _principal(request)
    group = target in backend.thing_groups
    most = POLICIES_PER_GROUP if group else POLICIES_PER_CERTIFICATE
    names = {policy.name for policy in backend.list_attached_policies(target)}
    if len(names | {request._get_param("policyName")}) > most:
        what = "thing group" if group else "principal"
        raise LimitExceededException(f"The {what} has the maximum number of policies ({most})")
    return moto()


@overriding("list_attached_policies")
def policies_of_parents(request: IoTResponse, moto: Answer) -> ActionResult:
    """List the policies of a group's parents too, if they are asked for.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-groups.html
    """
    if not request._get_param("recursive"):
        return moto()
    found = policies_for(request.iot_backend, _principal(request))
    return ActionResult({"policies": [policy.to_dict() for policy, _ in found]})


@overriding("attach_thing_principal")
def exclusive_thing(request: IoTResponse, moto: Answer) -> ActionResult:
    """Attach a certificate to a Thing exclusively, or refuse it a second Thing.

    What AWS does where the same two are attached already, in the other way, is not documented: here
    it is refused.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/exclusive-thing.html
    """
    backend, arn = request.iot_backend, _principal(request)
    name, kind = request._get_param("thingName"), request._get_param("thingPrincipalType")
    kinds = {thing: _kind(backend, arn, thing) for thing in backend.list_principal_things(arn)}
    for thing, how in kinds.items():
        if EXCLUSIVE in (how, kind) and (thing, how) != (name, kind):
            raise InvalidRequestException(
                f"The certificate is attached to thing {thing} ({how}): detach it first"
            )
    result = moto()
    if kind == EXCLUSIVE:
        exclusive_things(backend)[arn] = name
    return result


@overriding("detach_thing_principal")
def exclusive_no_more(request: IoTResponse, moto: Answer) -> ActionResult:
    """Forget that the detached Thing was the certificate's only one."""
    result = moto()
    exclusive_things(request.iot_backend).pop(_principal(request), None)
    return result


@overriding("list_thing_principals_v2")
def how_principals_are_attached(request: IoTResponse, _moto: Answer) -> ActionResult:
    """List a Thing's certificates, and whether each is attached to it alone.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListThingPrincipalsV2.html
    """
    backend, name = request.iot_backend, request._get_param("thingName")
    pairs = [(arn, _kind(backend, arn, name)) for arn in backend.list_thing_principals(name)]
    return _objects(request, "thingPrincipalObjects", "principal", pairs)


@overriding("list_principal_things_v2")
def how_things_are_attached(request: IoTResponse, _moto: Answer) -> ActionResult:
    """List a certificate's Things, and whether it is attached to one alone.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListPrincipalThingsV2.html
    """
    backend, arn = request.iot_backend, _principal(request)
    pairs = [(name, _kind(backend, arn, name)) for name in backend.list_principal_things(arn)]
    return _objects(request, "principalThingObjects", "thingName", pairs)


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
    "list_principal_things_v2",
)
def known_targets(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse, first, what is neither a certificate of this account nor, for a policy, a group.

    moto takes others, and never lets go.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_AttachPolicy.html
    """
    parameter = "target" if request._get_param("target") else "principal"
    check_target(request, parameter, groups=parameter == "target")
    return moto()


def check_target(request: IoTResponse, parameter: str, *, groups: bool = True) -> None:
    """Refuse what is neither a certificate of this account nor, where it may be, a thing group."""
    backend, arn = request.iot_backend, str(request._get_param(parameter))
    named = split_arn(arn)
    if named is not None and named.resource_type in ("cert", "thinggroup" if groups else ""):
        if (
            arn
            in {each.arn for each in backend.certificates.values()} | backend.thing_groups.keys()
        ):
            return
        what = "Certificate" if named.resource_type == "cert" else "Thing group"
        raise ResourceNotFoundException(f"{what} {named.name} is not in this account")
    if named is None and ":" in arn:  # region:identity
        raise NotImplementedException(
            f"{request._get_action()}'s {parameter} where it is a Cognito identity"
        )
    raise InvalidRequestException(f"{parameter} must be a certificate's ARN, arn:aws:iot:…:cert/…")


def _kind(backend: IoTBackend, arn: str, thing_name: str) -> str:
    return EXCLUSIVE if exclusive_things(backend).get(arn) == thing_name else OTHERWISE


def _objects(
    request: IoTResponse, member: str, key: str, pairs: list[tuple[str, str]]
) -> ActionResult:
    wanted = request._get_param("thingPrincipalType")
    found: list[Any] = [
        {key: each, "thingPrincipalType": kind} for each, kind in pairs if wanted in (None, kind)
    ]
    return ActionResult({member: found})


@overriding("list_policy_principals")
def principals_of_a_missing_policy(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse to list what a missing policy is attached to; moto lists nothing.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListPolicyPrincipals.html
    """
    request.iot_backend.get_policy(request._get_param("policyName"))
    return moto()


def _principal(request: IoTResponse) -> str:
    return str(request._get_param("target") or request._get_param("principal"))
