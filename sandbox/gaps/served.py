"""What the sandbox serves of AWS IoT: each operation, and what it honours of its parameters.

Whatever is not in the table is answered by 501 NotImplementedException, which names it: neither an
operation nor a parameter is accepted without effect.
"""

from collections.abc import Collection, Iterator
from typing import Any

from botocore.model import OperationModel, Shape, StructureShape
from moto.core.exceptions import JsonRESTError
from moto.core.responses import BaseResponse

from sandbox.gaps.operations import Answer, Method

_MARKER = "marker pageSize"
_TOKEN = "nextToken maxResults"  # noqa: S105  parameters
_GROUP = (
    "thingGroupProperties.thingGroupDescription thingGroupProperties.attributePayload.attributes"
)
_RULE = " ".join(
    f"topicRulePayload.{each}"
    for each in ("sql", "description", "actions", "ruleDisabled", "awsIotSqlVersion")
)

SERVED: dict[str, str] = {
    # Things
    "CreateThing": "thingName thingTypeName attributePayload.attributes",
    "DescribeThing": "thingName",
    "UpdateThing": "thingName thingTypeName removeThingType expectedVersion "
    "attributePayload.attributes attributePayload.merge",
    "DeleteThing": "thingName expectedVersion",
    "ListThings": "attributeName attributeValue usePrefixAttributeValue thingTypeName " + _TOKEN,
    # Thing types
    "CreateThingType": "thingTypeName thingTypeProperties.thingTypeDescription "
    "thingTypeProperties.searchableAttributes tags",
    "DescribeThingType": "thingTypeName",
    "DeprecateThingType": "thingTypeName undoDeprecate",
    "DeleteThingType": "thingTypeName",
    "ListThingTypes": "thingTypeName " + _TOKEN,
    # Thing groups
    "CreateThingGroup": f"thingGroupName parentGroupName {_GROUP} tags",
    "DescribeThingGroup": "thingGroupName",
    "UpdateThingGroup": f"thingGroupName expectedVersion {_GROUP} "
    "thingGroupProperties.attributePayload.merge",
    "DeleteThingGroup": "thingGroupName expectedVersion",
    "ListThingGroups": "parentGroup namePrefixFilter recursive " + _TOKEN,
    "AddThingToThingGroup": "thingGroupName thingGroupArn thingName thingArn",
    "RemoveThingFromThingGroup": "thingGroupName thingGroupArn thingName thingArn",
    "UpdateThingGroupsForThing": "thingName thingGroupsToAdd thingGroupsToRemove",
    "ListThingsInThingGroup": "thingGroupName recursive " + _TOKEN,
    "ListThingGroupsForThing": "thingName " + _TOKEN,
    # Certificates
    "CreateKeysAndCertificate": "setAsActive",
    "CreateCertificateFromCsr": "certificateSigningRequest setAsActive",
    "RegisterCertificateWithoutCA": "certificatePem status",
    "DescribeCertificate": "certificateId",
    "UpdateCertificate": "certificateId newStatus",
    "DeleteCertificate": "certificateId forceDelete",
    "ListCertificates": "ascendingOrder " + _MARKER,
    # Policies
    "CreatePolicy": "policyName policyDocument tags",
    "GetPolicy": "policyName",
    "DeletePolicy": "policyName",
    "ListPolicies": "ascendingOrder " + _MARKER,
    "CreatePolicyVersion": "policyName policyDocument setAsDefault",
    "GetPolicyVersion": "policyName policyVersionId",
    "SetDefaultPolicyVersion": "policyName policyVersionId",
    "DeletePolicyVersion": "policyName policyVersionId",
    "ListPolicyVersions": "policyName",
    # What is attached to what
    "AttachPolicy": "policyName target",
    "DetachPolicy": "policyName target",
    "ListAttachedPolicies": "target recursive " + _MARKER,
    "ListTargetsForPolicy": "policyName " + _MARKER,
    "AttachPrincipalPolicy": "policyName principal",
    "DetachPrincipalPolicy": "policyName principal",
    "ListPrincipalPolicies": "principal " + _MARKER,
    "ListPolicyPrincipals": "policyName " + _MARKER,
    "AttachThingPrincipal": "thingName principal thingPrincipalType",
    "DetachThingPrincipal": "thingName principal",
    "ListThingPrincipals": "thingName " + _TOKEN,
    "ListPrincipalThings": "principal " + _TOKEN,
    "ListThingPrincipalsV2": "thingName thingPrincipalType " + _TOKEN,
    "ListPrincipalThingsV2": "principal thingPrincipalType " + _TOKEN,
    # Tags
    "TagResource": "resourceArn tags",
    "UntagResource": "resourceArn tagKeys",
    "ListTagsForResource": "resourceArn",
    # Topic rules
    "CreateTopicRule": f"ruleName {_RULE}",
    "ReplaceTopicRule": f"ruleName {_RULE}",
    "GetTopicRule": "ruleName",
    "ListTopicRules": "ruleDisabled " + _TOKEN,
    "EnableTopicRule": "ruleName",
    "DisableTopicRule": "ruleName",
    "DeleteTopicRule": "ruleName",
    # Fleet indexing
    "UpdateIndexingConfiguration": "thingIndexingConfiguration.thingIndexingMode",
    "GetIndexingConfiguration": "",
    "DescribeIndex": "indexName",
    "SearchIndex": "indexName queryString queryVersion " + _TOKEN,
    # What is allowed, and where
    "TestAuthorization": "principal authInfos clientId policyNamesToAdd policyNamesToSkip",
    "GetEffectivePolicies": "principal thingName",
    "DescribeEndpoint": "endpointType",
    # iot-data
    "Publish": "topic qos retain payload userProperties payloadFormatIndicator contentType "
    "responseTopic correlationData messageExpiry",
    "GetRetainedMessage": "topic",
    "ListRetainedMessages": _TOKEN,
    "DeleteConnection": "clientId cleanSession preventWillMessage",
    "GetThingShadow": "thingName shadowName",
    "UpdateThingShadow": "thingName shadowName payload",
    "DeleteThingShadow": "thingName shadowName",
    "ListNamedShadowsForThing": "thingName nextToken pageSize",
}
"""Operations and parameters by AWS's own names; a part of a structure after a dot."""


class NotImplementedException(JsonRESTError):
    """The sandbox's own error: AWS has this, the sandbox does not.

    Its status is 501, for a 500 every AWS client would try again and again.
    """

    code = 501

    def __init__(self, what: str) -> None:
        """Name what is missing: an operation, or a parameter of one."""
        super().__init__("NotImplementedException", f"The sandbox does not have {what}.")


def refuse(operation: str) -> Method:
    """Return a method that refuses an operation."""

    def answer(_request: BaseResponse) -> None:
        raise NotImplementedException(operation)

    return answer


def parameters(request: BaseResponse, moto: Answer, *, operation: OperationModel) -> Any:
    """Refuse a parameter that the sandbox does not honour.

    Raises:
        NotImplementedException: one of those that are given.
    """
    honoured = SERVED[operation.name].split()
    for path in paths(operation.input_shape, request.params, honoured):
        if path not in honoured:
            raise NotImplementedException(f"{operation.name}'s {path}")
    return moto()


def paths(
    shape: Shape | None, value: Any, honoured: Collection[str], path: str = ""
) -> Iterator[str]:
    """Iterate over the parameters that are given; of a structure over its parts.

    A structure of which no part is honoured counts as one.
    """
    inside = not path or any(each.startswith(f"{path}.") for each in honoured)
    if inside and isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from paths(member, value[name], honoured, f"{path}.{name}".lstrip("."))
    elif path:
        yield path
