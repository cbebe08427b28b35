"""The seam below a connection: it runs on any link, and only TLS's own files know of TLS."""

import ast
import socket
from pathlib import Path

import pytest
from broker_support import ACCOUNT, REGION, DrivenLink, MemoryBroker, arn

import sandbox
from iot_policy import document, statement
from sandbox.broker.link import Peer
from sandbox.mqtt import limits
from sandbox.mqtt.packets import Publish, ReasonCode, RefusedError

WELCOME, PING, PONG = (0x20, b"\0\0"), b"\xc0\0", (0xD0, b"")
PACKAGE = Path(sandbox.__file__).parent


@pytest.fixture
def broker(monkeypatch):
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", forbidden)
    with MemoryBroker() as running:
        yield running


def test_a_message_goes_from_memory_to_memory(broker):
    button, listener = broker.registered(), broker.registered()
    with button.raw() as one, listener.raw() as other:
        assert one.connect("button") == WELCOME
        assert other.connect("listener") == WELCOME
        assert other.subscribe("iotbutton/+") == (0x90, b"\0\x07\x01")
        one.publish("iotbutton/1", b"SINGLE")
        assert one.read() == (0x40, b"\0\x01")
        assert other.read() == (0x32, b"\0\x0biotbutton/1\0\x01SINGLE")
        assert broker.connections == 2
    assert broker.connections == 0
    assert not broker.services.connections


def test_a_refusal_comes_through_memory(broker):
    device = broker.registered(document(statement("iot:Connect", arn("client/button"))))
    with device.raw() as client:
        client.connect("button", version=5)
        client.publish("iotbutton/1")
        first, body = client.read()
        assert (first, body[:3]) == (0x40, b"\0\x01\x87")
        client.publish("iotbutton/1", qos=0)
        first, body = client.read()
        assert (first, body[0]) == (0xE0, 0x87)
        assert client.read() is None
    assert [each.action for each in broker.refusals()] == ["iot:Publish", "iot:Publish"]


def test_what_a_link_knows_of_its_peer_decides(broker):
    here = {
        "IpAddress": {"aws:SourceIp": "203.0.113.7"},
        "StringEquals": {"iot:DomainName": "a1-ats.iot.eu-west-1.amazonaws.com"},
    }
    device = broker.registered(document(statement("iot:Connect", "*", condition=here)))
    good = Peer("203.0.113.7", device.certificate_id, "a1-ats.iot.eu-west-1.amazonaws.com")
    for address, name, welcome in (
        (good.address, good.server_name, WELCOME),
        ("203.0.113.8", good.server_name, None),
        (good.address, "localhost", None),
    ):
        broker.peer = {device.certificate_id: Peer(address, device.certificate_id, name)}.get
        with device.raw() as client:
            assert client.connect("button") == welcome, (address, name)


@pytest.mark.parametrize("certificate_id", [None, "f" * 64])
def test_a_peer_without_a_registered_certificate_is_hung_up_on(broker, certificate_id):
    link = DrivenLink(broker.services.accept)
    link.handler.opened(Peer("127.0.0.1", certificate_id, "localhost"))
    assert link.closing
    assert not link.waiting
    assert broker.log.lines[0].startswith("refused (REFUSED): TLS for client -")
    assert "registered here: create one in this sandbox, or register it" in broker.log.lines[0]


def test_a_link_that_never_opens_is_hung_up_on(broker):
    link = DrivenLink(broker.services.accept)
    broker.wait(limits.CONNECT_SECONDS)
    assert not link.closing
    broker.wait(0.1)
    assert link.closing
    broker.wait(0.1)
    (line,) = broker.log.lines
    assert line.endswith("no CONNECT within 10 seconds")
    link.close()
    assert not broker.services.connections


def test_one_link_too_many(broker, monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS", 1)
    device = broker.registered()
    with device.raw() as first:
        assert first.connect("first") == WELCOME
        assert DrivenLink(broker.services.accept).closing
        assert "1 connections" in broker.log.lines[0]
        first.send(PING)
        assert first.read() == PONG
    with device.raw() as next_one:
        assert next_one.connect("next") == WELCOME


def test_packets_behind_the_one_that_ends_a_connection_are_not_read(broker):
    device = broker.registered()
    with device.raw() as client, device.raw() as other:
        client.connect("button")
        other.connect("listener")
        other.subscribe("a")
        client.send(b"\xe0\0" + b"\x30\x04\0\x01a!")
        other.send(PING)
        assert other.read() == PONG
    endpoint = broker.services.endpoints.of(ACCOUNT, REGION)
    assert not endpoint.published


@pytest.mark.parametrize("way", ["left", "failed", "closed"])
def test_a_peer_that_goes_is_parted_with_at_once(broker, way):
    """TLS hangs up at the peer's good-bye, some time before TCP is gone."""
    with broker.registered().raw() as client, broker.registered().raw() as other:
        other.connect("other", keep_alive=1000)
        other.subscribe("wills/#", qos=0)
        client.connect("button", will=Publish("wills/button", b"gone"))
        if way == "failed":
            client.link.handler.failed(RefusedError(ReasonCode.PROTOCOL_ERROR, "no TLS"))
        else:
            getattr(client.link.handler, way)()
        assert other.read()[1].endswith(b"gone")
        client.link.hang_up()
        assert broker.connections == 1
        broker.wait(100)
        assert not client.link.waiting
        client.link.close()
        other.send(PING)
        assert other.read() == PONG  # and no second will
    assert len(broker.log.lines) == (way == "failed")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{each.name}" for each in node.names}
    return found


def test_mqtt_is_bytes_and_values():
    files = {path.name: imports(path) for path in (PACKAGE / "mqtt").glob("*.py")}
    assert set(files) == {
        "__init__.py", "decoder.py", "encoder.py", "limits.py", "packets.py", "properties.py",
        "reserved.py", "topics.py",
    }  # fmt: skip
    standard = {"collections", "dataclasses", "enum", "functools", "re", "types", "typing"}
    for name, imported in files.items():
        roots = {
            each.partition(".")[0] for each in imported if each.partition(".")[0] not in standard
        }
        assert roots <= {"sandbox"}, name
        assert all(each.startswith("sandbox.mqtt") for each in imported if "sandbox" in each), name


def test_only_the_tls_link_and_the_server_know_sockets_and_the_event_loop():
    below = {"asyncio", "socket", "ssl", "sandbox.broker.tls", "sandbox.broker.server"}
    knowing = {path.name for path in (PACKAGE / "broker").glob("*.py") if imports(path) & below}
    assert knowing == {"server.py", "tls.py"}
