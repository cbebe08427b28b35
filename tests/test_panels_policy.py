"""The form *Create a policy*, without a browser."""

import json

import pytest
from panels_support import click, make_thing, message, paste, state

from helpers import closing, panels, policy
from helpers.account import Account
from helpers.panels.policy_form import PolicyForm
from iot_policy.vocabulary import ACTIONS

WITH_EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "one",
            "Effect": "Deny",
            "Action": ["iot:Publish", "iot:Receive"],
            "NotResource": "arn:aws:iot:eu-west-1:123456789012:topic/a",
            "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}},
        },
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"},
    ],
}


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


@pytest.fixture
def form(aws: Account) -> PolicyForm:
    make_thing(aws)
    return panels.policy(aws)


def findings(form: PolicyForm) -> str:
    return str(form._findings.value)


def verdicts(form: PolicyForm) -> str:
    return str(form._verdicts.value)


def document(form: PolicyForm) -> dict[str, list[dict[str, str]]]:
    return dict(json.loads(form.json.value))


def test_untouched_it_creates_least_privilege(aws: Account, form: PolicyForm) -> None:
    click(form.button)
    found = policy.find(aws.iot, "my-button-policy")
    least = policy.least_privilege(
        aws.region, aws.number, "G030JF055364XVRB", client_id="my-button"
    )
    assert found is not None and json.loads(found.text) == least


def test_its_code_does_the_same(aws: Account, form: PolicyForm) -> None:
    form.start.value = "AWS's recommendation"
    click(form.button)
    created, code = state(aws), form.code
    form.start.value = "The post's own JSON"
    click(form.button)
    changed = state(aws)
    assert form.code.startswith("iot.create_policy_version(")
    closing.clean_up(aws)
    make_thing(aws)
    paste(code, aws)
    assert state(aws) == created
    paste(form.code, aws)
    assert state(aws) == changed != created


def test_what_is_in_force_already_is_left_alone(aws: Account, form: PolicyForm) -> None:
    click(form.button)
    click(form.button)
    assert form.outcome.succeeded
    assert "create" not in form.code
    assert len(aws.iot.list_policy_versions(policyName="my-button-policy")["policyVersions"]) == 1


def test_the_boxes_offer_every_action_and_the_buttons_resources(form: PolicyForm) -> None:
    assert list(form.rows[0].action.options) == list(ACTIONS)
    assert [text.rpartition(":")[2] for text in form.rows[0].resource.options] == [
        "client/my-button",
        "topic/iotbutton/G030JF055364XVRB",
        "topicfilter/iotbutton/G030JF055364XVRB",
        "*",
    ]


def test_the_form_is_carried_over_to_the_json(form: PolicyForm) -> None:
    form.rows[1].effect.value = "Deny"
    form.rows[1].action.value = "iot:Receive"
    form.rows[1].resource.value = "*"
    assert document(form)["Statement"][1] == {
        "Effect": "Deny",
        "Action": "iot:Receive",
        "Resource": "*",
    }


def test_statements_are_added_and_removed(form: PolicyForm) -> None:
    click(form.addition)
    assert len(form.rows) == len(document(form)["Statement"]) == 3
    click(form.rows[0].removal)
    assert [each["Action"] for each in document(form)["Statement"]] == ["iot:Publish"] * 2
    assert form.rows[0].removal.tooltip == "Remove statement 1"


def test_without_a_statement_it_is_no_policy(form: PolicyForm) -> None:
    for _ in range(2):
        click(form.rows[0].removal)
    assert form.rows == []
    assert "must hold at least one statement" in form._where.value
    assert form.button.disabled
    click(form.addition)
    assert not form.button.disabled


def test_edited_json_goes_back_into_the_form(form: PolicyForm) -> None:
    edited = document(form)
    edited["Statement"][0]["Action"] = "iot:Subscribe"
    form.json.value = json.dumps(edited)
    assert form.rows[0].action.value == "iot:Subscribe"
    assert form.json.value == json.dumps(edited)  # as it was typed


@pytest.mark.parametrize("one_alone", [False, True])
def test_what_the_form_cannot_hold_stays_as_it_is(form: PolicyForm, one_alone: bool) -> None:
    written = json.loads(json.dumps(WITH_EVERYTHING))
    if one_alone:
        written["Statement"] = written["Statement"][0]
    form.json.value = json.dumps(written)
    assert form.rows[0].action.disabled
    assert form.rows[0].resource.disabled
    assert "IsAttached" in form.rows[0].view.children[0].value
    form.rows[0].effect.value = "Allow"
    expected = json.loads(json.dumps(WITH_EVERYTHING))
    expected["Statement"][0]["Effect"] = "Allow"
    del expected["Statement"][1 if one_alone else 2 :]
    assert document(form) == expected


def test_broken_json_says_where_and_leaves_the_form_alone(form: PolicyForm) -> None:
    rows, text = form.rows, form.json.value
    form.json.value = text.replace('"Action": "iot:Connect",', '"Action": "iot:Connect"')
    assert "(line 7, column 7)" in form._where.value
    assert form.button.disabled
    assert "No verdicts" in verdicts(form)
    assert form.rows is rows
    form.json.value = text
    assert form._where.value == ""
    assert not form.button.disabled


def test_a_statement_that_aws_would_refuse_is_named(form: PolicyForm) -> None:
    form.rows[1].resource.value = "topic/x"
    assert "Statement 2: Resource &#x27;topic/x&#x27; is not valid" in form._where.value
    assert form.button.disabled


def test_a_broken_policy_is_refused_in_red_and_not_raised(form: PolicyForm) -> None:
    form.json.value = "{"
    form.create()
    assert "iot-refused" in form.outcome._message.value
    assert "Policy document is Malformed" in form.outcome._message.value
    assert policy.find(form._account.iot, form.name.value) is None


def test_findings_and_verdicts_follow_every_change(form: PolicyForm) -> None:
    assert "nothing to say" in findings(form)
    assert verdicts(form).count("ALLOWED") == 2
    form.start.value = "The post's own JSON"
    assert "iot:Connect on a topic can never match" in findings(form)
    assert "docs.aws.amazon.com" in findings(form)
    assert verdicts(form).count("ALLOWED") == 2  # it publishes everywhere
    form.rows[0].resource.value = "*"
    assert "can never match" not in findings(form)
    assert verdicts(form).count("ALLOWED") == 4


def test_the_recommended_policy_needs_the_certificate_attached(form: PolicyForm) -> None:
    form.start.value = "AWS's recommendation"
    assert "ALLOWED" not in verdicts(form)
    assert "Attach the certificate to a Thing" in verdicts(form)
    form.attached.value = True
    assert verdicts(form).count("ALLOWED") == 2


def test_what_is_typed_is_text_and_never_html(form: PolicyForm) -> None:
    form.name.value = "<script>x"
    form.rows[0].action.value = "iot:<script>y"
    form.rows[1].resource.value = "arn:aws:iot:eu-west-1:123456789012:topic/<script>z"
    click(form.button)
    for shown in (form._where.value, findings(form), verdicts(form), message(form)):
        assert "<script>" not in shown


def test_advanced_mode_shows_the_json(form: PolicyForm) -> None:
    assert form._json_part.layout.display == "none"
    form.advanced.value = True
    assert form._json_part.layout.display is None


def test_a_policy_of_somebody_else_is_refused_in_red(aws: Account, form: PolicyForm) -> None:
    theirs = policy.to_json(policy.document(policy.statement("iot:Publish", "*")))
    aws.iot.create_policy(policyName="my-button-policy", policyDocument=theirs)
    click(form.button)
    assert not form.outcome.succeeded
    assert "the lesson did not make" in message(form)


def test_it_works_on_an_account_where_nothing_exists(aws: Account) -> None:
    form = panels.policy(aws)
    click(form.button)
    assert form.outcome.succeeded
