"""Which certificates come in after the registry has changed, while the TLS context stays."""

import ssl

import pytest
import trustme
from broker_support import ACCOUNT, ANYTHING, REGION, Sandbox, TlsDevice, eventually
from broker_wire import RawClient, client_context
from moto.iot.models import iot_backends

from iot_policy import document, statement
from sandbox.broker import tls

OTHER = "111122223333"
NOT_REGISTERED = "not one that is registered here: create one in this sandbox, or register it"
versions = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture
def sandbox(tmp_path):
    with Sandbox(tmp_path) as running:
        yield running


@pytest.fixture
def trust(sandbox):
    return sandbox.broker._trust


def context_of(device: TlsDevice, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = client_context(device.ca, device.certificate, device.key)
    context.maximum_version = version
    return context


def comes_in(
    device: TlsDevice,
    context: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
) -> bool:
    context = context or context_of(device, ssl.TLSVersion.TLSv1_3)
    try:
        with RawClient(context, device.port, session=session) as client:
            return client.connect("device") is not None
    except (ssl.SSLError, ConnectionError):
        return False


def remove(sandbox: Sandbox, device: TlsDevice, *, told: bool = True) -> None:
    del sandbox.backend.certificates[device.certificate_id]
    if told:
        sandbox.registry.changed()


def register(sandbox: Sandbox, device: TlsDevice, account: str = ACCOUNT) -> None:
    backend = iot_backends[account][REGION]
    made = backend.register_certificate_without_ca(device.certificate.read_text(), "ACTIVE")
    sandbox.attach_policy(backend, "again", made.arn, ANYTHING)


@versions
@pytest.mark.parametrize("told", [True, False])
def test_a_certificate_that_was_removed_comes_in_no_more(sandbox, trust, told, version):
    device, honest = sandbox.registered(), sandbox.registered()
    context = context_of(device, version)
    assert comes_in(device, context)
    used = trust.context()
    remove(sandbox, device, told=told)
    assert not comes_in(device, context)
    assert trust.context() is used
    assert eventually(lambda: len(sandbox.log.lines) == 1)
    assert sandbox.log.lines[0].endswith(NOT_REGISTERED)
    register(sandbox, device)
    assert comes_in(device, context)
    sandbox.check_honest(honest)


def test_a_resumed_session_opens_no_door_to_a_certificate_that_was_removed(sandbox, trust):
    device = sandbox.registered()
    context = context_of(device, ssl.TLSVersion.TLSv1_2)
    with RawClient(context, device.port) as first:
        first.connect("device")
        session = first.socket.session
    remove(sandbox, device)
    assert not comes_in(device, context, session)
    assert trust.context().session_stats()["hits"] == 1
    assert sandbox.log.lines[0].endswith(NOT_REGISTERED)


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_that_was_deactivated_comes_in_no_more(sandbox, status):
    device = sandbox.registered()
    assert comes_in(device)
    sandbox.set_status(device, status)
    assert not comes_in(device)
    sandbox.set_status(device, "ACTIVE")
    assert comes_in(device)


def test_a_certificate_that_went_to_another_account_is_that_accounts(sandbox):
    """A connection that it has is cut, although somebody has it as ACTIVE."""
    device = sandbox.registered(document(statement("iot:Connect", "*")))
    with device.raw() as client:
        assert client.connect("device", version=5)[1][1] == 0
        remove(sandbox, device)
        register(sandbox, device, OTHER)
        assert client.read()[1][0] == 0x87
    assert "deleted" in sandbox.refusals()[0].reason
    with sandbox.registered().raw() as here, device.raw() as there:
        here.connect("here")
        here.subscribe("#")
        there.connect("there")
        there.publish("a")
        assert there.read() == (0x40, b"\0\x01")  # by the other account's policy
        here.send(b"\xc0\0")
        assert here.read() == (0xD0, b"")


def test_a_certificate_of_two_accounts_outlives_its_deletion_in_one(sandbox):
    device = sandbox.registered()
    register(sandbox, device, OTHER)
    assert comes_in(device)
    remove(sandbox, device)
    assert comes_in(device)
    del iot_backends[OTHER][REGION].certificates[device.certificate_id]
    sandbox.registry.changed()
    assert not comes_in(device)


def test_a_registered_certificate_vouches_for_no_other(sandbox, tmp_path):
    """It is an anchor: TLS would take whom it has signed."""
    authority = trustme.CA()
    sandbox.backend.register_certificate_without_ca(authority.cert_pem.bytes().decode(), "ACTIVE")
    sandbox.registry.changed()
    leaf = authority.issue_cert("device")
    leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / "leaf.pem")
    context = client_context(sandbox.broker.ca_file, tmp_path / "leaf.pem", None)
    with RawClient(context, sandbox.port) as client:
        assert client.connect("device") is None
    assert sandbox.log.lines[0].endswith(NOT_REGISTERED)


@pytest.mark.parametrize("pem", ["no certificate", "", "-----BEGIN CERTIFICATE-----\nü", "\0"])
def test_a_certificate_that_is_none_harms_nobody(sandbox, pem):
    honest = sandbox.registered()
    found = sandbox.backend.certificates[honest.certificate_id]
    broken = type(found).__new__(type(found))
    broken.__dict__ = {**found.__dict__, "certificate_pem": pem, "certificate_id": "0"}
    sandbox.backend.certificates["0"] = broken
    sandbox.registry.changed()
    sandbox.check_honest(honest)


def test_a_change_costs_a_handshake_the_new_certificates_alone(sandbox, trust, monkeypatch):
    devices = [sandbox.registered() for _ in range(3)]
    used = trust.context()
    for device in devices:
        assert comes_in(device)
    loaded = []
    monkeypatch.setattr(
        ssl.SSLContext, "load_verify_locations", lambda self, cadata: loaded.append((self, cadata))
    )
    new = sandbox.registered()
    for _ in range(2):
        sandbox.registry.changed()
        trust.context()
    assert loaded == [(used, new.certificate.read_text())]


def test_the_certificates_that_are_there_at_the_start_are_read_before_anyone_waits(
    tmp_path, monkeypatch
):
    with Sandbox(tmp_path) as sandbox:
        sandbox.registered()
        other = tls.Trust(sandbox.registry, tmp_path / "other")
        monkeypatch.setattr(sandbox.broker, "_trust", other)
        sandbox.run(sandbox.broker.stop())
        sandbox.run(sandbox.broker.start(ports=(0,)))
        assert len(other._anchored.ids) == 1


def test_a_context_that_holds_too_much_is_replaced_bit_by_bit(sandbox, trust, monkeypatch):
    monkeypatch.setattr(tls, "_ANCHORS_LEFT_OVER", 2)
    monkeypatch.setattr(tls, "_ANCHORS_PER_HANDSHAKE", 2)
    kept = [sandbox.registered() for _ in range(5)]
    gone = [sandbox.registered() for _ in range(3)]
    used = trust.context()
    for device in gone[:2]:
        remove(sandbox, device)
    assert trust.context() is used
    assert trust._successor is None  # two too many are not yet too much
    remove(sandbox, gone[2])
    sizes = []
    for device in (*kept[:2], gone[0]):
        assert trust._anchored.context is used
        assert comes_in(device) == (device in kept)
        sizes.append(len(trust._successor.ids) if trust._successor else None)
    assert sizes == [2, 4, None]
    assert trust._anchored.context is not used
    assert trust._anchored.ids == sandbox.registry.pems().keys()
    assert all(map(comes_in, kept))
    assert not any(map(comes_in, gone))
    assert trust._successor is None


def test_one_that_is_registered_while_a_context_is_replaced_comes_in(sandbox, trust, monkeypatch):
    monkeypatch.setattr(tls, "_ANCHORS_LEFT_OVER", 0)
    monkeypatch.setattr(tls, "_ANCHORS_PER_HANDSHAKE", 1)
    devices = [sandbox.registered() for _ in range(3)]
    used = trust.context()
    remove(sandbox, devices.pop())
    for _ in range(4):
        devices.append(sandbox.registered())
        assert comes_in(devices[-1])
        assert trust._anchored.context is used
    for device in devices:
        assert comes_in(device)
    assert trust._anchored.context is not used


def test_a_context_that_remembers_too_many_handshakes_is_replaced(sandbox, trust, monkeypatch):
    monkeypatch.setattr(tls, "_HANDSHAKES_REMEMBERED", 2)
    device = sandbox.registered()
    seen = []
    for _ in range(5):
        assert comes_in(device, context_of(device, ssl.TLSVersion.TLSv1_2))
        seen.append(trust._anchored.context)
    assert seen[0] is seen[2]
    assert seen[2] is not seen[3]
    assert trust._anchored.context.session_stats()["number"] == 2
