"""Every operation of AWS IoT: it does what AWS does, or it is refused by its name.

Nothing that is accepted is without effect, and nothing leaves an account in which a lesson no
longer runs, or that cannot be emptied.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import in_process
import lessons
import pytest
import test_gaps
import test_gaps_data
import test_indexing
import worlds
from botocore import xform_name
from botocore.model import OperationModel, Shape, StructureShape

from helpers import closing
from sandbox import inside
from sandbox.gaps.operations import model, overrides, violations
from sandbox.gaps.served import SERVED
from sandbox.process import ACCOUNT, REGION

OPERATIONS = [
    (service, name) for service in ("iot", "iot-data") for name in model(service).operation_names
]
COMMON = {"InvalidRequestException", "ThrottlingException"}
"""Errors that every operation may answer."""

ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}"
NEW = "brand-new"
VALUES: dict[str, Any] = {
    "thingName": "lamp",
    "thingArn": f"{ARN}:thing/lamp",
    "thingTypeName": "kind",
    "thingGroupName": "child",
    "thingGroupArn": f"{ARN}:thinggroup/child",
    "parentGroupName": "parent",
    "parentGroup": "parent",
    "namePrefixFilter": "par",
    "policyName": "rights",
    "policyVersionId": "2",
    "policyDocument": worlds.DOCUMENT,
    "resourceArn": f"{ARN}:policy/rights",
    "tags": [{"Key": "colour", "Value": "blue"}],
    "tagKeys": ["madeBy"],
    "attributePayload.attributes": {"colour": "blue"},
    "thingGroupProperties.attributePayload.attributes": {"colour": "blue"},
    "attributeName": "colour",
    "attributeValue": "re",
    "expectedVersion": 7,
    "newStatus": "ACTIVE",
    "status": "ACTIVE",
    "endpointType": "iot:Jobs",
    "authInfos": [{"actionType": "CONNECT", "resources": [f"{ARN}:client/lamp"]}],
    "policyNamesToAdd": ["spare"],
    "policyNamesToSkip": ["rights"],
    "clientId": "lamp",
    "nextToken": "enp6",  # as if zzz had been the last on the page before
    "marker": "enp6",
    "topic": "a/b",
    "shadowName": "settings",
    "userProperties": [{"colour": "blue"}],
    "correlationData": "aGVsbG8=",
    "responseTopic": "a/answer",
    "ruleName": "forward",
    "topicRulePayload": {},
    "topicRulePayload.sql": "SELECT a FROM 'a/b'",
    "topicRulePayload.actions": [{"republish": worlds.REPUBLISH | {"qos": 1}}],
    "topicRulePayload.awsIotSqlVersion": "2016-03-23",
    "indexName": "AWS_Things",
    "queryString": "thingName:*",
}
"""Arguments by their names; they name what is in the world."""
SPECIAL: dict[str, Any] = {
    "CreateThing.thingName": NEW,
    "DeleteThing.thingName": "free",
    "UpdateThing.thingTypeName": "new-kind",
    "CreateThingType.thingTypeName": NEW,
    "DeleteThingType.thingTypeName": "old",
    "CreateThingGroup.thingGroupName": NEW,
    "AddThingToThingGroup.thingName": "free",
    "AddThingToThingGroup.thingArn": f"{ARN}:thing/free",
    "AddThingToThingGroup.thingGroupName": "other",
    "AddThingToThingGroup.thingGroupArn": f"{ARN}:thinggroup/other",
    "UpdateThingGroupsForThing.thingGroupsToAdd": ["other"],
    "UpdateThingGroupsForThing.thingGroupsToRemove": ["child"],
    "ListThingGroups.recursive": False,
    "ListThingsInThingGroup.thingGroupName": "parent",
    "CreatePolicy.policyName": NEW,
    "DeletePolicy.policyName": "spare",
    "AttachPolicy.policyName": "spare",
    "AttachPrincipalPolicy.policyName": "spare",
    "AttachThingPrincipal.thingName": "free",
    "ListAttachedPolicies.target": f"{ARN}:thinggroup/child",
    "ListCertificates.marker": "MA==",  # newest first, and 0 is before every date
    "ListPolicies.marker": "MA==",
    "ListPolicyPrincipals.marker": "MA==",
    "ListPrincipalPolicies.marker": "MA==",
    "UpdateThingShadow.payload": b'{"state": {"desired": {"light": "green"}}}',
    "Publish.qos": 1,
    "CreateTopicRule.ruleName": "new",
    "CreateTopicRule.tags": "colour=blue",
    "EnableTopicRule.ruleName": "off",
    "SearchIndex.indexName": "AWS_ThingGroups",
    "SearchIndex.queryVersion": "2010-01-01",
}
"""Arguments of one operation."""
ALONG = {
    "AddThingToThingGroup": "thingName thingGroupName",
    "AddThingToThingGroup.thingArn": "thingGroupName",
    "AddThingToThingGroup.thingGroupArn": "thingName",
    "RemoveThingFromThingGroup": "thingName thingGroupName",
    "RemoveThingFromThingGroup.thingArn": "thingGroupName",
    "RemoveThingFromThingGroup.thingGroupArn": "thingName",
    "UpdateThingGroupsForThing": "thingName",
    "UpdateThing.attributePayload.merge": "attributePayload.attributes",
    "UpdateThingGroup.thingGroupProperties.attributePayload.merge": (
        "thingGroupProperties.attributePayload.attributes"
    ),
    "ListThings.attributeName": "attributeValue",
    "ListThings.attributeValue": "attributeName",
    "ListThings.usePrefixAttributeValue": "attributeName attributeValue",
    "CreateTopicRule": "topicRulePayload.sql topicRulePayload.actions",
    "ReplaceTopicRule": "topicRulePayload.sql topicRulePayload.actions",
    "TestAuthorization": "principal",
    "GetEffectivePolicies": "principal",
    "UpdateIndexingConfiguration": "thingIndexingConfiguration.thingIndexingMode",
}
"""Optional parameters that an operation, or one of its parameters, is given along with."""


@cache
def world() -> tuple[bytes, list[str]]:
    """Everything that is in the account when an operation is called, made once."""
    arns = worlds.prepare()
    return worlds.save(), arns


class Walk:
    """Calls operations, each in the same world."""

    def __init__(self, delivered: list[Any]) -> None:
        self._delivered = delivered

    def answer(self, service: str, name: str, arguments: dict[str, Any]) -> tuple[Any, str]:
        """Return what an operation answers, and what was delivered."""
        worlds.restore(world()[0])
        self._delivered.clear()
        answer = worlds.told(getattr(worlds.clients()[service], xform_name(name)), **arguments)
        return answer, str(self._delivered)


@pytest.fixture
def walk(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> Walk:
    return Walk(worlds.delivered(monkeypatch))


def arguments(operation: OperationModel, path: str = "", *, leave_out: bool = False) -> Any:
    """Make valid arguments: what is required, and what belongs along with a parameter.

    Args:
        operation: What is called.
        path: The optional parameter; none where it is empty.
        leave_out: Leave out that parameter, all else being equal.
    """
    if operation.input_shape is None:
        return {}
    along = ALONG.get(f"{operation.name}.{path}", ALONG.get(operation.name, "")).split()
    given: dict[str, Any] = {}
    for each in [*operation.input_shape.required_members, *along, path]:
        if each and not (leave_out and each == path):
            *outer, last = each.split(".")
            inside = given
            for name in outer:
                inside = inside.setdefault(name, {})
            inside.setdefault(last, value(operation, each))
    return given


def value(operation: OperationModel, path: str) -> Any:
    """Return a valid argument for a parameter."""
    active, _, idle = world()[1]
    attached = idle if operation.name == "AttachThingPrincipal" else active
    principal = {"principal": attached, "target": active, "certificateId": idle.split("/")[-1]}
    own = {
        "certificateSigningRequest": worlds.signing_request(),
        "certificatePem": worlds.foreign_certificate(),
    }
    known = VALUES | principal | own if operation.name in SERVED else {}
    if f"{operation.name}.{path}" in SPECIAL or path in known:
        return deepcopy(SPECIAL.get(f"{operation.name}.{path}", known.get(path)))
    shape = operation.input_shape
    for name in path.split("."):
        shape = shape.members[name]
    return example(shape)


def example(shape: Shape, depth: int = 0) -> Any:
    """Make up a value that the API model allows."""
    if isinstance(shape, StructureShape):
        # A union takes one of its members.
        names = shape.required_members or (list(shape.members)[:1] if shape.is_tagged_union else [])
        return {name: example(shape.members[name], depth + 1) for name in names}
    kind = shape.type_name
    if kind == "list":
        return [example(shape.member, depth + 1)]
    if kind == "map":
        return {example(shape.key): example(shape.value, depth + 1)}
    if kind in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    if kind == "string":
        shortest = max(1, shape.metadata.get("min", 1))
        texts = (*shape.enum, "a" * shortest, "0" * shortest)
        return next((each for each in texts if not list(violations(shape, each))), texts[0])
    return {"boolean": True, "blob": b"{}", "timestamp": 1, "double": 1.0, "float": 1.0}[kind]


def optional(operation: OperationModel) -> Iterator[str]:
    """Iterate over the parameters that an operation can do without, those within structures too."""
    shape = operation.input_shape
    if shape is None:
        return

    for name, member in shape.members.items():
        if name not in shape.required_members or isinstance(member, StructureShape):
            yield from leaves(member, name, SERVED.get(operation.name, "").split())


def required(operation: OperationModel) -> set[str]:
    """What a structure that must be given must hold."""
    shape = operation.input_shape
    return {
        f"{name}.{each}"
        for name in (shape.required_members if shape else ())
        if isinstance(shape.members[name], StructureShape)
        for each in shape.members[name].required_members
    }


OURS = [each for each in OPERATIONS if each[1] in SERVED]


def in_turn(operations: list[tuple[str, str]], every: int) -> list[Any]:
    """Every so many of ours are looked at in every run, the others with --long."""
    later = [each for number, each in enumerate(OURS) if number % every]
    return [
        pytest.param(*each, marks=pytest.mark.long) if each in later else each
        for each in operations
    ]


@pytest.mark.parametrize(("service", "name"), in_turn(OPERATIONS, 2))
def test_it_is_done_or_refused_by_name(
    walk: Walk, monkeypatch: pytest.MonkeyPatch, service: str, name: str
) -> None:
    operation = model(service).operation_model(name)
    accepted = []
    before = None
    for path in ["", *optional(operation)]:
        answer, _ = walk.answer(service, name, arguments(operation, path))
        if name not in SERVED:
            assert answer == refusal(name)
            continue
        if path and path not in SERVED[name].split():
            assert answer == refusal(f"{name}'s {path}")
            continue
        if "Code" in answer:
            assert answer["Code"] in COMMON | {each.name for each in operation.error_shapes}
            continue
        accepted.append(path)
        before = before or pristine()
        if worlds.snapshot() != before:
            assert_a_lesson_runs()
            worlds.empty_honestly(monkeypatch)
            assert worlds.holds_nothing()
    assert bool(accepted) == (name in SERVED)


def refusal(what: str) -> dict[str, str]:
    """What is answered where the sandbox does not have something."""
    return {
        "Code": "NotImplementedException",
        "Message": f"The sandbox does not have {what}.",
    }


@cache
def pristine() -> str:
    """What the operations tell of the world before anything is changed."""
    now = worlds.save()
    worlds.restore(world()[0])
    told = worlds.snapshot()
    worlds.restore(now)
    return told


def assert_a_lesson_runs() -> None:
    """An honest lesson runs to its end, and its clean-up leaves what was there before."""
    before = in_process.holdings()
    aws = in_process.own_account()
    lessons.small(aws)
    closing.clean_up(aws)
    assert closing.inventory(aws).empty
    assert in_process.holdings() == before


@pytest.mark.parametrize(("service", "name"), in_turn(OURS, 4))
def test_what_is_given_has_an_effect(walk: Walk, service: str, name: str) -> None:
    """With a parameter the answer or the world differs from what they are without it."""
    operation = model(service).operation_model(name)

    def outcome(path: str, *, leave_out: bool = False) -> str:
        answer = walk.answer(service, name, arguments(operation, path, leave_out=leave_out))
        return worlds.scrubbed(answer) + worlds.snapshot()

    for path in set(optional(operation)) & set(SERVED[name].split()) - required(operation):
        without = outcome(path, leave_out=True)
        assert outcome(path, leave_out=True) == without, "the same is not the same"
        assert outcome(path) != without, path


def test_the_table_names_what_there_is() -> None:
    names = {name: service for service, name in OPERATIONS}
    for name, honoured in SERVED.items():
        operation = model(names[name]).operation_model(name)
        assert set(honoured.split()) <= {
            path
            for member, shape in operation.input_shape.members.items()
            for path in leaves(shape, member, honoured.split())
        }


def leaves(shape: Shape, path: str, honoured: list[str]) -> Iterator[str]:
    """Iterate over a parameter's parts that are not structures, or of which none is honoured."""
    inside = any(each.startswith(f"{path}.") for each in honoured)
    if inside and isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield from leaves(member, f"{path}.{name}", honoured)
    else:
        yield path


def test_each_gap_has_its_test() -> None:
    gaps = {gap.__name__ for each in overrides.values() for gap in each}
    assert gaps
    tests = {*dir(test_gaps), *dir(test_gaps_data), *dir(test_indexing)}
    assert {f"test_{gap}" for gap in gaps} - tests == set()


LISTS = [
    ("list_things", {}, "things"),
    ("list_thing_types", {}, "thingTypes"),
    ("list_thing_groups", {}, "thingGroups"),
    ("list_policies", {}, "policies"),
    ("list_policies", {"ascendingOrder": True}, "policies"),
    ("list_certificates", {}, "certificates"),
    ("list_certificates", {"ascendingOrder": True}, "certificates"),
    ("list_topic_rules", {}, "rules"),
    ("list_targets_for_policy", {"policyName": "rights"}, "targets"),
]


@pytest.mark.usefixtures("walk")
@pytest.mark.parametrize(("operation", "given", "key"), LISTS)
def test_pages(operation: str, given: dict[str, Any], key: str) -> None:
    worlds.restore(world()[0])
    iot = worlds.clients()["iot"]
    whole = getattr(iot, operation)(**given)[key]
    size = {"PageSize": 2}
    pages = list(iot.get_paginator(operation).paginate(**given, PaginationConfig=size))
    assert len(whole) > 2
    assert [len(page[key]) for page in pages] == [
        len(whole[start : start + 2]) for start in range(0, len(whole), 2)
    ]
    assert [each for page in pages for each in page[key]] == whole
    if "ascendingOrder" in given:
        assert getattr(iot, operation)()[key] == whole[::-1]


@pytest.mark.usefixtures("nowhere")
def test_what_is_deleted_between_pages_hides_nothing() -> None:
    iot = in_process.client()
    for number in range(300):
        iot.create_thing(thingName=f"{number:03}")
    assert len(iot.list_things()["things"]) == 250
    for page in iot.get_paginator("list_things").paginate(PaginationConfig={"PageSize": 100}):
        for each in page["things"]:
            iot.delete_thing(thingName=each["thingName"])
    assert iot.list_things()["things"] == []


ILL_FORMED = [
    ("POST", "/things/a", b'{"attributePayload":'),
    ("POST", "/things/a", b"[]"),
    ("POST", "/things/a", b"\xff"),
    ("POST", "/things/a", b"[" * 100_000),
    ("POST", "/things/a", b'{"thingTypeName": 5}'),
    ("POST", "/things/a", b'{"attributePayload": []}'),
    ("POST", "/things/a", b'{"attributePayload": {"attributes": {"a": null}}}'),
    ("PATCH", "/things/lamp", b'{"removeThingType": "yes"}'),
    ("PATCH", "/things/lamp", b'{"expectedVersion": "1"}'),
    ("PATCH", "/things/lamp", b'{"expectedVersion": true}'),
    ("POST", "/policies/a", b""),
    ("POST", "/test-authorization", b'{"authInfos": [null]}'),
    ("GET", "/things?maxResults=x", b""),
    ("GET", "/things?maxResults=0", b""),
    ("GET", "/things?maxResults=251", b""),
    ("GET", "/things?nextToken=!", b""),
    ("GET", "/things?nextToken=%2Fw==", b""),
]


@pytest.mark.usefixtures("walk")
@pytest.mark.parametrize(("method", "url", "body"), ILL_FORMED)
def test_ill_formed_requests(method: str, url: str, body: bytes) -> None:
    worlds.restore(world()[0])
    status, headers, _ = raw(method, url, body)
    assert (status, headers["X-Amzn-ErrorType"]) == (400, "InvalidRequestException")
    assert worlds.snapshot() == pristine()


def raw(method: str, url: str, body: bytes, service: str = "iot", **headers: str) -> Any:
    """Send a request that boto3 would not."""
    signed = inside.signed("iot").replace("/iot/", f"/{service}/")
    return inside.call(
        in_process.sandbox(),
        method,
        f"{inside.NOWHERE}{url}",
        headers={"Authorization": signed, **headers},
        body=body,
    )


@pytest.mark.usefixtures("walk")
def test_method_and_path_alone_name_the_operation() -> None:
    """What else moto would heed neither chooses an operation nor gives it a parameter."""
    worlds.restore(world()[0])
    for url, headers in (
        ("/things/lamp?Action=DeleteThing&thingName=free", {}),
        ("/things/lamp", {"X-Amz-Target": "AWSIoT.DeleteThing"}),
    ):
        status, _, body = raw("GET", url, b"", **headers)
        assert (status, b'"thingName": "lamp"' in body) == (200, True)
    status, _, _ = raw("POST", "/things/b", b'{"thingName": "a&thingName=c", "x": "&thingName=d"}')
    assert status == 200
    assert raw("GET", "/things/b", b"")[0] == 200
    status, headers, _ = raw("GET", "/nothing", b"")
    assert (status, headers["X-Amzn-ErrorType"]) == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Encoding": "gzip"}],
)
def test_a_payload_is_taken_as_it_is_sent(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """``curl --data`` says that it sends a form."""
    messages = worlds.delivered(monkeypatch)
    assert raw("POST", "/topics/a%2Fb?qos=1", b"x=1&y=2", "iotdata", **headers)[0] == 200
    assert [message for message, _ in messages] == [("a/b", b"x=1&y=2")]
