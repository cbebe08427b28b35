"""Clients that mean harm, or might as well: afterwards an honest device works as before."""

import gc
import random
import resource
import socket
import ssl
import threading
import time

import psutil
import pytest
from broker_support import Sandbox, eventually
from broker_wire import (
    RawClient,
    client_context,
    encode_connect,
    encode_publish,
    handshake_by_hand,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, V311, Connect, Property, Publish

MEGABYTE = 1 << 20
DEVICES = 500


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with Sandbox(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.fixture(autouse=True)
def honest_afterwards(sandbox):
    """The check that every test here ends with."""
    device = sandbox.registered()
    yield
    sandbox.check_honest(device)


@pytest.fixture(scope="module")
def device(sandbox):
    return sandbox.registered()


def memory() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


WELL_FORMED = encode_connect(Connect(V5, "fuzz", True, 60, None, {}))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300), admitted=st.booleans())
def test_random_packets(sandbox, device, data, admitted):
    with device.raw() as client:
        if admitted:
            client.send(WELL_FORMED)
            client.read()
        client.send(data)
        client.socket.shutdown(socket.SHUT_WR)
        while client.read() is not None:
            pass


@pytest.mark.parametrize("version", [V311, V5])
def test_truncated_and_flipped_packets(sandbox, device, version):
    chance = random.Random(7)
    good = [
        encode_connect(Connect(version, "fuzz", True, 60, Publish("w", b"x"), {}), "user", b"pw"),
        encode_publish(Publish("a/b", b"x" * 50, 1, packet_id=9), version),
    ]
    for _ in range(60):
        whole = bytearray(good[0] + good[1] * 2)
        if chance.random() < 0.5:
            del whole[chance.randrange(len(whole)) :]
        else:
            whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        with device.raw() as client:
            client.send(bytes(whole))
            client.socket.shutdown(socket.SHUT_WR)
            while client.read() is not None:
                pass


@pytest.mark.parametrize("first", [b"", WELL_FORMED], ids=["alone", "behind a CONNECT"])
def test_garbage_after_the_handshake_at_the_level_of_tls(sandbox, device, first):
    """Sent in one piece with a packet that has an answer: there is none, and no traceback."""
    before = len(sandbox.log.lines)
    context = client_context(device.ca, device.certificate, device.key)
    with socket.create_connection(("127.0.0.1", device.port), 5) as plain:
        tls, outgoing = handshake_by_hand(context, plain)
        if first:
            tls.write(first)
        unencrypted = b"\x17\x03\x03\0\x20" + bytes(32)
        plain.sendall(outgoing.read() + unencrypted)
        while plain.recv(1000):
            pass
    assert eventually(lambda: len(sandbox.log.lines) == before + 1)
    assert "TLS" in sandbox.log.lines[-1]


def test_a_payload_that_never_ends(sandbox, device):
    """The length alone is enough to hang up: nothing of it is kept."""
    before = memory()
    with device.raw() as client:
        client.connect("flood")
        client.send(b"\x30\xff\xff\xff\x7f\0\x01a")
        with pytest.raises((ConnectionError, ssl.SSLError, TimeoutError)):
            for _ in range(200):
                client.send(bytes(MEGABYTE))
    assert memory() - before < 20 * MEGABYTE


def test_a_client_that_does_not_hang_up(sandbox, device, monkeypatch):
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.2)
    with device.raw() as client:
        client.connect("clinger")
        client.publish("no/+/topic")
        assert client.read() is None
        assert eventually(lambda: not sandbox.broker._services.connections, within=2)


def test_packets_of_one_byte_a_record(sandbox, device):
    with device.raw() as client:
        client.connect("slow")
        for byte in encode_publish(Publish("a", b"x" * 200, 1, packet_id=3), V311):
            client.send(bytes((byte,)))
        assert client.read() == (0x40, b"\0\x03")


@pytest.mark.parametrize("qos", [0, 1])
def test_a_subscriber_that_never_reads(sandbox, device, qos):
    refused = len(sandbox.log.lines)
    before = memory()
    with device.raw() as deaf, device.raw() as busy:
        deaf.connect("deaf", clean=False)
        deaf.subscribe("flood", qos=qos)
        busy.connect("busy")
        sent = 0
        while len(sandbox.log.lines) == refused and sent < 100 * MEGABYTE:
            busy.publish("flood", bytes(64 * 1024))
            assert busy.read()[0] == 0x40
            sent += 64 * 1024
        assert "does not read" in sandbox.log.lines[-1]
        assert memory() - before < 30 * MEGABYTE
        # Away, it keeps a full queue; what is more is dropped, as on AWS.
        for _ in range(50):
            busy.publish("flood", bytes(64 * 1024))
            busy.read()
        assert memory() - before < 30 * MEGABYTE


def test_a_client_that_reads_and_never_acknowledges(sandbox, device):
    refused = len(sandbox.log.lines)
    with device.raw() as lazy, device.raw() as busy:
        lazy.connect("lazy")
        lazy.subscribe("lazy", qos=1)
        busy.connect("busy")
        sent = 0
        while len(sandbox.log.lines) == refused and sent < 3 * limits.QUEUED_MESSAGES:
            busy.publish("lazy", b"x")
            busy.read()
            sent += 1
        assert limits.QUEUED_MESSAGES <= sent <= limits.QUEUED_MESSAGES + 200


def test_a_publisher_that_never_reads_its_acknowledgements(sandbox, device):
    before = memory()
    with device.raw() as client:
        client.connect("mute")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # it grows no more
        client.socket.settimeout(1)
        batch = encode_publish(Publish("a", b"", 1, packet_id=1), V311) * 1000  # read in 10 ms
        with pytest.raises(TimeoutError):
            for _ in range(500):
                client.send(batch)
        assert memory() - before < 30 * MEGABYTE


def test_messages_heavy_with_properties(sandbox, device):
    """Python keeps each property as objects: they count, and not by their bytes alone."""
    refused = len(sandbox.log.lines)
    many = {Property.USER_PROPERTY: [("", "")] * 1500}
    heavy = encode_publish(Publish("heavy", b"", 1, packet_id=1, properties=many), V5)
    before = memory()
    with device.raw() as lazy, device.raw() as busy:
        lazy.connect("lazy")
        lazy.subscribe("heavy")
        busy.connect("busy", version=V5)
        for _ in range(100):
            busy.send(heavy)
            busy.read()
        assert memory() - before < 10 * MEGABYTE
    assert "does not read" in sandbox.log.lines[refused]


def test_too_many_properties_are_refused(sandbox, device):
    many = {Property.USER_PROPERTY: [("key", "word")] * 1000}
    with device.raw() as client:
        client.connect("verbose", version=V5)
        client.send(encode_publish(Publish("a", b"", properties=many), V5))
        assert client.read()[1][0] == 0x95


def test_a_long_client_id_makes_no_long_line(sandbox, device):
    with device.raw() as client:
        client.connect("x" * 60_000)
    assert len(sandbox.log.lines[-1]) < 500


def test_no_line_of_the_log_is_a_devices_own(sandbox, device):
    forged = "x\nrefused (ALLOWED): iot:Publish\x1b[2J\u2028"
    sandbox.set_policy(device, {"Version": "2012-10-17", "Statement": [DENY_ALL]})
    with device.raw() as client:
        client.connect(forged)
    line = sandbox.log.lines[-1]
    assert line.isprintable()
    assert "client x\\nrefused" in line
    sandbox.set_policy(device, {"Version": "2012-10-17", "Statement": [ALLOW_ALL]})


ALLOW_ALL = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
DENY_ALL = {"Effect": "Deny", "Action": "iot:*", "Resource": "*"}


@pytest.mark.long
def test_five_hundred_devices_at_once(sandbox):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    devices = [sandbox.registered() for _ in range(DEVICES)]
    before = memory()
    clients: list[RawClient] = []
    failed: list[Exception] = []

    def connect(some: list) -> None:
        for each in some:
            try:
                client = each.raw()
                clients.append(client)
                assert client.connect(each.certificate_id[:16]) == (0x20, b"\0\0")
                assert client.subscribe("all")[0] == 0x90
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=connect, args=(devices[n::20],)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert not failed
        assert sandbox.connections == DEVICES
        assert memory() - before < 200 * MEGABYTE  # both ends of each connection
        start = time.monotonic()
        clients[0].publish("all", b"hello", qos=0)
        for client in clients:
            assert client.read() == (0x30, b"\0\x03allhello")
        assert time.monotonic() - start < 2
    finally:
        for client in clients:
            client.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_one_connection_too_many(sandbox, device, monkeypatch):
    assert eventually(lambda: not sandbox.broker._services.connections)
    monkeypatch.setattr(limits, "CONNECTIONS", 2)
    context = client_context(device.ca, device.certificate, device.key)
    clients = [RawClient(context, device.port) for _ in range(2)]
    with pytest.raises((ConnectionError, ssl.SSLError)):
        RawClient(context, device.port)
    for client in clients:
        client.socket.close()
    assert eventually(lambda: not sandbox.broker._services.connections)
