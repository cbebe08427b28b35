"""Each guard and each bound of authority and sessions, at the value where it begins to act."""

import json

import pytest
from broker_support import ACCOUNT, ANYTHING, REGION, arn
from broker_wire import PUBACK, PUBLISH, encode_publish, encode_subscribe

from iot_policy import document, statement
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, V311, Property, Publish, Subscribe, Subscription

P = Property
WELCOME, RESUMED = (0x20, b"\0\0"), (0x20, b"\x01\0")
PING, PONG = b"\xc0\0", (0xD0, b"")
CONNECT = statement("iot:Connect", "*")


def quiet(client) -> bool:
    """Whether nothing is there for the client to read."""
    client.send(PING)
    return client.read() == PONG


def break_policy(sandbox, name: str) -> None:
    sandbox.backend.policies[name].document = '{"Version": "2012-10-17", "Statement": ['
    sandbox.registry.changed()


@pytest.mark.parametrize("first", ["readable", "unreadable"])
def test_a_policy_that_cannot_be_read_denies_what_another_allows(sandbox, first):
    """It might be the one that denies."""
    device = sandbox.registered()
    if first == "unreadable":
        break_policy(sandbox, device.certificate_id)
        readable, unreadable = "other", device.certificate_id
        sandbox.attach_policy(sandbox.backend, "other", device.arn, ANYTHING)
    else:
        readable, unreadable = device.certificate_id, "other"
        sandbox.attach_policy(sandbox.backend, "other", device.arn, ANYTHING)
        break_policy(sandbox, "other")
    with device.raw() as client:
        assert client.connect("button") is None
    (refusal,) = sandbox.refusals()
    assert refusal.reason.startswith(f"policy {unreadable} cannot be read: ")
    assert (refusal.action, refusal.verdict) == ("iot:Connect", "REFUSED")
    assert refusal.problem == "unreadable policy"
    assert refusal.resource == arn("client/button")
    sandbox.backend.policies[unreadable].document = json.dumps(ANYTHING)
    sandbox.registry.changed()
    with device.raw() as client:
        assert client.connect("button") == WELCOME
        break_policy(sandbox, readable)
        client.publish("a")
        assert client.read() is None


def test_a_policy_that_can_be_read_again_is_no_longer_the_reason(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("button", version=V5)
        break_policy(sandbox, device.certificate_id)
        client.publish("a")
        assert client.read()[1][2] == 0x87
        sandbox.set_policy(device, document(CONNECT))
        client.publish("a")
        assert client.read()[1][2] == 0x87
    assert [("cannot be read" in each.reason) for each in sandbox.refusals()] == [True, False]


def test_a_topic_that_may_not_be_received_is_recorded_once_per_connection(sandbox):
    deaf = sandbox.registered(document(statement(["iot:Connect", "iot:Subscribe"], "*")))
    with sandbox.registered().raw() as other:
        other.connect("other")
        for count in (1, 2):
            with deaf.raw() as client:
                client.connect("deaf", clean=False)
                client.subscribe("#")
                for _ in range(2):
                    other.publish("a", qos=0)
                assert quiet(client)
            assert len(sandbox.refusals()) == count


def test_topics_that_may_not_be_received_are_recorded_up_to_a_bound(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "DECISIONS", 3)
    deaf = sandbox.registered(document(statement(["iot:Connect", "iot:Subscribe"], "*")))
    with sandbox.registered().raw() as other, deaf.raw() as client:
        other.connect("other")
        client.connect("deaf")
        client.subscribe("#")
        for topic in "abcdab":
            other.publish(topic, qos=0)
    assert [each.resource[-1] for each in sandbox.refusals()] == ["a", "b", "c"]


@pytest.mark.parametrize("filters", [("a/#", "a/+"), ("a/+", "a/#")])
@pytest.mark.parametrize("high_first", [True, False])
def test_overlapping_filters_deliver_once_with_the_highest_qos(sandbox, filters, high_first):
    with sandbox.registered().raw() as client:
        client.connect("button")
        for topic_filter, qos in zip(filters, (high_first, not high_first), strict=True):
            client.subscribe(topic_filter, qos=int(qos))
        client.publish("a/b", b"!")
        assert {client.read()[0], client.read()[0]} == {0x32, 0x40}
        assert quiet(client)


def test_each_of_two_sessions_has_its_own_highest_qos(sandbox):
    with sandbox.registered().raw() as one, sandbox.registered().raw() as other:
        one.connect("one")
        other.connect("other")
        one.subscribe("a", qos=0)
        other.subscribe("a", qos=1)
        one.publish("a", qos=1)
        assert {one.read()[0], one.read()[0]} == {0x30, 0x40}
        assert other.read()[0] == 0x32


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, True),
        ({P.MAXIMUM_PACKET_SIZE: 2048}, True),
        ({P.MAXIMUM_PACKET_SIZE: 2047}, False),
        ({P.REQUEST_PROBLEM_INFORMATION: 1}, True),
        ({P.REQUEST_PROBLEM_INFORMATION: 0}, False),
    ],
)
def test_a_reason_is_told_in_words_to_a_client_that_can_take_them(sandbox, asked, told):
    topic = "x" * 250
    pattern = arn("topic/" + "y" * 200)
    policy = document(CONNECT, statement("iot:Publish", pattern))
    with sandbox.registered(policy).raw() as client:
        client.connect("button", version=V5, asked=asked)
        client.publish(topic)
        puback = client.read()[1]
        _, suback = client.subscribe(topic)
        client.publish(topic, qos=0)
        disconnect = client.read()[1]
    reason = sandbox.refusals()[0].reason
    assert len(reason) > 400
    assert puback[:3] == b"\0\x01\x87"
    if told:
        assert puback[-400:].decode() == reason[:400]
        assert puback[-403:-400] == b"\x1f\x01\x90"
        assert disconnect[-400:].decode() == reason[:400]
        assert b"iot:Subscribe" in suback
    else:
        assert puback[3:] == b"\0"
        assert disconnect == b"\x87\0"
        assert suback == b"\0\x07\0\x87"


def test_a_refused_connect_is_told_400_characters(sandbox):
    policy = document(statement("iot:Connect", arn("client/" + "y" * 400)))
    with sandbox.registered(policy).raw() as client:
        _, body = client.connect("button", version=V5)
    reason = sandbox.refusals()[0].reason
    assert len(reason) > 400
    assert body[-400:].decode() == reason[:400]
    assert body[-403:-400] == b"\x1f\x01\x90"


def test_only_some_refusals_of_a_message_are_answered_by_puback(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("button", version=V5)
        for topic, code in (("a/+", 0x90), ("", 0x90)):
            client.publish(topic)
            assert client.read()[1][2] == code
        client.publish("a", bytes(limits.PAYLOAD_BYTES + 1))
        assert client.read()[1][0] == 0x95
        assert client.read() is None


def test_a_queue_takes_as_many_messages_as_its_bound(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "QUEUED_MESSAGES", 3)
    with sandbox.registered().raw() as deaf, sandbox.registered().raw() as other:
        deaf.connect("deaf")
        deaf.subscribe("a", qos=0)
        other.connect("other")
        deaf.link.pause()
        for _ in range(3):
            other.publish("a", qos=0)
        assert not deaf.link.closing
        deaf.link.resume()
        assert [deaf.read()[0] for _ in range(3)] == [0x30] * 3
        deaf.link.pause()
        for _ in range(4):
            other.publish("a", qos=0)
        assert deaf.link.closing
    assert sandbox.refusals()[0].reason == "the client does not read what it subscribed to"


@pytest.mark.parametrize("qos", [0, 1])
def test_a_queue_takes_as_many_bytes_as_its_bound(sandbox, monkeypatch, qos):
    """What is delivered, or acknowledged, counts no more; what is not acknowledged does."""
    monkeypatch.setattr(limits, "QUEUED_BYTES", 10)
    with sandbox.registered().raw() as client, sandbox.registered().raw() as other:
        client.connect("client", version=V5, asked={P.RECEIVE_MAXIMUM: 1})
        client.subscribe("a", qos=qos)
        other.connect("other")
        for _ in range(3):
            other.publish("a", bytes(10))
            _, body = client.read()
            if qos:
                client.send(b"\x40\x02" + body[3:5])
        client.link.pause()
        other.publish("a", bytes(5))
        other.publish("a", bytes(5))
        assert not client.link.closing
        other.publish("a", bytes(1))
        assert client.link.closing


def test_what_waits_for_a_client_that_is_away_is_bounded_and_weighed(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "QUEUED_BYTES", 10)
    device = sandbox.registered()
    with sandbox.registered().raw() as other:
        other.connect("other")
        with device.raw() as client:
            client.connect("client", clean=False)
            client.subscribe("a")
            other.publish("a", b"123456")
            client.read()
            client.link.pause()
            other.publish("a", b"!", qos=0)  # is not kept, and weighs nothing once the client goes
            other.publish("a", b"78")
        other.publish("a", b"90")
        other.publish("a", b"too much")
        with device.raw() as client:
            assert client.connect("client", clean=False) == RESUMED
            found = [client.read() for _ in range(3)]
            assert [(first, body[5:]) for first, body in found] == [
                (0x3A, b"123456"),
                (0x32, b"78"),
                (0x32, b"90"),
            ]
            assert quiet(client)


def test_messages_beyond_the_receive_maximum_wait(sandbox):
    """The broker itself has no more than 100 unacknowledged, whatever the client would take."""
    with sandbox.registered().raw() as client, sandbox.registered().raw() as other:
        client.connect("client", version=V5, asked={P.RECEIVE_MAXIMUM: 0xFFFF})
        client.subscribe("a")
        client.subscribe("b", qos=0)
        other.connect("other")
        for _ in range(102):
            other.publish("a")
        bodies = [client.read()[1] for _ in range(100)]
        assert quiet(client)
        other.publish("b", qos=0)  # in its turn, behind what waits
        assert quiet(client)
        client.send(b"\x40\x02" + bodies[0][3:5])
        assert client.read()[0] == 0x32
        assert quiet(client)
        client.send(b"\x40\x02" + bodies[0][3:5])  # once more: acknowledges nothing
        assert quiet(client)
        client.send(b"\x40\x02" + bodies[1][3:5])
        assert [client.read()[0], client.read()[0]] == [0x32, 0x30]


def test_packet_ids_go_round_and_pass_by_those_in_use(sandbox, endpoint):
    with sandbox.registered().raw() as client, sandbox.registered().raw() as other:
        client.connect("client")
        client.subscribe("a")
        other.connect("other")
        other.publish("a")
        assert client.read()[1][3:5] == b"\0\x01"
        (session,) = (each for each in endpoint.sessions.values() if each.subscriptions)
        session._last_id = 0xFFFE
        for expected in (b"\xff\xff", b"\0\x02"):
            other.publish("a")
            assert client.read()[1][3:5] == expected


def test_what_is_not_sent_needs_no_acknowledgement(sandbox):
    """Neither a message that has expired, nor one that may not be received."""
    denied = statement("iot:Receive", arn("topic/denied"), effect="Deny")
    device = sandbox.registered(document(statement("iot:*", "*"), denied))
    asked = {P.SESSION_EXPIRY: 60, P.RECEIVE_MAXIMUM: 1}
    with device.raw() as client:
        client.connect("client", version=V5, asked=asked)
        client.subscribe("#")
    with device.raw() as other:
        other.connect("other", version=V5)
        expiring = Publish("a", b"1", 1, packet_id=1, properties={P.MESSAGE_EXPIRY: 1})
        other.send(encode_publish(expiring, V5))
        other.publish("denied", b"2")
        other.publish("a", b"3")
    sandbox.wait(1)
    with device.raw() as client:
        client.connect("client", version=V5, clean=False, asked=asked)
        assert client.read()[1][-1:] == b"3"


@pytest.mark.parametrize("first", [True, False])
def test_a_client_that_wants_none_of_its_own_leaves_the_others_theirs(sandbox, first):
    with sandbox.registered().raw() as own, sandbox.registered().raw() as other:
        own.connect("own", version=V5)
        other.connect("other", version=V5)

        def subscribe_without_own() -> None:
            asked = Subscribe(3, [Subscription("a", 0, no_local=True)], {})
            own.send(encode_subscribe(asked, V5))
            own.read()

        if first:
            subscribe_without_own()
        other.subscribe("a", qos=0)
        if not first:
            subscribe_without_own()
        own.publish("a", qos=0)
        assert quiet(own)
        assert other.read()[0] == 0x30


@pytest.mark.parametrize("size", [8 + 20, 8 + 19])
def test_a_packet_as_long_as_the_client_takes_is_sent(sandbox, size):
    """A packet that is too long is dropped, and does not count as unacknowledged."""
    asked = {P.MAXIMUM_PACKET_SIZE: size, P.RECEIVE_MAXIMUM: 1}
    with sandbox.registered().raw() as client, sandbox.registered().raw() as other:
        client.connect("client", version=V5, asked=asked)
        client.subscribe("a")
        other.connect("other")
        other.publish("a", bytes(20))
        assert quiet(client) == (size < 28)
    with sandbox.registered().raw() as client, sandbox.registered().raw() as other:
        client.connect("client", version=V5, asked=asked)
        client.subscribe("a")
        other.connect("other")
        other.publish("a", bytes(30))
        other.publish("a", b"!")
        assert client.read()[1][-1:] == b"!"


def test_a_message_expires_to_the_second(sandbox):
    device = sandbox.registered()
    for waited, left in ((3, 1), (2.5, 1), (1, 3), (4, None)):
        with device.raw() as client:
            client.connect("client", version=V5, asked={P.SESSION_EXPIRY: 60})
            client.subscribe("a")
        with device.raw() as other:
            other.connect("other", version=V5)
            asked = {P.MESSAGE_EXPIRY: 4, P.CONTENT_TYPE: "t"}
            other.send(encode_publish(Publish("a", b"!", 1, False, False, 1, asked), V5))
        sandbox.wait(waited)
        with device.raw() as client:
            client.connect("client", version=V5, clean=False)
            if left is None:
                assert quiet(client)
            else:
                body = client.read()[1]
                assert body[6:] == b"\x03\0\x01t\x02\0\0\0" + bytes((left,)) + b"!"


@pytest.mark.parametrize(
    ("version", "clean", "asked", "seconds"),
    [
        (V311, True, None, 0),
        (V311, False, None, limits.SESSION_SECONDS),
        (V5, True, None, 0),
        (V5, True, 5, 5),
        (V5, False, 5, 5),
        (V5, True, 0xFFFFFFFF, limits.SESSION_SECONDS),
    ],
)
def test_a_session_ends_when_its_time_is_up(sandbox, endpoint, version, clean, asked, seconds):
    properties = {} if asked is None else {P.SESSION_EXPIRY: asked}
    with sandbox.registered().raw() as client:
        client.connect("client", version=version, clean=clean, asked=properties)
        client.subscribe("a")
        sandbox.wait(1)
        assert len(endpoint.sessions) == 1  # its time begins when the client goes
    if seconds:
        sandbox.wait(seconds - 0.5)
        assert len(endpoint.sessions) == 1
        sandbox.wait(0.5)
    assert not endpoint.sessions
    assert not endpoint._routes._root.children


@pytest.mark.parametrize(
    ("before", "asked", "seconds"),
    [(5, None, 5), (5, 9, 9), (5, 0, 0), (5, 0xFFFFFFFF, limits.SESSION_SECONDS), (0, 0, 0)],
)
def test_a_disconnect_may_change_how_long_the_session_stays(
    sandbox, endpoint, before, asked, seconds
):
    body = b"\0" if asked is None else b"\0\x05\x11" + asked.to_bytes(4, "big")
    with sandbox.registered().raw() as client:
        client.connect("client", version=V5, asked={P.SESSION_EXPIRY: before})
        client.send(b"\xe0" + bytes((len(body),)) + body)
        assert client.read() is None
    assert [each.expiry_seconds for each in endpoint.sessions.values()] == [seconds] * bool(seconds)
    assert not sandbox.refusals()


def test_a_disconnect_prolongs_no_session_that_ends_with_it(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("client", version=V5)
        client.send(b"\xe0\x07\0\x05\x11\0\0\0\x09")
        assert client.read()[1][0] == 0x82
    assert sandbox.refusals()[0].reason == "a session that ends now cannot be prolonged"


def test_retained_messages_are_bounded_by_their_bytes(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "RETAINED_BYTES", 10)
    with sandbox.registered().raw() as client:
        client.connect("button", version=V5)

        def retain(topic: str, size: int) -> bool:
            client.publish(topic, bytes(size), retain=True)
            return client.read()[1][2:3] == b""

        assert not retain("a", 11)
        assert retain("a", 10)
        assert not retain("b", 1)
        assert retain("a", 4)  # in place of the 10
        assert retain("b", 6)
        assert not retain("a", 5)
        assert retain("b", 0)
        assert retain("b", 0)  # deleted twice, it gives no room twice
        assert retain("c", 6)
        assert not retain("d", 1)
    assert sandbox.refusals()[0].reason == "this sandbox can retain no more messages"


def test_a_message_that_deletes_a_retained_one_weighs_nothing(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "RETAINED_BYTES", 300)
    with sandbox.registered().raw() as client:
        client.connect("button", version=V5)
        client.publish("a", bytes(300), retain=True)
        assert client.read() == (0x40, b"\0\x01")
        empty = Publish("a", b"", 1, True, packet_id=1, properties={P.CONTENT_TYPE: "none"})
        client.send(encode_publish(empty, V5))
        assert client.read() == (0x40, b"\0\x01")
        client.publish("b", bytes(300), retain=True)
        assert client.read() == (0x40, b"\0\x01")


def test_a_retained_message_is_replaced_where_no_more_fit(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "RETAINED_MESSAGES", 1)
    with sandbox.registered().raw() as client:
        client.connect("button", version=V5)
        for payload in (b"old", b"new"):
            client.publish("a", payload, retain=True)
            assert client.read()[0] >> 4 == PUBACK
        client.subscribe("a", qos=0)
        assert client.read() == (0x31, b"\0\x01a\0new")


@pytest.mark.parametrize(("sent", "asked"), [(0, 1), (1, 0), (1, 1)])
def test_a_retained_message_comes_with_the_lower_qos(sandbox, sent, asked):
    with sandbox.registered().raw() as client:
        client.connect("button")
        client.publish("a", qos=sent, retain=True)
        if sent:
            client.read()
        client.subscribe("a", qos=asked)
        assert client.read()[0] == 0x31 | min(sent, asked) << 1
        client.publish("a", qos=sent)
        assert {client.read()[0] for _ in range(1 + sent)} - {0x40} == {
            0x30 | min(sent, asked) << 1
        }


KEEP_ALIVES = [(0, 1200), (1, 30), (29, 30), (30, 30), (31, 31), (1200, 1200), (1201, 1200)]


@pytest.mark.parametrize("version", [V311, V5])
@pytest.mark.parametrize(("asked", "counts"), KEEP_ALIVES)
def test_a_silent_client_has_one_and_a_half_times_its_keep_alive(sandbox, asked, counts, version):
    """Which AWS IoT takes between 30 seconds and 20 minutes; an MQTT 5 client is told."""
    with sandbox.registered().raw() as client:
        _, body = client.connect("button", version=version, keep_alive=asked)
        told = b"\x13" + counts.to_bytes(2, "big")
        assert (told in body) == (version == V5 and asked != counts)
        sandbox.wait(1.5 * counts)
        assert not client.link.closing
        sandbox.wait(0.1)
        assert client.link.closing
    assert f"the keep-alive is {counts}" in sandbox.refusals()[0].reason


def test_topic_aliases_are_bounded(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("button", version=V5)
        client.send(encode_publish(Publish("a", b"", properties={P.TOPIC_ALIAS: 8}), V5))
        assert quiet(client)
        client.send(encode_publish(Publish("a", b"", properties={P.TOPIC_ALIAS: 9}), V5))
        assert client.read()[1][0] == 0x94


def test_a_delayed_will_comes_no_later_than_its_session_ends(sandbox):
    will = Publish("wills/button", b"gone", properties={P.WILL_DELAY: 60})
    device = sandbox.registered()
    with device.raw() as listener:
        listener.connect("listener", keep_alive=1000)
        listener.subscribe("wills/#")
        for expiry in (5, 0):
            with device.raw() as client:
                client.connect("button", version=V5, will=will, asked={P.SESSION_EXPIRY: expiry})
            if expiry:
                sandbox.wait(expiry - 0.5)
                assert quiet(listener)
                sandbox.wait(0.5)
            assert listener.read()[0] >> 4 == PUBLISH
            sandbox.wait(120)
            assert quiet(listener)  # it comes once


@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
def test_a_certificate_that_is_not_active_publishes_no_will(sandbox, status):
    device = sandbox.registered()
    with sandbox.registered().raw() as listener:
        listener.connect("listener")
        listener.subscribe("wills/#")
        with device.raw() as client:
            client.connect("button", will=Publish("wills/button", b"gone"))
            sandbox.set_status(device, status)
        assert quiet(listener) == (status == "INACTIVE")
    assert not sandbox.refusals()


def test_a_will_outlives_a_good_bye_that_asks_for_it(sandbox):
    will = Publish("wills/button", b"gone", properties={P.WILL_DELAY: 9, P.CONTENT_TYPE: "t"})
    with sandbox.registered().raw() as listener, sandbox.registered().raw() as client:
        listener.connect("listener", version=V5)
        listener.subscribe("wills/#", qos=0)
        client.connect("button", version=V5, will=will)
        client.send(b"\xe0\x01\x04")
        assert listener.read() == (0x30, b"\0\x0cwills/button\x04\x03\0\x01tgone")
    assert sandbox.services.endpoints.published() == {ACCOUNT}


def test_a_device_that_publishes_is_noticed_once(sandbox):
    services = sandbox.services
    with sandbox.registered().raw() as client:
        client.connect("button")
        client.subscribe("a")
        services.endpoints.of(ACCOUNT, REGION).publish(Publish("a", b"by HTTP"))
        assert services.endpoints.published() == set()
        client.publish("a")
        services.endpoints.of(ACCOUNT, REGION).publish(Publish("a", b"by HTTP"))
        assert services.endpoints.published() == {ACCOUNT}
        assert services.endpoints.published() == set()


def test_decisions_are_remembered_up_to_a_bound(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "DECISIONS", 3)
    with sandbox.registered().raw() as client:
        client.connect("button")
        (connection,) = sandbox.services.connections
        remembered = connection.client.authority._decisions
        sizes = []
        for topic in "abca":
            client.publish(topic, qos=0)
            sizes.append(len(remembered))
    assert sizes == [2, 3, 1, 2]
