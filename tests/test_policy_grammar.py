"""What AWS IoT refuses to store."""

import json
import subprocess
import sys

import pytest

from helpers.policy import as_posted, intended, least_privilege, recommended
from iot_policy import MalformedPolicy, arn, check, lint, statement, to_json

HERE = ("eu-west-1", "123456789012")
SERIAL = "G030JF055364XVRB"
GOOD = statement("iot:Connect", "*")


def whole(**changed):
    return json.dumps({"Version": "2012-10-17", "Statement": [GOOD], **changed})


def single(**changed):
    found = {**GOOD, **changed}
    return whole(Statement=[GOOD, {key: found[key] for key in found if found[key] is not None}])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON: Expecting value (line 1, column 1)"),
        ('{"Version":\n  oops}', "line 2, column 3"),
        ("./policy.json", "not JSON"),
        ("[]", "must be a JSON object"),
        ("[" * 2000, "nested too deeply"),
        ('{"Statement": []}', "Version must be 2012-10-17"),
        (whole(Version="2012-10-18"), "Version must be 2012-10-17 or 2008-10-17"),
        ('{"Version": "2012-10-17"}', "at least one statement"),
        (whole(Statement=[]), "at least one statement"),
        (whole(Statement="x"), "at least one statement"),
        (whole(Statement=["x"]), "Statement 1: A statement must be a JSON object"),
        (whole(Statements=[]), "no element 'Statements'. Did you mean 'Statement'?"),
        (single(Effect="allow"), "Statement 2: Effect must be Allow or Deny"),
        (single(Effect=None), "Effect must be Allow or Deny"),
        (single(Action=None), "needs Action or NotAction"),
        (single(NotAction="iot:Publish"), "needs Action or NotAction"),
        (single(Action=[]), "Action [] is not valid"),
        (single(Action=5), "Action 5 is not valid"),
        (single(Action="Publish"), "Action 'Publish' is not valid: an action looks like"),
        (single(Resource=None), "needs Resource or NotResource"),
        (single(NotResource="*"), "needs Resource or NotResource"),
        (single(Resource=["*", None]), "Resource None is not valid"),
        (single(Resource="topic/a"), "Resource 'topic/a' is not valid: a resource is an ARN"),
        (single(Resource='["arn:aws:iot:r:1:topic/a"]'), "is not valid"),
        (single(Resource="arn:aws:iot:topic/a"), "is not valid"),
        (single(Ressource="*"), "no element 'Ressource'. Did you mean 'Resource'?"),
        (single(Principal="*"), "no element 'Principal'"),
        (single(Condition=[]), "Condition must be an object"),
        (single(Condition={"Bool": "true"}), "Condition Bool must hold an object"),
        (single(Condition={"Bool": {}}), "Condition Bool must hold an object"),
        (single(Condition={"Bool": {"iot:ClientId": {}}}), "takes a text or a list"),
        (single(Condition={"Bool": {"iot:ClientId": [None]}}), "takes a text or a list"),
        (single(Condition={"Boolean": {"iot:ClientId": "a"}}), "no condition operator 'Boolean'"),
        (whole(Id="x" * 2048), "2048 is the most"),
    ],
)
def test_refused(text, says):
    with pytest.raises(MalformedPolicy) as caught:
        check(text)
    assert str(caught.value).startswith("Policy document is Malformed: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        whole(),
        whole(Version="2008-10-17"),
        whole(Statement=GOOD),
        single(Sid="One", Action=["iot:Connect", "iot:*", "*"]),
        single(Resource=["arn:aws:iot:*", "arn:aws-cn:iot:cn-north-1:123456789012:topic/a"]),
        single(Condition={"Null": {"aws:unknown": True}, "NumericEquals": {"a": [1, 2.5]}}),
        single(Condition={}),
        single(Condition={"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}}),
    ],
)
def test_taken(text):
    assert check(text) == json.loads(text)


def test_white_space_does_not_count_towards_the_limit():
    short = whole(Id="")
    longest = whole(Id="x" * (2048 - len(short.replace(" ", ""))))
    assert check(longest.replace(" ", "\n   "))
    with pytest.raises(MalformedPolicy, match="2049 characters"):
        check(longest.replace("xx", "xxx", 1))


@pytest.mark.parametrize(
    "policy",
    [
        as_posted(*HERE, SERIAL),
        intended(*HERE, SERIAL),
        least_privilege(*HERE, SERIAL, "button"),
        recommended(*HERE),
    ],
)
def test_the_lessons_documents_are_taken(policy):
    assert check(to_json(policy)) == policy


def test_the_posts_document():
    assert (
        to_json(as_posted("eu-west-1", "5xxxxxxx", "G030xxxxxx"))
        == """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "iot:Connect",
      "Resource": "arn:aws:iot:eu-west-1:5xxxxxxx:topic/iotbutton/G030xxxxxx"
    },
    {
      "Effect": "Allow",
      "Action": "iot:Publish",
      "Resource": "*"
    }
  ]
}"""
    )


def test_a_built_statement():
    condition = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    assert statement("iot:Publish", "*", effect="Deny", condition=condition) == {
        "Effect": "Deny",
        "Action": "iot:Publish",
        "Resource": "*",
        "Condition": condition,
    }


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-east-1", "aws"),
    ],
)
def test_partitions(region, partition):
    assert (
        arn(region, "123456789012", "topic/a")
        == f"arn:{partition}:iot:{region}:123456789012:topic/a"
    )


def test_lint_reports_what_check_refuses():
    (finding,) = lint(whole(Statement=[GOOD, {**GOOD, "Effect": "Alow"}]))
    assert (finding.severity, finding.statement) == ("error", 2)
    assert finding.page.endswith("API_CreatePolicy.html")


def test_importing_the_package_loads_neither_boto3_nor_moto():
    code = "import sys, helpers.policy; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "helpers.policy" in loaded.stdout.split()
    assert not {"boto3", "botocore", "moto", "cryptography"} & set(loaded.stdout.split())
