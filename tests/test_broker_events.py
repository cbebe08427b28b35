"""Lifecycle events: who is there, why somebody has gone, and who listens to what."""

import json

import pytest
from broker_support import ACCOUNT, REGION, MemoryBroker, arn

from iot_policy import document, statement
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, V311, Publish, ReasonCode, RefusedError
from sandbox.registry import exclusive_things

PING, PONG = b"\xc0\0", (0xD0, b"")


class Listener:
    """Listens to lifecycle events, as a policy lets it."""

    def __init__(self, client, *filters: str) -> None:
        self.client = client
        client.connect("listener", keep_alive=1200)
        client.subscribe(*filters)

    def heard(self) -> list[tuple[str, dict[str, object]]]:
        """The events since, each with the end of its topic; their acknowledgements are sent."""
        self.client.send(PING)
        found = []
        while (packet := self.client.read()) != PONG:
            first, body = packet
            assert first == 0x32
            end = 2 + int.from_bytes(body[:2], "big")
            found.append((body[2:end].decode(), json.loads(body[end + 2 :])))
            self.client.send(b"\x40\x02" + body[end : end + 2])
        return found


@pytest.fixture
def presence(sandbox):
    with sandbox.registered().raw() as client:
        yield Listener(client, "$aws/events/presence/#")


def test_what_is_said_when_a_client_comes_and_goes(sandbox, presence):
    device = sandbox.registered()
    with device.raw() as client:
        client.connect("button")
        client.send(b"\xe0\0")
    (topic, came), (other_topic, went) = presence.heard()
    assert topic == "$aws/events/presence/connected/button"
    assert other_topic == "$aws/events/presence/disconnected/button"
    assert 1_600_000_000_000 < came.pop("timestamp") <= went.pop("timestamp")
    assert len(came["sessionIdentifier"]) == 36
    everybody = {
        "clientId": "button",
        "sessionIdentifier": came["sessionIdentifier"],
        "principalIdentifier": device.certificate_id,
        "versionNumber": 0,
    }
    assert came == everybody | {"eventType": "connected", "ipAddress": "127.0.0.1"}
    assert went == everybody | {
        "eventType": "disconnected",
        "clientInitiatedDisconnect": True,
        "disconnectReason": "CLIENT_INITIATED_DISCONNECT",
    }


def taken_over(sandbox, device, client):
    with device.raw() as other:
        other.connect("button")


def too_much(sandbox, device, client):
    client.subscribe(*"abcdefghi")


def dismissed(sandbox, device, client):
    assert sandbox.services.endpoints.of(ACCOUNT, REGION).disconnect("button")


@pytest.mark.parametrize(
    ("leave", "reason"),
    [
        (lambda sandbox, device, client: client.close(), "CONNECTION_LOST"),
        (lambda sandbox, device, client: client.send(b"\x10\0"), "CLIENT_ERROR"),
        (lambda sandbox, device, client: client.publish("$mine"), "CLIENT_ERROR"),
        (lambda sandbox, device, client: client.publish("denied"), "AUTH_ERROR"),
        (lambda sandbox, device, client: sandbox.set_status(device, "INACTIVE"), "AUTH_ERROR"),
        (lambda sandbox, device, client: sandbox.wait(100), "MQTT_KEEP_ALIVE_TIMEOUT"),
        (taken_over, "DUPLICATE_CLIENTID"),
        (too_much, "THROTTLED"),
        (dismissed, "API_INITIATED_DISCONNECT"),
    ],
)
def test_why_a_client_has_gone(sandbox, presence, leave, reason):
    denied = statement("iot:Publish", arn("topic/denied"), effect="Deny")
    device = sandbox.registered(document(statement("iot:*", "*"), denied))
    with device.raw() as client:
        client.connect("button")
        presence.heard()
        leave(sandbox, device, client)
        sandbox.wait(1)
        event = presence.heard()[0][1]
    assert event["disconnectReason"] == reason
    assert event["clientInitiatedDisconnect"] is False


def test_when_the_broker_stops(sandbox, presence):
    with sandbox.registered().raw() as client:
        client.connect("button")
        presence.heard()
        stops = RefusedError(ReasonCode.SERVER_SHUTTING_DOWN, "the sandbox stops")
        client.link.handler.end(stops)
        assert presence.heard()[0][1]["disconnectReason"] == "SERVER_INITIATED_DISCONNECT"


def test_the_version_number_counts_a_clients_connections(sandbox, presence):
    device = sandbox.registered()
    found = []
    for seconds in (0, 3599, 3600, 0):
        with device.raw() as client:
            client.connect("button")
        found.append([event["versionNumber"] for _, event in presence.heard()])
        for start in range(0, seconds, 600):
            sandbox.wait(min(600, seconds - start))
            presence.heard()  # and is not silent for too long
    assert found == [[0, 0], [1, 1], [2, 2], [0, 0]]


def test_a_session_keeps_its_identifier(sandbox, presence):
    device = sandbox.registered()
    for clean in (False, False, True, True):
        with device.raw() as client:
            client.connect("button", clean=clean)
    found = [event["sessionIdentifier"] for _, event in presence.heard()]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(set(found)) == 3


@pytest.mark.parametrize("client_id", ["a+", "#", "$aws"])
def test_who_has_no_events(sandbox, presence, client_id):
    with sandbox.registered().raw() as client:
        client.connect(client_id)
    assert presence.heard() == []


def test_who_is_not_let_in_by_a_policy(sandbox, presence):
    device = sandbox.registered(document(statement("iot:Connect", arn("client/button"))))
    with device.raw() as client:
        assert client.connect("other") is None
    will = Publish("wills", b"")
    with device.raw() as client:
        assert client.connect("button", will=will) is None
    sandbox.set_status(device, "INACTIVE")
    with device.raw() as client:
        assert client.connect("other") is None
    heard = presence.heard()
    assert [topic for topic, _ in heard] == [
        "$aws/events/presence/connect_failed/other",
        "$aws/events/presence/connect_failed/button",
    ]
    (_, event), _ = heard
    assert event.pop("timestamp") > 1_600_000_000_000
    assert len(event.pop("sessionIdentifier")) == 36
    assert event == {
        "clientId": "other",
        "eventType": "connect_failed",
        "connectFailureReason": "AUTHORIZATION_FAILED",
        "principalIdentifier": device.certificate_id,
        "ipAddress": "127.0.0.1",
    }


def test_an_exclusive_thing_is_named(sandbox, presence):
    device = sandbox.registered(document(statement("iot:Connect", arn("client/button"))))
    sandbox.backend.create_thing("lamp", None, None)
    sandbox.backend.attach_thing_principal("lamp", device.arn)
    for kind, named in (("not exclusive", False), ("exclusive", True)):
        if named:
            exclusive_things(sandbox.backend)[device.arn] = "lamp"
            sandbox.registry.changed()
        for client_id in ("button", "other"):
            with device.raw() as client:
                client.connect(client_id)
        heard = [event.get("thingName") for _, event in presence.heard()]
        assert heard == ["lamp" if named else None] * 3, kind


@pytest.mark.parametrize("version", [V311, V5])
def test_what_a_client_subscribes_to(sandbox, version):
    device = sandbox.registered()
    with sandbox.registered().raw() as listening, device.raw() as client:
        listener = Listener(listening, "$aws/events/subscriptions/+/button")
        client.connect("button", version=version)
        client.subscribe("a/#", "$share/g/b")
        client.subscribe("a/#")
        properties = b"\0" if version == V5 else b""
        client.send(
            b"\xa2" + bytes((10 + len(properties),)) + b"\0\x09" + properties + b"\0\x03a/#\0\x01z"
        )
        assert client.read()[0] == 0xB0
        client.send(b"\xa2" + bytes((5 + len(properties),)) + b"\0\x0a" + properties + b"\0\x01z")
        heard = listener.heard()
    assert [(topic.split("/")[3], event["eventType"]) for topic, event in heard] == [
        ("subscribed", "subscribed"),
        ("subscribed", "subscribed"),
        ("unsubscribed", "unsubscribed"),
    ]
    assert [event["topics"] for _, event in heard] == [["a/#", "$share/g/b"], ["a/#"], ["a/#"]]
    assert heard[0][1]["principalIdentifier"] == device.certificate_id


def test_what_is_not_granted_is_not_said(sandbox):
    denied = statement("iot:Subscribe", arn("topicfilter/no"), effect="Deny")
    with sandbox.registered().raw() as listening:
        listener = Listener(listening, "$aws/events/subscriptions/#")
        listener.heard()
        with sandbox.registered(document(statement("iot:*", "*"), denied)).raw() as client:
            client.connect("button", version=V5)
            client.subscribe("no")
            assert listener.heard() == []
            client.subscribe("no", "yes")
            assert [event["topics"] for _, event in listener.heard()] == [["yes"]]


def test_a_policy_says_who_hears_it(sandbox):
    own = document(
        statement("iot:Connect", "*"),
        statement("iot:Subscribe", arn("topicfilter/$aws/events/presence/*")),
        statement("iot:Receive", arn("topic/$aws/events/presence/connected/*")),
    )
    with sandbox.registered(own).raw() as client:
        listener = Listener(client, "$aws/events/presence/#")
        with sandbox.registered().raw() as button:
            button.connect("button")
        assert [event["eventType"] for _, event in listener.heard()] == ["connected"]
        assert client.subscribe("$aws/events/subscriptions/#") is None
    assert [each.action for each in sandbox.refusals()] == ["iot:Receive", "iot:Subscribe"]


def test_nobody_else_publishes_them(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("button", version=V5)
        client.publish("$aws/events/presence/connected/other")
        assert client.read()[0] == 0xE0


def test_registry_events_are_answered_by_the_log_alone(sandbox):
    with sandbox.registered().raw() as client:
        Listener(client, "$aws/events/presence/#", "$aws/events/thing/+/created")
    (refusal,) = sandbox.refusals()
    assert refusal.problem == "UNANSWERED"
    assert "the sandbox has no registry and job events" in refusal.reason


def test_how_many_clients_are_counted_is_bounded(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "SESSIONS", 3)
    device = sandbox.registered()
    for number in range(10):
        with device.raw() as client:
            client.connect(f"passing-{number}")
    assert len(sandbox.services.endpoints.of(ACCOUNT, REGION).presence._connections) == 3


class TestStrict:
    """One CONNECT a second from each client id, as AWS counts."""

    @pytest.fixture
    def strict(self):
        with MemoryBroker(strict=True) as broker:
            yield broker

    def test_a_second_one_within_a_second(self, strict):
        device, other = strict.registered(), strict.registered()
        with device.raw() as first:
            assert first.connect("button") == (0x20, b"\0\0")
            with other.raw() as client:
                assert client.connect("button") is None  # whichever the certificate
            with device.raw() as client:
                assert client.connect("button", version=V5)[1][:2] == b"\0\x97"
            with device.raw() as client:
                assert client.connect("another")[0] == 0x20
            first.send(PING)
            assert first.read() == PONG  # and is not taken over
            strict.wait(1)
            with device.raw() as client:
                assert client.connect("button") == (0x20, b"\0\0")
        refusals = strict.refusals()
        assert {each.problem for each in refusals} == {"CONNECT RATE"}
        assert len(refusals) == 2
        assert "this sandbox is strict" in refusals[0].reason
        assert "wait a second" in strict.log.lines[0]

    def test_one_that_is_refused_does_not_count(self, strict):
        device = strict.registered()
        with device.raw() as client:
            client.connect("button")
        for seconds, there in ((0.6, False), (0.6, True)):
            strict.wait(seconds)
            with device.raw() as client:
                assert (client.connect("button") is not None) == there

    def test_accounts_do_not_count_together(self, strict):
        for account in (ACCOUNT, "444455556666"):
            with strict.registered(account=account).raw() as client:
                assert client.connect("button")[0] == 0x20

    def test_what_is_remembered_is_bounded(self, strict, monkeypatch):
        monkeypatch.setattr(limits, "CONNECTIONS", 2)
        device = strict.registered()
        for number in range(5):
            with device.raw() as client:
                client.connect(f"passing-{number}")
            strict.wait(1)
        assert len(strict.services.endpoints.of(ACCOUNT, REGION).presence._connects) <= 2


def test_it_is_not_strict_unless_it_is_asked_to_be(sandbox):
    device = sandbox.registered()
    for _ in range(3):
        with device.raw() as client:
            assert client.connect("button") == (0x20, b"\0\0")
