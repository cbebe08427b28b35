"""Where the policy language draws a line: the last value that passes, the first that does not."""

import json

import pytest
from test_policy_lint import BESIDE

from iot_policy import (
    AttachedThing,
    MalformedPolicy,
    Request,
    check,
    connection_context,
    decide,
    document,
    explain,
    lint,
    parse,
    split_arn,
    statement,
    to_json,
)
from iot_policy.arns import resource_type, shorten
from iot_policy.conditions import compile_conditions

COMMON_NAME = "iot:Certificate.Subject.CommonName"
FLOOR = "iot:Connection.Thing.Attributes[floor]"
TOPIC = "arn:aws:iot:eu-west-1:123456789012:topic/"


def of_certificate(*values):
    names = {"Subject.CommonName": values}
    context = connection_context("a", None, "0" * 64, [], certificate_names=names)
    return {key: value for key, value in context.items() if key.startswith(COMMON_NAME)}


def verdict(context, condition=None, resource=f"{TOPIC}a"):
    policy = document(statement("iot:Publish", resource, condition=condition))
    request = Request("iot:Publish", f"{TOPIC}a", context)
    return decide([parse("P", to_json(policy))], request).verdict


def test_a_certificates_value_has_1024_characters_at_most():
    assert of_certificate("x" * 1024)[COMMON_NAME] == "x" * 1024
    assert of_certificate("x" * 1025) == {}


@pytest.mark.parametrize("wildcard", "*?+#$")
def test_a_certificates_value_with_a_wildcard_is_left_out(wildcard):
    assert of_certificate(f"a{wildcard}b", "c") == {
        f"{COMMON_NAME}.List": ("c",),
        f"{COMMON_NAME}.1": "c",
    }


def test_the_sixth_value_of_a_name_is_ignored():
    found = of_certificate(*"abcdef")
    assert found[f"{COMMON_NAME}.List"] == tuple("abcde")
    assert found[f"{COMMON_NAME}.4"] == "e"
    assert f"{COMMON_NAME}.5" not in found


@pytest.mark.parametrize("topic", ["a", "('a', 'b')", "('a',)"])
@pytest.mark.parametrize("values", [("a",), ("a", "b")])
def test_a_variable_with_several_values_matches_nothing(topic, values):
    context = of_certificate(*values)
    resource = f"{TOPIC}${{{COMMON_NAME}.List}}"
    policy = document(statement("iot:Publish", resource))
    request = Request("iot:Publish", f"{TOPIC}{topic}", context)
    assert decide([parse("P", to_json(policy))], request).verdict == "IMPLICIT_DENY"
    assert verdict(context, {"StringEquals": {COMMON_NAME: f"${{{COMMON_NAME}.List}}"}}) == (
        "IMPLICIT_DENY"
    )


@pytest.mark.parametrize("operator", ["DateEquals", "DateLessThan", "DateGreaterThan"])
def test_a_date_beyond_all_calendars_equals_no_date(operator):
    context = {FLOOR: "9" * 30}
    assert verdict(context, {operator: {FLOOR: "2020-01-01"}}) == "IMPLICIT_DENY"
    assert verdict(context, {"DateNotEquals": {FLOOR: "2020-01-01"}}) == "ALLOWED"


def nested(levels):
    inner = "[" * (levels - 1) + "]" * (levels - 1)
    return to_json(document(statement("iot:Connect", "*")))[:-1] + f', "Id": {inner}}}'


def test_a_document_is_nested_100_levels_deep_at_most():
    assert check(nested(100))
    with pytest.raises(MalformedPolicy, match="nested too deeply"):
        check(nested(101))


@pytest.mark.parametrize("text", ["[" * 200, '"' + "[" * 200, "\\" + "{" * 200])
def test_brackets_in_a_text_are_no_nesting(text):
    policy = document({**statement("iot:Connect", "*"), "Sid": text})
    assert check(json.dumps(policy)) == policy


def test_only_the_thing_with_the_client_id_for_a_name_gives_values():
    things = [AttachedThing("a", None, {"x": "1"}), AttachedThing("b", None, {"x": "2"})]
    context = connection_context("b", None, "0" * 64, things)
    assert context["iot:Connection.Thing.Attributes[x]"] == "2"


def test_an_arn_is_split_into_six_fields():
    found = split_arn("arn:aws:iot:eu-west-1:123456789012:topic/a:b/c")
    assert found == ("arn", "aws", "iot", "eu-west-1", "123456789012", "topic/a:b/c")
    assert (found.resource_type, found.name) == ("topic", "a:b/c")
    assert split_arn("arn:aws:iot:eu-west-1:123456789012") is None


@pytest.mark.parametrize("topic", ["a}", "{a}", "${iot:ClientId}", "a:}b"])
def test_braces_in_what_a_device_asks_for_hide_no_colon(topic):
    assert split_arn(f"{TOPIC}{topic}").resource == f"topic/{topic}"
    condition = {"ArnEquals": {"iot:LastWillTopic": f"{TOPIC}*"}}
    assert verdict({"iot:LastWillTopic": f"{TOPIC}{topic}"}, condition) == "ALLOWED"


def test_a_colon_in_a_variable_separates_nothing():
    text = "arn:aws:iot:${iot:ClientId}:1:topic/${iot:ClientId}"
    assert split_arn(text, variables=True) == (
        *("arn", "aws", "iot", "${iot:ClientId}", "1"),
        "topic/${iot:ClientId}",
    )


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        (f"{TOPIC}a", "topic"),
        ("arn:aws:iot:r:1:top*", "*"),
        ("arn:aws:iot:r:1:top?c/a", "*"),
        ("arn:aws:iot:r:1:thing", "thing"),
        ("arn:aws:iot:*", "*"),
        ("*", "*"),
    ],
)
def test_the_type_of_a_resource(resource, kind):
    assert resource_type(resource) == kind


@pytest.mark.parametrize(
    ("resource", "beside", "short"),
    [
        ("arn:aws:iot:r:1:topic/a", "arn:aws:iot:r:1:client/b", "topic/a"),
        ("arn:aws:iot:r:2:topic/a", "arn:aws:iot:r:1:client/b", "arn:aws:iot:r:2:topic/a"),
        ("arn:aws:iot:r:1:topic/a", "*", "arn:aws:iot:r:1:topic/a"),
        ("*", "arn:aws:iot:r:1:topic/a", "*"),
    ],
)
def test_only_the_same_beginning_is_left_out(resource, beside, short):
    assert shorten(resource, beside=beside) == short


def test_a_network_may_be_written_with_an_address_of_it():
    policy = {"IpAddress": {"aws:SourceIp": "10.9.8.7/8"}}
    assert verdict({"aws:SourceIp": "10.1.2.3"}, policy) == "ALLOWED"
    assert verdict({"aws:SourceIp": "11.1.2.3"}, policy) == "IMPLICIT_DENY"


def test_in_the_old_version_no_operator_replaces_variables():
    condition = {"StringLike": {FLOOR: "${iot:ClientId}*"}}
    policy = document(statement("iot:Publish", "*", condition=condition))
    old = parse("P", to_json({**policy, "Version": "2008-10-17"}))
    for value, expected in (("me-too", "IMPLICIT_DENY"), ("${iot:ClientId}!", "ALLOWED")):
        request = Request("iot:Publish", f"{TOPIC}a", {FLOOR: value, "iot:ClientId": "me"})
        assert decide([old], request).verdict == expected


@pytest.mark.parametrize(
    ("operator", "missing"),
    [
        ("StringEquals", (FLOOR,)),
        ("StringEqualsIfExists", ()),
        ("ForAllValues:StringEquals", ()),
        ("ForAnyValue:StringEquals", ()),
        ("Null", ()),
    ],
)
def test_only_a_key_that_must_be_there_is_missing(operator, missing):
    condition = {operator: {FLOOR: "true"}}
    policy = document(statement("iot:Publish", "*", condition=condition))
    assert decide([parse("P", to_json(policy))], Request("iot:Publish", "*", {})).missing == missing


def test_a_condition_reads_as_it_stands():
    (one, two) = compile_conditions({"StringEquals": {FLOOR: ["3", "4"]}, "Null": {FLOOR: "true"}})
    assert str(one) == f"StringEquals {FLOOR} 3 or 4"
    assert str(two) == f"Null {FLOOR} true"
    (nothing,) = compile_conditions({"StringEquals": {FLOOR: []}})
    assert str(nothing) == f"StringEquals {FLOOR} (nothing)"


GUIDE = "https://docs.aws.amazon.com/iot/latest/developerguide/"


@pytest.mark.parametrize(
    ("written", "message", "page"),
    [
        (
            statement("iot:FlyAway", f"{TOPIC}a"),
            "warning, statement 1: AWS IoT documents no action iot:FlyAway.",
            "iot-policy-actions.html",
        ),
        (
            statement("sns:Publish", "*"),
            "note, statement 1: sns:Publish is no action of AWS IoT Core.",
            "iot-policy-actions.html",
        ),
        (
            {"Effect": "Allow", "NotAction": "iot:Connect", "Resource": "*"},
            "note, statement 1: Allow with NotAction or NotResource allows everything but what it "
            "names. For example, it may publish on another topic.",
            "security-best-practices.html",
        ),
        (
            statement("iot:Subscribe", [f"{TOPIC}a", TOPIC.replace("topic/", "client/a")]),
            "error, statement 1: iot:Subscribe on a client or a topic can never match: "
            "a subscription is checked against topicfilter/<topic filter>.",
            "iot-action-resources.html",
        ),
        (
            statement("iot:Subscribe", "arn:aws:iot:eu-west-1:123456789012:topicfilter/*"),
            "warning, statement 1: iot:Subscribe on topicfilter/* allows every topic filter, # "
            "included: name one, topicfilter/<topic filter>. For example, it may subscribe to "
            "another topic filter.",
            "audit-chk-iot-policy-permissive.html",
        ),
        (
            statement("iot:Publish", "arn:aws:sns:eu-west-1:123456789012:topic/a"),
            "error, statement 1: arn:aws:sns:eu-west-1:123456789012:topic/a is no resource of AWS "
            "IoT.",
            "iot-action-resources.html",
        ),
        (
            statement("iot:Publish", f"{TOPIC}a/+"),
            "error, statement 1: topic/a/+: + and # are plain characters in a policy; its "
            "wildcards are * and ?.",
            "pub-sub-policy.html",
        ),
        (
            statement("iot:Publish", f"{TOPIC}${{iot:Thing.ThingName}}"),
            None,
            "iot-policy-variables.html",
        ),
    ],
)
def test_a_finding_has_awss_page(written, message, page):
    (found,) = lint(document(written, *BESIDE), region="eu-west-1", account="123456789012")
    assert found.page == GUIDE + page
    if message:
        assert str(found) == message


def test_thing_variables_without_a_thing_have_their_page():
    written = statement("iot:Publish", f"{TOPIC}${{iot:Connection.Thing.ThingName}}")
    (found,) = lint(document(written, *BESIDE), attached=False)
    assert found.page == f"{GUIDE}thing-policy-variables.html"
    assert found.message == (
        "iot:Connection.Thing.ThingName can only match once the certificate is attached to a Thing "
        "whose name is the client id: attach_thing_principal does it."
    )


def test_every_action_and_every_resource_is_looked_at():
    unknown = statement(["iot:Connect", "sns:Publish", "iot:Pubish"], f"{TOPIC}a")
    messages = [found.message for found in lint(document(unknown))]
    assert any("sns:Publish" in each for each in messages)
    assert any("Did you mean iot:Publish?" in each for each in messages)
    elsewhere = statement("iot:Publish", ["*", f"{TOPIC}a", "arn:aws:iot:us-east-1:1:topic/a"])
    messages = [found.message for found in lint(document(elsewhere), region="eu-west-1")]
    assert any("is in us-east-1; this is eu-west-1" in each for each in messages)
    broad = statement(["iot:Receive", "iot:Publish"], "*")
    assert [found.message[:16] for found in lint(document(broad, *BESIDE))] == ["iot:Publish on *"]
    assert (
        "far more than one device needs"
        in lint(document(statement("iot:*Publish", "*")))[0].message
    )


def hint(written, action="iot:Publish", resource=f"{TOPIC}a", context=None):
    request = Request(action, resource, context or {})
    return explain([parse("P", to_json(document(written)))], request).hint


def test_the_hint_names_the_element_that_decides():
    assert hint(statement("iot:Publish", f"{TOPIC}b")) == (
        "Statement 1 of P allows iot:Publish on topic/b, not on topic/a: change the Resource, or "
        "what the device asks for."
    )
    written = {"Effect": "Allow", "Action": "iot:Publish", "NotResource": f"{TOPIC}a"}
    assert hint(written) == (
        "Statement 1 of P allows iot:Publish on everything but topic/a, not on topic/a: change the "
        "NotResource, or what the device asks for."
    )
    assert hint(statement("iot:Publish", "*", effect="Deny")) == (
        "Statement 1 of P denies it, and a Deny is stronger than any Allow: remove it, or narrow "
        "its Resource."
    )


def test_the_hint_leaves_out_a_client_id_that_is_not_known():
    written = statement("iot:Publish", f"{TOPIC}${{iot:Connection.Thing.ThingName}}")
    attach = "Attach the certificate to a Thing, and connect with the Thing's name as client id"
    assert hint(written).endswith(f"{attach}.")
    assert hint(written, context={"iot:ClientId": "me"}).endswith(f"{attach} (here it is me).")


def test_a_decision_names_the_policies_that_gave_it():
    allow = parse("A", to_json(document(statement("iot:Publish", "*"))))
    deny = parse("D", to_json(document(statement("iot:Publish", "*", effect="Deny"))))
    found = decide([allow, deny, allow], Request("iot:Publish", f"{TOPIC}a", {}))
    assert (found.verdict, found.allowed_by, found.denied_by) == ("EXPLICIT_DENY", ("A",), ("D",))
    found = decide([allow], Request("iot:Publish", f"{TOPIC}a", {}))
    assert (found.verdict, found.allowed_by, found.denied_by) == ("ALLOWED", ("A",), ())


def test_an_action_holds_no_variables():
    policy = document(statement("iot:${iot:ClientId}", "*"))
    request = Request("iot:Publish", f"{TOPIC}a", {"iot:ClientId": "publish"})
    assert decide([parse("P", to_json(policy))], request).verdict == "IMPLICIT_DENY"


@pytest.mark.parametrize(
    ("resource", "missing"),
    [
        (f"{TOPIC}${{iot:DomainName}}", ("iot:DomainName",)),
        ([f"{TOPIC}a", f"{TOPIC}${{iot:DomainName}}"], (FLOOR,)),
    ],
)
def test_what_is_missing_is_what_was_needed_on_the_way(resource, missing):
    condition = {"StringEquals": {FLOOR: "3"}}
    policy = document(statement("iot:Publish", resource, condition=condition))
    request = Request("iot:Publish", f"{TOPIC}a", {})
    assert decide([parse("P", to_json(policy))], request).missing == missing


@pytest.mark.parametrize("action", ["iot:", ":Publish", "iotPublish", ""])
def test_an_action_has_a_service_and_a_name(action):
    with pytest.raises(MalformedPolicy, match="an action looks like iot:Publish"):
        check(to_json(document(statement(action, "*"))))


def test_every_one_of_several_values_sees_the_variables():
    key = f"{COMMON_NAME}.List"
    context = {**of_certificate("me", "me"), "iot:ClientId": "me"}
    assert verdict(context, {"ForAllValues:StringEquals": {key: "${iot:ClientId}"}}) == "ALLOWED"
    assert verdict(context, {"Null": {key: ["true", "false"]}}) == "ALLOWED"
