"""TestAuthorization and GetEffectivePolicies through boto3."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.iot.models import iot_backends
from moto.iot.responses import IoTResponse

from helpers.policy import as_posted, recommended
from iot_policy import arn, document, statement, to_json
from sandbox.gaps import authorization
from sandbox.registry import exclusive_things

HERE = ("eu-west-1", "123456789012")
SERIAL = "G030JF055364XVRB"
TOPIC = arn(*HERE, f"topic/iotbutton/{SERIAL}")
CLIENT = arn(*HERE, "client/button")


@pytest.fixture
def iot(monkeypatch):
    for name in ("test_authorization", "get_effective_policies"):
        monkeypatch.setattr(IoTResponse, name, getattr(authorization, name), raising=False)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "dummy")
    with mock_aws():
        yield boto3.client("iot", region_name=HERE[0])


@pytest.fixture
def certificate(iot):
    return iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]


def attach(iot, certificate, name, policy):
    created = iot.create_policy(policyName=name, policyDocument=to_json(policy))
    iot.attach_policy(policyName=name, target=certificate)
    return {"policyName": name, "policyArn": created["policyArn"]}


def attach_thing(iot, certificate):
    iot.create_thing(thingName="button", attributePayload={"attributes": {"serialNumber": SERIAL}})
    iot.attach_thing_principal(thingName="button", principal=certificate)


def ask(iot, certificate, *questions, **options):
    infos = [{"actionType": kind, "resources": [resource]} for kind, resource in questions]
    return iot.test_authorization(principal=certificate, authInfos=infos, **options)["authResults"]


def test_the_whole_answer(iot, certificate):
    posted = attach(iot, certificate, "AsPosted", as_posted(*HERE, SERIAL))
    denies = attach(
        iot, certificate, "Denies", document(statement("iot:Pub*", TOPIC, effect="Deny"))
    )
    connect, publish, other = ask(
        iot,
        certificate,
        ("CONNECT", CLIENT),
        ("PUBLISH", TOPIC),
        ("PUBLISH", arn(*HERE, "topic/other")),
        clientId="button",
    )
    assert connect == {
        "authInfo": {"actionType": "CONNECT", "resources": [CLIENT]},
        "allowed": {"policies": []},
        "denied": {
            "implicitDeny": {"policies": [posted, denies]},
            "explicitDeny": {"policies": []},
        },
        "authDecision": "IMPLICIT_DENY",
        "missingContextValues": [],
    }
    assert publish == {
        "authInfo": {"actionType": "PUBLISH", "resources": [TOPIC]},
        "allowed": {"policies": [posted]},
        "denied": {"implicitDeny": {"policies": []}, "explicitDeny": {"policies": [denies]}},
        "authDecision": "EXPLICIT_DENY",
        "missingContextValues": [],
    }
    assert other["authDecision"] == "ALLOWED"
    assert other["allowed"] == {"policies": [posted]}
    assert other["denied"]["implicitDeny"] == {"policies": [denies]}


def test_the_answer_is_of_aws_shape(iot, certificate):
    attach(iot, certificate, "Recommended", recommended(*HERE))
    shape = iot.meta.service_model.operation_model("TestAuthorization").output_shape
    result = shape.members["authResults"].member
    (answer,) = ask(iot, certificate, ("CONNECT", CLIENT))
    assert set(answer) == set(result.members)
    assert set(answer["denied"]) == set(result.members["denied"].members)


def test_thing_variables_need_the_thing_and_its_name_as_client_id(iot, certificate):
    attach(iot, certificate, "Recommended", recommended(*HERE))
    questions = ("CONNECT", CLIENT), ("PUBLISH", TOPIC)

    def verdicts(**options):
        return [answer["authDecision"] for answer in ask(iot, certificate, *questions, **options)]

    assert verdicts(clientId="button") == ["IMPLICIT_DENY"] * 2
    attach_thing(iot, certificate)
    assert verdicts(clientId="button") == ["ALLOWED"] * 2
    assert verdicts(clientId="other") == ["IMPLICIT_DENY"] * 2
    assert verdicts() == ["IMPLICIT_DENY"] * 2
    missing = [answer["missingContextValues"] for answer in ask(iot, certificate, *questions)]
    assert missing == [
        ["iot:Connection.Thing.ThingName"],
        ["iot:Connection.Thing.Attributes[serialNumber]"],
    ]


@pytest.mark.parametrize("options", [{"clientId": "phone"}, {"clientId": "button"}, {}])
def test_an_exclusive_thing_gives_its_variables_whatever_the_client_id_is(
    iot, certificate, options
):
    attach(iot, certificate, "P", recommended(*HERE))
    attach_thing(iot, certificate)
    exclusive_things(iot_backends[HERE[1]][HERE[0]])[certificate] = "button"
    connect, publish = ask(iot, certificate, ("CONNECT", CLIENT), ("PUBLISH", TOPIC), **options)
    assert (connect["authDecision"], publish["authDecision"]) == ("ALLOWED", "ALLOWED")


def test_policies_to_add_and_to_skip(iot, certificate):
    attach(iot, certificate, "AsPosted", as_posted(*HERE, SERIAL))
    allow = document(statement(["iot:Connect", "iot:Subscribe", "iot:Receive"], "*"))
    iot.create_policy(policyName="Better", policyDocument=to_json(allow))
    questions = [("CONNECT", CLIENT), ("PUBLISH", TOPIC), ("RECEIVE", TOPIC)]
    questions.append(("SUBSCRIBE", arn(*HERE, "topicfilter/#")))

    def verdicts(**options):
        return [answer["authDecision"] for answer in ask(iot, certificate, *questions, **options)]

    no, yes = "IMPLICIT_DENY", "ALLOWED"
    assert verdicts() == [no, yes, no, no]
    assert verdicts(policyNamesToAdd=["Better"]) == [yes] * 4
    assert verdicts(policyNamesToSkip=["AsPosted"]) == [no] * 4
    assert verdicts(policyNamesToAdd=["Better"], policyNamesToSkip=["AsPosted"]) == [
        yes,
        no,
        yes,
        yes,
    ]


def test_only_the_default_version_counts(iot, certificate):
    attach(iot, certificate, "P", document(statement("iot:Connect", "*")))
    nothing = to_json(document(statement("iot:Publish", "*")))
    version = iot.create_policy_version(policyName="P", policyDocument=nothing)["policyVersionId"]
    assert ask(iot, certificate, ("CONNECT", CLIENT))[0]["authDecision"] == "ALLOWED"
    iot.set_default_policy_version(policyName="P", policyVersionId=version)
    assert ask(iot, certificate, ("CONNECT", CLIENT))[0]["authDecision"] == "IMPLICIT_DENY"


def test_several_resources_must_all_be_allowed(iot, certificate):
    attach(iot, certificate, "P", document(statement("iot:Publish", TOPIC)))
    info = {"actionType": "PUBLISH", "resources": [TOPIC, arn(*HERE, "topic/other")]}
    (answer,) = iot.test_authorization(principal=certificate, authInfos=[info])["authResults"]
    assert answer["authDecision"] == "IMPLICIT_DENY"


ONE = [{"actionType": "CONNECT", "resources": [CLIENT]}]


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"principal": None}, "InvalidRequestException", "must be a certificate's ARN"),
        ({"principal": "eu-west-1:pool"}, "InvalidRequestException", "Amazon Cognito"),
        ({"principal": arn(*HERE, "cert/abc")}, "ResourceNotFoundException", "abc"),
        ({"authInfos": []}, "InvalidRequestException", "1 to 10"),
        ({"authInfos": ONE * 11}, "InvalidRequestException", "1 to 10"),
        ({"authInfos": [{"resources": [CLIENT]}]}, "InvalidRequestException", "actionType"),
        (
            {"authInfos": [{"actionType": "CONNECT", "resources": []}]},
            "InvalidRequestException",
            "resources",
        ),
        (
            {"authInfos": [{"actionType": "CONNECT", "resources": ["client/a"]}]},
            "InvalidRequestException",
            "ARNs",
        ),
        ({"policyNamesToAdd": ["None"]}, "ResourceNotFoundException", ""),
    ],
)
def test_errors(iot, certificate, changed, code, says):
    request = {"principal": certificate, "authInfos": ONE, **changed}
    given = {name: value for name, value in request.items() if value is not None}
    unchecked = boto3.client("iot", HERE[0], config=Config(parameter_validation=False))
    with pytest.raises(ClientError) as caught:
        unchecked.test_authorization(**given)
    assert caught.value.response["Error"]["Code"] == code
    assert says in caught.value.response["Error"]["Message"]


def test_a_certificate_of_another_region(iot, certificate):
    elsewhere = boto3.client("iot", region_name="us-east-1")
    with pytest.raises(elsewhere.exceptions.ResourceNotFoundException):
        ask(elsewhere, certificate, ("CONNECT", CLIENT))


def test_a_condition_key_that_aws_does_not_document_is_named_and_locks_nobody_out(iot, certificate):
    moon = statement("iot:Connect", CLIENT, condition={"Bool": {"aws:Moon": "true"}})
    attach(iot, certificate, "P", document(moon, statement("iot:Publish", TOPIC)))
    connect, publish = ask(iot, certificate, ("CONNECT", CLIENT), ("PUBLISH", TOPIC))
    assert (connect["authDecision"], publish["authDecision"]) == ("IMPLICIT_DENY", "ALLOWED")
    assert connect["missingContextValues"] == ["aws:Moon"]


def test_a_policy_that_cannot_be_read_is_named(iot, certificate):
    attach(iot, certificate, "P", document(statement("iot:Connect", "*")))
    iot_backends[HERE[1]][HERE[0]].policies["P"].document = "{"
    with pytest.raises(iot.exceptions.InvalidRequestException, match="Policy P: "):
        ask(iot, certificate, ("CONNECT", CLIENT))


def group(iot, name, parent=None):
    above = {"parentGroupName": parent} if parent else {}
    return iot.create_thing_group(thingGroupName=name, **above)["thingGroupArn"]


def test_the_policies_of_the_groups_of_the_thing_that_connects_count(iot, certificate):
    attach(iot, certificate, "Own", document(statement("iot:Connect", "*")))
    attach(iot, group(iot, "fleet"), "Publish", document(statement("iot:Publish", "*")))
    deny = document(statement("iot:*", "*", effect="Deny"))
    attach(iot, group(iot, "quarantine", "fleet"), "Deny", deny)
    attach_thing(iot, certificate)
    iot.create_thing(thingName="other")

    def verdicts(client_id):
        questions = ("CONNECT", CLIENT), ("PUBLISH", TOPIC)
        answers = ask(iot, certificate, *questions, clientId=client_id)
        return [each["authDecision"] for each in answers]

    assert verdicts("button") == ["ALLOWED", "IMPLICIT_DENY"]
    iot.add_thing_to_thing_group(thingGroupName="fleet", thingName="button")
    assert verdicts("button") == ["ALLOWED", "ALLOWED"]
    assert verdicts("other") == ["ALLOWED", "IMPLICIT_DENY"]
    iot.remove_thing_from_thing_group(thingGroupName="fleet", thingName="button")
    iot.add_thing_to_thing_group(thingGroupName="quarantine", thingName="button")
    (connect, publish) = ask(
        iot, certificate, ("CONNECT", CLIENT), ("PUBLISH", TOPIC), clientId="button"
    )
    assert (connect["authDecision"], publish["authDecision"]) == ("EXPLICIT_DENY", "EXPLICIT_DENY")
    assert [each["policyName"] for each in publish["allowed"]["policies"]] == ["Publish"]
    denied = publish["denied"]["explicitDeny"]["policies"]
    assert [each["policyName"] for each in denied] == ["Deny"]
    skipped = ask(
        iot, certificate, ("CONNECT", CLIENT), clientId="button", policyNamesToSkip=["Deny"]
    )
    assert skipped[0]["authDecision"] == "ALLOWED"
    iot.detach_thing_principal(thingName="button", principal=certificate)
    assert verdicts("button") == ["ALLOWED", "IMPLICIT_DENY"]


def test_effective_policies(iot, certificate):
    policy = attach(iot, certificate, "P", recommended(*HERE))
    attach_thing(iot, certificate)
    expected = [{**policy, "policyDocument": to_json(recommended(*HERE))}]
    answer = iot.get_effective_policies(principal=certificate)
    assert answer["effectivePolicies"] == expected
    answer = iot.get_effective_policies(principal=certificate, thingName="button")
    assert answer["effectivePolicies"] == expected
    iot.detach_policy(policyName="P", target=certificate)
    assert iot.get_effective_policies(principal=certificate)["effectivePolicies"] == []


def test_effective_policies_of_groups(iot, certificate):
    """AWS: with a Thing's name, those of its groups and of their parents are returned, too."""
    attach(iot, certificate, "Own", document(statement("iot:Connect", "*")))
    fleet = group(iot, "fleet")
    quarantine = group(iot, "quarantine", "fleet")
    for target, name in ((fleet, "Fleet"), (quarantine, "Quarantine"), (group(iot, "x"), "X")):
        attach(iot, target, name, document(statement("iot:Publish", "*")))
    iot.attach_policy(policyName="Own", target=quarantine)
    attach_thing(iot, certificate)
    iot.add_thing_to_thing_group(thingGroupName="quarantine", thingName="button")

    def names(**asked):
        found = iot.get_effective_policies(**asked)["effectivePolicies"]
        return [each["policyName"] for each in found]

    assert names(principal=certificate) == ["Own"]
    assert names(thingName="button") == ["Own", "Quarantine", "Fleet"]
    assert names(principal=certificate, thingName="button") == ["Own", "Quarantine", "Fleet"]
    assert names(principal=quarantine) == ["Own", "Quarantine", "Fleet"]
    assert names(principal=fleet) == ["Fleet"]
    with pytest.raises(iot.exceptions.ResourceNotFoundException, match="Thing group y is not"):
        names(principal=fleet.replace("fleet", "y"))


def test_effective_policies_of_nobody(iot, certificate):
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.get_effective_policies()
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.get_effective_policies(principal=certificate, thingName="nobody")
