"""What AWS IoT refuses whatever the policies say, word for word, and what policies can ask."""

import pytest
from broker_support import arn
from broker_wire import encode_subscribe

from iot_policy import document, statement
from sandbox.broker import authority
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, V311, Property, Publish, Subscribe, Subscription

P = Property
WELCOME = (0x20, b"\0\0")
CONNECT = statement("iot:Connect", "*")


CONNECTS = [
    (V5, {"client_id": "x" * 129}, 0x85, "a client id of AWS IoT has 128 bytes at most"),
    (
        V5,
        {"client_id": "$mine"},
        0x85,
        "a client id does not begin with $: AWS IoT's own do",
    ),
    (
        V5,
        {"client_id": "x", "asked": {P.AUTHENTICATION_METHOD: "SCRAM"}},
        0x8C,
        "AWS IoT knows a device by its certificate, not by an authentication method",
    ),
    (
        V311,
        {"client_id": "", "clean": False},
        None,
        "a persistent session needs a client id: give one, or ask for a clean session",
    ),
    (
        V5,
        {"client_id": "x", "will": Publish("w", b"", 2)},
        0x9B,
        "AWS IoT has no QoS 2: use QoS 0 or 1",
    ),
]


@pytest.mark.parametrize(("version", "asked", "code", "reason"), CONNECTS)
def test_a_connect_that_aws_refuses(sandbox, version, asked, code, reason):
    with sandbox.registered().raw() as client:
        answer = client.connect(**asked, version=version)
        assert answer is None if code is None else answer[1][:2] == bytes((0, code))
    (refusal,) = sandbox.refusals()
    assert refusal.reason == refusal.explanation == reason
    assert (refusal.action, refusal.resource, refusal.verdict) == ("MQTT", "", "REFUSED")


def subscribe(qos: int, properties) -> bytes:
    return encode_subscribe(Subscribe(7, [Subscription("a", qos)], properties), V5)


PACKETS = [
    (lambda client: client.publish("a", qos=2), 0x9B, "AWS IoT has no QoS 2: use QoS 0 or 1"),
    (
        lambda client: client.publish("$aws/things/a/shadow/get", qos=0, retain=True),
        0x90,
        "a reserved topic ($…) takes no retained message",
    ),
    (
        lambda client: client.publish("a", bytes(limits.PAYLOAD_BYTES + 1)),
        0x95,
        "a payload of 131073 bytes; AWS IoT takes 131072 at most",
    ),
    (
        lambda client: client.send(subscribe(1, {P.SUBSCRIPTION_IDENTIFIER: 1})),
        0xA1,
        "AWS IoT has no subscription identifiers",
    ),
    (
        lambda client: client.send(subscribe(2, {})),
        0x9B,
        "AWS IoT has no QoS 2: subscribe with QoS 0 or 1",
    ),
]


@pytest.mark.parametrize(("send", "code", "reason"), PACKETS)
def test_a_packet_that_aws_refuses(sandbox, send, code, reason):
    with sandbox.registered().raw() as client:
        client.connect("button", version=V5)
        send(client)
        assert client.read()[1][0] == code
    (refusal,) = sandbox.refusals()
    assert refusal.reason == reason
    assert (refusal.action, refusal.resource, refusal.verdict) == ("MQTT", "", "REFUSED")


def test_eight_filters_fit_one_subscribe(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("button", version=V5)
        assert client.subscribe(*"abcdefgh")[1][-8:] == b"\1" * 8
        assert client.subscribe(*"abcdefghi")[1][0] == 0x97
    assert sandbox.refusals()[0].reason == "a SUBSCRIBE has 8 filters at most"


@pytest.mark.parametrize("status", ["INACTIVE", "deleted"])
def test_a_certificate_that_is_not_active_is_refused_word_for_word(sandbox, status):
    device = sandbox.registered()
    with device.raw() as client:
        assert client.connect("button", version=V5)[1][1] == 0
        if status == "deleted":
            del sandbox.backend.certificates[device.certificate_id]
        else:
            sandbox.set_status(device, status)
        assert client.read()[1][0] == 0x87
    (refusal,) = sandbox.refusals()
    short = device.certificate_id[:8]
    assert refusal.reason == f"certificate {short}… is {status}: only an ACTIVE one may connect"
    assert (refusal.action, refusal.resource) == ("iot:Connect", device.arn)
    assert (refusal.verdict, refusal.certificate_id) == ("REFUSED", short)
    assert refusal.problem == f"certificate {status}"


def test_the_certificate_is_checked_before_what_is_asked(sandbox):
    with sandbox.registered(status="INACTIVE").raw() as client:
        assert client.connect("$mine", version=V5)[1][1] == 0x87


def test_what_is_asked_is_checked_before_the_policies(sandbox):
    with sandbox.registered(document()).raw() as client:
        assert client.connect("$mine", version=V5)[1][1] == 0x85


def test_a_denied_message_names_its_policy(sandbox):
    device = sandbox.registered(document(CONNECT, statement("iot:Publish", "*", effect="Deny")))
    with device.raw() as client:
        client.connect("button")
        client.publish("a")
    (refusal,) = sandbox.refusals()
    assert f"Statement 2 of {device.certificate_id}" in refusal.explanation
    assert refusal.problem == "deny"


WILL = Publish("wills/1", b"")
CONDITIONS = [
    ({"StringEquals": {"iot:ClientId": "button"}}, {}, {"client_id": "other"}),
    (
        {"ForAnyValue:StringEquals": {"iot:ConnectAttributes": "LastWill"}},
        {"will": WILL},
        {"clean": False},
    ),
    (
        {"ForAnyValue:StringEquals": {"iot:ConnectAttributes": "PersistentConnect"}},
        {"clean": False},
        {"will": WILL},
    ),
    (
        {"ArnEquals": {"iot:LastWillTopic": arn("topic/wills/1")}},
        {"will": WILL},
        {"will": Publish("wills/2", b"")},
    ),
    ({"StringEquals": {"iot:Certificate.Subject.CommonName": "device"}}, {}, None),
    ({"StringEquals": {"iot:Certificate.Subject.CommonName": "other"}}, None, {}),
]


@pytest.mark.parametrize(("condition", "good", "bad"), CONDITIONS)
def test_a_policy_can_ask_how_a_client_connects(sandbox, condition, good, bad):
    allowed = statement("iot:Connect", "*", condition=condition)
    publish = statement(["iot:Publish", "iot:RetainPublish"], "*")
    device = sandbox.registered(document(allowed, publish))
    for asked, welcome in ((good, WELCOME), (bad, None)):
        if asked is not None:
            with device.raw() as client:
                assert client.connect(**{"client_id": "button", **asked}) == welcome


@pytest.mark.parametrize("own", [True, False])
def test_a_policy_can_ask_for_the_certificate_id(sandbox, own):
    device = sandbox.registered()
    wanted = device.certificate_id if own else "f" * 64
    condition = {"StringEquals": {"iot:CertificateId": wanted}}
    sandbox.set_policy(device, document(statement("iot:Connect", "*", condition=condition)))
    with device.raw() as client:
        assert client.connect("button") == (WELCOME if own else None)


def test_things_are_looked_at_again_after_a_change(sandbox):
    attached = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    may = statement("iot:Publish", "*", condition=attached)
    device = sandbox.registered(document(CONNECT, may))
    sandbox.backend.create_thing("button", None, {"attributes": {}})
    with device.raw() as client:
        client.connect("button", version=V5)
        client.publish("a")
        assert client.read()[1][2] == 0x87
        sandbox.backend.attach_thing_principal("button", device.arn)
        sandbox.registry.changed()
        client.publish("a")
        assert client.read() == (0x40, b"\0\x01")


def test_retain_is_allowed_topic_by_topic(sandbox):
    may = statement("iot:RetainPublish", arn("topic/kept"))
    device = sandbox.registered(document(CONNECT, statement("iot:Publish", "*"), may))
    with device.raw() as client:
        client.connect("button", version=V5)
        client.publish("kept", retain=True)
        assert client.read() == (0x40, b"\0\x01")
        client.publish("other", retain=True)
        assert client.read()[1][2] == 0x87
    assert sandbox.refusals()[0].resource == arn("topic/other")


def test_each_question_is_decided_once_until_the_registry_changes(sandbox, monkeypatch):
    asked = []
    real = authority.policy.decide
    monkeypatch.setattr(
        authority.policy, "decide", lambda them, each: asked.append(each) or real(them, each)
    )
    with sandbox.registered().raw() as client:
        client.connect("button")
        for _ in range(3):
            client.publish("a", qos=0)
        assert [(each.action, each.resource) for each in asked] == [
            ("iot:Connect", arn("client/button")),
            ("iot:Publish", arn("topic/a")),
        ]
        sandbox.registry.changed()
        client.publish("a", qos=0)
        assert len(asked) == 3
