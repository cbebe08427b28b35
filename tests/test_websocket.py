"""MQTT over WebSocket, in memory: who may come in, and what is made of what he sends."""

import json
from itertools import cycle
from typing import Any

import pytest
from broker_support import ACCOUNT, REGION, DrivenLink, MemoryBroker
from broker_websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    WebSocketClient,
    frame,
    signed,
    upgrade,
)
from broker_wire import WireClient, encode_connect
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.broker.link import Peer
from sandbox.broker.websocket import WebSocketLink
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V311, Connect, Publish, ReasonCode, RefusedError

WELCOME = (0x20, b"\0\0")
NORMAL, PROTOCOL_ERROR = b"\x03\xe8", b"\x03\xea"


@pytest.fixture
def broker():
    with MemoryBroker() as running:
        yield running


def refused(broker, request: bytes, status: int = 403) -> str:
    """The reason for which an upgrade is refused: the client is told what the log says."""
    with WebSocketClient(broker, request) as client:
        assert client.link.closing
        answer = client.frames.answer.splitlines()
        assert answer[0].split()[:2] == ["HTTP/1.1", str(status)]
        assert f"content-length: {len(client.frames.body)}" in answer
    assert broker.connections == 0
    reason = json.loads(client.frames.body)["message"]
    assert broker.log.lines == [
        f"refused (REFUSED): WebSocket for client -, certificate -: {reason}"
    ]
    return reason


@pytest.mark.parametrize("version", [4, 5])
def test_a_message_goes_through(broker, version):
    device = broker.registered()
    with device.raw() as listener, WebSocketClient(broker) as client:
        assert "sec-websocket-protocol: mqtt" in client.frames.answer.lower()
        assert client.connect("page", version=version)[1][:2] == b"\0\0"
        listener.connect("listener")
        listener.subscribe("from/page")
        assert client.subscribe("to/page")[0] == 0x90
        client.publish("from/page", b"hello")
        assert client.read()[0] == 0x40
        assert listener.read()[1].endswith(b"hello")
        listener.publish("to/page", b"and back")
        assert client.read()[1].endswith(b"and back")
        assert broker.connections == 2
    assert not broker.log.lines


def test_the_credentials_may_do_all_and_aws_iots_own_rules_hold(broker):
    with WebSocketClient(broker) as client:
        client.connect("page", version=5)
        client.publish("a/1/2/3/4/5/6/7/8")
        assert client.read()[1][2] == 0x90
        client.publish("$aws/things/x/jobs/get")
        assert client.read()[0] == 0x40
    slashes, unanswered = broker.refusals()
    assert "slashes" in slashes.reason
    assert unanswered.problem == "UNANSWERED"
    assert unanswered.resource.startswith(f"arn:aws:iot:{REGION}:{ACCOUNT}:topic/$aws/things")
    assert {each.certificate_id for each in broker.refusals()} == {""}


def test_a_session_is_the_credentials_own(broker):
    device = broker.registered()
    with WebSocketClient(broker) as client:
        client.connect("shared", clean=False)
        client.subscribe("a")
    with device.raw() as other:
        assert other.connect("shared", clean=False) == (0x20, b"\0\0")
    with WebSocketClient(broker) as client:
        assert client.connect("shared", clean=False) == (0x20, b"\1\0")


# Each is signed in its test: a signature lasts minutes.
@pytest.mark.parametrize(
    ("signing", "reason"),
    [
        ({"secret": "other"}, "does not match: sign with the secret access key sandbox"),
        ({"host": "localhost:443"}, "for the host as it is sent (localhost)"),
        ({"more": {"X-Amz-Security-Token": "x"}}, "add a security token after that"),
        ({"after": "&x=y"}, "does not match"),
        ({"after": "f"}, "does not match"),
        ({"after": "&X-Amz-Date=20261130T000000Z"}, "is there twice"),
        ({"key": "other"}, "access key id is nobody's here"),
        ({"region": "mars-1"}, "AWS IoT is not in the Region of the signature, 'mars-1'"),
        ({"service": "iotdata"}, f"/{REGION}/iotdata/aws4_request'"),
        ({"more": {"X-Amz-Credential": "sandbox/20260101/x"}}, "it has to be DATE/REGION/"),
        ({"more": {"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256"}}, "AWS4-HMAC-SHA256"),
        ({"age": 302}, "it counts for 300 seconds"),
        ({"age": 302, "more": {"X-Amz-Expires": "86400"}}, "it counts for 300 seconds"),
        ({"age": -302}, "by the right clock"),
        ({"age": 12, "more": {"X-Amz-Expires": "10"}}, "it counts for 10 seconds"),
        ({"more": {"X-Amz-Expires": "0"}}, "has to be 1 to 604800 seconds"),
        ({"more": {"X-Amz-Expires": "604801"}}, "has to be 1 to 604800 seconds"),
        ({"more": {"X-Amz-Expires": "soon"}}, "cannot be read"),
        ({"more": {"X-Amz-SignedHeaders": "upgrade"}}, "has to cover the host header"),
        ({"more": {"X-Amz-SignedHeaders": "host;x-more"}}, "and none that is not sent"),
    ],
)
def test_who_is_not_signed_in_is_refused(broker, signing, reason):
    assert reason in refused(broker, upgrade(signed(**signing)))


def test_who_has_not_signed_is_refused(broker):
    assert "not signed, it has no X-Amz-Algorithm" in refused(broker, upgrade("/mqtt"))


@pytest.mark.parametrize(
    "signing",
    [
        {"age": 290},
        {"age": -290},
        {"age": 200, "more": {"X-Amz-Expires": "604800"}},
        {"more": {"X-Amz-Expires": "10"}},
        {"after": "&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEA%2B%3D"},
        {"region": "us-gov-west-1"},
    ],
)
def test_who_is_signed_in_comes_in(broker, signing):
    with WebSocketClient(broker, upgrade(signed(**signing))) as client:
        assert client.connect("page") == WELCOME


@pytest.mark.parametrize("host", ["localhost:443", "a1-ats.iot.eu-west-1.amazonaws.com"])
def test_the_host_is_signed_as_it_is_sent(broker, host):
    with WebSocketClient(broker, upgrade(signed(host), Host=host)) as client:
        assert client.connect("page") == WELCOME


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "https://localhost.example", "file://", "http://[::1"],
)
def test_a_page_of_elsewhere_is_refused(broker, origin):
    assert "no web page of another host" in refused(broker, upgrade(signed(), Origin=origin))


@pytest.mark.parametrize("origin", ["http://localhost:8888", "https://127.0.0.1", "http://[::1]:1"])
def test_a_page_of_this_machine_comes_in(broker, origin):
    with WebSocketClient(broker, upgrade(signed(), Origin=origin)) as client:
        assert client.connect("page") == WELCOME


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Sec_WebSocket_Protocol": None}, "no subprotocol mqtt"),
        ({"Sec_WebSocket_Protocol": "mqttv3.1"}, "no subprotocol mqtt"),
        ({"Sec_WebSocket_Protocol": "mqtt\x80"}, "(GET /mqtt) alone"),
        ({"Upgrade": None}, "Upgrade"),
        ({"Connection": "close"}, "Upgrade"),
        ({"Sec_WebSocket_Key": None}, "Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Version": "8"}, "Sec-WebSocket-Version"),
        ({"Host": "é"}, "(GET /mqtt) alone"),
    ],
)
def test_an_upgrade_that_is_none_is_refused(broker, headers, reason):
    assert reason in refused(broker, upgrade(signed(), **headers), 400)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (upgrade("/other"), "(GET /mqtt) alone"),
        (b"POST /topics/a?qos=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "in place of HTTPS publish"),
        (encode_connect(Connect(V311, "x", True, 60, None, {})) + b"\r\n\r\n", "to the MQTT port"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000, "Bad HTTP message"),
    ],
    ids=["path", "publish", "bare MQTT", "headers without end"],
)
def test_who_wants_something_else_is_told_where_it_is(broker, said, reason):
    assert reason in refused(broker, said, 400)


@pytest.mark.parametrize("part", [b"GET /mqtt", upgrade("/mqtt")[:-2]], ids=["line", "headers"])
def test_half_an_upgrade_is_cut_after_its_time(broker, part):
    with WebSocketClient(broker, part) as client:
        broker.wait(limits.CONNECT_SECONDS)
        assert not client.link.closing
        client.link.receive(b"X: y\r\n")  # it trickles on
        broker.wait(0.1)
        assert client.link.closing
    (line,) = broker.log.lines
    assert line.endswith("no CONNECT within 10 seconds")


def test_an_upgrade_without_a_connect_is_cut_after_its_time(broker):
    with WebSocketClient(broker) as client:
        broker.wait(limits.CONNECT_SECONDS)
        client.link.receive(frame(kind=PING))
        assert not client.link.closing
        broker.wait(0.1)
        client.flush()
        assert client.frames.others[-1] == (CLOSE, NORMAL)
        assert client.link.closing
    assert "no CONNECT within 10 seconds" in broker.log.lines[0]


def test_one_bound_counts_all_ways_in(broker, monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS", 2)
    with broker.registered().raw() as first, WebSocketClient(broker, b"GET /mqtt") as half:
        assert first.connect("first") == WELCOME
        assert WebSocketClient(broker).link.closing
        assert "2 connections" in broker.log.lines[0]
        half.close()
        with WebSocketClient(broker) as client:
            assert client.connect("next") == WELCOME


def test_packets_need_not_keep_to_frames(broker):
    with WebSocketClient(broker) as client:
        packet = encode_connect(Connect(V311, "page", True, 60, None, {}))
        client.link.receive(frame(packet[:5], last=False))
        client.link.receive(frame(kind=PING, data=b"still there?"))
        for byte in packet[5:]:
            client.link.receive(frame(bytes((byte,)), kind=0, last=False))
        client.link.receive(frame(b"\xc0\0\xc0\0", kind=0))
        assert client.read() == WELCOME
        assert client.read() == client.read() == (0xD0, b"")
        assert client.frames.others == [(PONG, b"still there?")]
        for byte in frame(b"\xc0\0"):
            client.link.receive(bytes((byte,)))
        assert client.read() == (0xD0, b"")


@pytest.mark.parametrize("size", [100, 1000, 65_500, 65_600, limits.PAYLOAD_BYTES])
def test_messages_of_any_size_go_both_ways(broker, size):
    with WebSocketClient(broker) as client:
        client.connect("page")
        client.subscribe("a", qos=0)
        client.publish("a", bytes(size), qos=0)
        assert client.read()[1] == b"\0\x01a" + bytes(size)


class _Heard:
    """A connection that keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""

    def received(self, data: bytes) -> None:
        assert data
        self.data += data

    def opened(self, peer: object) -> None: ...

    def failed(self, error: object) -> None: ...


FRAME = st.tuples(
    st.one_of(st.binary(max_size=20), st.sampled_from((125, 126, 127, 300)).map(bytes)),
    st.sampled_from(((BINARY, True), (BINARY, True), (BINARY, False), (0, True), (PING, True))),
)


@settings(max_examples=50)
@given(st.lists(FRAME, max_size=8), st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_plain_frames_are_read_as_wsproto_reads_them(frames, cuts):
    """Frames in any order, sound or not, in pieces of any size."""
    stream = b"".join(
        frame(data[:125] if kind == PING else data, kind, last=last)
        for data, (kind, last) in frames
    )
    assert outcome(stream, cuts, plain=True) == outcome(stream, cuts, plain=False)


def outcome(stream: bytes, cuts: list[int], *, plain: bool) -> tuple[bytes, bool, bytes]:
    """What is heard of a stream, whether it ends the link, and what is sent back."""
    heard = _Heard()
    below = DrivenLink(lambda link: WebSocketLink(link, lambda _: heard, lambda _: ACCOUNT))
    below.handler.opened(Peer("127.0.0.1", None, "localhost"))
    below.receive(upgrade(signed()))
    below.take(9999)
    assert below.handler._plain
    below.handler._plain = plain
    at, sizes = 0, cycle(cuts)
    while at < len(stream) and not below.closing:
        size = next(sizes)
        below.receive(stream[at : at + size])
        at += size
    return heard.data, below.closing, below.take(9999)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (frame(b"hello", TEXT), "a text frame: MQTT comes in binary ones"),
        (frame(b"\xff", TEXT), "utf-8"),
        (frame(b"\xc0\0", masked=False), "unmasked"),
        (frame(b"\xc0\0", kind=3), "opcode"),
        (frame(b"\xc0\0", kind=0), "CONTINUATION"),
        (frame(b"x" * 126, kind=PING), "Control frame"),
        (frame(kind=PING, last=False), "fragment control frame"),
        (b"\xc2\x80abcd", "Reserved bit"),
        (frame(b"\0", CLOSE), "CLOSE with 1 byte payload"),
    ],
)
def test_a_frame_that_is_none_ends_the_connection(broker, sent, reason):
    with WebSocketClient(broker) as client:
        client.connect("page", will=Publish("wills/page", b"gone"))
        client.link.receive(sent)
        client.flush()
        assert client.frames.others == [(CLOSE, PROTOCOL_ERROR)]
        assert client.link.closing
        client.link.receive(frame(b"\xc0\0"))
        assert not client.link.waiting
    assert reason in broker.log.lines[0]
    assert broker.log.lines[0].startswith("refused (REFUSED): WebSocket for client page,")
    assert len(broker.log.lines) == 1


def test_a_frame_without_end_is_bounded_by_mqtt(broker):
    with WebSocketClient(broker) as client:
        client.connect("page", version=5)
        # A frame of 2^62 bytes, and in it a packet of 256 MB.
        client.link.receive(bytes((0x82, 0xFF)) + (1 << 62).to_bytes(8, "big") + b"\0\0\0\0")
        client.link.receive(b"\x30\xff\xff\xff\x7f")
        assert client.read()[1][0] == 0x95
        assert client.link.closing


def test_empty_frames_and_pings_are_no_sign_of_life(broker):
    with WebSocketClient(broker) as client:
        client.connect("page", keep_alive=30)
        for _ in range(50):
            broker.wait(1)
            client.link.receive(frame(last=False) + frame(kind=0) + frame(kind=PING))
        assert client.link.closing
    assert "nothing heard for 4" in broker.log.lines[0]


def event(listener: WireClient) -> dict[str, Any]:
    """What the next message tells."""
    body = listener.read()[1]
    return json.loads(body[body.index(b"{") :])


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("close frame", "CLIENT_INITIATED_DISCONNECT"),
        ("text frame", "CLIENT_ERROR"),
        ("gone", "CONNECTION_LOST"),
    ],
)
def test_events_tell_of_a_signed_connection(broker, way, reason):
    with broker.registered().raw() as listener, WebSocketClient(broker) as client:
        listener.connect("listener")
        listener.subscribe("$aws/events/presence/+/page", qos=0)
        client.connect("page")
        come = event(listener)
        assert (come["eventType"], come["principalIdentifier"]) == ("connected", "sandbox")
        if way == "gone":
            client.close()
        else:
            kind = CLOSE if way == "close frame" else TEXT
            client.link.receive(frame(NORMAL if kind == CLOSE else b"x", kind))
        gone = event(listener)
        assert (gone["eventType"], gone["disconnectReason"]) == ("disconnected", reason)


@pytest.mark.parametrize("way", ["close frame", "good-bye below", "gone"])
def test_after_a_close_frame_no_will_goes_out(broker, way):
    with broker.registered().raw() as other, WebSocketClient(broker) as client:
        other.connect("other")
        other.subscribe("wills/#", qos=0)
        client.connect("page", will=Publish("wills/page", b"gone"))
        if way == "close frame":
            client.link.receive(frame(NORMAL, CLOSE))
            client.flush()
            assert client.frames.others == [(CLOSE, NORMAL)]
            assert client.link.closing
        elif way == "good-bye below":
            client.link.handler.left()
        else:
            client.close()
        if way != "close frame":
            assert other.read()[1].endswith(b"gone")
        other.send(b"\xc0\0")
        assert other.read() == (0xD0, b"")
    assert not broker.log.lines


def test_after_the_close_frame_nothing_is_sent(broker):
    with WebSocketClient(broker) as client:
        client.connect("page", version=5)
        client.link.receive(frame(NORMAL, CLOSE))
        client.flush()
        (connection,) = broker.services.connections  # it lingers, and the sandbox stops
        connection.end(RefusedError(ReasonCode.SERVER_SHUTTING_DOWN, "the sandbox stops" * 9))
        assert not client.link.waiting


def test_frames_behind_a_disconnect_are_not_read(broker):
    with WebSocketClient(broker) as client:
        client.connect("page")
        client.link.receive(frame(b"\xe0\0") + frame(b"?", PING))
        client.flush()
        assert client.frames.others == [(CLOSE, NORMAL)]


def test_no_frame_is_empty(broker):
    with WebSocketClient(broker) as client, WebSocketClient(broker) as next_one:
        client.connect("page")
        next_one.connect("page")  # in MQTT 3.1.1 there is no DISCONNECT from a broker
        assert client.link.take(99) == b"\x88\x02" + NORMAL


def test_whoever_is_hung_up_on_gets_the_reason_and_a_close_frame(broker):
    with WebSocketClient(broker) as client, WebSocketClient(broker) as next_one:
        client.connect("page", version=5)
        next_one.connect("page", version=5)
        assert client.read()[1][0] == 0x8E
        assert client.frames.others == [(CLOSE, NORMAL)]
        assert client.link.closing


def test_what_waits_for_a_client_that_does_not_read_comes_later(broker):
    with WebSocketClient(broker) as client:
        client.connect("page")
        client.subscribe("a")
        client.link.pause()
        broker.services.publish(ACCOUNT, REGION, Publish("a", b"waiting", 1))
        assert not client.link.waiting
        client.link.resume()
        assert client.read()[1].endswith(b"waiting")
