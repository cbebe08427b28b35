"""The sandbox in the caller's own process: the lesson without a socket, a thread or a wait."""

import json
import logging
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import broker_support
import conftest
import in_process
import lessons
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.iot.responses import IoTResponse
from paho.mqtt.client import CallbackAPIVersion, Client

from helpers import account, button, closing, key_files, policy, thing
from helpers.account import Account
from helpers.button import Device, Refused
from helpers.errors import LessonError
from publish.notebooks import ROOT
from sandbox import log, process
from sandbox.broker import memory
from sandbox.device import MemorySocket

SERIAL = thing.EXAMPLE_SERIAL


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account inside this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX", "inside")
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(tmp_path / "state"))
    made = account.connect()
    monkeypatch.delenv("IOT_TUTORIAL_SANDBOX")
    return made


@pytest.fixture
def pressed(here: Account) -> Device:
    lessons.small(here)
    least = policy.least_privilege(here.region, here.number, SERIAL, client_id="my-button")
    policy.put_in_force(here.iot, "my-button-policy", least)
    return button.device(here, "my-button")


@pytest.fixture
def ear(here: Account) -> Device:
    return button.make_listener(here, SERIAL, "my-ear")


def forbid(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError(f"{what} is used")

    monkeypatch.setattr(what, forbidden)


def test_the_whole_way_without_a_socket_a_thread_or_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("socket.socket", "threading.Thread.start", "time.sleep", "subprocess.Popen"):
        forbid(monkeypatch, what)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX", "inside")
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(tmp_path / "state"))
    begun = time.monotonic()
    aws = account.connect()
    lessons.small(aws)
    posted = policy.as_posted(aws.region, aws.number, SERIAL)
    least = policy.least_privilege(aws.region, aws.number, SERIAL, client_id="my-button")
    policy.put_in_force(aws.iot, "my-button-policy", least)
    ear, pressed = button.make_listener(aws, SERIAL, "my-ear"), button.device(aws, "my-button")
    with button.listen(ear, pressed.topic) as arrived:
        button.press(pressed, "LONG")
        assert arrived.next().payload["clickType"] == "LONG"
        assert arrived.empty
    policy.put_in_force(aws.iot, "my-button-policy", posted)
    with pytest.raises(Refused, match="Statement 1 of my-button-policy"):
        button.press(pressed)
    (refusal,) = aws.refusals()
    assert refusal.action == "iot:Connect"
    closing.clean_up(aws)
    assert closing.inventory(aws).empty
    assert time.monotonic() - begun < 60


def test_a_message_that_does_not_come_is_not_waited_for(ear: Device) -> None:
    begun = time.monotonic()
    with (
        button.listen(ear, ear.topic) as arrived,
        pytest.raises(LessonError, match=r"No message\. Was"),
    ):
        arrived.next(timeout=3600)
    assert time.monotonic() - begun < 10


# The proof.


def test_a_copied_certificate_without_its_key_is_refused(pressed: Device, ear: Device) -> None:
    """The listener's key is a good one; it is just not this certificate's."""
    pressed.files.private_key.write_bytes(ear.files.private_key.read_bytes())
    with pytest.raises(Refused, match="has not proven that it holds the private key"):
        button.press(pressed)


def test_a_signature_is_good_for_one_challenge(pressed: Device) -> None:
    sign = memory.signer(pressed.files.private_key.read_bytes())
    shown, heard = pressed.files.certificate.read_bytes(), []
    assert memory.proven(shown, lambda challenge: heard.append(challenge) or sign(challenge))
    assert len(heard[0]) == memory.CHALLENGE_BYTES
    overheard = sign(heard[0])
    with pytest.raises(memory.RefusedError, match="has not proven"):
        memory.proven(shown, lambda _: overheard)


def damaged_key(pressed: Device) -> None:
    pressed.files.private_key.write_text("no key")


def locked_key(pressed: Device) -> None:
    made = rsa.generate_private_key(65537, 2048)
    pressed.files.private_key.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )


def damaged_certificate(pressed: Device) -> None:
    pressed.files.certificate.write_text("no certificate")


def spoil_certificate(pressed: Device, old: bytes, new: bytes) -> None:
    file = pressed.files.certificate
    der = ssl.PEM_cert_to_DER_cert(file.read_text())
    assert old in der
    file.write_text(ssl.DER_cert_to_PEM_cert(der.replace(old, new)))


def of_no_version(pressed: Device) -> None:
    spoil_certificate(pressed, b"\xa0\3\2\1\2", b"\xa0\3\2\1\1")


def damaged_key_in_the_certificate(pressed: Device) -> None:
    spoil_certificate(pressed, b"\2\3\1\0\1", b"\2\3\1\0\2")  # the exponent is even


def of_another_sandbox(pressed: Device) -> None:
    pem, key = broker_support.self_signed()
    pressed.files.certificate.write_text(pem)
    pressed.files.private_key.write_text(key)


UNUSABLE = {
    damaged_key: "could not connect",
    locked_key: "could not connect: Password was not given",
    damaged_certificate: "showed no certificate",
    of_no_version: "showed no certificate",
    damaged_key_in_the_certificate: "has not proven that it holds the private key",
    of_another_sandbox: "not one that is registered here",
}


@pytest.mark.parametrize(("spoil", "why"), UNUSABLE.items(), ids=[e.__name__ for e in UNUSABLE])
def test_files_that_cannot_be_used_say_why(
    pressed: Device, spoil: Callable[[Device], None], why: str
) -> None:
    spoil(pressed)
    with pytest.raises(Refused, match=why):
        button.press(pressed)


@pytest.mark.parametrize("days", [-1, 365 * 40], ids=["not valid yet", "expired"])
def test_a_certificate_out_of_its_time_is_refused(
    pressed: Device, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    now = datetime.now(UTC) + timedelta(days)
    monkeypatch.setattr(memory, "datetime", Mock(now=lambda _: now))
    with pytest.raises(Refused, match="not valid today"):
        button.press(pressed)


def test_a_key_on_a_curve_is_proven_too(here: Account) -> None:
    pem, key = broker_support.self_signed()
    device = lessons_device(here, pem, key)
    button.press(device)
    device.files.private_key.write_text(broker_support.self_signed()[1])
    with pytest.raises(Refused, match="has not proven"):
        button.press(device)


def lessons_device(here: Account, pem: str, key: str) -> Device:
    """A button with a certificate of the learner's own making, registered without a CA."""
    least = policy.least_privilege(here.region, here.number, SERIAL, client_id="my-button")
    thing.register(here.iot, "my-button")
    policy.put_in_force(here.iot, "own", least)
    made = here.iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")
    here.iot.attach_policy(policyName="own", target=made["certificateArn"])
    here.iot.attach_thing_principal(thingName="my-button", principal=made["certificateArn"])
    folder = here.key_folder / "my-button"
    key_files.save_keys(folder, key, "public")
    files = key_files.add_certificate(folder, pem, root_ca=here.root_ca)
    return Device(here, "my-button", SERIAL, files)


# A connection that stays.


def test_a_listener_is_cut_off_when_its_certificate_is(ear: Device, clock: "Clock") -> None:
    with button.listen(ear, ear.topic) as arrived:
        ear.account.iot.update_certificate(
            certificateId=ear.files.certificate_id, newStatus="INACTIVE"
        )
        clock.wait(2)
        with pytest.raises(Refused, match=r"could not stay connected: .* INACTIVE"):
            arrived.next()


class Clock:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self._later = 0.0
        self._real = time.monotonic

    def __call__(self) -> float:
        return self._real() + self._later

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._later += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    monkeypatch.setattr("paho.mqtt.client.time_func", made)
    return made


@pytest.mark.parametrize("silent", [70, 3600])
def test_a_listener_may_be_left_alone(
    ear: Device, pressed: Device, clock: Clock, silent: int
) -> None:
    """Nobody asks it for its messages meanwhile, so no ping goes out in time."""
    with button.listen(ear, ear.topic) as arrived:
        for _ in range(3):
            clock.wait(silent)
            assert arrived.empty
            button.press(pressed)
            assert arrived.next().payload["clickType"] == "SINGLE"


@pytest.mark.parametrize("qos", [0, 1])
def test_a_device_that_takes_nothing_is_sent_no_more(here: Account, ear: Device, qos: int) -> None:
    """It gets the rest when it takes again; at QoS 0 it says nothing that would set that off."""
    with button.listen(ear, ear.topic) as arrived:
        data = conftest.client(here, "iot-data")
        for _ in range(40):
            data.publish(topic=ear.topic, qos=qos, payload=b"x" * 10_000)
        sock = arrived._connection.client.socket()
        assert isinstance(sock, MemorySocket)
        assert sock._link.waiting < 100_000
        assert [len(arrived.next().payload["text"]) for _ in range(40)] == [10_000] * 40


# Several processes, one account.

MAKE = """
import sys
from helpers import account
aws = account.connect()
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    aws.iot.create_thing(thingName=f"{sys.argv[1]}-{number}")
"""


def test_processes_at_once_lose_nothing(here: Account) -> None:
    command = [sys.executable, "-c", MAKE]
    env = os.environ | {"IOT_TUTORIAL_SANDBOX": "inside"}
    pipe: dict[str, Any] = {
        "env": env,
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "text": True,
    }
    makers = [subprocess.Popen([*command, name], **pipe) for name in "abc"]
    assert [maker.stdout.readline() for maker in makers] == ["ready\n"] * 3
    for maker in makers:
        maker.stdin.write("go\n")
        maker.stdin.flush()
    for maker in makers:
        assert maker.wait(60) == 0
    names = {each["thingName"] for each in here.iot.list_things()["things"]}
    assert names == {f"{name}-{number}" for name in "abc" for number in range(20)}


def test_what_another_process_changed_counts_at_once(pressed: Device) -> None:
    button.press(pressed)
    posted = json.dumps(policy.as_posted("eu-west-1", "123456789012", SERIAL))
    change = (
        "import json; from helpers import account, policy; aws = account.connect(); "
        f"policy.put_in_force(aws.iot, 'my-button-policy', json.loads({posted!r}))"
    )
    env = os.environ | {"IOT_TUTORIAL_SANDBOX": "inside"}
    assert subprocess.run([sys.executable, "-c", change], env=env).returncode == 0
    with pytest.raises(Refused, match="Statement 1 of my-button-policy"):
        button.press(pressed)


def test_an_account_that_was_deleted_is_empty(here: Account, tmp_path: Path) -> None:
    """As *start over* does in a browser."""
    thing.register(here.iot, "my-button")
    for file in (tmp_path / "state").glob("registry*"):
        file.unlink()
    assert here.iot.list_things()["things"] == []


def test_two_folders_are_two_accounts(
    here: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing.register(here.iot, "one")
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX", "inside")
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(tmp_path / "other"))
    other = account.connect()
    thing.register(other.iot, "two")
    for aws, name in ((here, "one"), (other, "two"), (here, "one")):
        assert [each["thingName"] for each in aws.iot.list_things()["things"]] == [name]


def test_a_process_that_serves_the_folder_keeps_it(
    here: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox import inside

    monkeypatch.setattr(inside, "WAITS_AT_MOST", 0.1)
    thing.register(here.iot, "my-button")
    try:
        served = process.find_or_start(tmp_path / "state")
        with pytest.raises(here.iot.exceptions.ServiceUnavailableException, match="--stop"):
            here.iot.list_things()
    finally:
        process.stop(tmp_path / "state")
    assert served.account == here.number
    assert [each["thingName"] for each in here.iot.list_things()["things"]] == ["my-button"]


def test_what_an_answer_says_of_its_server_is_the_same_both_ways(
    here: Account, aws: Account
) -> None:
    told = []
    for each in (here, aws):
        thing.register(each.iot, "my-button")
        answer = each.iot.describe_thing(thingName="my-button")["ResponseMetadata"]
        told.append(list(answer["HTTPHeaders"]))
    assert told == [["content-length", "content-type", "date", "x-amzn-requestid"]] * 2


def test_its_log_is_in_its_folder_and_in_no_cell(
    pressed: Device, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pressed.files.certificate.write_text("no certificate")
    for _ in range(2):
        with pytest.raises(Refused):
            button.press(pressed)
    assert capfd.readouterr() == ("", "")
    lines = (tmp_path / "state" / log.NAME).read_text().splitlines()
    assert len(lines) == 2
    assert all("showed no certificate" in line for line in lines)
    assert (tmp_path / "state" / log.NAME).stat().st_mode & 0o777 == 0o600
    opened = [getattr(each, "stream", None) for each in logging.getLogger("sandbox").handlers]
    assert opened == [None]  # JupyterLite stores a file when it is closed


def test_its_log_leaves_the_traceback_to_whoever_logs_in_this_process(
    inside: Account, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IoTResponse, "list_things", lambda _: 1 / 0)
    with (
        caplog.at_level(logging.DEBUG, "sandbox"),
        pytest.raises(inside.iot.exceptions.InternalFailureException),
    ):
        inside.iot.list_things()
    assert "Traceback" in caplog.text and "1 / 0" in caplog.text
    line = (in_process.folder() / log.NAME).read_text().splitlines()[-1]
    assert line.endswith("(ZeroDivisionError: division by zero)")
    assert "Traceback" not in line


# How it is chosen.


def test_it_is_chosen_by_name_and_in_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not process.inside_is_chosen()
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert process.inside_is_chosen()
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX", "process")
    assert not process.inside_is_chosen()


def test_an_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX", "outside")
    with pytest.raises(LessonError, match="'outside': 'inside' is this process"):
        account.connect()


def test_a_real_account_is_for_the_installed_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    with pytest.raises(LessonError, match="A real account needs the installed lesson"):
        account.connect(target="aws")


def test_it_can_be_as_awkward_as_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX", "inside")
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("IOT_TUTORIAL_FAULTS", "3")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    aws, again = account.connect(), []

    def note(parsed: dict[str, Any], **_: object) -> None:
        again.append(parsed["ResponseMetadata"].get("RetryAttempts", 0))

    aws.iot.meta.events.register("after-call.iot", note)
    lessons.until_it_works(lambda: lessons.small(aws))
    assert sum(again) > 0
    lessons.assert_complete(aws)


def test_of_a_machine_without_process_tools_nothing_is_needed(tmp_path: Path) -> None:
    """A browser has none of these."""
    code = (
        "import sys, boto3  # urllib3 asks the platform, too\n"
        "for name in ('psutil', 'filelock', 'trustme', 'waitress'):\n"
        "    sys.modules[name] = None\n"
        "sys.platform = 'emscripten'\n"
        "from helpers import account, button, certificate, closing, panels, policy, thing\n"
        "from exercises import check\n"
        "from sandbox import inside\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


THEIRS = """
import conftest
from helpers import account
data = conftest.client(account.connect(), "iot-data")
print(*(each["topic"] for each in data.list_retained_messages()["retainedTopics"]))
data.publish(topic="theirs", payload=b"!", qos=1, retain=True)
data.publish(topic="news", payload=b"while you were away", qos=1)
"""


def test_two_notebooks_know_what_the_other_has_kept(here: Account, pressed: Device) -> None:
    """Retained messages, and what waits in the sessions of clients that are away."""
    everything = policy.document(policy.statement("iot:*", "*"))
    policy.put_in_force(here.iot, "my-button-policy", everything)
    data = conftest.client(here, "iot-data")
    data.publish(topic="ours", payload=b"!", qos=1, retain=True)
    arrived: list[bytes] = []

    def connect() -> Client:
        client = Client(CallbackAPIVersion.VERSION2, "my-button", clean_session=False)
        client.on_message = lambda *given: arrived.append(given[2].payload)
        files = pressed.files
        keys = {"certificate": files.certificate, "private_key": files.private_key}
        here.link.open(client, "localhost", **keys, root_ca=files.root_ca)
        here.link.catch_up(client)
        return client

    client = connect()
    client.subscribe("news", 1)
    client.publish("of a device", b"!", retain=True)
    here.link.close(client)
    env = os.environ | {"IOT_TUTORIAL_SANDBOX": "inside", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run(
        [sys.executable, "-c", THEIRS], env=env, stdout=subprocess.PIPE, text=True, check=True
    )
    assert other.stdout == "of a device ours\n"
    kept = data.list_retained_messages()["retainedTopics"]
    assert [each["topic"] for each in kept] == ["of a device", "ours", "theirs"]
    here.link.close(connect())
    assert arrived == [b"while you were away"]


def test_it_can_be_strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX", "inside")
    for strict in ("", "1"):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(tmp_path / f"state{strict}"))
        monkeypatch.setenv("IOT_TUTORIAL_STRICT", strict)
        aws = account.connect()
        ear = button.make_listener(aws, SERIAL, f"my-ear{strict}")
        with button.listen(ear, ear.topic):
            pass
        refused = pytest.raises(Refused, match="is strict") if strict else nullcontext()
        with refused, button.listen(ear, ear.topic):
            pass
