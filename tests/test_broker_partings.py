"""How a connection can end: each way at once, and with the client's will."""

import socket
import ssl
import struct
from contextlib import suppress

import pytest
from broker_support import Sandbox, TlsDevice, eventually
from broker_wire import (
    RawClient,
    client_context,
    encode_connect,
    encode_publish,
    handshake_by_hand,
)

from sandbox.mqtt import limits
from sandbox.mqtt.packets import V311, Connect, Publish

WILL = Publish("wills/button", b"gone")


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    # Longer than any test waits: what happens here happens at the peer's doing.
    monkeypatch.setattr(limits, "LINGER_SECONDS", 60)
    with Sandbox(tmp_path, connect_seconds=60) as running:
        yield running
        monkeypatch.setattr(limits, "LINGER_SECONDS", 0.1)


@pytest.fixture
def listener(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("listener")
        assert client.subscribe("wills/#", qos=0)
        yield client


def say_good_bye(client: RawClient) -> None:
    """TLS's good-bye; the socket stays open, and nobody reads the broker's own."""
    client.socket.setblocking(False)
    with suppress(ssl.SSLWantReadError):
        client.socket.unwrap()


def reset(client: RawClient) -> None:
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()


def send_no_tls(client: RawClient) -> None:
    socket.socket.sendall(client.socket, b"\x17\x03\x03\0\x20" + bytes(32))


WAYS = {
    "TLS's good-bye": say_good_bye,
    "TCP's": lambda client: client.socket.shutdown(socket.SHUT_WR),
    "both": lambda client: client.socket.unwrap().close(),
    "a closed socket": lambda client: client.socket.close(),
    "a reset": reset,
    "what is no TLS": send_no_tls,
}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_goes_without_disconnect_leaves_its_will(sandbox, listener, way, version):
    device = sandbox.registered()
    with RawClient(context_of(device, version), device.port) as client:
        client.connect("button", will=WILL)
        assert sandbox.connections == 2
        WAYS[way](client)
        assert listener.read() == (0x30, b"\0\x0cwills/buttongone")
        assert sandbox.connections == 1
    assert len(sandbox.log.lines) == (way == "what is no TLS")


def test_what_comes_before_the_good_bye_is_acted_on_and_answered(sandbox, listener):
    device = sandbox.registered()
    with socket.create_connection(("127.0.0.1", device.port), 5) as plain:
        tls, outgoing = handshake_by_hand(context_of(device), plain)
        tls.write(encode_connect(Connect(V311, "button", True, 60, WILL, {})))
        tls.write(encode_publish(Publish("wills/before", b"!", 1, packet_id=9), V311))
        with suppress(ssl.SSLWantReadError):
            tls.unwrap()
        plain.sendall(outgoing.read())
        assert listener.read() == (0x30, b"\0\x0cwills/before!")
        assert listener.read() == (0x30, b"\0\x0cwills/buttongone")
        assert len(plain.recv(65536)) > len(b"\x20\x02\0\0" + b"\x40\x02\0\x09")


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"])
def test_a_client_that_goes_in_its_handshake_is_forgotten(sandbox, said):
    with socket.create_connection(("127.0.0.1", sandbox.port), 5) as plain:
        plain.sendall(said)
        plain.shutdown(socket.SHUT_WR)
        assert plain.recv(1) == b""
        assert eventually(lambda: not sandbox.broker._services.connections)
    assert not sandbox.log.lines


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_good_bye_in_the_middle_of_a_handshake(sandbox, version):
    outgoing = ssl.MemoryBIO()
    tls = context_of(sandbox.registered(), version).wrap_bio(
        ssl.MemoryBIO(), outgoing, server_hostname="localhost"
    )
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(("127.0.0.1", sandbox.port), 5) as plain:
        plain.sendall(outgoing.read())
        assert plain.recv(65536)
        plain.sendall(b"\x15\x03\x03\0\x02\x01\0")
        while plain.recv(65536):
            pass
    assert eventually(lambda: not sandbox.broker._services.connections)
    assert not sandbox.log.lines


def fill(sandbox: Sandbox, deaf: RawClient, other: RawClient, *, until_paused: bool) -> None:
    """Send to a client that does not read, until something waits in the broker for it."""
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # it grows no more
    (connection,) = (
        each for each in sandbox.broker._services.connections if each.client.version == 5
    )
    link = connection.link
    for _ in range(5000):
        other.publish("flood", bytes(8192), qos=0)
        other.send(b"\xc0\0")
        assert other.read() == (0xD0, b"")
        if not link.writable if until_paused else link._transport.get_write_buffer_size():
            return
    raise AssertionError("the client is still not full")


@pytest.mark.parametrize("until_paused", [False, True])
@pytest.mark.parametrize("way", ["a closed socket", "a reset"])
def test_a_client_that_goes_while_it_does_not_read(sandbox, listener, way, until_paused):
    device = sandbox.registered()
    with device.raw() as client, sandbox.registered().raw() as other:
        client.connect("button", version=5, will=WILL)
        client.subscribe("flood", qos=0)
        other.connect("other")
        fill(sandbox, client, other, until_paused=until_paused)
        WAYS[way](client)
        assert listener.read()[1].endswith(b"gone")
        assert eventually(lambda: len(sandbox.broker._services.connections) == 2)


def test_a_client_that_never_reads_what_waits_is_gone_after_its_good_bye(
    sandbox, listener, monkeypatch
):
    device = sandbox.registered()
    with device.raw() as client, sandbox.registered().raw() as other:
        client.connect("button", version=5, will=WILL)
        client.subscribe("flood", qos=0)
        other.connect("other")
        fill(sandbox, client, other, until_paused=False)
        monkeypatch.setattr(limits, "LINGER_SECONDS", 0.1)
        client.socket.shutdown(socket.SHUT_WR)
        assert listener.read()[1].endswith(b"gone")
        assert eventually(lambda: len(sandbox.broker._services.connections) == 2)


def context_of(
    device: TlsDevice, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    context = client_context(device.ca, device.certificate, device.key)
    context.maximum_version = version
    return context
