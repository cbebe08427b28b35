"""AWS's own examples, page by page, and what AWS says each of them allows."""

import pytest

from iot_policy import (
    AttachedThing,
    Request,
    connection_context,
    decide,
    document,
    parse,
    statement,
    to_json,
)

ARN = "arn:aws:iot:us-east-1:123456789012:"
CERTIFICATE = "a1" * 32
NAME = "${iot:Connection.Thing.ThingName}"
ALLOWED, IMPLICIT, EXPLICIT = "ALLOWED", "IMPLICIT_DENY", "EXPLICIT_DENY"


def thing(name="thing1", type_name=None, **attributes):
    return AttachedThing(name, type_name, attributes)


def connected(client_id, things=(), **known):
    return connection_context(client_id, "123.45.167.89", CERTIFICATE, things, **known)


REGISTERED = connected("thing1", [thing()])
CLIENT1 = connected("client1")
CONNECT_CLIENT1 = statement("iot:Connect", f"{ARN}client/client1")
CONNECT_THING = statement("iot:Connect", f"{ARN}client/{NAME}")

ATTACHED_ONLY = document(
    statement("iot:Connect", "*", condition={"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}})
)


def attributes_policy(operator, *names, effect="Allow"):
    return statement(
        "iot:Connect", "*", effect=effect, condition={operator: {"iot:ConnectAttributes": [*names]}}
    )


BOTH = document(
    attributes_policy("ForAllValues:StringEquals", "PersistentConnect", "LastWill"),
    attributes_policy("ForAllValues:StringEquals", "PersistentConnect", effect="Deny"),
    attributes_policy("ForAllValues:StringEquals", "LastWill", effect="Deny"),
    attributes_policy("ForAllValues:StringEquals", effect="Deny"),
)
NO_SESSION = document(
    attributes_policy("ForAnyValue:StringEquals", "PersistentConnect", effect="Deny"),
    attributes_policy("ForAllValues:StringEquals", "LastWill"),
)
WILL = {"connect_attributes": ["LastWill"]}
SESSION = {"connect_attributes": ["PersistentConnect"]}
WILL_AND_SESSION = {"connect_attributes": ["PersistentConnect", "LastWill"]}
NEW_FEATURE = {"connect_attributes": ["PersistentConnect", "Teleport"]}

CONNECT = [
    # connect-policy.html
    (document(CONNECT_CLIENT1), CLIENT1, "client/client1", ALLOWED),
    (document(CONNECT_CLIENT1), connected("client2"), "client/client2", IMPLICIT),
    (
        document(
            statement(
                "iot:Connect", [f"{ARN}client/client1", f"{ARN}client/client2"], effect="Deny"
            ),
            CONNECT_THING,
        ),
        connected("client1", [thing("client1")]),
        "client/client1",
        EXPLICIT,
    ),
    (document(CONNECT_THING), REGISTERED, "client/thing1", ALLOWED),
    (document(CONNECT_THING), connected("thing1"), "client/thing1", IMPLICIT),
    (document(CONNECT_THING), connected("other", [thing()]), "client/other", IMPLICIT),
    # thing-policy-examples.html
    (ATTACHED_ONLY, REGISTERED, "client/thing1", ALLOWED),
    (ATTACHED_ONLY, CLIENT1, "client/client1", IMPLICIT),
    # connect-policy.html, MQTT persistent sessions
    *(
        (document(policy) if "Effect" in policy else policy, connected("c", **known), "client/c", v)
        for policy, known, v in [
            (attributes_policy("ForAllValues:StringEquals", "PersistentConnect"), SESSION, ALLOWED),
            (attributes_policy("ForAllValues:StringEquals", "PersistentConnect"), {}, ALLOWED),
            (attributes_policy("ForAllValues:StringEquals", "PersistentConnect"), WILL, IMPLICIT),
            (
                attributes_policy("ForAllValues:StringNotEquals", "PersistentConnect"),
                SESSION,
                IMPLICIT,
            ),
            (attributes_policy("ForAllValues:StringNotEquals", "PersistentConnect"), WILL, ALLOWED),
            (attributes_policy("ForAllValues:StringEquals"), {}, ALLOWED),
            (attributes_policy("ForAllValues:StringEquals"), WILL, IMPLICIT),
            (
                attributes_policy("ForAnyValue:StringEquals", "PersistentConnect"),
                NEW_FEATURE,
                ALLOWED,
            ),
            (attributes_policy("ForAnyValue:StringEquals", "PersistentConnect"), {}, IMPLICIT),
            (BOTH, WILL_AND_SESSION, ALLOWED),
            (BOTH, WILL, EXPLICIT),
            (BOTH, SESSION, EXPLICIT),
            (BOTH, {}, EXPLICIT),
            (NO_SESSION, WILL, ALLOWED),
            (NO_SESSION, WILL_AND_SESSION, EXPLICIT),
        ]
    ),
    *(
        (
            document(
                statement(
                    "iot:Connect",
                    "*",
                    condition={"ArnEquals": {"iot:LastWillTopic": f"{ARN}topic/my/lastwill/name"}},
                )
            ),
            connected("c", last_will_topic=topic),
            "client/c",
            verdict,
        )
        for topic, verdict in [
            (f"{ARN}topic/my/lastwill/name", ALLOWED),
            (f"{ARN}topic/other", IMPLICIT),
            (None, IMPLICIT),
        ]
    ),
]


@pytest.mark.parametrize(("policy", "context", "client", "verdict"), CONNECT)
def test_connect_policy_examples(policy, context, client, verdict):
    assert verdict_of(policy, context, "iot:Connect", client) == verdict


def test_rooms_may_be_subscribed_to():
    policy = document(
        CONNECT_THING,
        statement("iot:Subscribe", f"{ARN}topicfilter/{NAME}/room*"),
        statement("iot:Receive", f"{ARN}topic/{NAME}/room*"),
    )
    assert verdict_of(policy, REGISTERED, "iot:Subscribe", "topicfilter/thing1/room1") == ALLOWED
    assert verdict_of(policy, REGISTERED, "iot:Subscribe", "topicfilter/thing1/room1/a") == ALLOWED
    assert verdict_of(policy, REGISTERED, "iot:Subscribe", "topicfilter/thing2/room1") == IMPLICIT
    assert verdict_of(policy, REGISTERED, "iot:Receive", "topic/thing1/room2") == ALLOWED


def test_mqtt_wildcards_are_plain_characters():
    policy = document(statement("iot:Subscribe", f"{ARN}topicfilter/some/+/topic"))
    assert verdict_of(policy, CLIENT1, "iot:Subscribe", "topicfilter/some/+/topic") == ALLOWED
    assert verdict_of(policy, CLIENT1, "iot:Subscribe", "topicfilter/some/x/topic") == IMPLICIT
    policy = document(statement("iot:Subscribe", f"{ARN}topicfilter/some/*/topic"))
    assert verdict_of(policy, CLIENT1, "iot:Subscribe", "topicfilter/some/+/topic") == ALLOWED
    policy = document(statement("iot:Subscribe", f"{ARN}topicfilter/some/#"))
    assert verdict_of(policy, CLIENT1, "iot:Subscribe", "topicfilter/some/x") == IMPLICIT


def test_all_but_bar_may_be_published():
    policy = document(
        statement("iot:Publish", f"{ARN}topic/${{iot:ClientId}}/*"),
        statement("iot:Publish", f"{ARN}topic/${{iot:ClientId}}/bar", effect="Deny"),
    )
    assert verdict_of(policy, CLIENT1, "iot:Publish", "topic/client1/foo") == ALLOWED
    assert verdict_of(policy, CLIENT1, "iot:Publish", "topic/client1/bar") == EXPLICIT
    assert verdict_of(policy, CLIENT1, "iot:Publish", "topic/client2/foo") == IMPLICIT


def test_a_deny_on_a_topic_filter_does_not_stop_a_wider_one():
    policy = document(
        statement("iot:Subscribe", f"{ARN}topicfilter/a/*"),
        statement("iot:Subscribe", f"{ARN}topicfilter/a/restricted/*", effect="Deny"),
    )
    assert verdict_of(policy, CLIENT1, "iot:Subscribe", "topicfilter/a/restricted/x") == EXPLICIT
    assert verdict_of(policy, CLIENT1, "iot:Subscribe", "topicfilter/a/#") == ALLOWED


def test_source_address():
    policy = document(
        statement(
            "iot:Publish",
            f"{ARN}topic/my/topic/${{iot:ClientId}}",
            condition={"IpAddress": {"aws:SourceIp": "123.45.167.89"}},
        )
    )
    topic = "topic/my/topic/client1"
    elsewhere = {**CLIENT1, "aws:SourceIp": "123.45.167.90"}
    assert verdict_of(policy, CLIENT1, "iot:Publish", topic) == ALLOWED
    assert verdict_of(policy, elsewhere, "iot:Publish", topic) == IMPLICIT


@pytest.mark.parametrize(
    ("thing", "verdict"),
    [
        (thing("thing1", "Button", floor="3"), ALLOWED),
        (thing("thing1", "Button", floor="4"), IMPLICIT),
        (thing("thing1", "Lamp", floor="3"), IMPLICIT),
        (thing(), IMPLICIT),
    ],
)
def test_thing_type_and_attribute(thing, verdict):
    policy = document(
        statement(
            "iot:Publish",
            f"{ARN}topic/device/stats",
            condition={
                "StringEquals": {
                    "iot:Connection.Thing.Attributes[floor]": "3",
                    "iot:Connection.Thing.ThingTypeName": "Button",
                },
                "Bool": {"iot:Connection.Thing.IsAttached": "true"},
            },
        )
    )
    context = connected("thing1", [thing])
    assert verdict_of(policy, context, "iot:Publish", "topic/device/stats") == verdict


def test_a_topic_that_starts_with_an_attribute():
    variable = "iot:Connection.Thing.Attributes[floor]"
    policy = document(statement("iot:Publish", f"{ARN}topic/${{{variable}}}/*"))
    with_floor = connected("thing1", [thing(floor="3")])
    assert verdict_of(policy, with_floor, "iot:Publish", "topic/3/x") == ALLOWED
    decision = decide(
        [parse("P", to_json(policy))], Request("iot:Publish", f"{ARN}topic/3/x", CLIENT1)
    )
    assert (decision.verdict, decision.missing) == (IMPLICIT, (variable,))


def test_certificate_id_as_topic():
    policy = document(statement("iot:Publish", f"{ARN}topic/${{iot:CertificateId}}"))
    assert verdict_of(policy, CLIENT1, "iot:Publish", f"topic/{CERTIFICATE}") == ALLOWED
    assert verdict_of(policy, CLIENT1, "iot:Publish", f"topic/{'b2' * 32}") == IMPLICIT


def test_a_resource_that_is_not_this():
    policy = document(
        {"Effect": "Allow", "Action": "iot:Publish", "NotResource": f"{ARN}topic/secret/*"},
        {"Effect": "Allow", "NotAction": "iot:Pub*", "Resource": "*"},
    )
    assert verdict_of(policy, CLIENT1, "iot:Publish", "topic/secret/x") == IMPLICIT
    assert verdict_of(policy, CLIENT1, "iot:Publish", "topic/open") == ALLOWED
    assert verdict_of(policy, CLIENT1, "iot:Connect", "client/client1") == ALLOWED


def verdict_of(policy, context, action, resource):
    request = Request(action, f"{ARN}{resource}", context)
    return decide([parse("P", to_json(policy))], request).verdict
