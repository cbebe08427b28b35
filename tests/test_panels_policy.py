"""The form *Create a policy*, without a browser."""

import json
import re
import time
from html import unescape

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


def in_force(aws: Account) -> str:
    found = policy.find(aws.iot, "my-button-policy")
    return found.text if found else ""


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


RIGHT = {
    "connect as itself": ("yes", "✓ ALLOWED", "Statement 1 allows it."),
    "connect as another": ("no", "✓ IMPLICIT_DENY", "No statement allows it."),
    "publish on its topic": ("yes", "✓ ALLOWED", "Statement 2 allows it."),
    "change the heating": ("no", "✓ IMPLICIT_DENY", "No statement allows it."),
}


def judged(form: PolicyForm) -> dict[str, tuple[str, ...]]:
    """Each question's row: should it, the verdict, and why or what to do."""
    rows = re.findall("<tr>(.*?)</tr>", verdicts(form))[1:]
    cells = [
        [unescape(re.sub("<.*?>", "", cell)) for cell in re.split("</t[hd]>", row)] for row in rows
    ]
    return {row[0]: tuple(cell.replace("\xa0", " ") for cell in row[1:4]) for row in cells}


def more(form: PolicyForm) -> str:
    return str(form._more.value)


def test_green_is_as_it_should_be_and_advice_stands_only_where_it_is_not(form: PolicyForm) -> None:
    assert judged(form) == RIGHT
    assert "fde0dd" not in verdicts(form)
    form.start.value = "The post's own JSON"
    found = judged(form)
    assert found["connect as itself"][:2] == ("yes", "✗ IMPLICIT_DENY")
    assert found["connect as itself"][2].endswith("client/my-button.")  # what to write
    assert found["connect as another"] == RIGHT["connect as another"]
    assert found["publish on its topic"] == RIGHT["publish on its topic"]
    assert found["change the heating"] == (
        "no",
        "✗ ALLOWED",
        "Statement 2 allows it. Name there only what the button needs.",
    )
    assert (verdicts(form).count("#fde0dd"), verdicts(form).count("#d9f2df")) == (2, 2)


def test_a_deny_that_is_right_says_which_statement_it_was(form: PolicyForm) -> None:
    denied = policy.statement("iot:Publish", form._account.arn("topic", "$aws/*"), effect="Deny")
    form.json.value = json.dumps(
        {**document(form), "Statement": [*document(form)["Statement"], denied]}
    )
    assert judged(form)["change the heating"] == (
        "no",
        "✓ EXPLICIT_DENY",
        "Statement 3 denies it.",
    )


def test_what_else_it_allows_follows_every_change(aws: Account, form: PolicyForm) -> None:
    """An example for each action of which it allows more than least privilege."""
    assert "Nothing more than the button needs." in more(form)
    form.rows[1].resource.value = "*"
    assert "<td" in more(form) and "publish on iotbutton/another<" in more(form)
    form.rows[1].action.value = "iot:*"
    assert more(form).count("<tr>") == 1 + len(ACTIONS)
    assert "change the shadow of another Thing<" in more(form)
    form.json.value = "{"
    assert more(form) == ""


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("resource", ["*", "client/*"])
def test_a_connect_narrowed_by_the_client_id_is_no_more(
    form: PolicyForm, resource: str, attached: bool
) -> None:
    written = document(form)
    where = resource if resource == "*" else form._account.arn("client", "*")
    condition = {"StringEquals": {"iot:ClientId": "my-button"}}
    written["Statement"][0] = policy.statement("iot:Connect", where, condition=condition)
    form.attached.value = attached
    form.json.value = json.dumps(written)
    assert judged(form) == RIGHT
    assert "Nothing more than the button needs." in more(form)
    assert "nothing to say" in findings(form)


def test_what_cannot_be_compared_is_said_and_the_panel_stays_quick(form: PolicyForm) -> None:
    kinds = sorted({check.resource_type for check in ACTIONS.values()} - {"*"})
    slow = [form._account.arn(kind, f"a*?a{'?' * 120}") for kind in kinds]
    began = time.process_time()
    form.json.value = policy.to_json(policy.document(policy.statement("iot:*", slow)))
    assert time.process_time() - began < 2  # a tenth of it, on a quiet machine
    assert "too many wildcards" in more(form)
    assert "Nothing more" not in more(form)


def test_what_depends_on_the_certificate_is_not_called_nothing(form: PolicyForm) -> None:
    own = policy.statement("iot:Publish", form._account.arn("topic", "${iot:CertificateId}"))
    form.json.value = policy.to_json(policy.document(own))
    assert "depends on iot:CertificateId" in more(form)


@pytest.mark.parametrize("attributes", [None, {}, {"serialNumber": "a#b/c"}, {"floor": "2"}])
def test_a_button_that_is_gone_or_another_is_no_mistake(
    aws: Account, attributes: dict[str, str] | None
) -> None:
    if attributes is not None:
        aws.iot.create_thing(thingName="my-button", attributePayload={"attributes": attributes})
    form = panels.policy(aws)
    assert judged(form) == RIGHT
    for start in form.start.options:
        form.start.value = start
        for attached in (True, False):
            form.attached.value = attached
            assert len(judged(form)) == 4
    form.start.value, form.attached.value = "AWS's recommendation", True
    verdict = judged(form)["publish on its topic"][1]
    known = attributes is None or "serialNumber" in attributes
    assert verdict == ("✓ ALLOWED" if known else "✗ IMPLICIT_DENY")  # the registry has no number


def test_findings_follow_every_change(form: PolicyForm) -> None:
    assert "nothing to say" in findings(form)
    form.start.value = "The post's own JSON"
    assert "iot:Connect on a topic can never match" in findings(form)
    assert "docs.aws.amazon.com" in findings(form)
    form.rows[0].resource.value = "*"
    assert "can never match" not in findings(form)
    assert {row[1] for row in judged(form).values()} == {"✓ ALLOWED", "✗ ALLOWED"}


def test_the_recommended_policy_needs_the_certificate_attached(form: PolicyForm) -> None:
    form.start.value = "AWS's recommendation"
    assert "ALLOWED" not in verdicts(form)
    assert "Attach the certificate to a Thing" in verdicts(form)
    form.attached.value = True
    assert judged(form) == RIGHT
    assert "Nothing more than the button needs." in more(form)


def test_what_is_typed_is_text_and_never_html(form: PolicyForm) -> None:
    form.name.value = "<script>x"
    form.rows[0].action.value = "iot:<script>y"
    form.rows[1].resource.value = "arn:aws:iot:eu-west-1:123456789012:topic/<script>z"
    click(form.button)
    for shown in (form._where.value, findings(form), verdicts(form), more(form), message(form)):
        assert "<script>" not in shown


def test_advanced_mode_shows_the_json(form: PolicyForm) -> None:
    assert form._json_part.layout.display == "none"
    form.advanced.value = True
    assert form._json_part.layout.display is None


def test_a_policy_of_somebody_else_is_refused_in_red(aws: Account, form: PolicyForm) -> None:
    theirs = policy.to_json(policy.document(policy.statement("iot:Publish", "*")))
    aws.iot.create_policy(policyName="my-button-policy", policyDocument=theirs)
    for _ in range(2):  # the first click finds that there is a policy by now
        click(form.button)
        assert not form.outcome.succeeded
        assert in_force(aws) == theirs
    assert "the lesson did not make" in message(form)


def test_the_button_says_what_it_will_do(aws: Account, form: PolicyForm) -> None:
    assert (form.button.description, form.button.tooltip) == ("Create", "Create the policy")
    click(form.button)
    assert form.button.description == "Replace"
    assert "new version of my-button-policy" in form.button.tooltip
    for name, says in (("my-other", "Create"), ("", "Create"), ("my-button-policy", "Replace")):
        form.name.value = name
        assert form.button.description == says
    assert panels.policy(aws).button.description == "Replace"
    policy.remove(aws.iot, "my-button-policy")
    click(form.button)  # gone by now: nothing is overwritten
    assert form.outcome.succeeded and "iot-done" in message(form)


def test_create_overwrites_nothing(aws: Account, form: PolicyForm) -> None:
    """A cell has made the policy since the form was shown."""
    least = json.loads(form.json.value)
    policy.put_in_force(aws.iot, "my-button-policy", least)
    form.start.value = "The post's own JSON"
    click(form.button)
    assert "There is a policy my-button-policy by now" in message(form)
    assert not form.outcome.succeeded and form.code == ""
    assert in_force(aws) == policy.to_json(least)
    assert form.button.description == "Replace"
    click(form.button)
    assert form.outcome.succeeded
    assert in_force(aws) == form.json.value


def test_create_is_not_bothered_by_the_same_policy(aws: Account, form: PolicyForm) -> None:
    policy.put_in_force(aws.iot, "my-button-policy", json.loads(form.json.value))
    click(form.button)
    assert form.outcome.succeeded and "is in force." in message(form)


@pytest.mark.parametrize(
    ("start", "attached", "kind", "says"),
    [
        ("Least privilege", False, "done", ""),
        (
            "The post's own JSON",
            False,
            "refused",
            "But with it the button cannot connect as itself and may change the heating.",
        ),
        ("What the author meant", True, "refused", "But with it the button may connect as another"),
        ("AWS's recommendation", False, "done", "It fits once the certificate is attached to"),
        ("AWS's recommendation", True, "done", ""),
    ],
)
def test_in_force_is_not_yet_right(
    form: PolicyForm, start: str, attached: bool, kind: str, says: str
) -> None:
    form.start.value, form.attached.value = start, attached
    click(form.button)
    assert form.outcome.succeeded
    assert f"iot-{kind}" in message(form)
    assert "The policy my-button-policy is in force." in message(form)
    assert says in message(form)
    assert says or message(form).endswith("is in force.</div>")


def test_a_key_that_nobody_documents_is_in_force_and_not_green(form: PolicyForm) -> None:
    moon = policy.statement("iot:Connect", "*", condition={"Bool": {"aws:Moon": "true"}})
    form.json.value = policy.to_json(policy.document(moon))
    click(form.button)
    assert "iot-refused" in message(form)
    assert "But with it the button cannot connect as itself" in message(form)


def test_it_works_on_an_account_where_nothing_exists(aws: Account) -> None:
    form = panels.policy(aws)
    click(form.button)
    assert form.outcome.succeeded
