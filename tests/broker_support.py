"""A broker in this process, on moto's registry, and devices for it."""

import asyncio
import datetime
import json
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import pytest
from broker_wire import RawClient, WireClient, client_context
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.core.config import default_user_config
from moto.iot.models import iot_backends

import iot_policy
from helpers import policy
from sandbox.broker.connection import Services
from sandbox.broker.endpoint import Endpoint
from sandbox.broker.link import LinkHandler, Peer
from sandbox.broker.memory import MemoryLink
from sandbox.broker.server import Broker
from sandbox.line import Refusal
from sandbox.mqtt import limits
from sandbox.registry import Registry

ACCOUNT, REGION = "123456789012", "eu-west-1"
ANYTHING = policy.document(policy.statement("iot:*", "*"))


def arn(resource: str) -> str:
    return iot_policy.arn(REGION, ACCOUNT, resource)


@dataclass(frozen=True)
class Device:
    """A certificate, and the means to connect with it."""

    certificate_id: str
    arn: str
    raw: Callable[[], WireClient]
    """Opens a connection of its own."""


@dataclass(frozen=True)
class TlsDevice(Device):
    """A device with its files, for clients that need them."""

    raw: Callable[[], RawClient]
    certificate: Path
    key: Path
    ca: Path
    port: int


class _Desk(ABC):
    """A broker's registry: moto's, with devices that tests put into it."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.log = _Log()

    def __enter__(self) -> Self:
        iot_backends.reset()
        default_user_config["iot"] = {"use_valid_cert": True}
        logging.getLogger().addHandler(self.log)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self.log)
        # Whatever a test did, a refusal is one line, and nothing else is logged.
        for record in self.log.records:
            assert record.name == "sandbox", record.getMessage()
            assert record.exc_info is None
            assert "\n" not in record.getMessage()

    @property
    @abstractmethod
    def connections(self) -> int: ...

    @abstractmethod
    def refusals(self) -> list[Refusal]: ...

    @abstractmethod
    def _device(self, certificate_id: str, target: str, pem: str, key: str) -> Device: ...

    @property
    def backend(self) -> Any:
        return iot_backends[ACCOUNT][REGION]

    def registered(
        self,
        document: dict[str, Any] = ANYTHING,
        *,
        status: str = "ACTIVE",
        account: str = ACCOUNT,
        region: str = REGION,
    ) -> Any:
        """A device with a certificate of its own making, quicker by far than an issued one."""
        pem, key = self_signed()
        backend = iot_backends[account][region]
        made = backend.register_certificate_without_ca(pem, status)
        return self._known(backend, made, key, document)

    def set_status(self, device: Device, status: str) -> None:
        self.backend.update_certificate(device.certificate_id, status)
        self.registry.changed()

    def set_policy(self, device: Device, document: dict[str, Any]) -> None:
        """Put another policy in the place of the one that the device has."""
        self.backend.detach_policy(device.certificate_id, device.arn)
        self.backend.delete_policy(device.certificate_id)
        self.attach_policy(self.backend, device.certificate_id, device.arn, document)

    def attach_policy(self, backend: Any, name: str, target: str, document: dict[str, Any]) -> None:
        backend.create_policy(name, json.dumps(document))
        backend.attach_policy(name, target)
        self.registry.changed()

    def check_honest(self, device: Device) -> None:
        """Whatever happened before, an honest device connects, publishes, and gets its message."""
        with device.raw() as client:
            assert client.connect("honest") == (0x20, b"\0\0")
            assert client.subscribe("honest/topic") == (0x90, b"\0\x07\x01")
            client.publish("honest/topic", b"here")
            assert {client.read()[0] >> 4, client.read()[0] >> 4} == {3, 4}

    def _known(self, backend: Any, made: Any, key: str, document: dict[str, Any]) -> Device:
        self.attach_policy(backend, made.certificate_id, made.arn, document)
        return self._device(made.certificate_id, made.arn, made.certificate_pem, key)


class Sandbox(_Desk):
    """Runs a broker in a thread of its own; `with Sandbox(tmp_path) as sandbox`."""

    def __init__(self, folder: Path, *, sweep: float = 0.1, **options: Any) -> None:
        super().__init__()
        self._folder = folder
        self.broker = Broker(self.registry, folder / "broker", **options)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="broker", daemon=True)
        self.port = self.wss_port = 0
        self._sweep = patch.object(limits, "SWEEP_SECONDS", sweep)

    def __enter__(self) -> Self:
        super().__enter__()
        self._sweep.start()
        self._thread.start()
        self.port = self.run(self.broker.start(ports=(0,)))
        self.wss_port = self.run(self.broker.start_wss())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.broker.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self._sweep.stop()
        super().__exit__()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @property
    def connections(self) -> int:
        return self.broker.connections

    def refusals(self) -> list[Refusal]:
        return self.broker.refusals(ACCOUNT)

    def issued(self, document: dict[str, Any] = ANYTHING, *, active: bool = True) -> TlsDevice:
        """A device with a certificate that the registry has made."""
        made, keys = self.backend.create_keys_and_certificate(active)
        return self._known(self.backend, made, keys["PrivateKey"], document)

    def stranger(self) -> TlsDevice:
        """A device with a certificate that nobody has registered."""
        pem, key = self_signed()
        return self._device("f" * 64, "", pem, key)

    def _device(self, certificate_id: str, target: str, pem: str, key: str) -> TlsDevice:
        stem = self._folder / f"device-{certificate_id[:16]}"
        certificate, private = stem.with_suffix(".pem"), stem.with_suffix(".key")
        certificate.write_text(pem)
        private.write_text(key)
        ca, port = self.broker.ca_file, self.port

        def raw() -> RawClient:
            return RawClient(client_context(ca, certificate, private), port)

        return TlsDevice(certificate_id, target, raw, certificate, private, ca, port)


class DrivenLink(MemoryLink):
    """A link in memory whose peer a test plays: what it has proven, and whether it reads."""

    paused = False

    @property
    def writable(self) -> bool:
        return super().writable and not self.paused

    @property
    def handler(self) -> LinkHandler:
        """The connection behind it."""
        return self._handler

    def pause(self) -> None:
        """The peer reads no more."""
        self.paused = True

    def resume(self) -> None:
        """The peer has read all."""
        self.paused = False
        self.handler.caught_up()


class MemoryClient(WireClient):
    """Over a link in memory. Nothing is waited for: what is not there now will not come."""

    def __init__(self, services: Services, peer: Peer) -> None:
        super().__init__()
        self._services = services
        self.link = DrivenLink(services.accept)
        if not self.link.closing:
            self.link.handler.opened(peer)

    def send(self, data: bytes) -> None:
        self.link.receive(data)

    def receive(self) -> bytes:
        if not self.link.waiting and not self.link.closing:
            self._services.sweep()
        data = self.link.take(self.link.waiting)
        assert data or self.link.closing, "nothing has come from the broker"
        return data

    def close(self) -> None:
        self.link.close()


class MemoryBroker(_Desk):
    """A broker without a port: connections behind links in memory, and a clock set by hand."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.services = Services(self.registry, **options)
        self._now = 1000.0
        self._clock = patch.object(time, "monotonic", lambda: self._now)

    def __enter__(self) -> Self:
        super().__enter__()
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._clock.stop()
        super().__exit__()

    @property
    def connections(self) -> int:
        return self.services.connected

    def refusals(self) -> list[Refusal]:
        return self.services.refusals.of(ACCOUNT)

    def wait(self, seconds: float) -> None:
        """Let time pass, and the broker look at what it has."""
        self._now += seconds
        self.services.sweep()

    def peer(self, certificate_id: str) -> Peer:
        return Peer("127.0.0.1", certificate_id, "localhost")

    def _device(self, certificate_id: str, target: str, pem: str, key: str) -> Device:
        def raw() -> MemoryClient:
            return MemoryClient(self.services, self.peer(certificate_id))

        return Device(certificate_id, target, raw)


@pytest.fixture
def sandbox() -> Iterator[MemoryBroker]:
    """A broker in memory, for tests whose subject is no socket or TLS."""
    with MemoryBroker() as running:
        yield running


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Sandbox]:
    """A broker on ports of its own."""
    with Sandbox(tmp_path) as running:
        yield running


@pytest.fixture
def endpoint(sandbox: MemoryBroker) -> Endpoint:
    """Of the account whose devices the tests connect."""
    return sandbox.services.endpoints.of(ACCOUNT, REGION)


class _Log(logging.Handler):
    """Keeps what any logger logs at INFO and above."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]


def self_signed() -> tuple[str, str]:
    """A certificate and its private key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def press_with_sdk3(connection: Any) -> None:
    """Connect with AWS's device SDK in MQTT 3, press a button, hear of it, and leave."""
    from awscrt.mqtt import QoS  # here, for it is large and few tests need it

    topic, arrived = "iotbutton/G030JF055364XVRB", Future[bytes]()
    assert connection.connect().result(10) == {"session_present": False}
    done, _ = connection.subscribe(
        topic, QoS.AT_LEAST_ONCE, lambda topic, payload, **_: arrived.set_result(payload)
    )
    assert done.result(10)["qos"] == QoS.AT_LEAST_ONCE
    connection.publish(topic, b"pressed", QoS.AT_LEAST_ONCE)[0].result(10)
    assert arrived.result(10) == b"pressed"
    connection.disconnect().result(10)


def eventually(condition: Callable[[], object], *, within: float = 5.0) -> bool:
    """Whether *condition* comes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())
