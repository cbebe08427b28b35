"""Sessions, retained messages, keep-alive, take-over, and AWS IoT's limits."""

import pytest
from broker_support import ACCOUNT, REGION, Sandbox
from broker_wire import PUBACK, PUBLISH, encode_publish, encode_subscribe

from sandbox.broker import server
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, Property, Publish, Subscribe, Subscription

P = Property
WELCOME, RESUMED = (0x20, b"\0\0"), (0x20, b"\x01\0")
PING, PONG = b"\xc0\0", (0xD0, b"")


def acknowledge(client, body: bytes, topic: str) -> None:
    client.send(b"\x40\x02" + body[2 + len(topic) : 4 + len(topic)])


def test_a_persistent_session_keeps_subscriptions_and_messages(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        assert client.connect("button", clean=False) == WELCOME
        client.subscribe("news")
    with device.raw() as other:
        other.connect("other")
        assert sandbox.connections == 1
        for payload in (b"1", b"2"):
            other.publish("news", payload)
            other.read()
        other.publish("news", b"lost", qos=0)
        other.send(PING)
        assert other.read() == PONG
    with device.raw() as client:
        assert client.connect("button", clean=False) == RESUMED
        got = [client.read(), client.read()]
        assert [body[-1:] for _, body in got] == [b"1", b"2"]
        acknowledge(client, got[0][1], "news")
        client.send(PING)
        assert client.read() == PONG
    with device.raw() as client:
        assert client.connect("button", clean=False) == RESUMED
        first, body = client.read()
        assert (first, body[-1:]) == (0x3A, b"2")  # sent again, and marked so
        client.send(PING)
        assert client.read() == PONG


def test_a_clean_session_forgets(sandbox):
    device = sandbox.registered()
    for clean in (False, True, False):
        with device.raw() as client:
            assert client.connect("button", clean=clean) == WELCOME
            client.subscribe("news")
            client.send(b"\xe0\0")
            assert client.read() is None


def test_mqtt_5_says_how_long_a_session_lasts(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("short", version=5, asked={P.SESSION_EXPIRY: 1})
    with device.raw() as client:
        client.connect("none", version=5)
    with device.raw() as client:
        _, body = client.connect("long", version=5, asked={P.SESSION_EXPIRY: 0xFFFFFFFF})
        assert b"\x11" + limits.SESSION_SECONDS.to_bytes(4, "big") in body
    assert sandbox.connections == 0
    for name, present in (("none", 0), ("long", 1), ("short", 1)):
        with device.raw() as client:
            asked = {P.SESSION_EXPIRY: 1}
            answer = client.connect(name, version=5, clean=False, asked=asked)
            assert answer[1][0] == present, name
    sandbox.wait(2.3)
    with device.raw() as client:
        assert client.connect("short", version=5, clean=False)[1][0] == 0


def test_another_certificate_gets_no_session_of_a_client_id(sandbox):
    """Device B under A's client id: A is cut, as on AWS, but what waits for A stays A's."""
    device_a, device_b, other = (sandbox.registered() for _ in range(3))
    with device_a.raw() as client:
        client.connect("A", clean=False)
        client.subscribe("secret/#")
    assert sandbox.connections == 0
    with other.raw() as sender:
        sender.connect("sender")
        sender.publish("secret/1", b"for A")
        sender.read()
        with device_b.raw() as thief:
            assert thief.connect("A", clean=False) == WELCOME
            sender.publish("secret/2", b"for A too")
            sender.read()
            thief.send(PING)
            assert thief.read() == PONG
        with device_b.raw() as thief:
            assert thief.connect("A", clean=True) == WELCOME
    with device_a.raw() as client:
        assert client.connect("A", clean=False) == RESUMED
        assert [client.read()[1][-5:], client.read()[1][-5:]] == [b"for A", b"A too"]


@pytest.mark.parametrize("version", [4, 5])
def test_the_older_of_two_connections_with_a_client_id_is_cut(sandbox, version):
    device = sandbox.registered()
    with device.raw() as older, device.raw() as newer:
        older.connect("button", version=version)
        newer.connect("button")
        answer = older.read()
        if version == 4:
            assert answer is None
        else:
            assert answer[1][0] == 0x8E
            assert answer[1].endswith(b"another connection has this client id now")
        assert not sandbox.refusals()
        newer.send(PING)
        assert newer.read() == PONG
        assert sandbox.connections == 1


def test_a_client_that_is_silent_beyond_its_keep_alive_is_cut(sandbox):
    device = sandbox.registered()
    with device.raw() as silent, device.raw() as lively:
        silent.connect("silent", version=5, keep_alive=30)
        lively.connect("lively", keep_alive=30)
        for _ in range(2):
            sandbox.wait(20)
            lively.send(PING)
            assert lively.read() == PONG
        assert sandbox.connections == 2
        sandbox.wait(10)
        assert silent.read()[1][0] == 0x8D
        lively.send(PING)
        assert lively.read() == PONG
    assert len(sandbox.refusals()) == 1


def test_retained_messages(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("button")
        for payload in (b"old", b"new"):
            client.publish("state/1", payload, retain=True)
            client.read()
        client.subscribe("state/1")
        first, body = client.read()
        assert (first, body[-3:]) == (0x33, b"new")
        # As on AWS IoT, a filter with a wildcard gets no retained message.
        client.subscribe("state/+")
        client.publish("state/1", b"", retain=True)
        assert {client.read()[0], client.read()[0]} == {0x32, 0x40}
    with device.raw() as client:
        client.connect("later")
        client.subscribe("state/1")
        client.send(PING)
        assert client.read() == PONG


def test_retained_messages_are_bounded(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "RETAINED_MESSAGES", 3)
    with sandbox.registered().raw() as client:
        client.connect("button", version=5)
        codes = []
        for number in range(4):
            client.publish(f"state/{number}", retain=True)
            codes.append(client.read()[1][2:3])
        client.publish("state/0", b"", retain=True)
        client.read()
        client.publish("state/3", retain=True)
        codes.append(client.read()[1][2:3])
    assert codes == [b"", b"", b"", b"\x97", b""]


def test_sessions_are_bounded(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "SESSIONS", 1)
    device = sandbox.registered()
    with device.raw() as client:
        assert client.connect("one", clean=False) == WELCOME
    with device.raw() as client:
        assert client.connect("two", version=5, clean=False)[1][:2] == b"\0\x97"
    assert "keeps 1 sessions at most" in sandbox.refusals()[0].reason
    with device.raw() as client:
        assert client.connect("one", clean=False) == RESUMED
    with device.raw() as client:
        assert client.connect("one", clean=True) == WELCOME
    with device.raw() as client:
        assert client.connect("two", clean=False) == WELCOME


def test_subscriptions_and_sessions_leave_nothing_behind(sandbox):
    device = sandbox.registered()
    for number in range(100):
        with device.raw() as client:
            client.connect(f"passing-{number}")
            client.subscribe(f"passing/{number}/#")
    endpoint = sandbox.services.endpoints.of(ACCOUNT, REGION)
    assert not endpoint.sessions
    assert not endpoint._connected
    assert not endpoint._routes._root.children


def test_mqtt_5_subscription_options(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("button", version=5)
        client.publish("a", b"kept", retain=True)
        client.read()

        def subscribe(**options):
            asked = Subscribe(3, [Subscription("a", 1, **options)], {})
            client.send(encode_subscribe(asked, V5))
            assert client.read()[0] == 0x90
            client.send(PING)
            answers = [client.read()]
            if answers[0] != PONG:
                answers.append(client.read())
            return len(answers) == 2

        assert not subscribe(retain_handling=2)
        assert not subscribe(retain_handling=1)
        assert subscribe(no_local=True)
        client.publish("a")
        assert client.read()[0] >> 4 == PUBACK
        assert subscribe(retain_as_published=True)
        client.publish("a", retain=True)
        assert {client.read()[0], client.read()[0]} == {0x33, 0x40}


def test_mqtt_5_properties_reach_the_subscriber(sandbox):
    device = sandbox.registered()
    carried = {
        P.CONTENT_TYPE: "application/json",
        P.USER_PROPERTY: [("click", "SINGLE"), ("click", "DOUBLE")],
        P.CORRELATION_DATA: b"\0\x01",
    }
    with device.raw() as client, device.raw() as old:
        client.connect("button", version=5)
        old.connect("old")
        client.subscribe("a", qos=0)
        old.subscribe("a", qos=0)
        client.send(encode_publish(Publish("a", b"!", properties=carried), V5))
        expected = encode_publish(Publish("a", b"!", properties=carried), V5)
        assert client.read() == (expected[0], expected[2:])
        assert old.read() == (0x30, b"\0\x01a!")


def test_a_message_that_expires_while_it_waits_is_not_delivered(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("button", version=5, asked={P.SESSION_EXPIRY: 60})
        client.subscribe("a")
    with device.raw() as other:
        other.connect("other", version=5)
        for seconds, packet_id in ((1, 1), (60, 2)):
            message = Publish(
                "a", b"%d" % seconds, 1, False, False, packet_id, {P.MESSAGE_EXPIRY: seconds}
            )
            other.send(encode_publish(message, V5))
            other.read()
    sandbox.wait(1.1)
    with device.raw() as client:
        client.connect("button", version=5, clean=False)
        _, body = client.read()
        assert body[-2:] == b"60"
        assert b"\x02\0\0\0\x3a" in body or b"\x02\0\0\0\x39" in body


@pytest.mark.parametrize(
    ("asked", "seconds"), [(0, 1), (1, 1), (604_800, 604_800), (604_801, 604_800)]
)
def test_how_long_a_message_may_be_asked_to_wait(sandbox, asked, seconds):
    """AWS adjusts it: 1 second at least, 7 days at most; what is left may be told as 0."""
    with sandbox.registered().raw() as client:
        client.connect("client", version=V5)
        client.subscribe("a", qos=0)
        message = Publish("a", b"!", properties={P.MESSAGE_EXPIRY: asked})
        client.send(encode_publish(message, V5))
        _, body = client.read()
        assert body == b"\0\x01a\x05\x02" + seconds.to_bytes(4, "big") + b"!"


def test_less_than_a_second_is_told_as_0(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("client", version=V5, asked={P.SESSION_EXPIRY: 60})
        client.subscribe("a")
        message = Publish("a", b"!", 1, packet_id=1, properties={P.MESSAGE_EXPIRY: 1})
        client.link.pause()
        client.send(encode_publish(message, V5))
    sandbox.wait(0.5)
    with device.raw() as client:
        client.connect("client", version=V5, clean=False)
        assert client.read()[1].endswith(b"\x05\x02\0\0\0\0!")


@pytest.mark.parametrize("topic", ["answers/+", "#"])
@pytest.mark.parametrize("will", [True, False])
def test_a_response_topic_has_no_wildcard(sandbox, topic, will):
    message = Publish("a", b"!", properties={P.RESPONSE_TOPIC: topic})
    with sandbox.registered().raw() as client:
        if will:
            assert client.connect("client", version=V5, will=message) is None
        else:
            client.connect("client", version=V5)
            client.send(encode_publish(message, V5))
            assert client.read()[1][0] == 0x82
    assert "no + and no #" in sandbox.refusals()[0].reason


@pytest.mark.parametrize("versions", [(4, 5), (5, 4)])
def test_a_session_is_not_resumed_with_the_other_version(sandbox, versions):
    """As on AWS, there are no persistent sessions across versions: each begins anew."""
    device = sandbox.registered()
    for version, present in [*((each, 0) for each in versions), (versions[1], 1)]:
        with device.raw() as client:
            asked = {P.SESSION_EXPIRY: 60} if version == V5 else {}
            answer = client.connect("button", version=version, clean=False, asked=asked)
            assert answer[1][0] == present


def test_topic_aliases(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("button", version=5)
        client.subscribe("a/long/topic", qos=0)
        for topic in ("a/long/topic", ""):
            client.send(encode_publish(Publish(topic, b"!", properties={P.TOPIC_ALIAS: 8}), V5))
            assert client.read() == (0x30, b"\0\x0ca/long/topic\0!")
        # What is no topic gets no alias either.
        wrong = Publish("a/+", b"!", 1, packet_id=9, properties={P.TOPIC_ALIAS: 7})
        client.send(encode_publish(wrong, V5))
        assert client.read()[1][:3] == b"\0\x09\x90"
        client.send(encode_publish(Publish("", b"!", properties={P.TOPIC_ALIAS: 7}), V5))
        assert client.read()[1][0] == 0x82


def test_a_delayed_will_waits_for_the_client_to_come_back(sandbox):
    device = sandbox.registered()
    will = Publish("wills/button", b"gone", properties={P.WILL_DELAY: 1})
    asked = {P.SESSION_EXPIRY: 60}
    with device.raw() as listener:
        listener.connect("listener")
        listener.subscribe("wills/#")
        with device.raw() as client:
            client.connect("button", version=5, will=will, asked=asked)
        assert sandbox.connections == 1
        with device.raw() as client:
            client.connect("button", version=5, clean=False, asked=asked)
            sandbox.wait(1.2)
            listener.send(PING)
            assert listener.read() == PONG
        with device.raw() as client:
            client.connect("button", version=5, clean=False, will=will, asked=asked)
        listener.send(PING)
        assert listener.read() == PONG
        sandbox.wait(1)
        assert listener.read()[0] >> 4 == PUBLISH


def test_what_is_sent_again_keeps_to_the_clients_pace_and_order(sandbox):
    device = sandbox.registered()
    asked = {P.SESSION_EXPIRY: 60}
    with device.raw() as client, device.raw() as other:
        client.connect("button", version=5, asked=asked)
        client.subscribe("a")
        other.connect("other")
        for payload in (b"1", b"2", b"3"):
            other.publish("a", payload)
            other.read()
        ids = [client.read()[1][3:5] for _ in range(3)]
    with device.raw() as client:
        asked[P.RECEIVE_MAXIMUM] = 1
        client.connect("button", version=5, clean=False, asked=asked)
        for number, packet_id in enumerate(ids, 1):
            first, body = client.read()
            assert (first, body[3:5], body[-1:]) == (0x3A, packet_id, b"%d" % number)
            client.send(PING)
            assert client.read() == PONG
            client.send(b"\x40\x02" + packet_id)


def test_a_client_gets_no_packet_longer_than_it_takes(sandbox):
    device = sandbox.registered()
    with device.raw() as client, device.raw() as other:
        client.connect("button", version=5, asked={P.MAXIMUM_PACKET_SIZE: 30})
        client.subscribe("a")
        other.connect("other")
        for payload in (bytes(30), b"short"):
            other.publish("a", payload)
            other.read()
        assert client.read()[1][-5:] == b"short"


def test_only_so_many_messages_are_on_their_way(sandbox):
    device = sandbox.registered()
    with device.raw() as client, device.raw() as other:
        client.connect("button", version=5, asked={P.RECEIVE_MAXIMUM: 2})
        client.subscribe("a")
        other.connect("other")
        for _ in range(3):
            other.publish("a")
            other.read()
        client.read()
        _, body = client.read()
        client.send(PING)
        assert client.read() == PONG
        acknowledge(client, body, "a")
        assert client.read()[0] >> 4 == PUBLISH


def test_a_client_without_an_id_is_given_one(sandbox):
    device = sandbox.registered()
    with device.raw() as client, device.raw() as other:
        _, body = client.connect("", version=5)
        assert b"$GEN/" in body
        assert other.connect("") == WELCOME
    with device.raw() as client:
        assert client.connect("", clean=False) is None


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda client: client.publish("a", qos=2), 0x9B),
        (lambda client: client.publish("a" * 257, qos=0), 0x90),
        (lambda client: client.publish("/" * 8, qos=0), 0x90),
        (lambda client: client.publish("a/+", qos=0), 0x90),
        (lambda client: client.publish("$aws/x", qos=0, retain=True), 0x90),
        (lambda client: client.publish("a", bytes(128 * 1024 + 1)), 0x95),
        (lambda client: client.publish("a", bytes(200 * 1024)), 0x95),
        (lambda client: client.subscribe(*"abcdefghi"), 0x97),
        (lambda client: client.subscribe("a", qos=2), 0x9B),
        (lambda client: client.connect("again"), 0x82),
        (lambda client: client.send(b"\xf0\0"), 0x82),
        (lambda client: client.send(b"\x30\0"), 0x81),
    ],
)
@pytest.mark.parametrize("version", [4, 5])
def test_what_breaks_a_limit_ends_the_connection(sandbox, version, send, code):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("button", version=version)
        answer = send(client)
        if answer is None or answer[0] >> 4 != 14:
            answer = client.read()
        if version == 5:
            assert answer == (0xE0, answer[1])
            assert answer[1][0] == code
            answer = client.read()
        assert answer is None
    assert len(sandbox.refusals()) == 1
    assert len(sandbox.log.lines) == 1
    sandbox.check_honest(device)


def test_the_largest_message_passes(served):
    with served.registered().raw() as client:
        client.connect("b" * 128)
        client.subscribe("a" * 249 + "/" * 7, qos=0)
        client.publish("a" * 249 + "/" * 7, bytes(128 * 1024), qos=0)
        assert len(client.read()[1]) == 2 + 256 + 128 * 1024


@pytest.mark.parametrize("client_id", ["b" * 129, "ä" * 65, "$mine"])
def test_client_ids_that_aws_refuses(sandbox, client_id):
    with sandbox.registered().raw() as client:
        assert client.connect(client_id, version=5)[1][1] == 0x85


def test_fifty_subscriptions_a_connection(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("button", version=5)
        codes = []
        for start in range(0, 56, 8):
            _, body = client.subscribe(*(f"a/{number}" for number in range(start, start + 8)))
            codes += body[-8:]
        assert codes == [1] * 50 + [0x97] * 6
        assert client.subscribe("a/0")[1][-1] == 1


@pytest.mark.parametrize("level", [3, 6])
def test_another_protocol_version_is_refused(sandbox, level):
    with sandbox.registered().raw() as client:
        client.send(b"\x10\x0d\0\x04MQTT" + bytes((level,)) + b"\x02\0\x3c\0\x01b")
        assert client.read() == (0x20, b"\0\x01")
        assert client.read() is None


def test_unsubscribe(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("button", version=5)
        client.subscribe("a")
        client.send(b"\xa2\x09\0\x09\0\0\x01a\0\x01b")
        assert client.read() == (0xB0, b"\0\x09\0\0\x11")
        client.publish("a")
        assert client.read() == (0x40, b"\0\x01")


def test_stopping_says_good_bye(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_STOP_SECONDS", 0.1)  # nobody hangs up before the broker stops
    with Sandbox(tmp_path) as running:
        device = running.registered()
        clients = [device.raw(), device.raw()]
        for number, client in enumerate(clients):
            client.connect(f"button{number}", version=5)
    for client in clients:
        with client:
            assert client.read()[1][0] == 0x8B
            assert client.read() is None
