"""Does one policy allow what another does not, and which request shows it?"""

from itertools import product
from string import ascii_letters, digits

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_policy import (
    AttachedThing,
    Comparison,
    Request,
    compare,
    connection_context,
    decide,
    document,
    parse,
    statement,
    to_json,
)
from iot_policy.patterns import split_pattern
from iot_policy.resources import is_name
from iot_policy.vocabulary import ACTIONS, NOUNS

LAW = settings(deadline=None)  # a busy machine is not a broken law
WHERE = {"region": "eu-west-1", "account": "123456789012"}
ARN = "arn:aws:iot:eu-west-1:123456789012:"
SERIAL = "G030JF055364XVRB"
ID, THING = "iot:ClientId", "iot:Connection.Thing."
IS_ATTACHED = {"Bool": {f"{THING}IsAttached": "true"}}
BUTTON = AttachedThing("button", None, {"serialNumber": SERIAL})


def connection(client_id="button", things=(BUTTON,)):
    return connection_context(client_id, "127.0.0.1", "0" * 64, things)


def full(resource):
    return resource if resource == "*" or resource.startswith("arn:") else ARN + resource


def says(action, *names, effect="Allow", not_resource=False, condition=None):
    element = "NotResource" if not_resource else "Resource"
    written = {"Effect": effect, "Action": action, element: [full(name) for name in names]}
    return {**written, "Condition": condition} if condition else written


def policy(*statements, version="2012-10-17"):
    written = {"Version": version, "Statement": list(statements)}
    return [parse("P", to_json(written))] if statements else []


def allows(policies, request):
    return decide(policies, request).verdict == "ALLOWED"


def compared(ours, theirs, **options):
    """The comparison of two lists of statements; a witness is always confirmed."""
    found = compare(policy(*ours), policy(*theirs), **WHERE, **options)
    assert (found.verdict == "NOT_WITHIN") == (found.witness is not None)
    if found.witness:
        assert confirmed(found.witness, policy(*ours), policy(*theirs))
    return found


def confirmed(witness, ours, theirs):
    kind = ACTIONS[witness.action].resource_type
    fixed = "" if kind == "*" else f"{ARN}{kind}/"
    assert witness.resource.startswith(fixed)
    assert is_name(kind, witness.resource.removeprefix(fixed))
    return allows(ours, witness) and not allows(theirs, witness)


# The exercise of notebook 02: as least privilege, and it may receive its answers.

ANSWER = f"iotbutton/{SERIAL}/answer"
RIGHT = [
    says("iot:Connect", "client/button"),
    says("iot:Publish", f"topic/iotbutton/{SERIAL}"),
    says("iot:Subscribe", f"topicfilter/{ANSWER}"),
    says("iot:Receive", f"topic/{ANSWER}"),
]


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (says("iot:Subscribe", "topicfilter/iotbutton/*"), "subscribe to iotbutton/another/answer"),
        (says("iot:Subscribe", "topicfilter/*/answer"), "subscribe to iotbutton/another/answer"),
        (says("iot:UpdateThingShadow", "*"), "change the shadow of another Thing"),
        (says("iot:UpdateThingShadow", "thing/*"), "change the shadow of another Thing"),
        (says("iot:UpdateThingShadow", "thing/button"), "change the shadow of button"),
        (says("iot:Subscribe", "topicfilter/#"), "subscribe to #"),
        (
            says("iot:Subscribe", "topicfilter/iotbutton/+/answer"),
            "subscribe to iotbutton/+/answer",
        ),
        (
            says("iot:Subscribe", f"topicfilter/iotbutton/{SERIAL}/*"),
            f"subscribe to iotbutton/{SERIAL}/another",
        ),
        (says("iot:Publish", "*"), "publish on iotbutton/another"),
        (says("iot:Publish", f"topic/{ANSWER}"), f"publish on {ANSWER}"),
        (says("iot:Publish", f"topic/iotbutton/{SERIAL}?"), f"publish on iotbutton/{SERIAL}x"),
        (says("iot:Pub*", "topic/building/*"), "publish on building/another"),
        (says("iot:Receive", "topic/*"), "receive what is published on iotbutton/another/answer"),
        (
            says("iot:*", f"topic/iotbutton/{SERIAL}"),
            f"publish a retained message on iotbutton/{SERIAL}",
        ),
        (says("iot:Connect", "client/*"), "connect as another client"),
        (says("iot:Connect", "client/button?"), "connect as buttonx"),
        (says("iot:Connect", "client/${iot:ClientId}"), "connect as another client"),
        (says("IOT:CONNECT", "client/a/b"), "connect as a/b"),
        (says("iot:Publish", "topic/secret", not_resource=True), "publish on iotbutton/another"),
        (
            says("iot:AssumeRoleWithCertificate", "rolealias/*"),
            "get the credentials of another role alias",
        ),
        (says("iot:ListRetainedMessages", "*"), "list all retained messages"),
        (
            {"Effect": "Allow", "NotAction": ["iot:[CP]*", "iot:Connect"], "Resource": "*"},
            "publish on iotbutton/another",
        ),
    ],
)
def test_a_wrong_answer_has_a_witness(extra, sentence):
    found = compared([*RIGHT, extra], RIGHT, context=connection())
    assert found.verdict == "NOT_WITHIN"
    assert str(found) == f"It may also {sentence}."


@pytest.mark.parametrize(
    "answer",
    [
        RIGHT,
        RIGHT[:2],
        [says("iot:connect", f"client/${{{THING}ThingName}}", condition=IS_ATTACHED), *RIGHT[1:]],
        [*RIGHT, says("iot:Publish", f"topic/iotbutton/${{{THING}Attributes[serialNumber]}}")],
        [*RIGHT, says("iot:Connect", "client/*", condition=IS_ATTACHED)],
        [*RIGHT, says("*", "*", effect="Deny")],
        [*RIGHT, says("iot:Publish", "client/*", "topicfilter/*")],
        [*RIGHT, says("iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/*")],
        [*RIGHT, says("iot:Publish", "arn:aws:iot:eu-west-1:444455556666:topic/*")],
        [*RIGHT, says("iot:FlyAway", "*"), says("sns:Publish", "*")],
        [
            *RIGHT,
            says("iot:Receive", "topic/iotbutton/*"),
            says("iot:Receive", f"topic/{ANSWER}", effect="Deny", not_resource=True),
        ],
    ],
)
def test_a_right_answer_is_within(answer):
    found = compared(answer, RIGHT, context=connection())
    assert found == Comparison("WITHIN")
    assert str(found) == "It allows nothing more."


def test_statements_may_stand_in_several_policies():
    ours = [*policy(RIGHT[0]), *policy(*RIGHT[1:])]
    theirs = [found for each in RIGHT for found in policy(each)]
    assert compare(ours, theirs, **WHERE).verdict == "WITHIN"
    assert compare(ours, theirs[1:], **WHERE).witness.resource == f"{ARN}client/button"


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_a_witness_of_its_type_and_a_sentence(action):
    found = compared([says(action, "*")], [])
    kind = ACTIONS[action].resource_type
    assert found.witness.action == action
    assert found.witness.resource == ("*" if kind == "*" else f"{ARN}{kind}/another")
    name = "" if kind == "*" else f"another {NOUNS[kind]}"
    assert str(found) == f"It may also {ACTIONS[action].may.format(name)}."


def test_only_the_actions_that_are_asked_for_count_in_their_order():
    ours = [says("*", "*")]
    assert compared(ours, []).witness.action == "iot:Connect"
    for actions in (["iot:Receive", "iot:Connect"], ["iot:GetThingShadow"]):
        assert compared(ours, [], actions=actions).witness.action == actions[0]
    assert compared(ours, [says("iot:Publish", "*")], actions=["iot:Publish"]).verdict == "WITHIN"


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_the_partition_is_that_of_the_region(region):
    found = compare(policy(says("*", "*")), [], region=region, account="1" * 12)
    partition = "aws-cn" if region.startswith("cn") else "aws-us-gov"
    assert found.witness.resource == f"arn:{partition}:iot:{region}:{'1' * 12}:client/another"


# Requests that AWS IoT cannot see are no witnesses.


@pytest.mark.parametrize(
    ("action", "resource", "seen"),
    [
        ("iot:Publish", "topic/a/+", False),
        ("iot:Publish", "topic/a/#", False),
        ("iot:Receive", "topic/+", False),
        ("iot:Subscribe", "topicfilter/a/+", True),
        ("iot:Subscribe", "topicfilter/a/#", True),
        ("iot:Subscribe", "topicfilter/+/a", True),
        ("iot:Subscribe", "topicfilter/a+", False),
        ("iot:Subscribe", "topicfilter/+a", False),
        ("iot:Subscribe", "topicfilter/#/a", False),
        ("iot:Subscribe", "topicfilter/a#", False),
        ("iot:Subscribe", "topicfilter/##", False),
        ("iot:Subscribe", "topicfilter/a#?", False),
        ("iot:Subscribe", "topicfilter/?#", True),  # /#
        ("iot:Publish", "topic/", False),
        ("iot:Publish", "topic//", True),
        ("iot:Publish", f"topic/{'?' * 256}", True),
        ("iot:Publish", f"topic/{'?' * 257}", False),
        ("iot:Publish", f"topic/{'é' * 128}", True),
        ("iot:Publish", "topic/1/2/3/4/5/6/7/8", True),
        ("iot:Publish", "topic/1/2/3/4/5/6/7/8/9", False),
        ("iot:Publish", "topic/*/2/3/4/5/6/7/8/9", True),  # $aws/rules/<rule>/…
        ("iot:Publish", "topic/$aws/rules/rule/1/2/3/4/5/6/7/8", True),
        ("iot:Publish", "topic/$aws/rules/rule/1/2/3/4/5/6/7/8/9", False),
        ("iot:Subscribe", f"topicfilter/{'?' * 256}", True),
        ("iot:Subscribe", f"topicfilter/{'?' * 257}", False),
        ("iot:Subscribe", "topicfilter/1/2/3/4/5/6/7/8", True),
        ("iot:Subscribe", "topicfilter/1/2/3/4/5/6/7/8/9", False),
        ("iot:Publish", "topic/a\0", False),
        ("iot:Publish", "topic/a\ud800", False),
        ("iot:Connect", "client/a/+#\n", True),
        ("iot:Connect", f"client/{'?' * 128}", True),
        ("iot:Connect", f"client/{'?' * 129}", False),
        ("iot:GetThingShadow", f"thing/{'?' * 193}", True),
        ("iot:GetThingShadow", f"thing/{'?' * 194}", False),
        ("iot:GetThingShadow", "thing/a b", False),
        ("iot:GetThingShadow", "thing/a/shadow", True),
        ("iot:GetThingShadow", "thing/a/shadow/update", False),
        ("iot:AssumeRoleWithCertificate", "rolealias/a/b", False),
        ("iot:ListRetainedMessages", "topic/*", False),
    ],
)
def test_only_what_aws_can_see_counts(action, resource, seen):
    ours = [parse("P", to_json(document(statement(action, ARN + resource))))]
    found = compare(ours, [], **WHERE)
    assert found.verdict == ("NOT_WITHIN" if seen else "WITHIN")
    assert not seen or confirmed(found.witness, ours, [])


def test_bytes_that_are_too_many_prove_nothing():
    found = compared([says("iot:Publish", f"topic/{'é' * 129}")], [])
    assert str(found) == (
        "The resources for iot:Publish have too many wildcards, or too long names, to compare."
    )


ALPHABET = ascii_letters + digits


def one_by_one(action, kind, characters):
    """Policies that allow each name of one character."""
    names = [f"{kind}/{character}" for character in characters]
    return [
        found
        for n in range(0, len(names), 30)
        for found in policy(says(action, *names[n : n + 30]))
    ]


def test_beyond_all_letters_and_digits_there_are_more_characters():
    theirs = one_by_one("iot:Publish", "topic", f"{ALPHABET}:_-$/")
    found = compare(policy(may("topic/?")), theirs, **WHERE)
    assert len(found.witness.resource.removeprefix(f"{ARN}topic/")) == 1


def test_where_every_character_is_named_there_is_no_other():
    theirs = one_by_one("iot:GetThingShadow", "thing", f"{ALPHABET}:_-$/")
    ours = policy(says("iot:GetThingShadow", "thing/?"))
    assert compare(ours, theirs, **WHERE).verdict == "WITHIN"
    assert compare(ours, theirs[:-1], **WHERE).verdict == "NOT_WITHIN"
    two = policy(says("iot:GetThingShadow", "thing/??"))
    theirs += policy(says("iot:GetThingShadow", "thing/?/", "thing/?$"))
    assert confirmed(compare(two, theirs, **WHERE).witness, two, theirs)


# What is not known.


DOMAIN = {"StringEquals": {"iot:DomainName": ["a", "b"]}}
SAME_DOMAIN = {"StringEquals": {"IOT:domainname": ["b", "a"]}}
NETWORK = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
MINE = "topic/${iot:ClientId}"
DEPENDS = "Whether it may also publish on a depends on"


def may(*names, **options):
    return says("iot:Publish", *(names or ["topic/a"]), **options)


def not_(*names, **options):
    return may(*names, effect="Deny", **options)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([may(condition=DOMAIN)], [may()]),
        ([may(condition=DOMAIN)], [may(condition=SAME_DOMAIN)]),
        ([may(condition=DOMAIN | NETWORK)], [may("topic/*", condition=DOMAIN)]),
        ([may(), not_(condition=DOMAIN)], [may()]),
        ([may(), not_(condition=DOMAIN)], [may(), not_(condition=SAME_DOMAIN)]),
        ([may(), not_("topic/*", condition=DOMAIN)], [may(), not_(condition=DOMAIN | NETWORK)]),
        ([may(condition=DOMAIN), not_(condition=DOMAIN)], []),
        ([may(), not_(condition=DOMAIN)], [may(), not_(condition=DOMAIN), not_("topic/b")]),
        ([may(MINE)], [may("topic/*")]),
        ([may(MINE)], [may(MINE)]),
        ([may(MINE), not_("topic/*/b")], [may(MINE), not_("topic/a/b")]),
        ([may(), not_(MINE)], [may(), not_(MINE)]),
        ([may(MINE, not_resource=True)], [may(MINE, not_resource=True)]),
        ([may(MINE, "topic/b", not_resource=True)], [may("topic/b", not_resource=True)]),
        ([may("topic/b")], [may(MINE, "topic/b")]),
        ([may(MINE), not_("topic/*", not_resource=True)], [may(MINE)]),
        ([may(MINE)], [may("topic/*"), not_(MINE, not_resource=True)]),
    ],
)
def test_within_whatever_is_not_known(ours, theirs):
    assert compared(ours, theirs).verdict == "WITHIN"


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ([may(condition=DOMAIN)], [], f"{DEPENDS} iot:DomainName."),
        (
            [may(condition=DOMAIN)],
            [may(condition=NETWORK)],
            f"{DEPENDS} aws:SourceIp and iot:DomainName.",
        ),
        ([may()], [may(), not_(condition=DOMAIN)], f"{DEPENDS} iot:DomainName."),
        ([may()], [may(MINE, not_resource=True)], f"{DEPENDS} iot:ClientId."),
        (
            [may(condition=DOMAIN), may("topic/b", condition=NETWORK)],
            [],
            f"{DEPENDS} iot:DomainName.",
        ),
        (
            [may(MINE)],
            [may("topic/b")],
            "Whether it may also publish on another topic depends on iot:ClientId.",
        ),
        (
            [may("topic/${iot:ClientId}/x")],
            [may("topic/${iot:ClientId}/?")],
            "Whether it may also publish on another/x depends on iot:ClientId.",
        ),
        (
            [may(condition={"StringEquals": {"iot:DomainName": "${iot:ClientId}"}})],
            [],
            f"{DEPENDS} iot:ClientId and iot:DomainName.",
        ),
        (
            [
                says(
                    "iot:Connect",
                    "client/*",
                    condition={"StringEqualsIgnoreCase": {ID: "a"}},
                )
            ],
            [says("iot:Connect", "client/a")],
            "Whether it may also connect as another client depends on iot:ClientId.",
        ),
    ],
)
def test_what_depends_on_what_is_not_known_is_not_within(ours, theirs, reason):
    found = compared(ours, theirs)
    assert found.verdict == "NOT_SHOWN"
    assert str(found) == found.reason == reason


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([may()], [may(condition=DOMAIN)]),
        ([may()], [may(MINE)]),
        ([may(), not_(condition=DOMAIN)], []),
        ([may(), not_(MINE)], [may(), not_()]),
        ([may(MINE, not_resource=True)], [may("topic/b")]),
        ([may(condition=DOMAIN), says("iot:Subscribe", "topicfilter/a")], []),
        ([may(condition=DOMAIN), may("topic/b/c")], []),
        ([may(condition=DOMAIN), may("topic/b*")], [may("topic/another", "topic/banother")]),
    ],
)
def test_without_what_is_not_known_there_may_be_a_witness(ours, theirs):
    assert compared(ours, theirs).verdict == "NOT_WITHIN"


def test_a_client_id_has_a_value_where_nothing_else_is_known():
    absent = {"Null": {"iot:DomainName": "true"}}
    one = says("iot:Connect", "client/?", condition=DOMAIN)
    ours = [one, AS_CLIENT, says("iot:Connect", "client/?", effect="Deny", condition=absent)]
    found = compared(ours, [says("iot:Connect", "client/another")])
    assert str(found) == "It may also connect as xx."


OLD = "2008-10-17"


def test_the_old_version_has_no_variables():
    plain = policy(may("topic/${$}{iot:ClientId}"))
    old = policy(may(MINE), version=OLD)
    assert compare(old, plain, **WHERE).verdict == "WITHIN"
    assert compare(plain, old, **WHERE).verdict == "WITHIN"
    assert compare(policy(may(MINE)), old, **WHERE).verdict == "NOT_SHOWN"
    assert compare(old, policy(may(MINE)), **WHERE).verdict == "NOT_WITHIN"


def test_a_condition_of_the_old_version_is_another():
    condition = {"StringEquals": {"iot:DomainName": "${iot:ClientId}"}}
    new, old = policy(may(condition=condition)), policy(may(condition=condition), version=OLD)
    assert compare(old, old, **WHERE).verdict == "WITHIN"
    assert compare(new, old, **WHERE).verdict == "NOT_SHOWN"
    assert compare(old, new, **WHERE).verdict == "NOT_SHOWN"


@pytest.mark.parametrize(
    ("context", "verdict"),
    [
        ({}, "NOT_SHOWN"),
        ({"iot:DomainName": "a"}, "NOT_WITHIN"),
        ({"iot:DomainName": "c"}, "WITHIN"),
        ({"iot:DomainName": ()}, "WITHIN"),
    ],
)
def test_a_condition_whose_value_is_known_is_decided(context, verdict):
    assert compared([may(condition=DOMAIN)], [], context=context).verdict == verdict


@pytest.mark.parametrize(
    ("context", "verdict"),
    [
        ({}, "NOT_SHOWN"),
        ({"iot:ClientId": "a"}, "NOT_WITHIN"),
        ({"iot:ClientId": "*"}, "NOT_WITHIN"),  # a plain character
        ({"iot:ClientId": "b"}, "WITHIN"),
        ({"iot:ClientId": ("a", "c")}, "WITHIN"),  # several values fill nothing in
        ({"iot:ClientId": ()}, "WITHIN"),
    ],
)
def test_a_variable_whose_value_is_known_is_filled_in(context, verdict):
    found = compared([may(f"{MINE}")], [may("topic/b")], context=context)
    assert found.verdict == verdict
    if found.witness:
        assert found.witness.resource == f"{ARN}topic/{context['iot:ClientId']}"


def test_a_certificate_without_a_thing_has_none_of_its_values():
    ours = [may(f"topic/${{{THING}ThingName}}", f"topic/${{{THING}Attributes[x]}}")]
    assert compared(ours, [], context=connection(things=())).verdict == "WITHIN"
    assert compared(ours, [], context={f"{THING}IsAttached": "true"}).verdict == "NOT_SHOWN"


@pytest.mark.parametrize(
    ("operator", "verdict"),
    [("Bool", "WITHIN"), ("Null", "NOT_WITHIN"), ("BoolIfExists", "NOT_WITHIN")],
)
def test_a_key_or_variable_that_aws_does_not_document_never_has_a_value(operator, verdict):
    """It depends on nothing then: a witness, or a proof that there is none."""
    strange = says("iot:Publish", "topic/a", condition={operator: {"aws:Moon": "true"}})
    assert compared([strange], []).verdict == verdict
    assert compared([says("iot:Publish", "topic/${aws:Moon}")], []).verdict == "WITHIN"
    deny = says("iot:Publish", "topic/a", effect="Deny", condition={operator: {"aws:Moon": "true"}})
    wide = says("iot:Publish", "topic/a")
    assert compared([wide, deny], []).verdict == ("NOT_WITHIN" if verdict == "WITHIN" else "WITHIN")


# Who connects names itself.

AS_THING = says("iot:Connect", f"client/${{{THING}ThingName}}")
AS_CLIENT = says("iot:Connect", "client/${iot:ClientId}")
ANYONE = says("iot:Connect", "client/*", condition=IS_ATTACHED)
UNATTACHED = says("iot:Connect", "client/*", condition={"Bool": {f"{THING}IsAttached": "false"}})
NAMESAKE = AttachedThing("another", None, {})
AS_BUTTON = says("iot:Connect", "client/button")
EXCLUSIVELY = connection("phone", [AttachedThing("button", None, {}, exclusive=True)])
"""Of a certificate that is attached to *button* alone, whatever the client id is."""


@pytest.mark.parametrize(
    ("ours", "theirs", "context", "sentence"),
    [
        (AS_THING, AS_BUTTON, connection(), "It allows nothing more."),
        (AS_BUTTON, AS_THING, connection(), "It allows nothing more."),
        (AS_THING, AS_BUTTON, EXCLUSIVELY, "It allows nothing more."),
        (
            ANYONE,
            says("iot:Connect", "client/phone"),
            EXCLUSIVELY,
            "It may also connect as another client.",
        ),
        (UNATTACHED, AS_BUTTON, EXCLUSIVELY, "It allows nothing more."),
        (ANYONE, AS_BUTTON, connection(), "It allows nothing more."),
        (ANYONE, AS_BUTTON, {f"{THING}ThingName": "button"}, "It allows nothing more."),
        (AS_THING, says("iot:Connect", "client/b"), connection(), "It may also connect as button."),
        (AS_CLIENT, AS_BUTTON, connection(), "It may also connect as another client."),
        (ANYONE, may(), connection(), "It may also connect as button."),
        (UNATTACHED, may(), connection("another", [NAMESAKE]), "It may also connect as x."),
        (AS_CLIENT, AS_BUTTON, {}, "It may also connect as another client."),
        (UNATTACHED, AS_BUTTON, connection(), "It may also connect as another client."),
        (UNATTACHED, UNATTACHED, {f"{THING}IsAttached": "true"}, "It allows nothing more."),
        (
            UNATTACHED,
            AS_BUTTON,
            {f"{THING}IsAttached": "true"},
            f"Whether it may also connect as another client depends on {THING}IsAttached.",
        ),
        (
            UNATTACHED,
            says("iot:Connect", "client/another"),
            connection(),
            "It may also connect as x.",
        ),
        (
            ANYONE,
            AS_BUTTON,
            connection(things=()),
            f"Whether it may also connect as another client depends on {THING}IsAttached.",
        ),
        (
            ANYONE,
            AS_BUTTON,
            {"iot:ClientId": "button"},
            f"Whether it may also connect as another client depends on {THING}IsAttached.",
        ),
    ],
)
def test_a_client_that_connects_names_itself(ours, theirs, context, sentence):
    found = compared([ours], [theirs], context=context)
    assert str(found) == sentence
    if found.witness:
        name = found.witness.resource.rpartition("/")[2]
        assert found.witness.context["iot:ClientId"] == name


def test_under_another_client_id_the_thing_gives_no_values():
    found = compared([AS_CLIENT], [AS_BUTTON], context=connection())
    assert found.witness.context == connection("another")


def test_other_requests_are_made_under_the_known_client_id():
    found = compared([may("topic/*")], [may(MINE)], context=connection())
    assert found.witness.context == connection()


def by_id(condition, name="client/*"):
    return says("iot:Connect", name, condition=condition)


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        (by_id({"StringEquals": {ID: "button"}}), AS_BUTTON, "It allows nothing more."),
        (by_id({"StringEquals": {ID: "button"}}, "*"), AS_BUTTON, "It allows nothing more."),
        (AS_BUTTON, by_id({"StringEquals": {ID: "button"}}), "It allows nothing more."),
        (by_id({"StringLike": {ID: "b*n"}}), says("iot:Connect", "client/b*n"), None),
        (
            by_id({"StringEquals": {ID: ["button", "b"]}}),
            AS_BUTTON,
            "It may also connect as b.",
        ),
        (by_id({"StringLike": {ID: "button*"}}), AS_BUTTON, "It may also connect as buttonx."),
        (by_id({"StringEquals": {ID: "b*"}}), AS_BUTTON, "It may also connect as b*."),
        (
            by_id({"StringNotEquals": {ID: "button"}}),
            AS_BUTTON,
            "It may also connect as another client.",
        ),
        (AS_BUTTON, by_id({"StringNotLike": {ID: "b*"}}), "It may also connect as button."),
        (by_id({"StringEquals": {ID: f"${{{THING}ThingName}}"}}), AS_BUTTON, None),
        (by_id({"StringEquals": {ID: "button"}, **NETWORK}), AS_BUTTON, None),
    ],
)
@pytest.mark.parametrize("context", [{}, connection(), connection(things=())])
def test_a_condition_on_the_client_id_is_one_on_the_name(ours, theirs, sentence, context):
    if f"{THING}ThingName" in str(ours) and context.get(f"{THING}IsAttached") != "true":
        return  # that is not known
    found = compared([ours], [theirs], context=context)
    assert str(found) == (sentence or "It allows nothing more.")


# Words for people.


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        ([may("topic/*")], [], "another"),
        ([may("topic/*")], [may("topic/a/b/cd")], "a/b/another"),
        ([may("topic/*")], [may("topic/*"), not_("topic/secret/*")], "secret/another"),
        ([may("topic/*")], [may("topic/a*", "topic/longer/*")], "x"),
        ([may("*")], [may("topic/another*", "topic/?nother")], "x"),
        ([may("arn:aws:iot:*:*:topic/a/*")], [], "a/another"),
        ([may("arn:*/a/?")], [], "a/x"),
        ([may("topic/??")], [], "xx"),
        ([may("topic/*/?")], [], "another/x"),
        ([may("topic/a", not_resource=True)], [may("topic/?")], "another"),
        ([may("topic/a/b", "topic/c")], [], "c"),
    ],
)
def test_a_witness_reads_well(ours, theirs, name):
    assert compared(ours, theirs).witness.resource == f"{ARN}topic/{name}"


# What takes too long is not within.

SLOW = f"topic/*a{'?' * 20}"


def test_it_gives_up_and_says_so():
    found = compared([may(SLOW)], [may(SLOW), not_("topic/#")])
    assert found.verdict == "NOT_SHOWN"
    assert str(found).startswith("The resources for iot:Publish have too many wildcards")


def test_it_gives_up_after_so_many_steps():
    ours, theirs = [may("topic/abc")], [may("topic/abcd", "topic/ab?")]
    assert compared(ours, theirs).verdict == "WITHIN"
    assert compared(ours, theirs, most_steps=5).verdict == "NOT_SHOWN"


def test_what_only_b_names_costs_nothing():
    names = ["topic/a", "topic/bcdefghijklmno"]
    assert compared([may("topic/a")], [may(*names)], most_steps=10).verdict == "WITHIN"


def test_a_likely_witness_is_found_however_many_wildcards_there_are():
    assert compared([may(SLOW)], [may(f"topic/*b{'?' * 20}")]).verdict == "NOT_WITHIN"


def test_ten_policies_full_of_names_are_no_trouble():
    names = [f"topic/iotbutton/G030JF05{n:08}/{n * n:05}" for n in range(200)]
    ours = [found for n in range(0, 200, 20) for found in policy(may(*names[n : n + 20]))]
    assert len(ours) == 10
    assert compare(ours, ours[::-1], **WHERE).verdict == "WITHIN"
    assert compare(ours, ours[1:], **WHERE).verdict == "NOT_WITHIN"


# What holds for any policies and any request.

NAMES = "ab/x"
EVERY_NAME = [n for size in range(1, 6) for n in map("".join, product(NAMES, repeat=size))]
TOPICS = [f"{ARN}topic/{name}" for name in EVERY_NAME]
SHORT = ["".join(found) for size in (0, 1, 2) for found in product("ab/*?", repeat=size)]


def seen(policies):
    """All short topics that may be published on."""
    return {topic for topic in TOPICS if allows(policies, Request("iot:Publish", topic, {}))}


def test_two_short_patterns_compare_as_their_matches_do():
    found = {short: policy(may(f"topic/{short}")) for short in SHORT}
    matches = {short: seen(policies) for short, policies in found.items()}
    verdicts = []
    for one, other in product(SHORT, repeat=2):
        answer = compare(found[one], found[other], actions=["iot:Publish"], **WHERE)
        assert (answer.verdict == "WITHIN") == (matches[one] <= matches[other]), (one, other)
        assert not answer.witness or confirmed(answer.witness, found[one], found[other])
        verdicts.append(answer.verdict)
    assert verdicts.count("WITHIN") > 200 and verdicts.count("NOT_WITHIN") > 200


short_patterns = st.text("ab/*?", max_size=5).map(lambda name: f"topic/{name}") | st.sampled_from(
    ["*", "arn:*", "arn:aws:iot:*:topic/?", f"{ARN}?opic/*a", f"{ARN}*b", "client/*"]
)
short_statements = st.builds(
    lambda names, effect, negated: may(*names, effect=effect, not_resource=negated),
    st.lists(short_patterns, min_size=1, max_size=2),
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from([False, False, False, True]),
)
short_policies = st.lists(short_statements, max_size=3)


@LAW
@given(short_policies, short_policies)
def test_short_policies_compare_as_their_matches_do(ours, theirs):
    found = compared(ours, theirs, actions=["iot:Publish"])
    more = seen(policy(*ours)) - seen(policy(*theirs))
    assert found.verdict == "NOT_WITHIN" or (found.verdict == "WITHIN" and not more)


PIECES = ["a", "b", "/", "*", "?", "+", "#", "${iot:ClientId}", f"${{{THING}ThingName}}", "${*}"]
FILLED = {"*": ["", "a", "/x", "a/b", "#", "*"], "?": ["a", "x", "/"]}
KINDS = {"client": ["iot:Connect"], "topic": ["iot:Publish", "iot:Receive"]}
KINDS |= {"topicfilter": ["iot:Subscribe"], "thing": ["iot:GetThingShadow"]}
CONDITIONS = [
    DOMAIN,
    SAME_DOMAIN,
    NETWORK,
    IS_ATTACHED,
    {"StringEquals": {"iot:ClientId": "a"}},
    {"StringNotLike": {"iot:ClientId": "a*"}},
    {"StringEquals": {"iot:DomainName": "${iot:ClientId}"}},
    {"StringEqualsIfExists": {f"{THING}ThingName": "${iot:ClientId}"}},
    {"Null": {f"{THING}ThingName": "true"}},
]


@st.composite
def a_resource(draw):
    name = "".join(draw(st.lists(st.sampled_from(PIECES), max_size=3)))
    kinds = [f"{ARN}{kind}/" for kind in [*KINDS, "topic", "top*"]]
    return draw(st.sampled_from(["*", *kinds])) + name


statements = st.builds(
    says,
    st.sampled_from(["iot:Connect", "iot:Publish", "iot:Subscribe", "iot:*", "iot:?u*", "*"]),
    a_resource(),
    a_resource() | st.just("client/none"),
    effect=st.sampled_from(["Allow", "Allow", "Deny"]),
    not_resource=st.sampled_from([False, False, False, True]),
    condition=st.none() | st.sampled_from(CONDITIONS),
)
not_actions = statements.map(lambda s: {("NotAction" if k == "Action" else k): s[k] for k in s})
documents = st.lists(statements | statements | not_actions, max_size=3)


@st.composite
def a_pair(draw):
    """Two policies that are often alike."""
    ours, theirs = draw(documents), draw(documents)
    return ours, draw(st.permutations(theirs + draw(st.sampled_from([[], ours, ours, ours[1:]]))))


@st.composite
def a_world(draw):
    """A function from a client id to its connection, and its own client id."""
    options = {
        "source_ip": draw(st.sampled_from(["10.1.1.1", "11.1.1.1"])),
        "domain_name": draw(st.sampled_from([None, "a", "b"])),
        "things": draw(st.sampled_from([[], [AttachedThing("a", None, {})]])),
    }

    def connect(client_id):
        return connection_context(client_id, certificate_id="0" * 64, **options)

    return connect, draw(st.sampled_from(["a", "b", "*"]))


@st.composite
def a_request(draw, written, connect, own):
    """A request that is close to a pattern, by a connection of that world."""
    texts = [name for s in written for name in s.get("Resource", s.get("NotResource"))]
    parts = split_pattern(draw(st.sampled_from(texts or ["*"])))
    values = connect(own)
    filled = [
        draw(st.sampled_from(FILLED[part.text]))
        if part.kind == "wildcard"
        else values.get(part.text, "a")
        if part.kind == "variable"
        else part.text
        for part in parts
    ]
    text = "".join(filled)
    kind = next(
        (k for k in KINDS if text.startswith(f"{ARN}{k}/")), draw(st.sampled_from([*KINDS]))
    )
    name = text.removeprefix(f"{ARN}{kind}/")
    action = draw(st.sampled_from(KINDS[kind]))
    context = connect(name if action == "iot:Connect" else own)
    return Request(action, f"{ARN}{kind}/{name}", context)


@LAW
@given(st.data())
def test_within_and_witness_are_what_decide_says(data):
    ours, theirs = data.draw(a_pair())
    connect, own = data.draw(a_world())
    known = data.draw(st.sets(st.sampled_from(sorted(connect(own)))))
    context = {key: value for key, value in connect(own).items() if key in known}
    found = compared(ours, theirs, context=context)
    for _ in range(5):
        request = data.draw(a_request(ours + theirs, connect, own))
        kind, name = request.resource.removeprefix(ARN).split("/", 1)
        if is_name(kind, name) and allows(policy(*ours), request):
            assert allows(policy(*theirs), request) or found.verdict != "WITHIN"
    if found.witness and found.witness.action != "iot:Connect":
        assert found.witness.context == context


OF_CLIENTS = st.lists(
    st.builds(
        says,
        st.just("iot:Connect"),
        st.sampled_from(["*", "client/*", "client/a*", "client/?", "client/b"]),
        effect=st.sampled_from(["Allow", "Allow", "Deny"]),
        not_resource=st.sampled_from([False, False, False, True]),
        condition=st.dictionaries(
            st.builds(
                "{}String{}{}".format,
                st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]),
                st.sampled_from(["Equals", "NotEquals", "Like", "NotLike"]),
                st.sampled_from(["", "", "IfExists"]),
            ),
            st.fixed_dictionaries(
                {ID: st.lists(st.sampled_from(["a", "b", "*", "a*", "?b", "", "${*}"]), max_size=2)}
            ),
            max_size=2,
        ),
    ),
    max_size=3,
)
CLIENTS = ["".join(each) for n in (1, 2) for each in product("abx*?", repeat=n)]


@settings(LAW, max_examples=40)
@given(OF_CLIENTS, OF_CLIENTS, st.sampled_from([{}, {ID: "a"}, {ID: "c", f"{THING}x": ()}]))
def test_who_may_connect_by_its_client_id_is_always_decided(ours, theirs, context):
    found = compared(ours, theirs, context=context)
    assert found.verdict != "NOT_SHOWN"
    requests = [Request("iot:Connect", f"{ARN}client/{name}", {ID: name}) for name in CLIENTS]
    one, other = policy(*ours), policy(*theirs)
    more = any(allows(one, request) and not allows(other, request) for request in requests)
    assert more == (found.verdict == "NOT_WITHIN")


@pytest.mark.long
@LAW
@given(documents, documents, documents)
def test_within_is_an_order(one, other, third):
    assert compared(one, one).verdict == "WITHIN"
    if compared(one, other).verdict == compared(other, third).verdict == "WITHIN":
        assert compared(one, third).verdict != "NOT_WITHIN"


@LAW
@given(documents, documents)
def test_an_allow_adds_and_a_deny_takes_away(one, other):
    allow = [{**each, "Effect": "Allow"} for each in other]
    deny = [{**each, "Effect": "Deny"} for each in other]
    assert compared(one, [*one, *allow]).verdict == "WITHIN"
    assert compared([*one, *deny], one).verdict == "WITHIN"
