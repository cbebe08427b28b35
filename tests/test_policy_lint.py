"""What lint finds, and what it leaves alone."""

import pytest

from helpers.policy import as_posted, intended, least_privilege, recommended
from iot_policy import document, lint, statement, to_json

HERE = ("eu-west-1", "123456789012")
ARN = "arn:aws:iot:eu-west-1:123456789012:"
SERIAL = "G030JF055364XVRB"
THING = "iot:Connection.Thing."
BESIDE = (
    statement("iot:Connect", f"{ARN}client/beside"),
    statement("iot:Publish", f"{ARN}topic/beside"),
    statement("iot:Subscribe", f"{ARN}topicfilter/beside"),
    statement("iot:Receive", f"{ARN}topic/*"),
)
"""What a device needs, so that nothing is said but about the statement before."""


def found(policy, **known):
    known = {"region": HERE[0], "account": HERE[1], **known}
    return [(f.severity, f.statement, f.message) for f in lint(policy, **known)]


def test_the_posts_policy():
    first, second = found(as_posted(*HERE, SERIAL))
    assert first[:2] == ("error", 1)
    assert first[2].startswith("iot:Connect on a topic can never match: a connection is checked")
    assert second[:2] == ("warning", 2)
    assert second[2].startswith("iot:Publish on * allows every topic")


def test_the_three_right_policies():
    (broad,) = found(intended(*HERE, SERIAL))
    assert broad[:2] == ("note", 1)
    assert broad[2].startswith("iot:Connect on * allows any client id")
    assert found(least_privilege(*HERE, SERIAL, "button"), attached=False) == []
    assert found(recommended(*HERE)) == found(recommended(*HERE), attached=True) == []


def test_thing_variables_without_a_thing():
    first, second = found(recommended(*HERE), attached=False)
    assert first[:2] == ("error", 1)
    assert f"{THING}ThingName and {THING}IsAttached" in first[2]
    assert second[:2] == ("error", 2)
    not_attached = statement(
        "iot:Connect", f"{ARN}client/a", condition={"Bool": {f"{THING}IsAttached": "false"}}
    )
    assert found(document(not_attached), attached=False) == []


@pytest.mark.parametrize(
    ("action", "resource", "severity", "says"),
    [
        ("iot:Pubish", f"{ARN}topic/a", "error", "no action iot:Pubish. Did you mean iot:Publish?"),
        ("iot:FlyAway", f"{ARN}topic/a", "warning", "no action iot:FlyAway."),
        ("greengrass:Discover", "*", "note", "no action of AWS IoT Core"),
        ("iot:Subscribe", f"{ARN}topic/a", "error", "checked against topicfilter/<topic filter>"),
        ("iot:Publish", f"{ARN}topicfilter/a", "error", "iot:Publish on a topicfilter can never"),
        ("iot:Receive", f"{ARN}client/a", "error", "a delivery is checked against topic/<topic>"),
        ("iot:GetThingShadow", f"{ARN}topic/a", "error", "checked against thing/<thing name>"),
        ("iot:*", "*", "warning", "iot:* on * allows far more than one device needs"),
        ("iot:Publish", f"{ARN}topic/*", "warning", "topic/* allows every topic"),
        ("iot:Publish", f"{ARN}topic/?*", "warning", "topic/?* allows every topic"),
        ("iot:Publish", f"{ARN}topic*", "warning", "topic* allows every topic"),
        ("iot:Publish", f"{ARN}topic/$aws/things/*", "warning", "what belongs to every Thing"),
        ("iot:Subscribe", f"{ARN}topicfilter/*", "warning", "every topic filter, # included"),
        ("iot:Subscribe", f"{ARN}topicfilter/#", "warning", "allows every topic at once"),
        ("iot:Subscribe", f"{ARN}topicfilter/+/#", "warning", "allows every topic at once"),
        ("iot:Subscribe", f"{ARN}topicfilter/$share/g/#", "warning", "every topic at once"),
        ("iot:Subscribe", f"{ARN}topicfilter/$aws/things/+/x", "warning", "to every Thing"),
        ("iot:Connect", f"{ARN}client/?*", "note", "any client id: name one"),
        ("iot:Connect", f"{ARN}topic*", "error", "on a topic or a topicfilter can never match"),
        ("iot:Publish", "arn:aws:iot:*", "warning", "arn:aws:iot:* allows every topic"),
        ("iot:Publish", "arn:aws:iot:eu-west-1:*", "warning", "allows every topic"),
        ("iot:Connect", f"{ARN}topic?*", "error", "on a topic or a topicfilter can never match"),
        ("iot:Connect", f"{ARN}topi?/a", "error", "iot:Connect on a topic can never match"),
        ("iot:Publish", f"{ARN}topic/${{iot:ClientId", "error", "without it is plain text"),
        ("iot:Publish", f"{ARN}topic/", "error", "names no topic: write"),
        ("iot:Publish", f"{ARN}", "error", "names no type of resource: write"),
        ("iot:Publish", f"{ARN}x", "error", "names no type of resource: write"),
        ("iot:Publish", f"{ARN}/x", "error", "names no type of resource: write"),
        ("iot:Publish", f"{ARN}topic/a ", "warning", f"ends in a blank: write {ARN}topic/a."),
        ("iot:Publish", "arn:aws:iot:us-east-1:*", "error", "is in us-east-1"),
        ("iot:Publish", "arn:aws-cn:iot:eu-west-1:*:topic/a", "error", "aws-cn: write aws."),
        ("iot:Publish", "arn:amazon:iot:*:*:topic/a", "error", "partition amazon: write aws."),
        ("iot:Connect", f"{ARN}client/*", "note", "any client id: name one"),
        ("iot:Connect", f"{ARN}client/${{iot:ClientId}}", "note", "any client id"),
        ("iot:UpdateThingShadow", f"{ARN}thing/*", "warning", "all there are: name one"),
        ("iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/a", "error", "is in us-east-1"),
        ("iot:Publish", "arn:aws:iot:eu-west-1:5xxxxxxx:topic/a", "error", "account 5xxxxxxx"),
        ("iot:Publish", f"{ARN}topic/a/+/b", "error", "+ and # are plain characters"),
        ("iot:Publish", f"{ARN}topic/${{a${{b}}", "error", "documents no variable ${a${b}"),
        ("iot:Publish", "arn:aws-cn:iot:cn-north-1:*:topic/a", "error", "is in cn-north-1"),
        ("iot:Publish", f"{ARN}topic/#", "error", "+ and # are plain characters"),
        ("iot:Publish", f"{ARN}topic/a/#", "error", "+ and # are plain characters"),
        (
            "iot:Publish",
            f"{ARN}topic/${{iot:Thing.ThingName}}",
            "error",
            "Did you mean 'iot:Connection.Thing.ThingName'?",
        ),
    ],
)
def test_one_finding(action, resource, severity, says):
    (finding,) = found(document(statement(action, resource), *BESIDE))
    assert finding[:2] == (severity, 1)
    assert says in finding[2]


def test_a_resource_of_another_service():
    messages = [message for _, _, message in found(document(statement("iot:*", "arn:aws:s3:::b")))]
    assert "arn:aws:s3:::b is no resource of AWS IoT." in messages


@pytest.mark.parametrize(
    "policy",
    [
        document(*BESIDE),
        document(statement("iot:ListRetainedMessages", "*")),
        document(statement("iot:subscribe", f"{ARN}topicfilter/a/+/b"), *BESIDE),
        document(statement("iot:Publish", f"{ARN}topic/${{iot:ClientId}}/*"), *BESIDE),
        document(statement("iot:Publish", "arn:aws:iot:*:*:topic/a"), *BESIDE),
        document(statement("iot:Publish", "arn:aws:iot:*:topic/a"), *BESIDE),
        document(
            statement(["iot:Publish", "iot:Subscribe"], [f"{ARN}topic/a", f"{ARN}topicfilter/a"]),
            *BESIDE,
        ),
        document(statement("iot:GetThingShadow", f"{ARN}thing/a")),
        document(statement("iot:*", "*", effect="Deny")),
        document(statement("iot:*Publish", f"{ARN}topic/a"), *BESIDE),
        document(statement("iot:Publish", f"{ARN}topic*/t/a"), *BESIDE),
        document(statement("iot:Publish", [f"{ARN}*/x", f"{ARN}topic/*/x"]), *BESIDE),
        document(statement("iot:Publish", f"{ARN}topic/$aws/things/*-lamp/x"), *BESIDE),
        document(statement("iot:Publish", f"{ARN}topic/${{iot:ClientId}}"), *BESIDE),
        document(statement("iot:Publish", f"{ARN}topic/${{{THING}Attributes[floor#]}}"), *BESIDE),
        document(statement("iot:Publish", f"{ARN}topic/${{$}}{{a"), *BESIDE),
        document(
            statement("iot:Connect", "*", condition={"StringEquals": {"iot:ClientId": "button"}})
        ),
        document(statement("iot:Connect", "*", condition={"Bool": {f"{THING}IsAttached": "true"}})),
    ],
)
def test_nothing_to_say(policy):
    assert found(policy) == []


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-iso-east-1", "aws-iso"), ("eusc-de-east-1", "aws-eusc"), ("cn-north-1", "aws-cn")],
)
@pytest.mark.parametrize("known", [True, False])
def test_other_partitions_are_as_good(region, partition, known):
    for place in (region, "*"):
        start = f"arn:{partition}:iot:{place}:123456789012:"
        policy = document(
            statement("iot:Connect", f"{start}client/a"),
            statement("iot:Subscribe", f"{start}topicfilter/a"),
            statement("iot:Receive", f"{start}topic/a"),
        )
        assert found(policy, region=region if known else None) == []
    wrong = document(statement("iot:Connect", f"arn:aws:iot:{region}:123456789012:client/a"))
    ((severity, _, says),) = found(wrong, region=region)
    assert severity == "error" and says.endswith(f"is in partition aws: write {partition}.")


def test_a_deny_and_a_condition_are_read_for_open_variables_too():
    condition = {"StringEquals": {"iot:DomainName": "${iot:ClientId"}}
    ((severity, _, says),) = found(
        document(statement("iot:Connect", f"{ARN}client/a", condition=condition))
    )
    assert severity == "error" and says.startswith("${iot:ClientId: a variable ends in }")


def test_not_on_the_right_condition_anyone_may_connect():
    for operator in ("StringNotEquals", "StringNotLike"):
        condition = {operator: {"iot:ClientId": "a"}}
        ((severity, _, says),) = found(document(statement("iot:Connect", "*", condition=condition)))
        assert severity == "note" and "any client id" in says
    attached = {"Bool": {f"{THING}IsAttached": "true"}}
    ((severity, *_),) = found(document(statement("iot:Publish", "*", condition=attached), *BESIDE))
    assert severity == "warning"  # that narrows who may connect, not what it may publish


def test_everything_but_is_worth_a_note():
    written = {"Effect": "Allow", "NotAction": "iot:Publish", "Resource": f"{ARN}topic/a"}
    (finding,) = found(document(written, *BESIDE))
    assert finding[0] == "note"
    assert finding[2].endswith("For example, it may publish a retained message on a.")


def test_an_old_version_has_no_variables():
    policy = document(statement("iot:Connect", f"{ARN}client/${{iot:Connection.Thing.ThingName}}"))
    (finding,) = found({**policy, "Version": "2008-10-17"})
    assert finding[:2] == ("warning", None)
    assert "2008-10-17 takes ${…} as plain text" in finding[2]
    unclosed = document(statement("iot:Connect", f"{ARN}client/${{iot:ClientId"))
    assert [each[1] for each in found({**unclosed, "Version": "2008-10-17"})] == [None]
    plain = document(statement("iot:Connect", f"{ARN}client/a"))
    assert found({**plain, "Version": "2008-10-17"}) == []


@pytest.mark.parametrize(
    ("operator", "key", "says"),
    [
        ("Bool", "aws:Moon", "'aws:Moon', so it has no value, and Bool on it never holds."),
        ("Null", "aws:Moon", "'aws:Moon', so it has no value, and Null on it always holds."),
        ("Bool", "iot:ClientID2", "Bool on it never holds. Did you mean 'iot:ClientId'?"),
    ],
)
def test_a_key_that_nobody_documents_is_an_error(operator, key, says):
    client = f"{ARN}client/a"
    policy = document(statement("iot:Connect", client, condition={operator: {key: "true"}}))
    (finding,) = found(policy)
    assert finding[:2] == ("error", 1)
    assert says in finding[2]


def test_every_finding_has_a_page_of_aws():
    policy = document(statement(["iot:Pubish", "iot:*"], ["*", f"{ARN}topic/+"]))
    pages = [finding.page for finding in lint(policy)]
    assert pages
    assert all(page.startswith("https://docs.aws.amazon.com/iot/") for page in pages)


def test_a_finding_reads_well():
    first, _ = lint(as_posted(*HERE, SERIAL))
    assert str(first) == (
        "error, statement 1: iot:Connect on a topic can never match: a connection is checked "
        "against client/<client id>."
    )
    (whole,) = lint('{"Version": "2012-10-17"}')
    assert str(whole) == "error: Statement must hold at least one statement."


def test_a_policy_is_read_as_text_and_as_it_is_built():
    posted = as_posted(*HERE, SERIAL)
    assert lint(to_json(posted)) == lint(posted) != []


@pytest.mark.parametrize(("resource", "times"), [("topic*", 1), ("topic/*", 0)])
def test_all_actions_on_a_type_alone_are_said_to_leave_out_and_no_more(resource, times):
    said = found(document(statement("iot:*", f"{ARN}{resource}")))
    assert sum("far more than one device needs" in says for *_, says in said) == times
    assert sum("can never allow a connection" in says for *_, says in said) == 1
