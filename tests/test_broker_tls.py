"""Who gets as far as MQTT: certificates, TLS versions, and clients that are none."""

import socket
import ssl
import stat
import sys
import time

import pytest
from broker_support import Sandbox, eventually
from broker_websocket import PING, TlsWebSocketClient, frame
from broker_wire import RawClient, client_context

from iot_policy import document, statement
from sandbox.broker.server import Broker
from sandbox.registry import Registry

REFUSALS = (ssl.SSLError, ConnectionError)
"""How clients report a failed handshake."""


@pytest.fixture
def sandbox(tmp_path):
    with Sandbox(tmp_path, connect_seconds=0.5) as running:
        yield running


def context_of(device) -> ssl.SSLContext:
    return client_context(device.ca, device.certificate, device.key)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_the_registry_comes_in(sandbox, version):
    device = sandbox.issued()
    context = context_of(device)
    context.minimum_version = context.maximum_version = version
    with RawClient(context, sandbox.port) as client:
        assert client.connect("button") == (0x20, b"\0\0")
        assert client.socket.version() == version.name.replace("_", ".")
        assert sandbox.connections == 1
    assert not sandbox.log.lines


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_older_tls_is_refused(sandbox):
    context = context_of(sandbox.registered())
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(REFUSALS):
        RawClient(context, sandbox.port)


def test_tls_says_who_the_peer_is(sandbox):
    here = {
        "IpAddress": {"aws:SourceIp": "127.0.0.1"},
        "StringEquals": {"iot:DomainName": "localhost"},
    }
    device = sandbox.registered(document(statement("iot:Connect", "*", condition=here)))
    with device.raw() as client:
        assert client.connect("button") == (0x20, b"\0\0")
    other = context_of(device)
    other.check_hostname = False
    with RawClient(other, sandbox.port, host="elsewhere.localhost") as client:
        assert client.connect("button") is None
    assert "iot:DomainName localhost; here" in sandbox.refusals()[0].reason


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("host", [None, "127.0.0.1", "::1"])
def test_a_client_that_names_no_host_is_refused(sandbox, host, version):
    """Python's own TLS names no address either, nor do most clients."""
    device = sandbox.registered()
    context = context_of(device)
    context.check_hostname = False
    context.maximum_version = version
    with pytest.raises(ssl.SSLError, match="unrecognized name"):
        RawClient(context, sandbox.port, host=host)
    assert eventually(lambda: len(sandbox.log.lines) == 1)
    assert "connect to the name localhost, not to 127.0.0.1" in sandbox.log.lines[0]
    sandbox.check_honest(device)


def test_no_session_is_resumed(sandbox):
    """A resumed session would skip the look at the registry."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = context_of(sandbox.registered())
        context.minimum_version = context.maximum_version = version
        with RawClient(context, sandbox.port) as first:
            first.connect("button")
            ticket = first.socket.session
            assert ticket is None or not ticket.has_ticket


def test_a_revoked_certificate_is_refused_even_in_a_resumed_session(sandbox):
    device = sandbox.registered()
    context = context_of(device)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with RawClient(context, sandbox.port) as first:
        first.connect("button")
        session = first.socket.session
    # Without registry.changed(): the context, and with it the sessions it remembers, is kept.
    sandbox.backend.update_certificate(device.certificate_id, "REVOKED")
    with RawClient(context, sandbox.port, session=session) as client:
        assert client.connect("button") is None


def test_a_stranger_is_refused(sandbox):
    honest, stranger = sandbox.registered(), sandbox.stranger()
    with pytest.raises(REFUSALS), stranger.raw() as client:
        # With TLS 1.3 a client learns of it only at its first read.
        if client.connect("button") is None:
            raise ConnectionError
    assert eventually(lambda: len(sandbox.log.lines) == 1)
    assert "not one that is registered here" in sandbox.log.lines[0]
    sandbox.check_honest(honest)


def test_a_client_without_a_certificate_is_refused(sandbox):
    honest = sandbox.registered()
    bare = client_context(honest.ca, None, None)
    with pytest.raises(REFUSALS), RawClient(bare, sandbox.port) as client:
        if client.connect("button") is None:
            raise ConnectionError
    assert eventually(lambda: len(sandbox.log.lines) == 1)
    assert "showed no certificate" in sandbox.log.lines[0]
    sandbox.check_honest(honest)


@pytest.mark.parametrize(
    "offered", [["x-amzn-mqtt-ca"], ["h2", "x-amzn-mqtt-ca"], ["mqtt", "x-amzn-mqtt-ca"]]
)
def test_mqtt_with_a_certificate_is_asked_for_by_alpn(sandbox, offered):
    context = context_of(sandbox.registered())
    context.set_alpn_protocols(offered)
    with RawClient(context, sandbox.port) as client:
        assert client.socket.selected_alpn_protocol() == "x-amzn-mqtt-ca"
        assert client.connect("button") == (0x20, b"\0\0")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize(
    ("name", "reason"),
    [("mqtt", "the sandbox has no authorizers"), ("x-amzn-http-ca", "HTTPS publish")],
)
def test_what_else_aws_has_behind_alpn_is_refused_by_name(sandbox, name, reason, proven, version):
    device = sandbox.registered()
    context = context_of(device) if proven else client_context(device.ca, None, None)
    context.set_alpn_protocols([name])
    context.maximum_version = version
    with pytest.raises(REFUSALS), RawClient(context, sandbox.port) as client:
        if client.connect("button") is None:
            raise ConnectionError
    assert eventually(lambda: len(sandbox.log.lines) == 1)
    assert reason in sandbox.log.lines[0]
    sandbox.check_honest(device)


def test_a_web_socket_shows_no_certificate(sandbox):
    bare = client_context(sandbox.broker.ca_file, None, None)
    bare.set_alpn_protocols(["http/1.1"])
    with TlsWebSocketClient(bare, sandbox.wss_port) as client:
        assert client.socket.selected_alpn_protocol() == "http/1.1"
        assert client.connect("page") == (0x20, b"\0\0")
    assert not sandbox.log.lines


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_a_web_socket_names_its_host_in_tls_too(sandbox, host):
    bare = client_context(sandbox.broker.ca_file, None, None)
    bare.check_hostname = False
    with pytest.raises(ssl.SSLError, match="unrecognized name"):
        RawClient(bare, sandbox.wss_port, host=host)
    assert eventually(lambda: len(sandbox.log.lines) == 1)


def test_a_slow_upgrade_is_cut(sandbox):
    bare = client_context(sandbox.broker.ca_file, None, None)
    start = time.monotonic()
    with RawClient(bare, sandbox.wss_port) as client:
        client.send(b"GET /mqtt HTTP/1.1\r\n")
        assert client.receive() == b""
        assert 0.4 < time.monotonic() - start < 2.5
    assert "no CONNECT within 0.5 seconds" in sandbox.log.lines[0]


def test_a_flood_of_pings_that_nobody_hears_answered_is_read_no_more(sandbox):
    bare = client_context(sandbox.broker.ca_file, None, None)
    with TlsWebSocketClient(bare, sandbox.wss_port) as client:
        client.connect("page")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.socket.settimeout(1)
        pings = frame(b"x" * 125, PING) * 100
        with pytest.raises(TimeoutError):
            for _ in range(2000):  # 26 MB
                client.socket.sendall(pings)
        sandbox.check_honest(sandbox.registered())


def test_whoever_has_a_certificate_is_told_of_the_other_port(sandbox):
    device = sandbox.registered()
    with RawClient(context_of(device), sandbox.wss_port) as client:
        assert client.connect("button") is not None  # HTTP's 400
    assert "a device with a certificate goes to the MQTT port" in sandbox.log.lines[0]


def test_a_client_that_does_not_know_the_authority(sandbox):
    device = sandbox.registered()
    context = ssl.create_default_context()
    context.load_cert_chain(device.certificate, device.key)
    with pytest.raises(ssl.SSLCertVerificationError):
        RawClient(context, sandbox.port)
    assert eventually(lambda: len(sandbox.log.lines) == 1)
    assert "give it the sandbox's ca_file" in sandbox.log.lines[0]


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
@pytest.mark.parametrize("version", [4, 5])
def test_a_certificate_that_is_not_active_is_refused(sandbox, status, version):
    device, honest = sandbox.registered(status=status), sandbox.registered()
    with device.raw() as client:
        answer = client.connect("button", version=version)
    if version == 4:
        assert answer is None
    else:
        assert answer[1][:2] == b"\0\x87"
    (refusal,) = sandbox.refusals()
    assert refusal.certificate_id == device.certificate_id[:8]
    assert (refusal.client_id, refusal.action) == ("button", "iot:Connect")
    assert status in refusal.reason
    sandbox.set_status(device, "ACTIVE")
    sandbox.check_honest(device)
    sandbox.check_honest(honest)


def test_a_certificate_can_be_registered_later(sandbox):
    stranger = sandbox.stranger()
    sandbox.check_honest(sandbox.registered())
    made = sandbox.backend.register_certificate_without_ca(
        stranger.certificate.read_text(), "ACTIVE"
    )
    sandbox.registry.changed()
    with stranger.raw() as client:
        # Known now, and without a policy.
        assert client.connect("late") is None
    assert sandbox.refusals()[-1].certificate_id == made.certificate_id[:8]
    assert sandbox.refusals()[-1].verdict == "IMPLICIT_DENY"


@pytest.mark.parametrize(
    "said",
    [b"", b"\x16", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"],
    ids=["nothing", "one byte", "half a ClientHello"],
)
def test_a_client_that_stops_talking_is_cut(sandbox, said):
    honest = sandbox.registered()
    with socket.create_connection(("127.0.0.1", sandbox.port), 5) as client:
        client.sendall(said)
        start = time.monotonic()
        assert client.recv(1) == b""
        assert time.monotonic() - start < 2.5
    assert len(sandbox.log.lines) == 1
    assert "no CONNECT within 0.5 seconds" in sandbox.log.lines[0]
    sandbox.check_honest(honest)


def test_a_tls_client_that_says_nothing_is_cut(sandbox):
    device = sandbox.registered()
    with device.raw() as client:
        assert client.read() is None
    assert len(sandbox.refusals()) == 1
    sandbox.check_honest(device)


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd", b"\0" * 99]
)
def test_plain_tcp_is_refused(sandbox, said):
    honest = sandbox.registered()
    with socket.create_connection(("127.0.0.1", sandbox.port), 5) as client:
        client.sendall(said)
        while client.recv(100):
            pass
    assert len(sandbox.log.lines) == 1
    assert "TLS" in sandbox.log.lines[0]
    sandbox.check_honest(honest)


def test_a_probe_of_the_port_is_no_refusal(sandbox):
    socket.create_connection(("127.0.0.1", sandbox.port)).close()
    sandbox.check_honest(sandbox.registered())
    assert not sandbox.log.lines


def test_the_authority_outlives_a_restart(tmp_path):
    first = Broker(Registry(), tmp_path / "broker")
    kept = first.ca_file.read_bytes()
    again = Broker(Registry(), tmp_path / "broker")
    assert again.ca_file.read_bytes() == kept
    for path in (tmp_path / "broker").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_it_listens_on_loopback_only(sandbox, host):
    with pytest.raises(ValueError, match="loopback only"):
        sandbox.run(Broker(Registry(), sandbox._folder / "other").start(host))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_taken_port_gives_way_to_the_next(sandbox, place):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    ports = [sandbox.port, sandbox.port]
    ports.insert(place, free)
    other = Broker(Registry(), sandbox._folder / "other")
    assert sandbox.run(other.start(ports=ports)) == free
    sandbox.run(other.stop())


def test_any_free_port(sandbox):
    other = Broker(Registry(), sandbox._folder / "other")
    assert sandbox.run(other.start(ports=(sandbox.port, 0))) not in (0, sandbox.port)
    sandbox.run(other.stop())


def test_a_port_that_was_asked_for_alone_and_is_taken(sandbox):
    other = Broker(Registry(), sandbox._folder / "other")
    with pytest.raises(OSError, match="in use"):
        sandbox.run(other.start(ports=(sandbox.port,)))


@pytest.mark.skipif(sys.platform != "linux", reason="2026-11-23: a matter of Linux's TCP")
def test_a_client_that_waits_for_tcp_is_not_kept_waiting(sandbox):
    """As paho and mosquitto_pub do; without help each connect would take 40 ms more."""
    device = sandbox.registered()
    context = context_of(device)
    taken = []
    for _ in range(5):
        start = time.monotonic()
        with RawClient(context, sandbox.port, no_delay=False) as client:
            client.connect("button")
        taken.append(time.monotonic() - start)
    assert min(taken) < 0.03
