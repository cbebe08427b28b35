"""Certificates whose private key nobody has: which are deleted, which are named, which stay."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import in_process
import lessons
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from helpers import certificate, key_files, policy, thing
from helpers.account import Account
from helpers.certificate import Certificate
from helpers.key_files import KeyFiles

KEYS, REQUEST = "CreateKeysAndCertificate", "CreateCertificateFromCsr"


@pytest.fixture
def aws(inside: Account) -> Account:
    thing.register(inside.iot, "button")
    policy.put_in_force(inside.iot, "rights", policy.document(policy.statement("iot:Connect", "*")))
    return inside


@pytest.fixture
def shared(nowhere: None) -> Account:
    return in_process.shared_account()


def ids(aws: Account) -> set[str]:
    listed = aws.iot.list_certificates()["certificates"]
    return {each["certificateId"] for each in listed}


def new(aws: Account) -> Certificate:
    """A certificate that no ledger has: it is made by a client without one."""
    found = certificate.find(aws.iot, lessons.another_certificate())
    assert found is not None
    return found


def lost_call(
    aws: Account,
    operation: str = KEYS,
    *,
    before: list[str] | None = None,
    ago: timedelta = timedelta(0),
    pid: int = 0,
) -> None:
    """A call whose answer never arrived, as the ledger records it."""
    call = aws.ledger.begin(operation, before or [])
    at = (datetime.now(UTC) - ago).isoformat()
    call.write_text(json.dumps(json.loads(call.read_text()) | {"at": at, "pid": pid}))


def attach(aws: Account, which: str, found: Certificate) -> None:
    changes: dict[str, Any] = {
        "active": lambda: aws.iot.update_certificate(
            certificateId=found.certificate_id, newStatus="ACTIVE"
        ),
        "has policy": lambda: aws.iot.attach_policy(policyName="rights", target=found.arn),
        "has thing": lambda: aws.iot.attach_thing_principal(
            thingName="button", principal=found.arn
        ),
    }
    changes[which]()


USED = pytest.mark.parametrize("used", ["active", "has policy", "has thing"])


def test_one_in_the_ledger_without_files_is_deleted(aws: Account) -> None:
    found = new(aws)
    aws.ledger.note(found.certificate_id)
    kept = certificate.create(aws, "button")
    assert ids(aws) == {kept.certificate_id}
    assert aws.ledger.ids() == [kept.certificate_id]


@USED
@pytest.mark.parametrize("known", [True, False])
def test_one_that_is_in_use_is_not_deleted(aws: Account, used: str, known: bool) -> None:
    found = new(aws)
    attach(aws, used, found)
    if known:
        aws.ledger.note(found.certificate_id)
    lost_call(aws)
    assert certificate.delete_unusable(aws) == []
    assert ids(aws) == {found.certificate_id}


def test_one_that_is_deleted_already_is_forgotten(aws: Account) -> None:
    aws.ledger.note("0" * 64)
    certificate.delete_unusable(aws)
    assert aws.ledger.ids() == []


def test_one_that_another_process_is_about_to_save_is_left_to_it(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, gone = new(aws), "0" * 64
    with monkeypatch.context() as there:
        there.setattr(os, "getpid", os.getppid)
        aws.ledger.note(gone)
        aws.ledger.note(found.certificate_id)
    mine = new(aws)
    aws.ledger.note(mine.certificate_id)
    certificate.delete_unusable(aws)
    assert ids(aws) == {found.certificate_id}
    assert aws.ledger.ids() == sorted([gone, found.certificate_id])


def test_what_a_lost_call_made_is_deleted_where_nobody_else_works(aws: Account) -> None:
    new(aws)
    lost_call(aws)
    assert certificate.delete_unusable(aws) == []
    assert ids(aws) == set()
    assert (aws.ledger.calls(), aws.ledger.ids()) == ([], [])


def test_what_was_there_before_or_is_saved_was_not_made_by_it(aws: Account) -> None:
    there = new(aws)
    kept = certificate.create(aws, "button")
    aws.ledger.forget(kept.certificate_id)
    lost_call(aws, before=[there.certificate_id])
    certificate.delete_unusable(aws)
    assert ids(aws) == {there.certificate_id, kept.certificate_id}
    assert aws.ledger.calls() == []


def test_a_call_that_another_process_waits_for_is_left_to_it(aws: Account) -> None:
    found = new(aws)
    lost_call(aws, pid=os.getppid())
    assert certificate.delete_unusable(aws) == []
    assert ids(aws) == {found.certificate_id}
    assert len(aws.ledger.calls()) == 1


@pytest.mark.parametrize(("minutes", "deleted"), [(-11, False), (-9, True), (9, True), (11, False)])
def test_only_what_was_made_at_that_time(aws: Account, minutes: int, deleted: bool) -> None:
    new(aws)
    lost_call(aws, ago=timedelta(minutes=minutes))
    certificate.delete_unusable(aws)
    assert (ids(aws) == set()) == deleted
    assert aws.ledger.calls() == []


def test_in_a_shared_account_what_may_be_anothers_is_named_and_stays(shared: Account) -> None:
    found = new(shared)
    lost_call(shared)
    assert certificate.delete_unusable(shared) == [found]
    assert certificate.delete_unusable(shared) == [found]
    assert ids(shared) == {found.certificate_id}
    assert shared.ledger.ids() == []


def test_in_a_shared_account_a_request_without_our_key_is_anothers(shared: Account) -> None:
    found = new(shared)
    lost_call(shared, REQUEST)
    assert certificate.delete_unusable(shared) == []
    assert ids(shared) == {found.certificate_id}
    assert shared.ledger.calls() == []


@pytest.mark.parametrize("operation", [KEYS, REQUEST])
def test_in_a_shared_account_what_holds_our_key_goes_whatever_call_it_was(
    shared: Account, operation: str
) -> None:
    """Its files are half written: the key is there, the certificate is not."""
    files = certificate.create(shared, "zoe-button")
    files.certificate.unlink()
    shared.ledger.forget(key_files_id(shared))
    another = new(shared)
    lost_call(shared, operation, before=[another.certificate_id])
    assert certificate.delete_unusable(shared) == []
    assert ids(shared) == {another.certificate_id}
    assert (shared.ledger.calls(), shared.ledger.ids()) == ([], [])


def test_a_key_that_is_made_here_is_rsa_of_2048_bits(
    shared: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(rsa, "generate_private_key", lambda *how: asked.append(how))
    with pytest.raises(AttributeError):  # there is no key to go on with
        certificate.create(shared, "zoe-button")
    assert asked == [(65537, 2048)]


def key_files_id(aws: Account) -> str:
    (known,) = aws.ledger.ids()
    return known


@pytest.mark.parametrize("written", ["button", "button.unfinished"])
def test_retiring_deletes_certificate_and_files_whole_or_not(aws: Account, written: str) -> None:
    files = certificate.create(aws, "button")
    other = certificate.create(aws, "other")
    files.folder.rename(files.folder.with_name(written))
    certificate.retire(aws, "button")
    assert ids(aws) == {other.certificate_id}
    assert aws.ledger.ids() == [other.certificate_id]
    assert key_files.folders(aws.key_folder) == [other.folder]


def test_retiring_records_first_that_the_certificate_is_ours(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Detached and not deleted, its files are all that says so: and they are about to go."""
    ours = certificate.create(aws, "button").certificate_id
    aws.ledger.forget(ours)
    known = []
    monkeypatch.setattr(certificate, "remove", lambda *_: known.append(aws.ledger.ids()))
    certificate.retire(aws, "button")
    assert known == [[ours]]
    assert aws.ledger.ids() == []


def test_saving_fails_and_only_the_certificate_that_was_not_saved_goes(aws: Account) -> None:
    """Where half of the files are there, too."""
    answer = aws.iot.create_keys_and_certificate(setAsActive=True)
    kept = certificate.create(aws, "other")
    KeyFiles(aws.key_folder / "button").folder.mkdir()
    with pytest.raises(certificate.LessonError, match="written once"):
        certificate.save_issued(aws, answer, "button")
    assert ids(aws) == {kept.certificate_id}


def test_what_is_saved_settles_what_was_lost(aws: Account) -> None:
    answer = aws.iot.create_keys_and_certificate(setAsActive=False)
    new(aws)
    lost_call(aws)
    files = certificate.save_issued(aws, answer, "button")
    assert ids(aws) == {files.certificate_id}
    assert aws.ledger.calls() == []


def test_what_is_found_again_settles_what_was_lost(aws: Account) -> None:
    files = certificate.create(aws, "button")
    new(aws)
    lost_call(aws)
    assert certificate.create(aws, "button") == files
    assert ids(aws) == {files.certificate_id}
    assert aws.ledger.calls() == []


def test_a_certificate_of_ours_that_is_found_again_is_recorded(aws: Account) -> None:
    files = certificate.create(aws, "button")
    aws.ledger.forget(files.certificate_id)
    assert certificate.create(aws, "button") == files
    assert aws.ledger.ids() == [files.certificate_id]
