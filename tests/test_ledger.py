"""The ledger: which certificates are the lesson's, whatever becomes of an answer."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import in_process
import psutil
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber

from helpers.account.ledger import Ledger, record_certificates
from iot_policy import document, statement, to_json

pytestmark = pytest.mark.usefixtures("nowhere")

FOLDER = Path("keys") / "sandbox"
ID = "0" * 64
OTHER = "1" * 64


@pytest.fixture
def sleeper() -> Iterator[int]:
    """The number of another process, which runs."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        yield other.pid


def by(pid: int, action: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Do something as another process."""
    with monkeypatch.context() as there:
        there.setattr(os, "getpid", lambda: pid)
        return action()


def test_it_holds_certificates_and_pending_calls_apart() -> None:
    ledger = Ledger(FOLDER)
    assert (ledger.ids(), ledger.calls()) == ([], [])
    ledger.note(OTHER)
    ledger.note(ID)
    ledger.note(ID)
    call = ledger.begin("CreateCertificateFromCsr", [OTHER])
    again = Ledger(FOLDER)
    assert again.ids() == [ID, OTHER]
    (pending,) = again.calls()
    assert (pending.file, pending.operation) == (call, "CreateCertificateFromCsr")
    assert pending.before == {OTHER}


def test_it_leaves_nothing_behind() -> None:
    ledger = Ledger(FOLDER)
    ledger.note(ID)
    call = ledger.begin("CreateKeysAndCertificate", [])
    ledger.forget(ID)
    ledger.forget(ID)
    assert ledger.calls() != []
    ledger.end(call)
    ledger.end(call)
    ledger.forget("never there")
    assert not (FOLDER / ".certificates").exists()


def test_it_is_private() -> None:
    before = os.umask(0)
    try:
        Ledger(FOLDER).note(ID)
    finally:
        os.umask(before)
    file = FOLDER / ".certificates" / ID
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for folder in file.parents[:3]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_that_is_still_being_written_is_no_certificate() -> None:
    ledger = Ledger(FOLDER)
    ledger.note(ID)
    (FOLDER / ".certificates" / f".{OTHER}").touch()
    (FOLDER / ".certificates" / ".half.call").touch()
    assert (ledger.ids(), ledger.calls()) == ([ID], [])


def test_only_another_process_that_runs_is_waited_for(
    sleeper: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(FOLDER)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid, under_way in ((os.getpid(), False), (sleeper, True), (ended.pid, False)):
        by(pid, lambda: ledger.note(ID), monkeypatch)
        call = by(pid, lambda: ledger.begin("CreateKeysAndCertificate", []), monkeypatch)
        assert ledger.under_way(ID) == under_way
        assert [each.under_way for each in ledger.calls()] == [under_way]
        ledger.give_up(call)
        assert [(each.pid, each.under_way) for each in ledger.calls()] == [(0, False)]
        ledger.end(call)


def test_a_call_that_was_given_up_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process 0 is always there on some systems."""
    monkeypatch.setattr(psutil, "pid_exists", lambda _: True)
    ledger = Ledger(FOLDER)
    ledger.give_up(ledger.begin("CreateKeysAndCertificate", []))
    assert [each.under_way for each in ledger.calls()] == [False]


class Answers:
    """What AWS answers the next request with, or what becomes of it."""

    def __init__(self) -> None:
        self.next: list[tuple[int, str] | Exception] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        making = environ["PATH_INFO"] == "/keys-and-certificate"
        if making and self.next:
            happens = self.next.pop(0)
            if isinstance(happens, Exception):
                raise happens
            status, code = happens
            start_response(f"{status} -", [("x-amzn-ErrorType", code)])
            return [b"{}"]
        return in_process.sandbox()(environ, start_response)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def iot(answers: Answers) -> Any:
    client = in_process.client(answers)
    record_certificates(client, FOLDER)
    return client


LOST = ReadTimeoutError(endpoint_url="x")
NOT_SENT = EndpointConnectionError(endpoint_url="x")
THROTTLED = (429, "ThrottlingException")
FAILED = (500, "InternalFailureException")
DENIED = (403, "AccessDeniedException")


@pytest.mark.parametrize(
    ("happens", "made", "pending"),
    [
        ([], True, False),
        ([DENIED], False, False),
        ([(499, "X")], False, False),
        ([NOT_SENT] * 3, False, True),  # the second try may have come after a first that arrived
        ([LOST] * 3, False, True),
        ([FAILED] * 3, False, True),
        ([LOST], True, True),
        ([FAILED], True, True),
        ([THROTTLED], True, True),
    ],
)
def test_after_each_end_of_a_call(
    iot: Any, answers: Answers, happens: list[Any], made: bool, pending: bool
) -> None:
    """What may have made a certificate that nobody heard of stays pending; by nobody any more."""
    answers.next = list(happens)
    try:
        certificate_id = iot.create_keys_and_certificate()["certificateId"]
    except (ClientError, EndpointConnectionError, ReadTimeoutError):
        certificate_id = None
    ledger = Ledger(FOLDER)
    assert ledger.ids() == ([certificate_id] if made else [])
    assert [each.pid for each in ledger.calls()] == ([0] if pending else [])
    assert (FOLDER / ".certificates").exists() == (made or pending)


@pytest.mark.parametrize("happens", [NOT_SENT, LOST, (500, "InternalFailureException")])
def test_a_call_that_is_tried_once(answers: Answers, happens: Any) -> None:
    client = in_process.client(answers)
    client.meta.events.register_first("needs-retry.iot", lambda **_: None)
    client.meta.events.unregister("needs-retry.iot", unique_id="retry-config-iot")
    record_certificates(client, FOLDER)
    answers.next = [happens]
    with pytest.raises((ClientError, EndpointConnectionError, ReadTimeoutError)):
        client.create_keys_and_certificate()
    assert len(Ledger(FOLDER).calls()) == (0 if happens is NOT_SENT else 1)


def test_what_was_there_before_is_recorded(iot: Any, answers: Answers) -> None:
    there = in_process.client().create_keys_and_certificate()["certificateId"]
    answers.next = [LOST] * 3
    with pytest.raises(ReadTimeoutError):
        iot.create_keys_and_certificate()
    (pending,) = Ledger(FOLDER).calls()
    assert (pending.operation, pending.before) == ("CreateKeysAndCertificate", {there})


def test_what_is_deleted_is_forgotten(iot: Any) -> None:
    ledger = Ledger(FOLDER)
    made = iot.create_keys_and_certificate(setAsActive=True)["certificateId"]
    with pytest.raises(iot.exceptions.CertificateStateException):
        iot.delete_certificate(certificateId=made)
    assert ledger.ids() == [made]
    iot.update_certificate(certificateId=made, newStatus="INACTIVE")
    iot.delete_certificate(certificateId=made)
    assert ledger.ids() == []
    ledger.note(made)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.delete_certificate(certificateId=made)
    assert ledger.ids() == []


def test_a_refused_delete_forgets_nothing(iot: Any) -> None:
    Ledger(FOLDER).note(ID)
    with Stubber(iot) as stub:
        stub.add_client_error("delete_certificate", "ThrottlingException")
        with pytest.raises(ClientError):
            iot.delete_certificate(certificateId=ID)
    assert Ledger(FOLDER).ids() == [ID]


def told() -> list[tuple[str, bool]]:
    """What became of the certificates, as another process reads it."""
    return [(each.what, each.on) for each in Ledger(FOLDER).changes()]


@pytest.fixture
def made(iot: Any) -> dict[str, str]:
    """A certificate, beside a Thing and a policy that are attached to nothing."""
    iot.create_thing(thingName="my-button")
    allows = to_json(document(statement("iot:Connect", "*")))
    iot.create_policy(policyName="my-rights", policyDocument=allows)
    answer: dict[str, str] = iot.create_keys_and_certificate(setAsActive=False)
    return answer


def test_what_became_of_a_certificate_is_recorded(iot: Any, made: dict[str, str]) -> None:
    about, arn = made["certificateId"], made["certificateArn"]
    iot.update_certificate(certificateId=about, newStatus="ACTIVE")
    iot.attach_policy(policyName="my-rights", target=arn)
    iot.detach_policy(policyName="my-rights", target=arn)
    iot.attach_principal_policy(policyName="my-rights", principal=arn)
    iot.detach_principal_policy(policyName="my-rights", principal=arn)
    iot.attach_thing_principal(thingName="my-button", principal=arn)
    iot.detach_thing_principal(thingName="my-button", principal=arn)
    iot.update_certificate(certificateId=about, newStatus="REVOKED")
    assert told() == [
        *[("made", True), ("ACTIVE", False), ("ACTIVE", True)],
        *[("policy my-rights", True), ("policy my-rights", False)] * 2,
        *[("Thing my-button", True), ("Thing my-button", False)],
        ("ACTIVE", False),
    ]
    changes = Ledger(FOLDER).changes()
    assert {each.certificate_id for each in changes} == {about}
    times = [datetime.fromisoformat(each.at) for each in changes]
    assert times == sorted(times)
    assert abs(times[-1] - datetime.now(UTC)) < timedelta(minutes=1)


def test_one_that_is_made_active_is_recorded_as_such(iot: Any) -> None:
    iot.create_keys_and_certificate(setAsActive=True)
    assert told() == [("made", True), ("ACTIVE", True)]


def test_only_what_succeeded_and_is_the_lessons_is_recorded(iot: Any, made: dict[str, str]) -> None:
    before = told()
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.attach_policy(policyName="never-there", target=made["certificateArn"])
    stranger = in_process.client()
    theirs = stranger.create_keys_and_certificate()["certificateArn"]
    iot.attach_policy(policyName="my-rights", target=theirs)
    assert told() == before


def test_the_history_is_private_and_outlives_its_certificate(iot: Any, made: Any) -> None:
    file = FOLDER / ".certificates" / ".history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    iot.delete_certificate(certificateId=made["certificateId"])
    ledger = Ledger(FOLDER)
    assert (ledger.ids(), len(ledger.changes())) == ([], 2)
    ledger.forget_changes()
    ledger.forget_changes()
    assert ledger.changes() == []
    assert not file.parent.exists()


def test_the_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpers.account.ledger.MOST_CHANGES", 3)
    for number in range(5):
        Ledger(FOLDER).record(ID, f"policy {number}", on=True)
    assert told() == [("policy 2", True), ("policy 3", True), ("policy 4", True)]


def test_with_the_last_thing_and_no_certificate_left_the_history_goes(iot: Any, made: Any) -> None:
    """What is made to be tried, and taken away again before the lesson begins, leaves no file."""
    iot.create_thing(thingName="my-other")
    iot.delete_thing(thingName="my-other")
    assert told() != []
    iot.delete_certificate(certificateId=made["certificateId"])
    assert told() != []
    iot.delete_thing(thingName="my-button")
    assert told() == []
    assert not (FOLDER / ".certificates").exists()


def test_no_change_is_lost_between_threads() -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda at: Ledger(FOLDER).record(ID, f"policy {at}", on=True), range(80)))
    assert sorted(told()) == sorted((f"policy {at}", True) for at in range(80))


def test_what_is_needed_is_kept_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """First go the changes of a deleted certificate, then what a later change undid."""
    monkeypatch.setattr("helpers.account.ledger.MOST_CHANGES", 4)
    ledger = Ledger(FOLDER)
    ledger.keep(ID)
    for about, what in ((OTHER, "gone"), (ID, "ACTIVE"), (ID, "ACTIVE"), (ID, "Thing my-button")):
        ledger.record(about, what, on=True)
    assert [what for what, _ in told()] == ["made", "ACTIVE", "ACTIVE", "Thing my-button"]
    ledger.record(OTHER, "gone", on=True)
    assert [what for what, _ in told()] == ["made", "ACTIVE", "ACTIVE", "Thing my-button"]
    ledger.record(ID, "policy my-rights", on=True)
    assert [what for what, _ in told()] == ["made", "ACTIVE", "Thing my-button", "policy my-rights"]


def test_one_that_is_kept_is_recorded_as_made_once() -> None:
    for _ in range(2):
        Ledger(FOLDER).keep(ID)
    assert (Ledger(FOLDER).ids(), told()) == ([ID], [("made", True)])


@pytest.mark.parametrize("content", ["", "gone", "[1", '[["a"]]', "{}", "[" * 9999, "\udc80"])
def test_what_is_damaged_is_left_out(content: str) -> None:
    ledger, damaged = Ledger(FOLDER), content.encode("utf-8", "surrogateescape")
    ledger.note(ID)
    for name in (".history", "stray", "stray.txt", "stray.call", OTHER):
        (FOLDER / ".certificates" / name).write_bytes(damaged)
    assert (ledger.ids(), ledger.calls(), told()) == ([ID, OTHER], [], [])
    assert not ledger.under_way(OTHER)
    ledger.record(ID, "made", on=True)
    assert told() == [("made", True)]
