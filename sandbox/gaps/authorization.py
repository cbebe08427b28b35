"""TestAuthorization and GetEffectivePolicies, which moto lacks.

Each is a method for :class:`moto.iot.responses.IoTResponse`, where moto looks an operation up by
its name. They answer from the same decision that the broker enforces.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.iot.models import FakePolicy
from moto.iot.responses import IoTResponse

from iot_policy import (
    Decision,
    MalformedPolicy,
    Policy,
    Request,
    connection_context,
    decide,
    parse,
    split_arn,
)
from sandbox.gaps.attachments import check_target
from sandbox.registry import RegisteredCertificate, Registry, certificate_names, policies_for

ACTIONS = {
    "CONNECT": "iot:Connect",
    "PUBLISH": "iot:Publish",
    "SUBSCRIBE": "iot:Subscribe",
    "RECEIVE": "iot:Receive",
}
AUTH_INFOS_PER_REQUEST = 10


def test_authorization(self: IoTResponse) -> ActionResult:
    """Answer TestAuthorization: would the certificate's policies allow these actions?

    Raises:
        InvalidRequestException: what is asked cannot be decided.
        ResourceNotFoundException: no such certificate or policy.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_TestAuthorization.html
    """
    infos = _auth_infos(self._get_param("authInfos"))
    certificate = _certificate(self)
    added = [self.iot_backend.get_policy(name) for name in _names(self, "policyNamesToAdd")]
    skipped = _names(self, "policyNamesToSkip")
    client_id = self._get_param("clientId")
    thing = Registry().thing(certificate, client_id)
    counting = [policy for policy, _ in Registry().policies(certificate, thing)]
    kept = {each.name: each for each in [*counting, *added] if each.name not in skipped}
    policies = [_parse(each) for each in kept.values()]
    context = connection_context(
        client_id,
        None,
        certificate.certificate_id,
        [thing] if thing else [],
        certificate_names=certificate_names(certificate.pem),
    )
    results = []
    for info in infos:
        action = ACTIONS[info["actionType"]]
        decisions = [
            decide(policies, Request(action, resource, context)) for resource in info["resources"]
        ]
        results.append({"authInfo": info, **_result(decisions, kept.values())})
    return ActionResult({"authResults": results})


def get_effective_policies(self: IoTResponse) -> ActionResult:
    """Answer GetEffectivePolicies: the policies of a certificate or group, and of a Thing's groups.

    Raises:
        InvalidRequestException: neither is given, or a principal that is something else.
        ResourceNotFoundException: no such certificate, thing group or Thing.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-groups.html
    """
    thing_name, principal = self._get_param("thingName"), self._get_param("principal")
    if thing_name:
        self.iot_backend.describe_thing(thing_name)
    if principal or not thing_name:
        check_target(self, "principal")
    found = policies_for(self.iot_backend, principal, thing_name)
    return ActionResult(
        {"effectivePolicies": [{**_brief(e), "policyDocument": e.document} for e, _ in found]}
    )


def _certificate(response: IoTResponse) -> RegisteredCertificate:
    """Return the certificate that the request's ``principal`` names."""
    principal = response._get_param("principal") or ""
    named = split_arn(principal)
    if named is None or named.resource_type != "cert":
        raise InvalidRequestException(
            "principal must be a certificate's ARN, arn:aws:iot:…:cert/…; Amazon Cognito "
            "identities are not part of the sandbox."
        )
    certificate = Registry().certificate(named.name)
    here = (response.current_account, response.region)
    if certificate is None or certificate.arn != principal:
        raise ResourceNotFoundException(f"No certificate {named.name} is registered.")
    if (certificate.account, certificate.region) != here:
        raise ResourceNotFoundException(f"Certificate {named.name} is not of this region.")
    return certificate


def _auth_infos(infos: Any) -> Sequence[dict[str, Any]]:
    if not isinstance(infos, list) or not 1 <= len(infos) <= AUTH_INFOS_PER_REQUEST:
        raise InvalidRequestException(f"authInfos takes 1 to {AUTH_INFOS_PER_REQUEST} questions.")
    for info in infos:
        if info.get("actionType") not in ACTIONS:
            raise InvalidRequestException(f"actionType is one of {', '.join(ACTIONS)}.")
        resources = info.get("resources")
        if not resources or not all(str(each).startswith("arn:") for each in resources):
            raise InvalidRequestException("resources takes one or more ARNs, arn:aws:iot:….")
    return infos


def _names(response: IoTResponse, parameter: str) -> list[str]:
    return response._get_param(parameter) or []


def _parse(policy: FakePolicy) -> Policy:
    try:
        return parse(policy.name, str(policy.document))
    except MalformedPolicy as error:
        raise InvalidRequestException(f"Policy {policy.name}: {error}") from error


def _result(decisions: Sequence[Decision], policies: Iterable[FakePolicy]) -> dict[str, Any]:
    """Write the answer as AWS does.

    Of several resources all must be allowed; how AWS combines them is not documented.
    """
    verdicts = {decision.verdict for decision in decisions}
    allowed = {name for decision in decisions for name in decision.allowed_by}
    denied = {name for decision in decisions for name in decision.denied_by}
    briefs = [_brief(policy) for policy in policies]
    silent = [brief for brief in briefs if brief["policyName"] not in allowed | denied]
    order = ("EXPLICIT_DENY", "IMPLICIT_DENY", "ALLOWED")
    return {
        "allowed": {"policies": [each for each in briefs if each["policyName"] in allowed]},
        "denied": {
            "implicitDeny": {"policies": silent},
            "explicitDeny": {"policies": [e for e in briefs if e["policyName"] in denied]},
        },
        "authDecision": next(verdict for verdict in order if verdict in verdicts),
        "missingContextValues": sorted({name for each in decisions for name in each.missing}),
    }


def _brief(policy: FakePolicy) -> dict[str, str]:
    return {"policyName": policy.name, "policyArn": policy.arn}
