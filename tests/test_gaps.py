"""Each gap between moto and AWS IoT that the sandbox fills, through boto3.

A test here that passes on moto alone is one whose gap can be deleted.
"""

import hashlib
import shutil
import ssl
import subprocess
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import Mock

import conftest
import pytest
import worlds
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from helpers import policy, thing
from helpers.account import Account
from sandbox.gaps import things
from sandbox.gaps.operations import model, violations

DOCUMENT = policy.to_json(policy.document(policy.statement("iot:Connect", "*")))


REAL_RSA = rsa.generate_private_key
"""The others come from a store: see ``few_keys``."""


def attributes(number: int) -> Any:
    """Make that many attributes."""
    return {"attributes": {str(each): "x" for each in range(number)}}


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        (
            "create_thing",
            {"thingName": "bad name"},
            "1 validation error detected: Value 'bad name' at 'thingName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+",
        ),
        (
            "create_thing",
            {"thingName": "x" * 129},
            f"1 validation error detected: Value '{'x' * 129}' at 'thingName' failed to satisfy "
            "constraint: Member must have length less than or equal to 128",
        ),
        (
            "create_policy",
            {"policyName": "a/b", "policyDocument": DOCUMENT},
            "1 validation error detected: Value 'a/b' at 'policyName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+",
        ),
        (
            "create_thing",
            {"thingName": "a", "attributePayload": {"attributes": {"colour": "light blue"}}},
            "1 validation error detected: Value 'light blue' at 'attributePayload.attributes."
            "colour' failed to satisfy constraint: Member must satisfy regular expression "
            "pattern: [a-zA-Z0-9_.,@/:#=\\[\\]-]*",
        ),
    ],
)
def test_constraints(
    inside: Account, operation: str, parameters: dict[str, Any], message: str
) -> None:
    answer = refused(getattr(inside.iot, operation), **parameters)
    assert answer == ("InvalidRequestException", message)


@given(st.text(max_size=140))
def test_constraints_and_the_words_for_them_agree(name: str) -> None:
    shape = model("iot").shape_for("ThingName")
    assert bool(list(violations(shape, name))) == bool(thing.name_problem(name))


def test_several_constraints_in_one_answer(inside: Account) -> None:
    code, message = refused(inside.iot.create_thing, thingName="a b", thingTypeName="c d")
    assert code == "InvalidRequestException"
    assert message.startswith("2 validation errors detected: ")


def test_create_thing_again(inside: Account) -> None:
    same = {"thingName": "a", "attributePayload": {"attributes": {"colour": "red"}}}
    first = inside.iot.create_thing(**same)
    second = inside.iot.create_thing(**same)
    assert second["thingId"] == first["thingId"]
    code, message = refused(inside.iot.create_thing, thingName="a")
    assert code == "ResourceAlreadyExistsException"
    assert message == "Thing a already exists in account with different attributes"
    assert inside.iot.describe_thing(thingName="a")["attributes"] == {"colour": "red"}


def test_attributes_of_a_new_thing(inside: Account) -> None:
    code, _ = refused(inside.iot.create_thing, thingName="a", attributePayload=attributes(4))
    assert code == "InvalidRequestException"
    inside.iot.create_thing_type(thingTypeName="button")
    typed = {"thingName": "a", "thingTypeName": "button"}
    code, _ = refused(inside.iot.create_thing, **typed, attributePayload=attributes(51))
    assert code == "InvalidRequestException"
    inside.iot.create_thing(**typed, attributePayload=attributes(50))


def test_changed_attributes(inside: Account) -> None:
    inside.iot.create_thing_type(thingTypeName="button")
    inside.iot.create_thing(thingName="a", attributePayload=attributes(3))
    for changed in ({"4": "x"}, {"4": "x", "5": ""}):
        payload = {"attributes": changed, "merge": True}
        code, _ = refused(inside.iot.update_thing, thingName="a", attributePayload=payload)
        assert code == "InvalidRequestException"
    assert inside.iot.describe_thing(thingName="a")["attributes"] == attributes(3)["attributes"]
    inside.iot.update_thing(
        thingName="a", thingTypeName="button", attributePayload={**payload, "merge": False}
    )
    inside.iot.update_thing(thingName="a", attributePayload=attributes(4))
    code, _ = refused(inside.iot.update_thing, thingName="a", removeThingType=True)
    assert code == "InvalidRequestException"
    there = inside.iot.describe_thing(thingName="a")
    assert (there["thingTypeName"], len(there["attributes"])) == ("button", 4)


def test_next_version(inside: Account) -> None:
    inside.iot.create_thing(thingName="a")
    inside.iot.update_thing(thingName="a", attributePayload=attributes(1), expectedVersion=1)
    code, _ = refused(inside.iot.update_thing, thingName="a", expectedVersion=1)
    assert code == "VersionConflictException"
    assert inside.iot.describe_thing(thingName="a")["version"] == 2


def test_deleted_version(inside: Account) -> None:
    inside.iot.create_thing(thingName="a")
    code, _ = refused(inside.iot.delete_thing, thingName="a", expectedVersion=2)
    assert code == "VersionConflictException"
    inside.iot.delete_thing(thingName="a", expectedVersion=1)
    assert inside.iot.list_things()["things"] == []


def test_deleted_from_its_groups(inside: Account) -> None:
    inside.iot.create_thing_group(thingGroupName="group")
    for name in ("a", "b"):
        inside.iot.create_thing(thingName=name)
        inside.iot.add_thing_to_thing_group(thingGroupName="group", thingName=name)
    inside.iot.delete_thing(thingName="a")
    assert inside.iot.list_things_in_thing_group(thingGroupName="group")["things"] == ["b"]


def test_filtered_things(inside: Account) -> None:
    inside.iot.create_thing_type(thingTypeName="button")
    payload = {"attributes": {"colour": "red"}}
    inside.iot.create_thing(thingName="a", attributePayload=payload)
    inside.iot.create_thing(thingName="b", thingTypeName="button", attributePayload=payload)
    inside.iot.create_thing(thingName="c", thingTypeName="button")

    def found(**filters: Any) -> str:
        return "".join(each["thingName"] for each in inside.iot.list_things(**filters)["things"])

    red = {"attributeName": "colour", "attributeValue": "red"}
    begins = {**red, "attributeValue": "r"}
    assert found(**red) == "ab"
    assert found(**red, thingTypeName="button") == "b"
    assert found(thingTypeName="button") == "bc"
    assert found(**begins) == ""
    assert found(**begins, usePrefixAttributeValue=True) == "ab"
    assert found(**{**begins, "attributeName": "size"}, usePrefixAttributeValue=True) == ""
    for alone in (
        {"attributeName": "colour"},
        {"attributeValue": "red"},
        {"usePrefixAttributeValue": True},
    ):
        assert refused(inside.iot.list_things, **alone)[0] == "InvalidRequestException"


def test_create_thing_type_again(inside: Account) -> None:
    properties = {"thingTypeDescription": "a button & more=less"}
    same = {"thingTypeName": "button", "thingTypeProperties": properties}
    first = inside.iot.create_thing_type(**same)
    assert inside.iot.create_thing_type(**same)["thingTypeId"] == first["thingTypeId"]
    code, _ = refused(inside.iot.create_thing_type, thingTypeName="button")
    assert code == "ResourceAlreadyExistsException"
    there = inside.iot.describe_thing_type(thingTypeName="button")
    assert there["thingTypeProperties"] == properties


def test_deprecation_date(inside: Account) -> None:
    def metadata() -> Any:
        return inside.iot.describe_thing_type(thingTypeName="button")["thingTypeMetadata"]

    inside.iot.create_thing_type(thingTypeName="button")
    inside.iot.deprecate_thing_type(thingTypeName="button")
    assert metadata()["deprecationDate"] >= metadata()["creationDate"]
    inside.iot.deprecate_thing_type(thingTypeName="button", undoDeprecate=True)
    assert "deprecationDate" not in metadata()


def test_thing_type_in_use(inside: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def delete() -> str:
        return refused(inside.iot.delete_thing_type, thingTypeName="button")[1]

    inside.iot.create_thing_type(thingTypeName="button")
    inside.iot.create_thing(thingName="a", thingTypeName="button")
    assert "deprecate it" in delete()
    inside.iot.deprecate_thing_type(thingTypeName="button")
    assert "wait for five minutes" in delete()
    monkeypatch.setattr(things, "DEPRECATED_BEFORE_DELETION", timedelta(0))
    assert "there are things with it" in delete()
    inside.iot.update_thing(thingName="a", removeThingType=True)
    inside.iot.delete_thing_type(thingTypeName="button")
    assert inside.iot.list_thing_types()["thingTypes"] == []


def test_create_group_again(inside: Account) -> None:
    first = inside.iot.create_thing_group(thingGroupName="a")
    assert (
        inside.iot.create_thing_group(thingGroupName="a")["thingGroupId"] == (first["thingGroupId"])
    )
    inside.iot.create_thing_group(thingGroupName="b")
    for other in (
        {"parentGroupName": "b"},
        {"thingGroupProperties": {"thingGroupDescription": "x"}},
    ):
        code, _ = refused(inside.iot.create_thing_group, thingGroupName="a", **other)
        assert code == "ResourceAlreadyExistsException"


def test_parent_group(inside: Account) -> None:
    code, _ = refused(
        inside.iot.create_thing_group, thingGroupName="a", parentGroupName="never-there"
    )
    assert code == "InvalidRequestException"
    inside.iot.create_thing_group(thingGroupName="1")
    for level in range(2, 8):
        inside.iot.create_thing_group(thingGroupName=f"{level}", parentGroupName=f"{level - 1}")
    code, _ = refused(inside.iot.create_thing_group, thingGroupName="8", parentGroupName="7")
    assert code == "InvalidRequestException"


def test_changed_group(inside: Account) -> None:
    def change(**payload: Any) -> Any:
        properties = {"attributePayload": payload}
        inside.iot.update_thing_group(thingGroupName="a", thingGroupProperties=properties)
        there = inside.iot.describe_thing_group(thingGroupName="a")["thingGroupProperties"]
        assert there["thingGroupDescription"] == "x"
        return there["attributePayload"]["attributes"]

    described = {"thingGroupDescription": "x"}
    inside.iot.create_thing_group(thingGroupName="a", thingGroupProperties=described)
    assert change(attributes={"1": "x", "2": "x"}) == {"1": "x", "2": "x"}
    assert change(attributes={"1": "", "3": "x"}, merge=True) == {"2": "x", "3": "x"}
    assert change(merge=True) == {"2": "x", "3": "x"}
    assert change(attributes={"4": "x"}) == {"4": "x"}
    assert change(attributes={}) == {}
    outdated = {"thingGroupName": "a", "thingGroupProperties": {}, "expectedVersion": 1}
    assert refused(inside.iot.update_thing_group, **outdated)[0] == "VersionConflictException"
    assert inside.iot.update_thing_group(**{**outdated, "expectedVersion": 6})["version"] == 7


def test_deleted_group_version(inside: Account) -> None:
    inside.iot.create_thing_group(thingGroupName="a")
    code, _ = refused(inside.iot.delete_thing_group, thingGroupName="a", expectedVersion=2)
    assert code == "VersionConflictException"
    inside.iot.delete_thing_group(thingGroupName="a", expectedVersion=1)
    inside.iot.delete_thing_group(thingGroupName="a", expectedVersion=1)
    assert inside.iot.list_thing_groups()["thingGroups"] == []


def family(inside: Account) -> None:
    """A Thing, and eleven groups of which one has two children."""
    inside.iot.create_thing(thingName="a")
    for number in range(11):
        inside.iot.create_thing_group(thingGroupName=f"{number}")
    for name in ("son", "daughter"):
        inside.iot.create_thing_group(thingGroupName=name, parentGroupName="0")


def groups_of(inside: Account) -> list[str]:
    groups = inside.iot.list_thing_groups_for_thing(thingName="a")["thingGroups"]
    return [each["groupName"] for each in groups]


def test_one_more_group(inside: Account) -> None:
    family(inside)
    add = partial(inside.iot.add_thing_to_thing_group, thingName="a")
    add(thingGroupName="son")
    add(thingGroupName="son")
    for relative in ("daughter", "0"):
        message = refused(add, thingGroupName=relative)[1]
        assert "two groups of the same hierarchy" in message
    for number in range(1, 10):
        add(thingGroupName=f"{number}")
    assert "at most 10 groups" in refused(add, thingGroupName="10")[1]
    assert len(groups_of(inside)) == 10


def test_moved_between_groups(inside: Account) -> None:
    family(inside)
    move = partial(inside.iot.update_thing_groups_for_thing, thingName="a")
    move(thingGroupsToAdd=["son", "1"])
    assert refused(move, thingGroupsToAdd=["daughter"])[0] == "InvalidRequestException"
    move(thingGroupsToAdd=["daughter"], thingGroupsToRemove=["son"])
    gone = {"thingGroupsToAdd": ["2"], "thingGroupsToRemove": ["never-there"]}
    assert refused(move, **gone)[0] == "ResourceNotFoundException"
    assert groups_of(inside) == ["1", "daughter"]


def test_things_of_children(inside: Account) -> None:
    family(inside)
    inside.iot.create_thing(thingName="b")
    inside.iot.add_thing_to_thing_group(thingGroupName="son", thingName="a")
    inside.iot.add_thing_to_thing_group(thingGroupName="0", thingName="b")
    found = partial(inside.iot.list_things_in_thing_group, thingGroupName="0")
    assert found()["things"] == found(recursive=False)["things"] == ["b"]
    assert found(recursive=True)["things"] == ["a", "b"]


def test_delete_missing_thing(inside: Account) -> None:
    answer = inside.iot.delete_thing(thingName="never-there")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("text", ["everyone may connect", "[]", "{}", '{"Version": "2012-10-17"}'])
def test_malformed_policy(inside: Account, text: str) -> None:
    code, message = refused(inside.iot.create_policy, policyName="p", policyDocument=text)
    assert code == "MalformedPolicyException"
    assert message
    inside.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    code, _ = refused(inside.iot.create_policy_version, policyName="p", policyDocument=text)
    assert code == "MalformedPolicyException"


def tagged(inside: Account) -> dict[str, Any]:
    """Make one of everything that can have tags, with a tag; return how each is made, by ARN."""
    tags = [{"Key": "madeBy", "Value": "me&resourceArn=you"}]
    made: dict[str, Any] = {}
    for kind, arguments in (
        ("policy", {"policyName": "a", "policyDocument": DOCUMENT}),
        ("thing_type", {"thingTypeName": "a"}),
        ("thing_group", {"thingGroupName": "a"}),
    ):
        answer = getattr(inside.iot, f"create_{kind}")(**arguments, tags=tags)
        made[next(answer[key] for key in answer if key.endswith("Arn"))] = kind, arguments
    return made


def test_created_with_tags(inside: Account) -> None:
    arns = tagged(inside)
    assert len(arns) == 3
    for arn in arns:
        tags = inside.iot.list_tags_for_resource(resourceArn=arn)["tags"]
        assert tags == [{"Key": "madeBy", "Value": "me&resourceArn=you"}]
        inside.iot.tag_resource(resourceArn=arn, tags=[{"Key": "also", "Value": "this"}])
        inside.iot.untag_resource(resourceArn=arn, tagKeys=["madeBy"])
        left = inside.iot.list_tags_for_resource(resourceArn=arn)["tags"]
        assert left == [{"Key": "also", "Value": "this"}]


def test_fifty_tags(inside: Account) -> None:
    many = [{"Key": f"{number}", "Value": "x"} for number in range(51)]
    create = partial(inside.iot.create_thing_type, thingTypeName="a")
    assert refused(create, tags=many)[0] == "InvalidRequestException"
    arn = create(tags=many[:50])["thingTypeArn"]
    inside.iot.tag_resource(resourceArn=arn, tags=many[:50])
    code, _ = refused(inside.iot.tag_resource, resourceArn=arn, tags=many[50:])
    assert code == "LimitExceededException"
    assert len(inside.iot.list_tags_for_resource(resourceArn=arn)["tags"]) == 50


def test_deleted_with_tags(inside: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(things, "DEPRECATED_BEFORE_DELETION", timedelta(0))
    for arn, (kind, arguments) in tagged(inside).items():
        name = {key: value for key, value in arguments.items() if key.endswith("Name")}
        if kind == "thing_type":
            inside.iot.deprecate_thing_type(**name)
        getattr(inside.iot, f"delete_{kind}")(**name)
        code, _ = refused(inside.iot.list_tags_for_resource, resourceArn=arn)
        assert code == "ResourceNotFoundException"
        getattr(inside.iot, f"create_{kind}")(**arguments)
        assert inside.iot.list_tags_for_resource(resourceArn=arn)["tags"] == []


def listed(inside: Account, **order: Any) -> str:
    policies = inside.iot.list_policies(**order)["policies"]
    return "".join(each["policyName"] for each in policies)


def test_policies_by_date(inside: Account) -> None:
    for name in ("b", "a", "c"):
        inside.iot.create_policy(policyName=name, policyDocument=DOCUMENT)
    assert listed(inside) == listed(inside, ascendingOrder=False) == "cab"
    assert listed(inside, ascendingOrder=True) == "bac"


def test_creation_date(inside: Account) -> None:
    for name in ("b", "a", "c"):
        inside.iot.create_policy(policyName=name, policyDocument=DOCUMENT)
    inside.iot.create_policy_version(policyName="b", policyDocument=DOCUMENT, setAsDefault=True)
    inside.iot.delete_policy_version(policyName="b", policyVersionId="1")
    assert listed(inside) == "cab"


def test_not_the_default_version(inside: Account) -> None:
    inside.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    inside.iot.create_policy_version(policyName="p", policyDocument=DOCUMENT)
    versions = inside.iot.list_policy_versions(policyName="p")["policyVersions"]
    assert {each["versionId"]: each["isDefaultVersion"] for each in versions} == {
        "1": True,
        "2": False,
    }


def test_missing_version(inside: Account) -> None:
    inside.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    code, _ = refused(inside.iot.set_default_policy_version, policyName="p", policyVersionId="7")
    assert code == "ResourceNotFoundException"
    assert inside.iot.get_policy(policyName="p")["defaultVersionId"] == "1"


@pytest.mark.parametrize(
    ("operation", "parameter"),
    [("attach_policy", "target"), ("attach_principal_policy", "principal")],
)
def test_ten_policies(inside: Account, operation: str, parameter: str) -> None:
    arn = inside.iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    attach = partial(getattr(inside.iot, operation), **{parameter: arn})
    for number in range(11):
        inside.iot.create_policy(policyName=f"p{number}", policyDocument=DOCUMENT)
    for number in range(10):
        attach(policyName=f"p{number}")
    attach(policyName="p0")
    assert refused(attach, policyName="p10")[0] == "LimitExceededException"


def test_a_group_has_two_policies(inside: Account) -> None:
    group = inside.iot.create_thing_group(thingGroupName="group")["thingGroupArn"]
    for name in "abc":
        inside.iot.create_policy(policyName=name, policyDocument=DOCUMENT)
    attach = partial(inside.iot.attach_policy, target=group)
    for name in "abb":
        attach(policyName=name)
    assert refused(attach, policyName="c") == (
        "LimitExceededException",
        "The thing group has the maximum number of policies (2)",
    )


ATTACHING = [
    ("attach_policy", "target"),
    ("detach_policy", "target"),
    ("list_attached_policies", "target"),
    ("attach_principal_policy", "principal"),
    ("detach_principal_policy", "principal"),
    ("list_principal_policies", "principal"),
    ("attach_thing_principal", "principal"),
    ("detach_thing_principal", "principal"),
    ("list_principal_things", "principal"),
    ("list_principal_things_v2", "principal"),
]


@pytest.mark.parametrize(("operation", "parameter"), ATTACHING)
def test_known_targets(inside: Account, operation: str, parameter: str) -> None:
    group = inside.iot.create_thing_group(thingGroupName="group")["thingGroupArn"]
    thing_arn = inside.iot.create_thing(thingName="a")["thingArn"]
    inside.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    arn = inside.iot.create_keys_and_certificate(setAsActive=False)["certificateArn"]
    call = getattr(inside.iot, operation)
    called = inside.iot.meta.method_to_api_mapping[operation]
    members = model("iot").operation_model(called).input_shape
    assert members is not None
    of_policies = parameter == "target"
    names = {"thingName": "a", "policyName": "p"}
    named = {name: names[name] for name in members.required_members if name in names}
    for other, code in (
        (group + "x", "ResourceNotFoundException" if of_policies else "InvalidRequestException"),
        ("eu-west-1:2c4d3f6e", "NotImplementedException"),
        (arn[:-1] + "x", "ResourceNotFoundException"),
        (arn.replace(inside.number, "444455556666"), "ResourceNotFoundException"),
        (thing_arn, "InvalidRequestException"),
        ("x", "InvalidRequestException"),
    ):
        assert refused(call, **named, **{parameter: other})[0] == code
    missing = dict.fromkeys(named, "never-there")
    if missing:
        assert refused(call, **missing, **{parameter: arn})[0] == "ResourceNotFoundException"
    inside.iot.delete_certificate(certificateId=arn.split("/")[-1])


def attached(inside: Account, target: str, **options: Any) -> list[str]:
    found = inside.iot.list_attached_policies(target=target, **options)["policies"]
    return [each["policyName"] for each in found]


def test_policies_of_parents(inside: Account) -> None:
    iot = inside.iot
    parent, child = (
        iot.create_thing_group(thingGroupName=name, **above)["thingGroupArn"]
        for name, above in (("parent", {}), ("child", {"parentGroupName": "parent"}))
    )
    for name in "ab":
        iot.create_policy(policyName=name, policyDocument=DOCUMENT)
    for target, name in ((parent, "a"), (child, "a"), (parent, "b")):
        iot.attach_policy(policyName=name, target=target)
    assert attached(inside, child) == attached(inside, child, recursive=False) == ["a"]
    assert attached(inside, child, recursive=True) == ["a", "b"]
    assert attached(inside, parent, recursive=True) == ["a", "b"]
    assert iot.list_targets_for_policy(policyName="a")["targets"] == sorted([parent, child])
    iot.detach_policy(policyName="a", target=child)
    assert attached(inside, child, recursive=True) == ["a", "b"]
    assert refused(iot.delete_policy, policyName="b")[0] == "DeleteConflictException"


def test_detached_from_deleted_group(inside: Account) -> None:
    """With a group's policy attached, moto deleted no certificate at all: it answered 500."""
    iot = inside.iot
    iot.create_thing(thingName="a")
    for name, above in (("parent", {}), ("child", {"parentGroupName": "parent"})):
        arn = iot.create_thing_group(thingGroupName=name, **above)["thingGroupArn"]
        iot.add_thing_to_thing_group(thingGroupName="parent", thingName="a")
        iot.create_policy(policyName=name, policyDocument=DOCUMENT)
        iot.attach_policy(policyName=name, target=arn)
    made = iot.create_keys_and_certificate(setAsActive=False)
    iot.attach_policy(policyName="child", target=made["certificateArn"])
    iot.delete_certificate(certificateId=made["certificateId"], forceDelete=True)
    assert refused(iot.delete_thing_group, thingGroupName="parent")[0] == "InvalidRequestException"
    assert iot.list_targets_for_policy(policyName="child")["targets"] == [arn]
    iot.delete_thing_group(thingGroupName="child")
    assert iot.list_targets_for_policy(policyName="child")["targets"] == []
    assert len(iot.list_targets_for_policy(policyName="parent")["targets"]) == 1
    iot.delete_policy(policyName="child")
    iot.delete_thing_group(thingGroupName="parent")
    iot.delete_policy(policyName="parent")


def how_attached(inside: Account, arn: str, **wanted: Any) -> list[tuple[str, str]]:
    found = inside.iot.list_principal_things_v2(principal=arn, **wanted)["principalThingObjects"]
    return [(each["thingName"], each["thingPrincipalType"]) for each in found]


def test_exclusive_thing(inside: Account) -> None:
    first, second = (
        inside.iot.create_keys_and_certificate(setAsActive=True)["certificateArn"] for _ in "12"
    )
    for name in "ab":
        inside.iot.create_thing(thingName=name)
    attach = partial(inside.iot.attach_thing_principal, principal=first)
    alone = partial(attach, thingPrincipalType="EXCLUSIVE_THING")
    for _ in range(2):
        alone(thingName="a")
    assert how_attached(inside, first) == [("a", "EXCLUSIVE_THING")]
    for refuse in (attach, alone):
        code, message = refused(refuse, thingName="b")
        assert code == "InvalidRequestException"
        assert "attached to thing a (EXCLUSIVE_THING): detach it first" in message
    assert refused(attach, thingName="a")[0] == "InvalidRequestException"
    alone(thingName="a", principal=second)  # a Thing may have several certificates
    inside.iot.detach_thing_principal(thingName="a", principal=first)
    attach(thingName="b")
    attach(thingName="b", thingPrincipalType="NON_EXCLUSIVE_THING")
    for name in "ab":
        assert refused(alone, thingName=name)[0] == "InvalidRequestException"
    attach(thingName="a")
    assert how_attached(inside, first) == [
        ("a", "NON_EXCLUSIVE_THING"),
        ("b", "NON_EXCLUSIVE_THING"),
    ]
    assert refused(alone, thingName="nobody", principal=second)[0] == "InvalidRequestException"


def test_exclusive_no_more(inside: Account) -> None:
    arn = inside.iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    names = {"thingName": "a", "principal": arn}
    inside.iot.create_thing(thingName="a")
    inside.iot.attach_thing_principal(**names, thingPrincipalType="EXCLUSIVE_THING")
    inside.iot.detach_thing_principal(**names)
    inside.iot.attach_thing_principal(**names)
    assert how_attached(inside, arn) == [("a", "NON_EXCLUSIVE_THING")]


def test_how_things_are_attached(inside: Account) -> None:
    arn = inside.iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    for name in "ab":
        inside.iot.create_thing(thingName=name)
        inside.iot.attach_thing_principal(thingName=name, principal=arn)
    listed = [("a", "NON_EXCLUSIVE_THING"), ("b", "NON_EXCLUSIVE_THING")]
    assert how_attached(inside, arn) == listed
    assert how_attached(inside, arn, thingPrincipalType="NON_EXCLUSIVE_THING") == listed
    assert how_attached(inside, arn, thingPrincipalType="EXCLUSIVE_THING") == []


def test_how_principals_are_attached(inside: Account) -> None:
    inside.iot.create_thing(thingName="a")
    arns = [inside.iot.create_keys_and_certificate()["certificateArn"] for _ in "12"]
    kinds = dict(zip(arns, ("EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"), strict=True))
    for arn, kind in kinds.items():
        inside.iot.attach_thing_principal(
            thingName="a",
            principal=arn,
            thingPrincipalType=kind,  # type: ignore[arg-type]
        )

    def listed(**wanted: Any) -> dict[str, str]:
        found = inside.iot.list_thing_principals_v2(thingName="a", **wanted)
        objects = found["thingPrincipalObjects"]
        return {each["principal"]: each["thingPrincipalType"] for each in objects}

    assert listed() == kinds
    for arn, kind in kinds.items():
        assert listed(thingPrincipalType=kind) == {arn: kind}
    code, _ = refused(inside.iot.list_thing_principals_v2, thingName="nobody")
    assert code == "ResourceNotFoundException"


def test_principals_of_a_missing_policy(inside: Account) -> None:
    code, _ = refused(inside.iot.list_policy_principals, policyName="never-there")
    assert code == "ResourceNotFoundException"


@pytest.mark.parametrize("status", ["PENDING_TRANSFER", "PENDING_ACTIVATION", "SLEEPING"])
def test_certificate_status(inside: Account, status: str) -> None:
    made = inside.iot.create_keys_and_certificate(setAsActive=True)["certificateId"]
    code, _ = refused(inside.iot.update_certificate, certificateId=made, newStatus=status)
    assert code == "InvalidRequestException"
    found = inside.iot.describe_certificate(certificateId=made)["certificateDescription"]
    assert found["status"] == "ACTIVE"


def test_modification_date(inside: Account) -> None:
    made = inside.iot.create_keys_and_certificate(setAsActive=True)["certificateId"]
    inside.iot.update_certificate(certificateId=made, newStatus="INACTIVE")
    found = inside.iot.describe_certificate(certificateId=made)["certificateDescription"]
    assert found["lastModifiedDate"] > found["creationDate"]


def test_deleted_certificate(inside: Account) -> None:
    made = inside.iot.create_keys_and_certificate(setAsActive=True)
    arn, name = made["certificateArn"], {"certificateId": made["certificateId"]}
    inside.iot.create_thing(thingName="a")
    inside.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    inside.iot.attach_policy(policyName="p", target=arn)
    inside.iot.attach_thing_principal(thingName="a", principal=arn)
    delete = partial(inside.iot.delete_certificate, **name)
    forced = partial(delete, forceDelete=True)
    assert refused(forced)[0] == "CertificateStateException"
    inside.iot.update_certificate(**name, newStatus="INACTIVE")
    assert refused(forced)[0] == "DeleteConflictException"
    inside.iot.detach_thing_principal(thingName="a", principal=arn)
    assert refused(delete)[0] == "DeleteConflictException"
    forced()
    assert refused(delete)[0] == "ResourceNotFoundException"
    assert inside.iot.list_targets_for_policy(policyName="p")["targets"] == []
    other = inside.iot.create_keys_and_certificate(setAsActive=False)["certificateId"]
    inside.iot.delete_certificate(certificateId=other)
    inside.iot.delete_policy(policyName="p")


def registered(inside: Account, text: str) -> tuple[str, str]:
    """Return how a text is refused that is registered as a certificate."""
    refusal = refused(inside.iot.register_certificate_without_ca, certificatePem=text)
    assert inside.iot.list_certificates()["certificates"] == []
    return refusal


def test_registered_certificate(inside: Account) -> None:
    pem = worlds.foreign_certificate()
    for status, expected in (({}, "INACTIVE"), ({"status": "ACTIVE"}, "ACTIVE")):
        made = inside.iot.register_certificate_without_ca(certificatePem=f"a note\n{pem}", **status)
        name = {"certificateId": made["certificateId"]}
        found = inside.iot.describe_certificate(**name)["certificateDescription"]
        assert (found["status"], found["certificatePem"]) == (expected, pem)
        code, _ = refused(inside.iot.register_certificate_without_ca, certificatePem=pem)
        assert code == "ResourceAlreadyExistsException"
        inside.iot.update_certificate(**name, newStatus="INACTIVE")
        inside.iot.delete_certificate(**name)
    for status in ("PENDING_TRANSFER", "REGISTER_INACTIVE"):
        code, _ = refused(
            inside.iot.register_certificate_without_ca, certificatePem=pem, status=status
        )
        assert code == "InvalidRequestException"


def test_a_certificate_that_is_none(inside: Account) -> None:
    pem = worlds.foreign_certificate()
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    lines = pem.splitlines()
    for text in (
        "certificate.pem.crt",
        "\n".join([*lines[:3], *lines[4:]]),
        pem[:-60],
        pem + pem,
        worlds.signing_request(),
        key.decode(),
        pem + key.decode(),
    ):
        code, message = registered(inside, text)
        assert code == "CertificateValidationException"
        assert "-----" not in message


P256 = bytes.fromhex("2a8648ce3d030107")
NO_CURVE = (P256, P256[:-1] + b"\x7f")
NAMED = (b"\x55\4\3\x0c\x08a device", b"\x55\4\3\3\x08\0 device")
"""A name's text, and bits in its place."""


@pytest.mark.parametrize(("old", "new"), [(b"\xa0\3\2\1\2", b"\xa0\3\2\1\1"), NAMED, NO_CURVE])
def test_a_certificate_of_no_version_or_curve_or_with_bits_in_its_name(
    inside: Account, old: bytes, new: bytes
) -> None:
    der = ssl.PEM_cert_to_DER_cert(worlds.foreign_certificate())
    assert old in der
    code, message = registered(inside, ssl.DER_cert_to_PEM_cert(der.replace(old, new)))
    assert (code, "not valid" in message) == ("CertificateValidationException", True)


@pytest.mark.parametrize(("old", "new"), [(b"\2\1\0", b"\2\1\1"), NAMED])
def test_a_request_of_no_version_or_with_bits_in_its_name(
    inside: Account, old: bytes, new: bytes
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a device")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    content, der = csr.tbs_certrequest_bytes, csr.public_bytes(serialization.Encoding.DER)
    changed = content.replace(old, new, 1)
    signature = key.sign(changed, padding.PKCS1v15(), hashes.SHA256())
    der = der.replace(content, changed).replace(csr.signature, signature)
    text = ssl.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", "CERTIFICATE REQUEST")
    refusal = refused(inside.iot.create_certificate_from_csr, certificateSigningRequest=text)
    assert refusal == ("InvalidRequestException", "The certificate signing request is not valid.")


def test_a_request_of_a_kind_that_is_not_known(inside: Account) -> None:
    der = b64decode("".join(worlds.signing_request().splitlines()[1:-1]))
    text = ssl.DER_cert_to_PEM_cert(der.replace(*NO_CURVE))
    text = text.replace("CERTIFICATE", "CERTIFICATE REQUEST")
    code, why = refused(inside.iot.create_certificate_from_csr, certificateSigningRequest=text)
    assert (code, "is refused: Curve" in why) == ("InvalidRequestException", True)


def test_a_certificate_that_tls_cannot_load(
    inside: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Mock()
    context.return_value.load_verify_locations.side_effect = ssl.SSLError
    monkeypatch.setattr(ssl, "SSLContext", context)
    code, _ = registered(inside, worlds.foreign_certificate())
    assert code == "CertificateValidationException"


WEAK: list[tuple[Any, Any, str]] = [
    (lambda: REAL_RSA(65537, 1024), hashes.SHA256(), "1024 bits"),
    (lambda: ec.generate_private_key(ec.SECP256K1()), hashes.SHA256(), "secp256k1"),
    (ed25519.Ed25519PrivateKey.generate, None, "Ed25519"),
    (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA224(), "SHA224"),
]


@pytest.mark.parametrize(("make", "digest", "says"), WEAK)
def test_weak_keys(inside: Account, make: Any, digest: Any, says: str) -> None:
    key = make()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weak")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, digest)
    text = csr.public_bytes(serialization.Encoding.PEM).decode()
    create = inside.iot.create_certificate_from_csr
    code, message = refused(create, certificateSigningRequest=text)
    assert (code, says in message) == ("InvalidRequestException", True)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .sign(key, digest)
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    code, message = registered(inside, pem)
    assert (code, says in message) == ("CertificateValidationException", True)


def test_a_request_signed_with_sha1(inside: Account) -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    der = csr.public_bytes(serialization.Encoding.DER)
    # The cryptography library signs with SHA-1 no more, so the name of the algorithm is changed.
    sha256, sha1 = (bytes.fromhex(f"2a864886f70d0101{each}") for each in ("0b", "05"))
    text = ssl.DER_cert_to_PEM_cert(der.replace(sha256, sha1))
    text = text.replace("CERTIFICATE", "CERTIFICATE REQUEST")
    message = refused(inside.iot.create_certificate_from_csr, certificateSigningRequest=text)[1]
    assert "it is signed with SHA1; AWS IoT takes SHA256" in message


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_keys_that_aws_takes(inside: Account, curve: ec.EllipticCurve) -> None:
    name = x509.Name([])
    key = ec.generate_private_key(curve)
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA384())
    text = csr.public_bytes(serialization.Encoding.PEM).decode()
    inside.iot.create_certificate_from_csr(certificateSigningRequest=text)


def test_the_id_is_the_fingerprint(inside: Account) -> None:
    made = inside.iot.create_keys_and_certificate(setAsActive=True)
    der = ssl.PEM_cert_to_DER_cert(made["certificatePem"])
    assert made["certificateId"] == hashlib.sha256(der).hexdigest()


def test_issued_as_amazon_does(inside: Account) -> None:
    pem = inside.iot.create_keys_and_certificate(setAsActive=True)["certificatePem"]
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert certificate.subject.rfc4514_string() == "CN=AWS IoT Certificate"
    assert "O=Amazon.com Inc." in certificate.issuer.rfc4514_string()
    assert f"{certificate.not_valid_after_utc:%Y-%m-%d}" == "2049-12-31"


def test_described_validity(inside: Account) -> None:
    made = inside.iot.create_keys_and_certificate(setAsActive=True)["certificateId"]
    found = inside.iot.describe_certificate(certificateId=made)["certificateDescription"]
    assert f"{found['validity']['notAfter']:%Y}" in ("2049", "2050")  # in local time


def test_the_requests_own_key(inside: Account) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "my own")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    text = csr.public_bytes(serialization.Encoding.PEM).decode()
    made = inside.iot.create_certificate_from_csr(certificateSigningRequest=text, setAsActive=True)
    certificate = x509.load_pem_x509_certificate(made["certificatePem"].encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject == name


def test_a_request_that_is_none(inside: Account) -> None:
    csr = worlds.signing_request()
    for text in (
        "not a request",
        "-----BEGIN CERTIFICATE REQUEST-----\nx\n",
        csr[:-60],
        worlds.foreign_certificate(),
        forged(csr),
    ):
        code, _ = refused(inside.iot.create_certificate_from_csr, certificateSigningRequest=text)
        assert code == "InvalidRequestException"
    assert inside.iot.list_certificates()["certificates"] == []


def forged(csr: str) -> str:
    """Return a request in which one bit of the signature is another."""
    head, *lines, tail = csr.splitlines()
    der = bytearray(b64decode("".join(lines)))
    der[-1] ^= 1
    return "\n".join([head, b64encode(der).decode(), tail])


def test_stable_endpoint(inside: Account) -> None:
    def ask(kind: str) -> str:
        return inside.iot.describe_endpoint(endpointType=kind)["endpointAddress"]

    assert ask("iot:Data-ATS") == ask("iot:Data") == "localhost"
    assert ask("iot:Jobs") == ask("iot:Jobs")
    assert ask("iot:CredentialProvider").endswith(".localhost")
    code, _ = refused(inside.iot.describe_endpoint, endpointType="iot:Nothing")
    assert code == "InvalidRequestException"


def test_an_operation_that_is_missing_is_not_tried_again(inside: Account) -> None:
    with pytest.raises(ClientError) as error:
        inside.iot.list_audit_findings()
    assert (
        error.value.response["Error"]["Message"] == "The sandbox does not have ListAuditFindings."
    )
    assert error.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_messages_by_http_are_refused_as_aws_does(inside: Account) -> None:
    data = conftest.client(inside, "iot-data")
    data.publish(topic="iotbutton/x", payload=b"{}", qos=1)
    code, _ = refused(data.publish, topic="a/b/c/d/e/f/g/h/i", payload=b"")
    assert code == "InvalidRequestException"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["create-thing", "--thing-name", "bad name"], "InvalidRequestException"),
        (
            ["create-policy", "--policy-name", "p", "--policy-document", "everyone"],
            "MalformedPolicyException",
        ),
    ],
)
def test_awss_own_command_line(aws: Account, words: list[str], code: str) -> None:
    command = shutil.which("aws")
    assert command, "awscli is one of the test's own packages"
    env = {
        "AWS_ENDPOINT_URL": aws.iot.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_CONFIG_FILE": "/dev/null",
    }
    run = subprocess.run([command, "iot", *words], env=env, capture_output=True, text=True)
    assert run.returncode != 0
    assert f"({code})" in run.stderr


RULE = {"sql": "SELECT * FROM 'a/+'", "actions": [{"republish": worlds.REPUBLISH}]}


def test_checked_rule(inside: Account) -> None:
    """What is kept of a rule, and what is refused: by AWS's errors, or by name."""
    iot = conftest.client(inside)

    def create(**change: Any) -> tuple[str, str]:
        return refused(iot.create_topic_rule, ruleName="r", topicRulePayload=RULE | change)

    def acting(**action: Any) -> tuple[str, str]:
        return create(actions=[action])

    role = worlds.REPUBLISH["roleArn"]
    for sql in ("", "SELECT", "SELECT * FROM a"):
        assert create(sql=sql)[0] == "SqlParseException"
    bad = worlds.REPUBLISH | {"topic": "a/${b c}"}
    assert acting(republish=bad)[0] == "SqlParseException"
    for topic in ("a/+", "", "$aws/rules/r/a", "$mine", "a" * 257, "$$mine"):
        error = acting(republish=worlds.REPUBLISH | {"topic": topic})
        assert error[0] == "InvalidRequestException", topic
    assert create(actions=[{}])[0] == "InvalidRequestException"
    assert create(awsIotSqlVersion="2017-01-01")[0] == "InvalidRequestException"
    missing = "The sandbox does not have "
    for error, what in (
        (create(awsIotSqlVersion="beta"), "version beta of SQL."),
        (create(sql="SELECT abs(a) AS b FROM 'a'"), "SQL's function abs()."),
        (acting(sns={"targetArn": "x", "roleArn": role}), "a topic rule's action sns."),
        (
            acting(republish=worlds.REPUBLISH | {"headers": {"contentType": "text"}}),
            "a topic rule's action republish.headers.",
        ),
        (
            acting(republish=worlds.REPUBLISH | {"topic": "${abs(1)}"}),
            "SQL's function abs().",
        ),
        (
            create(errorAction={"republish": worlds.REPUBLISH}),
            "CreateTopicRule's topicRulePayload.errorAction.",
        ),
    ):
        assert error == ("NotImplementedException", missing + what)
    assert iot.list_topic_rules()["rules"] == []
    iot.create_topic_rule(ruleName="r", topicRulePayload=RULE | {"sql": "select * from 'b'"})
    assert iot.get_topic_rule(ruleName="r")["rule"]["awsIotSqlVersion"] == "2015-10-08"
    assert create()[0] == "ResourceAlreadyExistsException"
    assert iot.list_topic_rules()["rules"][0]["topicPattern"] == "b"
    error = refused(iot.replace_topic_rule, ruleName="r", topicRulePayload=RULE | {"sql": "x"})
    assert error[0] == "SqlParseException"
    assert iot.get_topic_rule(ruleName="r")["rule"]["sql"] == "select * from 'b'"


def test_rule_without_error_action(inside: Account) -> None:
    iot = conftest.client(inside)
    iot.create_topic_rule(ruleName="r", topicRulePayload=RULE)
    found = iot.get_topic_rule(ruleName="r")
    assert found["ruleArn"].endswith(":rule/r")
    del found["rule"]["createdAt"]
    assert found["rule"] == RULE | {
        "ruleName": "r",
        "description": "",
        "ruleDisabled": False,
        "awsIotSqlVersion": "2015-10-08",
    }


def test_rules_by_state(inside: Account) -> None:
    iot = conftest.client(inside)
    for name in ("on", "off"):
        rule = RULE | {"ruleDisabled": name == "off"}
        iot.create_topic_rule(ruleName=name, topicRulePayload=rule)

    def listed(**state: bool) -> list[str]:
        return [each["ruleName"] for each in iot.list_topic_rules(**state)["rules"]]

    assert listed(ruleDisabled=True) == ["off"]
    assert listed(ruleDisabled=False) == ["on"]
    assert listed() == ["off", "on"]


@pytest.mark.parametrize("operation", ["delete", "disable", "enable", "get", "replace"])
def test_missing_rule(inside: Account, operation: str) -> None:
    """AWS IoT does not tell a rule that is missing from one that is somebody else's."""
    call = getattr(conftest.client(inside), f"{operation}_topic_rule")
    given = {"topicRulePayload": RULE} if operation == "replace" else {}
    assert refused(call, ruleName="r", **given) == (
        "UnauthorizedException",
        "Access to topic rule 'r' was denied",
    )
