"""What a connected device may do: each action, decided by its policies as they are now."""

import time

import pytest
from broker_support import ACCOUNT, ANYTHING, REGION, Sandbox, arn, eventually
from broker_wire import PUBACK, PUBLISH

from helpers import policy
from iot_policy import document, statement
from sandbox.mqtt import limits
from sandbox.mqtt.packets import Property, Publish, RefusedError
from sandbox.mqtt.properties import encode_properties
from sandbox.registry import exclusive_things

P = Property
CONNECT = statement("iot:Connect", "*")
SERIAL = "G030JF055364XVRB"


def test_connect_denied_is_a_hang_up_in_mqtt_3(sandbox):
    device = sandbox.registered(document(statement("iot:Connect", arn("client/other"))))
    with device.raw() as client:
        assert client.connect("button") is None
    (refusal,) = sandbox.refusals()
    assert (refusal.action, refusal.verdict) == ("iot:Connect", "IMPLICIT_DENY")
    assert refusal.resource == arn("client/button")
    assert "client/other" in refusal.reason
    assert refusal.explanation.count("\n") >= 2
    assert len(sandbox.log.lines) == 1


def test_connect_denied_has_a_reason_in_mqtt_5(sandbox):
    device = sandbox.registered(document(statement("iot:Connect", arn("client/other"))))
    with device.raw() as client:
        first, body = client.connect("button", version=5)
    assert (first, body[:2]) == (0x20, b"\0\x87")
    assert b"client/other" in body


def test_the_posts_own_json_lets_nobody_connect(sandbox):
    device = sandbox.registered(policy.as_posted(REGION, ACCOUNT, SERIAL))
    with device.raw() as client:
        assert client.connect("button") is None
    assert "topic" in sandbox.refusals()[0].reason


@pytest.mark.parametrize("version", [4, 5])
def test_the_three_right_policies(sandbox, version):
    registry_aware = sandbox.registered(policy.recommended(REGION, ACCOUNT))
    sandbox.backend.create_thing("button", None, {"attributes": {"serialNumber": SERIAL}})
    sandbox.backend.attach_thing_principal("button", registry_aware.arn)
    sandbox.registry.changed()
    devices = [
        sandbox.registered(policy.intended(REGION, ACCOUNT, SERIAL)),
        sandbox.registered(policy.least_privilege(REGION, ACCOUNT, SERIAL, "button")),
        registry_aware,
    ]
    for device in devices:
        with device.raw() as client:
            assert client.connect("button", version=version)[1][1] == 0
            client.publish(f"iotbutton/{SERIAL}")
            assert client.read() == (0x40, b"\0\x01")
            client.publish("iotbutton/other")
            answer = client.read()
            assert answer is None if version == 4 else answer[1][2] == 0x87


def test_publish_denied_cuts_an_mqtt_3_client_without_puback(sandbox):
    device = sandbox.registered(document(CONNECT, statement("iot:Publish", arn("topic/a"))))
    with device.raw() as client:
        client.connect("button")
        client.publish("b")
        assert client.read() is None
    (refusal,) = sandbox.refusals()
    assert (refusal.action, refusal.resource) == ("iot:Publish", arn("topic/b"))


def test_publish_denied_in_mqtt_5(sandbox):
    device = sandbox.registered(document(CONNECT, statement("iot:Publish", arn("topic/a"))))
    with device.raw() as client:
        client.connect("button", version=5)
        client.publish("b")
        assert client.read()[1][:3] == b"\0\x01\x87"
        client.publish("a")
        assert client.read() == (0x40, b"\0\x01")
        client.publish("b", qos=0)
        first, body = client.read()
        assert (first, body[0]) == (0xE0, 0x87)
        assert client.read() is None
    assert len(sandbox.refusals()) == 2


SOME = document(CONNECT, statement("iot:Subscribe", arn("topicfilter/some/*/topic")))


@pytest.mark.parametrize("filters", [("some/topic",), ("some/+/topic", "some/topic")])
def test_subscribe_denied_cuts_an_mqtt_3_client_without_suback(sandbox, filters):
    """One filter that it may not have is enough, and then it has none of them."""
    device = sandbox.registered(SOME)
    with device.raw() as client:
        client.connect("button", clean=False)
        assert client.subscribe(*filters) is None
    (refusal,) = sandbox.refusals()
    assert refusal.resource == arn("topicfilter/some/topic")
    (session,) = sandbox.services.endpoints.of(ACCOUNT, REGION).sessions.values()
    assert not session.subscriptions


def test_subscribe_denied_is_a_reason_code_in_mqtt_5(sandbox):
    device = sandbox.registered(SOME)
    with device.raw() as client:
        client.connect("button", version=5)
        _, body = client.subscribe("some/+/topic", "some/topic")
        assert body[-2:] == b"\x01\x87"
        assert b"some/topic" in body
        client.send(b"\xc0\0")
        assert client.read() == (0xD0, b"")
    assert sandbox.refusals()[0].resource == arn("topicfilter/some/topic")


@pytest.mark.parametrize(
    ("wrong", "code"), [("a#", 0x8F), ("/" * 8, 0x8F), ("", 0x8F), ("$share/group", 0x8F)]
)
@pytest.mark.parametrize("version", [4, 5])
def test_a_filter_that_is_none(sandbox, version, wrong, code):
    with sandbox.registered().raw() as client:
        client.connect("button", version=version)
        answer = client.subscribe("a", wrong)
        assert answer is None if version == 4 else answer[1][-2:] == bytes((1, code))
    assert len(sandbox.refusals()) == 1


@pytest.mark.parametrize("version", [4, 5])
def test_one_subscription_too_many(sandbox, version):
    """As AWS says of its quota: rejected, and an MQTT 3.1.1 connection closed."""
    with sandbox.registered().raw() as client:
        client.connect("button", version=version)
        for number in range(limits.SUBSCRIPTIONS_PER_CONNECTION):
            assert client.subscribe(f"a/{number}")[1][-1] == 1
        assert client.subscribe("a/0")[1][-1] == 1  # has it already
        answer = client.subscribe("a/more")
        assert answer is None if version == 4 else answer[1][-1] == 0x97
    assert "50 subscriptions at most" in sandbox.refusals()[0].reason


def test_retain_needs_a_permission_of_its_own(sandbox):
    device = sandbox.registered(document(CONNECT, statement("iot:Publish", "*")))
    with device.raw() as client:
        client.connect("button")
        client.publish("a")
        assert client.read() == (0x40, b"\0\x01")
        client.publish("a", retain=True)
        assert client.read() is None
    assert sandbox.refusals()[0].action == "iot:RetainPublish"


def test_every_delivery_needs_receive(sandbox):
    """A Deny of the topic filter does not stop a wider subscription; a Deny of Receive does."""
    restricted = statement("iot:Receive", arn("topic/a/restricted/*"), effect="Deny")
    listener = sandbox.registered(document(statement("iot:*", "*"), restricted))
    with listener.raw() as client, sandbox.registered().raw() as other:
        client.connect("listener")
        client.subscribe("a/#")
        other.connect("other")
        for topic in ("a/restricted/1", "a/restricted/1", "a/open"):
            other.publish(topic)
            assert other.read()[0] >> 4 == PUBACK
        _, body = client.read()
        assert body[2:8] == b"a/open"
    (refusal,) = sandbox.refusals()
    assert (refusal.action, refusal.verdict) == ("iot:Receive", "EXPLICIT_DENY")
    assert refusal.client_id == "listener"


def test_a_change_of_policy_acts_at_once(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("button", version=5)
        client.publish("a")
        assert client.read() == (0x40, b"\0\x01")
        sandbox.set_policy(device, document(CONNECT))
        client.publish("a")
        assert client.read()[1][2] == 0x87
        sandbox.set_policy(device, ANYTHING)
        client.publish("a")
        assert client.read() == (0x40, b"\0\x01")


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("change", ["INACTIVE", "REVOKED", "deleted"])
def test_a_connection_is_cut_when_its_certificate_is_no_longer_active(sandbox, change, version):
    device, honest = sandbox.registered(), sandbox.registered()
    with device.raw() as client:
        client.connect("button", version=version)
        if change == "deleted":
            # The registry is not told: the sweep finds out by itself.
            del sandbox.backend.certificates[device.certificate_id]
        else:
            sandbox.set_status(device, change)
        answer = client.read()
        assert answer is None if version == 4 else answer[1][0] == 0x87
    assert change in sandbox.refusals()[0].reason
    assert len(sandbox.log.lines) == 1
    sandbox.check_honest(honest)


def test_the_cut_comes_within_two_seconds_at_the_usual_pace(tmp_path):
    with Sandbox(tmp_path, sweep=limits.SWEEP_SECONDS) as sandbox:
        device = sandbox.registered()
        with device.raw() as client:
            client.connect("button")
            sandbox.set_status(device, "INACTIVE")
            start = time.monotonic()
            assert client.read() is None
            assert time.monotonic() - start < 2


QUARANTINE = document(statement("iot:*", "*", effect="Deny"))
DENIED = (
    "Statement 1 of no-more (from group {}) denies it, and a Deny is stronger than any Allow: "
    "remove it, or narrow its Resource."
)


def grouped(sandbox, device):
    """Put the Thing *button* into the group *lamps*, which *all* is the parent of."""
    backend = sandbox.backend
    backend.create_thing("button", None, None)
    backend.attach_thing_principal("button", device.arn)
    for name, parent in (("all", ""), ("lamps", "all")):
        backend.create_thing_group(name, parent, {})
    backend.add_thing_to_thing_group("lamps", None, "button", None)
    sandbox.registry.changed()


@pytest.mark.parametrize("group", ["lamps", "all"])
@pytest.mark.parametrize("version", [4, 5])
def test_a_groups_deny_cuts_a_connected_device(sandbox, version, group):
    device, honest = sandbox.registered(), sandbox.registered()
    grouped(sandbox, device)
    with device.raw() as client:
        client.connect("button", version=version)
        target = arn(f"thinggroup/{group}")
        sandbox.attach_policy(sandbox.backend, "no-more", target, QUARANTINE)
        answer = client.read()
        assert answer is None if version == 4 else answer[1][0] == 0x87
    (refusal,) = sandbox.refusals()
    assert (refusal.action, refusal.resource) == ("iot:Connect", arn("client/button"))
    assert (refusal.verdict, refusal.reason) == ("EXPLICIT_DENY", DENIED.format(group))
    assert f"no-more (from group {group}), statement 1 (Deny): denies it" in refusal.explanation
    with device.raw() as client:
        assert client.connect("button") is None
        assert sandbox.refusals()[-1].reason == DENIED.format(group)
    with device.raw() as client:  # AWS: the client id has to be the Thing's name
        assert client.connect("another") == (0x20, b"\0\0")
    sandbox.check_honest(honest)


def test_a_groups_allow_counts_for_its_things(sandbox):
    device = sandbox.registered(document(CONNECT))
    grouped(sandbox, device)
    publish = document(statement("iot:Publish", arn("topic/${iot:Connection.Thing.ThingName}")))
    sandbox.attach_policy(sandbox.backend, "publish", arn("thinggroup/all"), publish)
    for client_id, topic, code in (
        ("button", "button", 0),
        ("button", "a", 0x87),
        ("x", "x", 0x87),
    ):
        with device.raw() as client:
            client.connect(client_id, version=5)
            client.publish(topic)
            assert (client.read()[1][2:3] or b"\0")[0] == code
    sandbox.backend.remove_thing_from_thing_group("lamps", None, "button", None)
    sandbox.registry.changed()
    with device.raw() as client:
        client.connect("button", version=5)
        client.publish("button")
        assert client.read()[1][2] == 0x87


def test_the_groups_of_an_exclusive_thing_count_whatever_the_client_id_is(sandbox):
    device = sandbox.registered()
    grouped(sandbox, device)
    exclusive_things(sandbox.backend)[device.arn] = "button"
    sandbox.attach_policy(sandbox.backend, "no-more", arn("thinggroup/lamps"), QUARANTINE)
    with device.raw() as client:
        assert client.connect("another") is None
    assert sandbox.refusals()[0].reason == DENIED.format("lamps")


@pytest.mark.parametrize("change", ["another policy", "none"])
def test_who_may_connect_no_more_is_cut(sandbox, change):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("button", version=5)
        if change == "none":
            sandbox.backend.detach_policy(device.certificate_id, device.arn)
            sandbox.registry.changed()
        else:
            sandbox.set_policy(device, document(statement("iot:Publish", "*")))
        assert client.read()[1][0] == 0x87
    (refusal,) = sandbox.refusals()
    assert (refusal.action, refusal.verdict) == ("iot:Connect", "IMPLICIT_DENY")


def test_a_condition_key_that_aws_does_not_document_locks_nobody_out(sandbox):
    moon = statement("iot:Publish", "*", condition={"Bool": {"aws:Moon": "true"}})
    device = sandbox.registered(document(CONNECT, moon))
    with device.raw() as client:
        assert client.connect("button", version=5)[1][1] == 0
        client.publish("a")
        assert client.read()[1][2] == 0x87
    (refusal,) = sandbox.refusals()
    assert "applies only where Bool aws:Moon true; here AWS IoT has no such key" in (
        refusal.explanation
    )


def test_a_policy_that_cannot_be_read_denies(sandbox):
    device = sandbox.registered()
    found = sandbox.backend.policies[device.certificate_id]
    found.document = '{"Version": "2012-10-17", "Statement": ['
    sandbox.registry.changed()
    with device.raw() as client:
        assert client.connect("button") is None
    assert "cannot be read" in sandbox.refusals()[0].reason


def test_what_a_connection_says_of_itself_can_be_a_condition(sandbox):
    thrifty = statement(
        "iot:Connect", "*", condition={"StringEquals": {"iot:DomainName": "localhost"}}
    )
    lasting = statement(
        "iot:Connect",
        "*",
        effect="Deny",
        condition={"ForAnyValue:StringEquals": {"iot:ConnectAttributes": ["PersistentConnect"]}},
    )
    device = sandbox.registered(document(thrifty, lasting))
    with device.raw() as client:
        assert client.connect("button") is not None
    with device.raw() as client:
        assert client.connect("button", clean=False) is None


def test_a_client_id_is_never_read_as_a_wildcard_of_the_policy(sandbox):
    own = arn("topicfilter/own/${iot:ClientId}")
    device = sandbox.registered(document(CONNECT, statement("iot:Subscribe", own)))
    with device.raw() as client:
        client.connect("*")
        assert client.subscribe("own/*")[1][-1] == 1
        assert client.subscribe("own/other") is None


@pytest.mark.parametrize("elsewhere", [{"region": "us-east-1"}, {"account": "111122223333"}])
def test_accounts_and_regions_do_not_hear_each_other(sandbox, elsewhere):
    here, there = sandbox.registered(), sandbox.registered(**elsewhere)
    with here.raw() as one, there.raw() as other:
        one.connect("same-id")
        other.connect("same-id")
        one.subscribe("#")
        other.subscribe("#")
        one.publish("a")
        assert {one.read()[0] >> 4, one.read()[0] >> 4} == {PUBACK, PUBLISH}
        other.publish("b")
        assert {other.read()[0] >> 4, other.read()[0] >> 4} == {PUBACK, PUBLISH}
        for client in (one, other):
            client.send(b"\xc0\0")
            assert client.read() == (0xD0, b"")


@pytest.mark.parametrize(("retain", "qos"), [(False, 0), (False, 1), (True, 1)])
@pytest.mark.parametrize("version", [4, 5])
def test_a_will_is_published_when_a_client_vanishes(sandbox, version, retain, qos):
    device = sandbox.registered()
    with device.raw() as listener:
        listener.connect("listener")
        listener.subscribe("wills/button")
        with device.raw() as client:
            client.connect(
                "button", version=version, will=Publish("wills/button", b"gone", qos, retain)
            )
        first, body = listener.read()
        assert (first >> 4, body[-4:]) == (PUBLISH, b"gone")
    with device.raw() as late:
        late.connect("late")
        late.subscribe("wills/button")
        late.send(b"\xc0\0")
        first, _ = late.read()
        assert first == (0x33 if retain else 0xD0)


def test_a_client_that_says_good_bye_leaves_no_will(sandbox):
    device = sandbox.registered()
    with device.raw() as listener:
        listener.connect("listener")
        listener.subscribe("wills/#")
        with device.raw() as client:
            client.connect("button", will=Publish("wills/button", b"gone"))
            client.send(b"\xe0\0")
            assert client.read() is None
        assert sandbox.connections == 1
        listener.send(b"\xc0\0")
        assert listener.read() == (0xD0, b"")


@pytest.mark.parametrize(
    ("will", "action"),
    [
        (Publish("elsewhere", b""), "iot:Publish"),
        (Publish("wills/button", b"", retain=True), "iot:RetainPublish"),
    ],
)
def test_a_will_that_the_policies_deny_is_refused_with_its_connect(sandbox, will, action):
    allowed = statement("iot:Publish", arn("topic/wills/*"))
    device = sandbox.registered(document(CONNECT, allowed))
    with device.raw() as client:
        assert client.connect("button", will=will) is None
    assert sandbox.refusals()[0].action == action
    with device.raw() as client:
        assert client.connect("button", will=Publish("wills/button", b"")) is not None


def test_a_will_is_checked_again_when_it_is_published(sandbox):
    device, other = sandbox.registered(), sandbox.registered()
    with other.raw() as listener:
        listener.connect("listener")
        listener.subscribe("wills/#")
        with device.raw() as client:
            client.connect("button", will=Publish("wills/button", b"gone"))
            sandbox.set_policy(device, document(CONNECT))
        assert len(sandbox.refusals()) == 1
        listener.send(b"\xc0\0")
        assert listener.read() == (0xD0, b"")


def test_a_message_by_http_reaches_those_who_may_receive_it(served):
    deaf = served.registered(document(statement(["iot:Connect", "iot:Subscribe"], "*")))
    with served.registered().raw() as client, deaf.raw() as other:
        for each, name in ((client, "client"), (other, "other")):
            each.connect(name)
            each.subscribe("a/+")
        served.broker.publish(ACCOUNT, "us-east-1", "a/b", b"elsewhere")
        served.broker.publish("111122223333", REGION, "a/b", b"elsewhere")
        served.broker.publish(ACCOUNT, REGION, "a/b", b"here", qos=1, retain=True)
        assert client.read() == (0x32, b"\0\x03a/b\0\x01here")
        other.send(b"\xc0\0")
        assert other.read() == (0xD0, b"")
        assert client.subscribe("a/b")[0] == 0x90
        assert client.read()[0] == 0x33
    assert served.refusals()[0].action == "iot:Receive"


PROPERTIES = {
    P.PAYLOAD_FORMAT: 1,
    P.CONTENT_TYPE: "text/plain",
    P.RESPONSE_TOPIC: "answers",
    P.CORRELATION_DATA: b"\0\1",
    P.USER_PROPERTY: [("a", "1"), ("a", "2")],
}


def test_the_properties_of_a_message_by_http_are_delivered(served):
    with served.registered().raw() as new, served.registered().raw() as old:
        for each, version in ((new, 5), (old, 4)):
            each.connect(f"client{version}", version=version)
            each.subscribe("a", qos=0)
        served.broker.publish(ACCOUNT, REGION, "a", b"here", qos=1, properties=PROPERTIES)
        assert new.read() == (0x30, b"\0\x01a" + encode_properties(PROPERTIES) + b"here")
        assert old.read() == (0x30, b"\0\x01ahere")


def test_a_message_by_http_expires(served):
    """Its time is counted while it waits: a subscriber is told what is left of it, or nothing."""
    device = served.registered()
    again = {"version": 5, "clean": False, "asked": {P.SESSION_EXPIRY: 60}}
    with device.raw() as client:
        client.connect("client", **again)
        client.subscribe("a")
    for seconds in (1, 60):
        asked = {P.MESSAGE_EXPIRY: seconds}
        served.broker.publish(ACCOUNT, REGION, "a", b"!", qos=1, properties=asked)
    endpoint = served.broker._services.endpoints.of(ACCOUNT, REGION)
    (session,) = endpoint.sessions.values()
    assert eventually(lambda: len(session._waiting) == 2)
    for delivery in session._waiting:
        delivery.message.expires_at -= 10
    with device.raw() as client:
        client.connect("client", **again)
        assert client.read()[1][5:] in (
            b"\x05\x02\0\0\0" + bytes((left,)) + b"!" for left in (49, 50)
        )


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"topic": "a/+"}, r"\+ and # belong"),
        ({"topic": "a\0"}, "null character"),
        ({"payload": bytes(128 * 1024 + 1)}, "payload of 131073 bytes"),
        ({"qos": 2}, "no QoS 2"),
        ({"properties": {P.CONTENT_TYPE: "x" * 8190}}, "8193 bytes of properties"),
        ({"properties": {P.CONTENT_TYPE: "x" * 65536}}, "cannot carry"),
        ({"properties": {P.CONTENT_TYPE: "\ud800"}}, "cannot carry"),
        ({"properties": {P.USER_PROPERTY: [("\0", "")]}}, "null character"),
        ({"properties": {P.SESSION_EXPIRY: 1}}, "SESSION_EXPIRY does not belong here"),
    ],
)
def test_a_message_by_http_that_no_device_could_publish(served, what, why):
    asked = {"topic": "a", "payload": b"", **what}
    with pytest.raises(RefusedError, match=why):
        served.broker.publish(ACCOUNT, REGION, **asked)


def test_refusals_are_bounded(sandbox):
    device = sandbox.registered(document(CONNECT))
    with device.raw() as client:
        client.connect("button", version=5)
        for number in range(120):
            client.publish(f"topic/{number}")
            client.read()
    found = sandbox.refusals()
    assert len(found) == 100
    assert found[-1].resource == arn("topic/topic/119")
    assert [each.when for each in found] == sorted(each.when for each in found)
    assert not sandbox.services.refusals.of("444455556666")
