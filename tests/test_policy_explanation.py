"""The reason of each statement, and the one change that would help."""

import pytest

from helpers import policy
from helpers.policy import as_posted, intended, least_privilege, recommended
from iot_policy import (
    AttachedThing,
    Request,
    arn,
    connection_context,
    document,
    explain,
    parse,
    statement,
    to_json,
)

HERE = ("eu-west-1", "123456789012")
SERIAL = "G030JF055364XVRB"
TOPIC = f"topic/iotbutton/{SERIAL}"
IS_ATTACHED = "iot:Connection.Thing.IsAttached"


def connected(*things, client_id="button"):
    return connection_context(client_id, "127.0.0.1", "a1" * 32, things)


ATTACHED = connected(AttachedThing("button", None, {"serialNumber": SERIAL}))


def explained(policy, action, resource, context=None):
    request = Request(action, arn(*HERE, resource), connected() if context is None else context)
    return explain([parse("MyPolicy", to_json(policy))], request)


def test_the_posts_policy():
    found = explained(as_posted(*HERE, SERIAL), "iot:Connect", "client/button")
    assert found.decision.verdict == "IMPLICIT_DENY"
    assert [step.kind for step in found.steps] == ["resource type", "action"]
    assert found.hint == (
        "Statement 1 of MyPolicy allows iot:Connect on a topic; a connection is checked against "
        f"client/<client id>. Make its Resource {arn(*HERE, 'client/button')}."
    )
    assert str(found) == "\n".join(
        [
            f"IMPLICIT_DENY: iot:Connect on {arn(*HERE, 'client/button')}",
            "  MyPolicy, statement 1 (Allow): is about a topic; "
            "a connection is checked against client/<client id>",
            "  MyPolicy, statement 2 (Allow): is about iot:Publish, not iot:Connect",
            f"  To change it: {found.hint}",
        ]
    )
    assert explained(as_posted(*HERE, SERIAL), "iot:Publish", "topic/any").hint == ""


@pytest.mark.parametrize(
    "policy",
    [intended(*HERE, SERIAL), least_privilege(*HERE, SERIAL, "button"), recommended(*HERE)],
)
def test_the_three_right_policies(policy):
    for action, resource in [("iot:Connect", "client/button"), ("iot:Publish", TOPIC)]:
        found = explained(policy, action, resource, ATTACHED)
        assert found.decision.verdict == "ALLOWED"
        assert "matched" in [step.kind for step in found.steps]
    other = explained(policy, "iot:Publish", "topic/other", ATTACHED)
    assert [step.kind for step in other.steps] == ["action", "resource"]
    assert "not on topic/other: change the Resource" in other.hint


def test_a_subscription_on_a_topic():
    policy = document(statement("iot:Subscribe", arn(*HERE, "topic/a")))
    found = explained(policy, "iot:Subscribe", "topicfilter/a")
    assert found.steps[0].kind == "resource type"
    assert "a subscription is checked against topicfilter/" in found.hint


@pytest.mark.parametrize(
    ("context", "helps"),
    [
        (connected(), "Attach the certificate to a Thing"),
        (connected(AttachedThing("other", None, {})), "as client id (here it is button)"),
        (
            connected(AttachedThing("button", None, {})),
            "Give the Thing button its Attributes[serialNumber]",
        ),
    ],
)
def test_a_variable_without_a_value(context, helps):
    found = explained(recommended(*HERE), "iot:Publish", TOPIC, context)
    assert found.steps[1].kind == "variable"
    assert "${iot:Connection.Thing.Attributes[serialNumber]}" in found.hint
    assert helps in found.hint


def test_another_variable_without_a_value():
    policy = document(statement("iot:Connect", arn(*HERE, "client/${iot:DomainName}")))
    found = explained(policy, "iot:Connect", "client/button")
    assert found.hint.endswith("needs a value for ${iot:DomainName}. This connection has none.")


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"Bool": {IS_ATTACHED: "true"}}, "here it is false. Attach the certificate"),
        ({"StringEquals": {"iot:DomainName": "a"}}, "here it has no value. Meet it, or"),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "aws:SourceIp 10.0.0.0/8; here it is 127."),
    ],
)
def test_a_condition_that_fails(condition, says):
    found = explained(
        document(statement("iot:Connect", "*", condition=condition)), "iot:Connect", "client/button"
    )
    assert found.steps[0].kind == "condition"
    assert says in found.hint


def test_a_deny():
    policy = document(
        statement("iot:Connect", "*"), statement("iot:Connect", "arn:aws:iot:*", effect="Deny")
    )
    found = explained(policy, "iot:Connect", "client/button")
    assert [step.reason for step in found.steps] == ["allows it", "denies it"]
    assert found.hint.startswith("Statement 2 of MyPolicy denies it")


def test_nothing_allows_it():
    request = Request("iot:Connect", arn(*HERE, "client/a"), {})
    assert explain([], request).hint == "No policy is attached: attach one that allows iot:Connect."
    found = explained(document(statement("iot:Publish", "*")), "iot:Connect", "client/a")
    assert found.hint.startswith("No statement allows iot:Connect: add one, with Resource arn:")


def test_the_nearest_statement_gives_the_hint():
    policy = document(
        statement("iot:Publish", arn(*HERE, "client/a")),
        statement("iot:Publish", arn(*HERE, "topic/x")),
        statement("iot:Publish", arn(*HERE, "topic/iotbutton/other")),
    )
    assert explained(policy, "iot:Publish", TOPIC).hint.startswith("Statement 3 of MyPolicy")


def test_another_region_is_shown_in_full():
    policy = document(statement("iot:Connect", "arn:aws:iot:us-east-1:123456789012:client/button"))
    reason = explained(policy, "iot:Connect", "client/button").steps[0].reason
    assert reason == (
        "is about arn:aws:iot:us-east-1:123456789012:client/button, "
        "not arn:aws:iot:eu-west-1:123456789012:client/button"
    )


def test_everything_but():
    policy = document(
        {"Effect": "Allow", "Action": "iot:Publish", "NotResource": arn(*HERE, "topic/a")},
        {"Effect": "Allow", "NotAction": ["iot:Publish", "iot:Receive"], "Resource": "*"},
    )
    found = explained(policy, "iot:Publish", "topic/a")
    assert [step.reason for step in found.steps] == [
        "is about everything but topic/a",
        "is about everything but iot:Publish and iot:Receive",
    ]
    assert "allows iot:Publish on everything but topic/a" in found.hint


def test_it_is_a_table_in_a_notebook_and_escapes_what_a_device_sent():
    request = Request("iot:Connect", arn("eu-west-1", "123456789012", "client/<script>"), {})
    policies = [parse("P", to_json(document(statement("iot:Publish", "*"))))]
    found = policy.explain(policies, request)
    html = found._repr_html_()
    assert html.count("<tr>") == 2
    assert "<script>" not in html
    assert repr(found) == str(explain(policies, request))


@pytest.mark.parametrize(
    ("document_", "problem"),
    [
        (intended(*HERE, "other"), "action"),
        (document(statement("iot:Publish", arn(*HERE, "client/x"))), "resource type"),
        (document(statement("iot:*", arn(*HERE, "topic/x"))), "resource"),
        (document(statement("iot:Publish", "*", effect="Deny")), "deny"),
        (document(statement("iot:Publish", "*")), ""),
    ],
)
def test_the_problem_is_a_value(document_, problem):
    """By which a class's refusals are counted; a sentence would be another for each learner."""
    action = "iot:Receive" if problem == "action" else "iot:Publish"
    assert explained(document_, action, TOPIC).problem == problem


def test_a_policy_of_a_group_is_called_by_it_too():
    own = parse("own", to_json(document(statement("iot:*", "*"))))
    deny = to_json(document(statement("iot:Connect", "*", effect="Deny")))
    request = Request("iot:Connect", arn(*HERE, "client/button"), connected())
    found = explain([own, parse("no-more", deny, "quarantine")], request)
    assert found.decision.denied_by == ("no-more",)
    assert [str(step) for step in found.steps] == [
        "own, statement 1 (Allow): allows it",
        "no-more (from group quarantine), statement 1 (Deny): denies it",
    ]
    assert found.hint.startswith("Statement 1 of no-more (from group quarantine) denies it")


def test_a_condition_key_that_aws_does_not_document_is_said_to_be_none():
    strange = {"Bool": {"aws:Moon": "true"}, "StringEquals": {"iot:DomainName": "a"}}
    policy = document(statement("iot:Connect", "*", condition=strange))
    found = explained(policy, "iot:Connect", "client/button")
    assert found.steps[0].reason == (
        "applies only where Bool aws:Moon true; here AWS IoT has no such key"
    )
    del strange["Bool"]
    found = explained(policy, "iot:Connect", "client/button")
    assert found.steps[0].reason.endswith("iot:DomainName a; here it has no value")
