"""Retained messages and sessions outlive the broker's process: what was told is there again."""

import json
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from broker_support import ACCOUNT, REGION, MemoryBroker, Sandbox
from broker_wire import encode_publish

from publish.notebooks import ROOT
from sandbox.broker import store
from sandbox.broker.connection import Services
from sandbox.broker.endpoint import Endpoints
from sandbox.broker.store import Store
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, V311, Property, Publish

P = Property
PING, PONG = b"\xc0\0", (0xD0, b"")
WELCOME, RESUMED = (0x20, b"\0\0"), (0x20, b"\x01\0")
SHARED = "$share/consumer/news"


class Lasting(MemoryBroker):
    """A broker that keeps what it knows in a file, and can be killed."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self.store: Store

    def kill(self) -> None:
        """End without a word, and begin anew with what is on the disk."""
        endpoints = Endpoints()
        self.store = Store(self._file, endpoints)
        self.store.refresh()
        self.services = Services(self.registry, endpoints=endpoints, store=self.store)

    @property
    def endpoint(self):
        return self.services.endpoints.of(ACCOUNT, REGION)

    @property
    def journal(self) -> bytes:
        file = self._file.with_name("messages.log")
        return file.read_bytes() if file.exists() else b""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "messages"


@pytest.fixture
def sandbox(file, monkeypatch):
    with Lasting(file) as broker:
        monkeypatch.setattr(time, "time", lambda: 1_700_000_000 + time.monotonic())
        broker.kill()
        yield broker


@pytest.fixture
def device(sandbox):
    return sandbox.registered()


def publish(device, topic, payload=b"!", **options):
    """Publish a message; with QoS 1, return when it is acknowledged."""
    with device.raw() as client:
        client.connect("publisher")
        client.publish(topic, payload, **options)
        if options.get("qos", 1):
            assert client.read() == (0x40, b"\0\x01")


def payloads(client, *, acknowledge: bool = True) -> list[bytes]:
    """The messages that have come since, one byte each."""
    client.send(PING)
    found = []
    while (packet := client.read()) != PONG:
        first, body = packet
        found.append(body[-1:])
        end = 2 + int.from_bytes(body[:2], "big")
        if first & 2 and acknowledge:
            client.send(b"\x40\x02" + body[end : end + 2])
    return found


@pytest.mark.parametrize("version", [V311, V5])
def test_subscriptions_and_what_waits(sandbox, device, version):
    asked = {P.SESSION_EXPIRY: 60} if version == V5 else {}
    with device.raw() as client:
        client.connect("button", version=version, clean=False, asked=asked)
        client.subscribe("news", "other")
        length = bytes((10,)) if version == V5 else bytes((9,))
        client.send(b"\xa2" + length + b"\0\x09" + b"\0" * (version == V5) + b"\0\x05other")
        assert client.read()[0] == 0xB0
    for payload in (b"1", b"2"):
        publish(device, "news", payload)
        sandbox.kill()
    publish(device, "other", b"3")
    sandbox.kill()
    with device.raw() as client:
        first, body = client.connect("button", version=version, clean=False, asked=asked)
        assert (first, body[:2]) == RESUMED
        assert payloads(client) == [b"1", b"2"]
        sandbox.services.sweep()
        sandbox.kill()
    with device.raw() as client:
        client.connect("button", version=version, clean=False, asked=asked)
        assert payloads(client) == []


def test_what_a_connected_client_has_not_acknowledged(sandbox, device):
    """It is saved at the next sweep, and sent again as what it is."""
    with device.raw() as client:
        client.connect("button", clean=False)
        client.subscribe("news")
        publish(device, "news", b"1")
        assert client.read()[0] == 0x32
        sandbox.wait(1)
    sandbox.kill()
    with device.raw() as client:
        assert client.connect("button", clean=False) == RESUMED
        assert client.read() == (0x3A, b"\0\x04news\0\x011")


def test_a_session_goes_on_as_it_was(sandbox, device):
    with device.raw() as client:
        client.connect("button", clean=False)
    (before,) = sandbox.endpoint.sessions.values()
    sandbox.kill()
    (after,) = sandbox.endpoint.sessions.values()
    assert after is not before
    for name in ("identifier", "certificate_id", "client_id", "version", "expiry_seconds"):
        assert getattr(after, name) == getattr(before, name)


@pytest.mark.parametrize("connected", [True, False])
def test_a_session_ends_when_its_time_is_up(sandbox, device, connected):
    """Its time begins when the client goes, or the broker is killed and no longer has it."""
    with device.raw() as client:
        client.connect("button", clean=False)
        if not connected:
            client.close()
            sandbox.wait(600)
        sandbox.kill()
    there = limits.SESSION_SECONDS - (0 if connected else 600)
    sandbox.wait(there - 1)
    assert sandbox.endpoint.sessions
    sandbox.wait(1)
    assert not sandbox.endpoint.sessions
    sandbox.kill()
    assert not sandbox.endpoint.sessions


@pytest.mark.parametrize(
    "again", [{"clean": True}, {"version": V5}, {"version": V5, "clean": False}]
)
def test_a_session_that_was_ended_does_not_come_back(sandbox, device, again):
    with device.raw() as client:
        client.connect("button", clean=False)
        client.subscribe("news")
    with device.raw() as client:
        client.connect("button", **again)
        sandbox.kill()
    assert not sandbox.endpoint.sessions
    publish(device, "news")
    with device.raw() as client:
        assert client.connect("button", clean=False) == WELCOME


def test_one_that_is_ended_by_the_api_does_not_come_back(sandbox, device):
    with device.raw() as client:
        client.connect("button", clean=False)
    for there in (True, False):
        found = sandbox.services.ask(
            ACCOUNT, REGION, lambda each: each.disconnect("button", clean_session=True)
        )
        assert found == there
        sandbox.kill()


def test_what_an_emptied_account_had_does_not_come_back(sandbox, device):
    with device.raw() as client:
        client.connect("button", clean=False)
    publish(device, "a", retain=True)
    sandbox.kill()
    sandbox.services.empty(ACCOUNT)
    sandbox.kill()
    assert not sandbox.endpoint.sessions
    assert not sandbox.endpoint.retained


def test_one_that_is_to_last_no_longer_does_not_come_back(sandbox, device):
    for seconds in (60, 0):
        with device.raw() as client:
            asked = {P.SESSION_EXPIRY: seconds}
            client.connect("button", version=V5, clean=False, asked=asked)
            sandbox.kill()
        assert len(sandbox.endpoint.sessions) == bool(seconds)


def test_a_clean_session_is_not_written(sandbox, device):
    with device.raw() as client:
        client.connect("button")
        client.subscribe("news")
        publish(device, "news")
        sandbox.services.sweep()
        assert sandbox.journal == b""
        sandbox.store.write()
        sandbox.kill()
    assert not sandbox.endpoint.sessions


def test_retained_messages(sandbox, device):
    for topic, payload in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", b"")):
        publish(device, topic, payload, retain=True)
        sandbox.kill()
    with device.raw() as client:
        client.connect("button")
        client.subscribe("a", "b")
        assert client.read() == (0x33, b"\0\x01a\0\x013")
    (kept,) = sandbox.endpoint.retained.values()
    assert kept.modified == 1_700_000_000 + time.monotonic()
    assert sandbox.endpoint._retained_bytes == 1


def test_one_that_came_by_http_is_written_before_the_answer(sandbox):
    message = Publish("a", b"1", 0, retain=True)
    sandbox.services.ask(ACCOUNT, REGION, lambda endpoint: endpoint.publish(message))
    sandbox.kill()
    assert list(sandbox.endpoint.retained) == ["a"]


def test_a_qos_0_message_is_written_at_the_next_sweep_if_it_is_retained_else_never(sandbox, device):
    with device.raw() as client:
        client.connect("button", clean=False)
        client.subscribe("a")
        sandbox.services.sweep()
        before = sandbox.journal
        publish(device, "a", qos=0)
        sandbox.services.sweep()
        assert sandbox.journal == before
        publish(device, "a", qos=0, retain=True)
        assert sandbox.journal == before
        sandbox.services.sweep()
        after = sandbox.journal
        assert after != before
        sandbox.services.sweep()
        assert sandbox.journal == after
    sandbox.kill()
    assert list(sandbox.endpoint.retained) == ["a"]


def test_everything_of_a_message(sandbox, device):
    carried = {
        P.PAYLOAD_FORMAT: 1,
        P.CONTENT_TYPE: "text/plain",
        P.RESPONSE_TOPIC: "answers",
        P.CORRELATION_DATA: b"\0\1\xff",
        P.USER_PROPERTY: [("a", "1"), ("a", "2")],
    }
    message = Publish("ä/b", b"\0\xff", 1, True, packet_id=7, properties=carried)
    with device.raw() as client:
        client.connect("publisher", version=V5)
        client.send(encode_publish(message, V5))
        assert client.read()[0] == 0x40
    sandbox.kill()
    found = sandbox.endpoint.retained["ä/b"].message
    assert (found.topic, found.payload, found.qos) == ("ä/b", b"\0\xff", 1)
    assert found.properties == carried


def test_a_message_expires_although_the_broker_was_away(sandbox, device):
    with device.raw() as client:
        client.connect("button", clean=False)
        client.subscribe("news")
    with device.raw() as client:
        client.connect("publisher", version=V5)
        for number, topic in enumerate(("news", "kept"), 1):
            for seconds in (60, 90):
                message = Publish(f"{topic}", b"%d" % (seconds // 30), 1, topic == "kept")
                message.packet_id, message.properties = number, {P.MESSAGE_EXPIRY: seconds}
                client.send(encode_publish(message, V5))
                client.read()
    sandbox.kill()
    sandbox.wait(60)
    with device.raw() as client:
        client.connect("button", clean=False)
        assert payloads(client) == [b"3"]
    assert list(sandbox.endpoint.retained) == ["kept"]
    sandbox.wait(30)
    assert not sandbox.endpoint.retained
    sandbox.kill()
    assert not sandbox.endpoint.retained
    assert sandbox.endpoint._retained_bytes == 0


def test_what_waits_for_a_group(sandbox, device):
    with device.raw() as client:
        client.connect("member", clean=False)
        client.subscribe(SHARED)
    for payload in (b"1", b"2"):
        publish(device, "news", payload)
        sandbox.kill()
    with device.raw() as client:
        client.connect("member", clean=False)
        assert payloads(client, acknowledge=False) == [b"1", b"2"]
        sandbox.wait(1)
        sandbox.kill()
    with device.raw() as client:
        client.connect("newcomer")
        client.subscribe(SHARED)
        assert payloads(client) == [b"1", b"2"]
        sandbox.wait(1)
        sandbox.kill()
    with device.raw() as client:
        client.connect("member", clean=False)
        assert payloads(client) == []


@pytest.mark.parametrize("acknowledged", [True, False])
def test_what_is_on_its_way_to_a_member_of_a_group(sandbox, device, acknowledged):
    with device.raw() as client:
        client.connect("member", clean=False)
        client.subscribe(SHARED)
        publish(device, "news", b"1")
        first, body = client.read()
        assert first == 0x32
        sandbox.wait(1)
        if acknowledged:
            client.send(b"\x40\x02" + body[6:8])
            sandbox.wait(1)
        sandbox.kill()
    with device.raw() as client:
        client.connect("newcomer")
        client.subscribe(SHARED)
        assert payloads(client) == ([] if acknowledged else [b"1"])


def test_the_endpoints_of_accounts_stay_apart(sandbox):
    for account in (ACCOUNT, "444455556666"):
        publish(sandbox.registered(account=account), "a", account[:1].encode(), retain=True)
    sandbox.kill()
    for account in (ACCOUNT, "444455556666"):
        kept = sandbox.services.endpoints.of(account, REGION).retained["a"]
        assert kept.message.payload == account[:1].encode()


def test_an_orderly_stop_and_a_start(tmp_path):
    """Over TLS: the session of a client that is connected when the broker stops is kept, too."""
    with Sandbox(tmp_path) as running:
        device = running.registered()
        client = device.raw()
        client.connect("button", clean=False)
        client.subscribe("news")
        publish(device, "news", b"1", retain=True)
        client.read()
    client.close()
    assert (tmp_path / "broker" / "messages").exists()
    assert not (tmp_path / "broker" / "messages.log").exists()
    kept = Endpoints()
    Store(tmp_path / "broker" / "messages", kept).refresh()
    endpoint = kept.of(ACCOUNT, REGION)
    (session,) = endpoint.sessions.values()
    assert [each.message.payload for each in session.undelivered()] == [b"1"]
    assert list(session.subscriptions) == list(endpoint.retained) == ["news"]


ENDING = """
import os, runpy, signal, time
from sandbox.broker.server import Broker

def ask(broker, *question):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.5)
    return answer(broker, *question)

answer, Broker.ask = Broker.ask, ask
runpy.run_module("sandbox", run_name="__main__")
"""


def test_a_message_that_is_being_published_when_the_sandbox_ends_is_kept(tmp_path):
    """The request waits for the broker, and the sandbox for the request."""
    command = [sys.executable, "-c", ENDING, "--state-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as ending:
        address = json.loads(ending.stdout.readline())["endpoint_url"]
        key = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        data = boto3.client("iot-data", endpoint_url=address, region_name=REGION, **key)
        data.publish(topic="a", qos=1, retain=True, payload=b"1")
    kept = Endpoints()
    Store(tmp_path / "messages", kept).refresh()
    assert list(kept.of(ACCOUNT, REGION).retained) == ["a"]


class TestFiles:
    """The file and its journal, whatever becomes of them."""

    def names(self, file: Path) -> set[str]:
        return {each.name for each in file.parent.iterdir() if each.name.startswith("messages")}

    def test_an_orderly_stop_leaves_one_file(self, sandbox, device, file):
        publish(device, "a", b"1", retain=True)
        assert self.names(file) == {"messages.log"}
        assert file.with_name("messages.log").stat().st_mode & 0o777 == 0o600
        sandbox.store.close()
        assert self.names(file) == {"messages"}
        sandbox.kill()
        assert list(sandbox.endpoint.retained) == ["a"]
        sandbox.store.close()
        assert self.names(file) == {"messages"}

    def test_a_journal_that_has_grown_is_replaced(self, sandbox, device, file, monkeypatch):
        monkeypatch.setattr(store, "JOURNAL_BYTES", 1000)
        for number in range(20):
            publish(device, f"a/{number}", b"1", retain=True)
        assert len(sandbox.journal) < 1000 < len(file.read_bytes())
        sandbox.store.write()
        monkeypatch.setattr(store, "JOURNAL_BYTES", 0)  # and it is no larger than the file
        publish(device, "a/0", b"1", retain=True)
        assert sandbox.journal
        sandbox.kill()
        assert len(sandbox.endpoint.retained) == 20

    def test_a_journal_of_another_version_is_none(self, sandbox, device, file):
        """The broker was killed after it had written the file, and before it ended the journal."""
        for payload in (b"1", b"2"):
            publish(device, "a", payload, retain=True)
            journal = sandbox.journal
            sandbox.store.write()
        file.with_name("messages.log").write_bytes(journal)
        publish(device, "a", b"3", retain=True)
        sandbox.store.write()
        file.with_name("messages.log").write_bytes(journal)
        sandbox.kill()
        assert sandbox.endpoint.retained["a"].message.payload == b"3"
        publish(device, "a", b"4", retain=True)
        sandbox.kill()
        assert sandbox.endpoint.retained["a"].message.payload == b"4"

    def test_a_line_that_was_being_written(self, sandbox, device, file):
        for payload in (b"1", b"2"):
            publish(device, "a", payload, retain=True)
        journal = file.with_name("messages.log")
        journal.write_bytes(sandbox.journal[:-1])
        sandbox.kill()
        assert sandbox.endpoint.retained["a"].message.payload == b"1"
        assert sandbox.log.lines == []
        publish(device, "b", b"3", retain=True)
        sandbox.kill()
        assert set(sandbox.endpoint.retained) == {"a", "b"}

    def test_a_line_that_is_nested_too_deep(self, sandbox, device, file):
        publish(device, "a", b"1", retain=True)
        with file.with_name("messages.log").open("ab") as journal:
            journal.write(b"00000000 " + b"[" * 9999 + b"\n")
        sandbox.kill()
        assert list(sandbox.endpoint.retained) == ["a"]

    def test_a_damaged_line(self, sandbox, device, file):
        """What came before it counts; the rest lies aside."""
        for number in range(4):
            publish(device, f"a/{number}", b"1", retain=True)
        journal, whole = file.with_name("messages.log"), sandbox.journal
        lines = whole.splitlines(keepends=True)
        for number, line in enumerate(lines):
            for place in range(0, len(line) - 1, 7):
                damaged = bytearray(line)
                damaged[place] ^= 1
                content = b"".join([*lines[:number], bytes(damaged), *lines[number + 1 :]])
                for each in file.parent.glob("messages*"):
                    each.unlink()
                journal.write_bytes(content)
                sandbox.log.records.clear()
                sandbox.kill()
                assert len(sandbox.endpoint.retained) == max(0, number - 1)
                (said,) = sandbox.log.lines
                (aside,) = file.parent.glob("messages.log.damaged-*")
                assert aside.read_bytes() == content
                assert f"messages.log is damaged and lies in {aside.name} now" in said
                assert f"{5 - number} of its 5 lines are lost" in said
                sandbox.kill()
                assert len(sandbox.endpoint.retained) == max(0, number - 1)

    @pytest.mark.parametrize(
        "entry",
        [
            None,
            5,
            [],
            ["x", "retained", "a", []],
            [f"{ACCOUNT}/{REGION}", "nonsense", "a", []],
            [f"{ACCOUNT}/{REGION}", "retained", "a", ["", 1, None, 0]],
            [f"{ACCOUNT}/{REGION}", "retained", "a", ["wAA=", 1, None, 0]],
            [f"{ACCOUNT}/{REGION}", "sessions", "a", {}],
            [f"{ACCOUNT}/{REGION}", "sessions", "a", {"version": 3}],
            [f"{ACCOUNT}/{REGION}", "groups", "a", 5, "added"],
        ],
    )
    def test_a_right_checksum_is_not_enough(self, sandbox, device, file, entry):
        publish(device, "a", b"1", retain=True)
        sandbox.store.close()
        sandbox.store._journal.append(sandbox.store._content, [entry])
        sandbox.kill()
        assert list(sandbox.endpoint.retained) == ["a"]
        if entry != [f"{ACCOUNT}/{REGION}", "groups", "a", 5, "added"]:  # of a group that is gone
            (said,) = sandbox.log.lines
            assert "its 1 changes are lost" in said

    @pytest.mark.parametrize("later", ["at a sweep", "with the next message"])
    def test_what_cannot_be_written_is_told_to_the_log_and_written_later(
        self, sandbox, device, file, monkeypatch, later
    ):
        with device.raw() as client:
            client.connect("button", clean=False)
            client.subscribe("news")
        sandbox.services.sweep()
        journal = sandbox.store._journal
        real = type(journal).append

        def half(self, content, entries):
            real(self, content, entries)
            with self._path.open("r+b") as opened:
                opened.truncate(self.size // 2)
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as full:
            full.setattr(type(journal), "append", half)
            full.setattr(store, "keep", lambda *_: half(journal, b"", []))
            for number in range(3):
                publish(device, f"a/{number}", b"1", retain=True)
                sandbox.services.sweep()
            publish(device, "news", b"2")
        (said,) = sandbox.log.lines
        assert "cannot be written (No space left on device)" in said
        if later == "at a sweep":
            sandbox.services.sweep()
            sandbox.kill()
            assert len(sandbox.endpoint.retained) == 3
        for _ in range(2):
            publish(device, "b", b"1", retain=True)
        sandbox.kill()
        assert len(sandbox.endpoint.retained) == 4
        with device.raw() as client:
            assert client.connect("button", clean=False) == RESUMED
            assert payloads(client) == [b"2"]  # and not twice
        assert len(sandbox.log.lines) == 1

    def test_what_the_file_says_is_plain(self, sandbox, device, file):
        publish(device, "a", b"1", retain=True)
        sandbox.store.close()
        _, _, content = file.read_bytes().partition(b"\n")
        held = json.loads(content)
        assert list(held) == [f"{ACCOUNT}/{REGION}"]
        assert set(held[f"{ACCOUNT}/{REGION}"]) == {"retained", "sessions", "groups"}
