"""A certificate and its files: a key is written once, kept private and never shown."""

import ssl
import stat
from pathlib import Path

import pytest

from helpers import certificate, key_files, policy, thing
from helpers.account import Account
from helpers.errors import LessonError
from helpers.key_files import KeyFiles


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def wired(aws: Account) -> KeyFiles:
    """A button with everything: Thing, policy, active certificate."""
    thing.register(aws.iot, "button")
    policy.put_in_force(aws.iot, "rights", policy.document(policy.statement("iot:Connect", "*")))
    return certificate.issue(aws, "button", "rights")


def test_files_are_for_their_owner_only(aws: Account) -> None:
    files = certificate.create(aws, "button")
    assert {path.name for path in files.folder.iterdir()} == {
        "certificate.pem.crt",
        "private.pem.key",
        "public.pem.key",
        "root-ca.pem",
    }
    for path in files.folder.iterdir():
        assert mode(path) == 0o600
    for folder in (files.folder, aws.key_folder, aws.key_folder.parent):
        assert mode(folder) == 0o700


def test_a_folder_that_was_there_keeps_its_mode(aws: Account) -> None:
    Path("keys").mkdir(mode=0o755)
    certificate.create(aws, "button")
    assert mode(Path("keys")) == 0o755


def test_the_key_fits_the_certificate(aws: Account) -> None:
    files = certificate.create(aws, "button")
    ssl.create_default_context().load_cert_chain(files.certificate, files.private_key)
    assert certificate.find(aws.iot, files.certificate_id) is not None


def test_nothing_is_overwritten_and_nothing_orphaned(aws: Account) -> None:
    files = certificate.create(aws, "button")
    before = contents(files.folder)
    second = aws.iot.create_keys_and_certificate(setAsActive=True)
    with pytest.raises(LessonError, match="written once"):
        certificate.save_issued(aws, second, "button")
    assert contents(files.folder) == before
    ids = [each["certificateId"] for each in aws.iot.list_certificates()["certificates"]]
    assert ids == [files.certificate_id]


def test_keeping_the_same_one_twice_harms_it_not(aws: Account) -> None:
    answer = aws.iot.create_keys_and_certificate(setAsActive=True)
    files = certificate.save_issued(aws, answer, "button")
    with pytest.raises(LessonError, match="written once"):
        certificate.save_issued(aws, answer, "button")
    found = certificate.find(aws.iot, files.certificate_id)
    assert found is not None
    assert found.status == "ACTIVE"


def test_a_key_that_cannot_be_written_leaves_no_certificate(aws: Account) -> None:
    Path("keys").write_text("in the way")
    with pytest.raises(OSError, match="keys"):
        certificate.create(aws, "button")
    assert aws.iot.list_certificates()["certificates"] == []


@pytest.mark.parametrize("written", range(4))
def test_a_full_disk_leaves_no_certificate(
    aws: Account, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = iter([key_files._write_once] * written)

    def write(file: Path, content: str) -> None:
        for really in room:
            return really(file, content)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(key_files, "_write_once", write)
    with pytest.raises(OSError, match="No space left"):
        certificate.create(aws, "button")
    assert aws.iot.list_certificates()["certificates"] == []
    assert key_files.saved(aws.key_folder / "button") is None


@pytest.mark.parametrize("written", range(4))
def test_an_interrupted_save_is_tidied_up(
    aws: Account, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a kill in the middle leaves either all four files or none that count."""
    calls: list[Path] = []
    real = key_files._write_once

    def stop_after(file: Path, content: str) -> None:
        if len(calls) == written:
            raise KeyboardInterrupt
        calls.append(file)
        real(file, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(key_files, "_write_once", stop_after)
        certificate.create(aws, "button")
    assert key_files.saved(aws.key_folder / "button") is None
    files = certificate.create(aws, "button")
    ids = {each["certificateId"] for each in aws.iot.list_certificates()["certificates"]}
    assert ids == {files.certificate_id}
    assert [path.name for path in key_files.folders(aws.key_folder)] == ["button"]


def test_issuing_twice_is_issuing_once(aws: Account, wired: KeyFiles) -> None:
    before = contents(wired.folder)
    assert certificate.issue(aws, "button", "rights") == wired
    assert contents(wired.folder) == before
    found = certificate.find(aws.iot, wired.certificate_id)
    assert found is not None
    assert (found.status, found.policies, found.things) == ("ACTIVE", ("rights",), ("button",))


def test_a_new_sandbox_gets_a_new_certificate(aws: Account, wired: KeyFiles) -> None:
    before = wired.certificate_id
    certificate.remove(aws.iot, before)
    files = certificate.issue(aws, "button", "rights")
    assert files.certificate_id != before


def test_retiring_leaves_other_files_alone(aws: Account, wired: KeyFiles) -> None:
    (wired.folder / "notes.txt").write_text("mine")
    certificate.retire(aws, "button")
    assert [path.name for path in wired.folder.iterdir()] == ["notes.txt"]
    assert aws.iot.list_certificates()["certificates"] == []


def test_looking_inside_shows_no_key(aws: Account, wired: KeyFiles) -> None:
    shown = str(certificate.describe(wired.certificate.read_text()))
    assert "2049-12-31" in shown
    assert "RSA, 2048 bits" in shown
    assert "PRIVATE" not in shown
    assert "PRIVATE" not in repr(wired)
