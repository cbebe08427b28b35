"""A broker in this process, on moto's registry, and devices for it."""

import asyncio
import datetime
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from broker_wire import RawClient, client_context
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.core.config import default_user_config
from moto.iot.models import iot_backends

import iot_policy
from helpers import policy
from sandbox.broker import Broker, Refusal
from sandbox.mqtt import limits
from sandbox.registry import Registry

ACCOUNT, REGION = "123456789012", "eu-west-1"
ANYTHING = policy.document(policy.statement("iot:*", "*"))


def arn(resource: str) -> str:
    return iot_policy.arn(REGION, ACCOUNT, resource)


@dataclass(frozen=True)
class Device:
    """A certificate, its files, and a broker that may know it."""

    certificate_id: str
    arn: str
    certificate: Path
    key: Path
    ca: Path
    port: int

    def raw(self) -> RawClient:
        return RawClient(client_context(self.ca, self.certificate, self.key), self.port)


class Sandbox:
    """Runs a broker in a thread of its own; `with Sandbox(tmp_path) as sandbox`."""

    def __init__(self, folder: Path, *, sweep: float = 0.1, **options: Any) -> None:
        self._folder = folder
        self.registry = Registry()
        self.broker = Broker(self.registry, folder / "broker", **options)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="broker")
        self.port = 0
        self.log = _Log()
        self._sweep = patch.object(limits, "SWEEP_SECONDS", sweep)

    def __enter__(self) -> Self:
        iot_backends.reset()
        default_user_config["iot"] = {"use_valid_cert": True}
        logging.getLogger().addHandler(self.log)
        self._sweep.start()
        self._thread.start()
        self.port = self.run(self.broker.start(port=0))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.broker.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self._sweep.stop()
        logging.getLogger().removeHandler(self.log)
        # Whatever a test did, a refusal is one line, and nothing else is logged.
        for record in self.log.records:
            assert record.name == "sandbox", record.getMessage()
            assert record.exc_info is None
            assert "\n" not in record.getMessage()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def issued(self, document: dict[str, Any] = ANYTHING, *, active: bool = True) -> Device:
        """A device with a certificate that the registry has made."""
        backend = self.backend
        made, keys = backend.create_keys_and_certificate(active)
        return self._device(backend, made, keys["PrivateKey"], document)

    def registered(
        self,
        document: dict[str, Any] = ANYTHING,
        *,
        status: str = "ACTIVE",
        account: str = ACCOUNT,
        region: str = REGION,
    ) -> Device:
        """A device with a certificate of its own making, quicker by far."""
        pem, key = self_signed()
        backend = iot_backends[account][region]
        made = backend.register_certificate_without_ca(pem, status)
        return self._device(backend, made, key, document)

    def stranger(self) -> Device:
        """A device with a certificate that nobody has registered."""
        pem, key = self_signed()
        return self._files("f" * 64, "", pem, key)

    def set_status(self, device: Device, status: str) -> None:
        self.backend.update_certificate(device.certificate_id, status)
        self.registry.changed()

    def set_policy(self, device: Device, document: dict[str, Any]) -> None:
        """Put another policy in the place of the one that the device has."""
        self.backend.detach_policy(device.certificate_id, device.arn)
        self.backend.delete_policy(device.certificate_id)
        self._attach(self.backend, device.certificate_id, device.arn, document)

    @property
    def backend(self) -> Any:
        return iot_backends[ACCOUNT][REGION]

    def refusals(self) -> list[Refusal]:
        return self.broker.refusals(ACCOUNT)

    def check_honest(self, device: Device) -> None:
        """Whatever happened before, an honest device connects, publishes, and gets its message."""
        with device.raw() as client:
            assert client.connect("honest") == (0x20, b"\0\0")
            assert client.subscribe("honest/topic") == (0x90, b"\0\x07\x01")
            client.publish("honest/topic", b"here")
            assert {client.read()[0] >> 4, client.read()[0] >> 4} == {3, 4}

    def _device(self, backend: Any, made: Any, key: str, document: dict[str, Any]) -> Device:
        self._attach(backend, made.certificate_id, made.arn, document)
        return self._files(made.certificate_id, made.arn, made.certificate_pem, key)

    def _attach(self, backend: Any, name: str, target: str, document: dict[str, Any]) -> None:
        backend.create_policy(name, json.dumps(document))
        backend.attach_policy(name, target)
        self.registry.changed()

    def _files(self, certificate_id: str, target: str, pem: str, key: str) -> Device:
        stem = self._folder / f"device-{certificate_id[:16]}"
        certificate, private = stem.with_suffix(".pem"), stem.with_suffix(".key")
        certificate.write_text(pem)
        private.write_text(key)
        return Device(certificate_id, target, certificate, private, self.broker.ca_file, self.port)


class _Log(logging.Handler):
    """Keeps what is logged at INFO and above, by whomever."""

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


def eventually(condition: Callable[[], object], *, within: float = 5.0) -> bool:
    """Whether *condition* comes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())
