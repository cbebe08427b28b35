"""Shared subscriptions: each message goes to one member of the group, and none is lost."""

import secrets
from contextlib import ExitStack
from functools import partial
from itertools import chain
from queue import Queue

import paho.mqtt.client as paho
import pytest
from broker_support import ACCOUNT, REGION, Sandbox, arn
from broker_wire import encode_publish, encode_subscribe
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from iot_policy import document, statement
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, V311, Property, Publish, Subscribe, Subscription

P = Property
SHARED = "$share/consumer/sports/#"
PING, PONG = b"\xc0\0", (0xD0, b"")


@pytest.fixture
def member(sandbox):
    """Connects members of groups, all with one certificate."""
    device = sandbox.registered()
    with ExitStack() as connected:

        def connect(client_id, *filters, qos=1, **options):
            client = connected.enter_context(device.raw())
            client.connect(client_id, **options)
            if filters:
                first, body = client.subscribe(*filters, qos=qos)
                assert (first, body[-1]) == (0x90, qos)
            return client

        yield connect


@pytest.fixture
def publish(member):
    """Publishes a message; it is acknowledged before this returns."""
    publisher = member("publisher")

    def publish(topic, payload=b"!", **options):
        publisher.publish(topic, payload, **options)
        if options.get("qos", 1):
            assert publisher.read() == (0x40, b"\0\x01")

    return publish


def received(client) -> list[tuple[int, bytes]]:
    """The first byte and the payload of each message that has come since, without more."""
    client.send(PING)
    found = []
    while (packet := client.read()) != PONG:
        first, body = packet
        start = 2 + int.from_bytes(body[:2], "big") + (2 if first & 2 else 0)
        start += client.version == V5
        found.append((first, body[start:]))
        if first & 2:
            client.send(b"\x40\x02" + body[start - 2 - (client.version == V5) :][:2])
    return found


@pytest.mark.parametrize("version", [V311, V5])
def test_each_message_goes_to_one_member_and_to_every_other_subscriber(member, publish, version):
    members = [member(f"member{number}", SHARED, version=version) for number in range(3)]
    alone = member("alone", "sports/#")
    for number in range(60):
        publish("sports/tennis", b"%d" % number)
    everything = [b"%d" % number for number in range(60)]
    shares = [[payload for _, payload in received(each)] for each in members]
    assert sorted(chain(*shares), key=int) == everything
    assert all(shares)  # at random: that one gets nothing comes about once in 10**10 runs
    assert [payload for _, payload in received(alone)] == everything


def test_each_group_gets_a_copy(member, publish):
    """As in AWS's picture: three groups match, one member of each has the message."""
    filters = ("$share/consumer1/sports/tennis", SHARED, "$share/consumer2/sports/tennis")
    clients = [member(f"client{number}", filters[number // 2]) for number in range(6)]
    publish("sports/tennis")
    publish("other")
    counts = [len(received(each)) for each in clients]
    assert [sum(counts[start : start + 2]) for start in (0, 2, 4)] == [1, 1, 1]


def test_a_member_that_subscribes_on_its_own_too_gets_it_twice(member, publish):
    client = member("client", SHARED, "sports/tennis")
    publish("sports/tennis")
    assert len(received(client)) == 2


def test_the_lower_qos_counts(member, publish):
    client = member("client", SHARED, qos=0)
    publish("sports/tennis")
    assert received(client) == [(0x30, b"!")]


def test_no_retained_message_comes_with_it_but_one_that_is_retained_now_does(member, publish):
    publish("sports", b"old", retain=True)
    client = member("client", "$share/consumer/sports")
    assert received(client) == []
    publish("sports", b"new", retain=True)
    assert received(client) == [(0x32, b"new")]


def test_the_option_retain_as_published_counts(member, publish):
    client = member("client", version=V5)
    asked = Subscribe(3, [Subscription(SHARED, 0, retain_as_published=True)], {})
    client.send(encode_subscribe(asked, V5))
    assert client.read()[0] == 0x90
    publish("sports/tennis", retain=True)
    assert received(client) == [(0x31, b"!")]


def test_no_local_is_a_breach_of_the_protocol(sandbox, member):
    client = member("client", version=V5)
    client.send(encode_subscribe(Subscribe(3, [Subscription(SHARED, 0, no_local=True)], {}), V5))
    first, body = client.read()
    assert (first, body[0]) == (0xE0, 0x82)
    assert "No Local" in sandbox.refusals()[0].reason


def test_when_a_member_leaves_the_others_get_all(member, publish):
    one, other = member("one", SHARED), member("other", SHARED)
    one.close()
    for _ in range(5):
        publish("sports/tennis")
    assert len(received(other)) == 5
    other.send(b"\xa2\x1c\0\x09\0\x18" + SHARED.encode())
    assert other.read() == (0xB0, b"\0\x09")
    publish("sports/tennis")
    assert received(other) == []


@pytest.mark.parametrize("clean", [True, False])
def test_what_a_member_has_not_acknowledged_goes_to_another(member, publish, clean):
    one = member("one", SHARED, clean=clean)
    for payload in (b"1", b"2", b"3"):
        publish("sports/tennis", payload)
    bodies = [one.read()[1] for _ in range(3)]
    one.send(b"\x40\x02" + bodies[1][15:17])
    other = member("other", SHARED)
    assert received(other) == []
    one.close()
    assert received(other) == [(0x32, b"1"), (0x32, b"3")]
    assert received(member("one", clean=clean)) == []


def test_what_nobody_is_there_for_waits_if_a_member_has_a_persistent_session(member, publish):
    member("one", SHARED, clean=False).close()
    publish("sports/tennis", b"kept")
    publish("sports/tennis", b"lost", qos=0)
    one = member("one", clean=False)
    assert received(one) == [(0x32, b"kept")]
    one.close()
    publish("sports/tennis", b"for who joins")
    assert received(member("newcomer", SHARED)) == [(0x32, b"for who joins")]


def test_without_one_nothing_waits(member, publish, endpoint):
    member("one", SHARED).close()
    assert not endpoint.groups
    assert not endpoint._shared._root.children
    publish("sports/tennis")
    assert received(member("newcomer", SHARED)) == []


def test_the_members_that_are_away_leave_when_their_sessions_end(
    sandbox, member, publish, endpoint
):
    member("one", SHARED, clean=False).close()
    publish("sports/tennis")
    sandbox.wait(limits.SESSION_SECONDS)
    assert not endpoint.groups


def test_what_waits_may_expire(sandbox, member):
    member("one", SHARED, clean=False).close()
    publisher = member("publisher", version=V5)
    for seconds in (60, 61):
        message = Publish("sports/tennis", b"%d" % seconds, 1, packet_id=1)
        message.properties = {P.MESSAGE_EXPIRY: seconds}
        publisher.send(encode_publish(message, V5))
    sandbox.wait(60)
    assert received(member("one", clean=False)) == [(0x32, b"61")]


def test_what_waits_is_bounded_and_the_older_stay(member, publish, monkeypatch):
    monkeypatch.setattr(limits, "QUEUED_MESSAGES", 2)
    member("one", SHARED, clean=False).close()
    for payload in (b"1", b"2", b"3"):
        publish("sports/tennis", payload)
    one = member("one", clean=False)
    assert received(one) == [(0x32, b"1"), (0x32, b"2")]
    one.close()
    monkeypatch.setattr(limits, "QUEUED_BYTES", 3)
    for payload in (b"12", b"34", b"5"):
        publish("sports/tennis", payload)
    assert received(member("one", clean=False)) == [(0x32, b"12"), (0x32, b"5")]


def test_a_member_that_does_not_read_loses_nothing_of_the_group(member, publish, monkeypatch):
    monkeypatch.setattr(limits, "QUEUED_MESSAGES", 2)
    slow = member("slow", SHARED)
    slow.link.pause()
    for payload in (b"1", b"2"):
        publish("sports/tennis", payload)
    other = member("other", SHARED)
    monkeypatch.setattr(secrets, "choice", lambda there: there[0])
    publish("sports/tennis", b"3")
    assert slow.link.closing
    assert sorted(payload for _, payload in received(other)) == [b"1", b"2", b"3"]


def test_the_policy_is_asked_about_the_whole_filter_and_about_the_messages_topic(sandbox):
    """As the policies of AWS's own samples have it; AWS's guide does not say."""
    connect = statement("iot:Connect", "*")
    allowed = document(
        connect,
        statement("iot:Subscribe", arn("topicfilter/$share/*/sports/#")),
        statement(["iot:Publish", "iot:Receive"], arn("topic/sports/tennis")),
    )
    plain = document(connect, statement("iot:Subscribe", arn("topicfilter/sports/#")))
    with sandbox.registered(plain).raw() as client:
        client.connect("client")
        assert client.subscribe(SHARED) is None
    (refusal,) = sandbox.refusals()
    assert refusal.resource == arn(f"topicfilter/{SHARED}")
    with sandbox.registered(allowed).raw() as client:
        client.connect("client")
        client.subscribe(SHARED)
        client.publish("sports/tennis")
        assert {client.read()[0], client.read()[0]} == {0x32, 0x40}


def test_it_is_one_of_fifty_subscriptions(member, monkeypatch):
    monkeypatch.setattr(limits, "SUBSCRIPTIONS_PER_CONNECTION", 1)
    client = member("client", SHARED, version=V5)
    assert client.subscribe("a")[1][-1] == 0x97


def test_mqtt_5_is_not_told_that_there_are_none(sandbox):
    with sandbox.registered().raw() as client:
        _, body = client.connect("client", version=V5)
        assert bytes((P.SHARED_SUBSCRIPTION_AVAILABLE, 0)) not in body


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
def test_over_tls_with_paho(tmp_path, version):
    arrived: Queue[tuple[int, bytes]] = Queue()
    with Sandbox(tmp_path) as served:
        device = served.registered()
        members, ready = [], Queue()
        for number in range(2):
            client = paho.Client(CallbackAPIVersion.VERSION2, f"member{number}", protocol=version)
            client.tls_set(str(device.ca), str(device.certificate), str(device.key))
            client.on_message = partial(lambda who, *a: arrived.put((who, a[2].payload)), number)
            client.on_subscribe = lambda *a: ready.put(a[3])
            client.on_connect = lambda client, *_: client.subscribe(SHARED, 1)
            client.connect("localhost", device.port)
            client.loop_start()
            members.append(client)
        assert [ready.get(timeout=10)[0].value for _ in members] == [1, 1]
        for number in range(40):
            served.broker.publish(ACCOUNT, REGION, "sports/tennis", b"%d" % number, qos=1)
        found = [arrived.get(timeout=10) for _ in range(40)]
        for client in members:
            client.disconnect()
            client.loop_stop()
        assert arrived.empty()
    assert sorted(int(payload) for _, payload in found) == list(range(40))
    assert {who for who, _ in found} == {0, 1}
