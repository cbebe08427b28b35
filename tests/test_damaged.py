"""Key files that are damaged, moved or half deleted: nothing stops, and the clean-up finds them."""

from collections.abc import Callable
from pathlib import Path

import in_process
import pytest
from cryptography.hazmat.primitives import serialization

from exercises import check
from helpers import certificate, closing, panels, policy, thing
from helpers.account import Account
from helpers.errors import LessonError
from helpers.key_files import KeyFiles
from helpers.panels.steps import steps

RIGHTS = "my-rights"


@pytest.fixture
def files(inside: Account) -> KeyFiles:
    thing.register(inside.iot, "my-button")
    recommended = policy.recommended(inside.region, inside.number)
    policy.put_in_force(inside.iot, RIGHTS, recommended)
    return certificate.issue(inside, "my-button", RIGHTS)


def text(content: bytes) -> Callable[[KeyFiles], object]:
    return lambda files: files.certificate.write_bytes(content)


def utf_16(files: KeyFiles) -> None:
    files.certificate.write_text(files.certificate.read_text(), "utf-16")


def a_folder(files: KeyFiles) -> None:
    files.certificate.unlink()
    files.certificate.mkdir()


def a_full_folder(files: KeyFiles) -> None:
    a_folder(files)
    (files.certificate / "notes.txt").write_text("mine")


def locked(files: KeyFiles) -> None:
    """The private key behind a password."""
    key = serialization.load_pem_private_key(files.private_key.read_bytes(), None)
    behind = serialization.BestAvailableEncryption(b"secret")
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files.private_key.write_bytes(key.private_bytes(pem, form, behind))


def by_hand(files: KeyFiles) -> None:
    files.certificate.unlink()


def moved(name: str) -> Callable[[KeyFiles], None]:
    def move(files: KeyFiles) -> None:
        (files.folder.parent / name).parent.mkdir(exist_ok=True)
        files.folder.rename(files.folder.parent / name)

    return move


MORE = [text(b"gone"), utf_16, locked, moved("my-old-button")]
HARM = [
    *(text(b""), a_folder, a_full_folder, by_hand, moved("old/my-button"), moved(".old")),
    *(pytest.param(each, marks=pytest.mark.long) for each in MORE),
]


def left_over(account: Account) -> list[Path]:
    return [file for file in in_process.files(account.key_folder) if file.name != "notes.txt"]


@pytest.mark.parametrize("harm", HARM)
def test_the_clean_up_takes_all_of_it(
    inside: Account, files: KeyFiles, harm: Callable[[KeyFiles], object]
) -> None:
    harm(files)
    kinds = [each.kind for each in closing.clean_up(inside)]
    assert kinds == ["certificate", "policy", "Thing", "key files"]
    assert closing.inventory(inside).empty
    assert left_over(inside) == []
    assert inside.iot.list_certificates()["certificates"] == []


@pytest.mark.long
@pytest.mark.parametrize("harm", HARM)
def test_what_is_left_alone_on_the_disk_is_listed(
    inside: Account, files: KeyFiles, harm: Callable[[KeyFiles], object]
) -> None:
    certificate.remove(inside.iot, files.certificate_id)
    policy.remove(inside.iot, RIGHTS)
    thing.remove(inside.iot, "my-button")
    harm(files)
    assert "key files" in repr(closing.to_remove(inside))
    closing.clean_up(inside)
    assert closing.inventory(inside).empty
    assert left_over(inside) == []


@pytest.mark.parametrize("harm", HARM[:2] + HARM[6:9])
def test_nothing_else_stops_at_a_damaged_file(
    inside: Account, files: KeyFiles, harm: Callable[[KeyFiles], object]
) -> None:
    trial = panels.trial(inside)
    dark = check.half_wired_button(inside)
    for name in ("my-button", "my-trial", "my-dark-button"):
        harm(KeyFiles(inside.key_folder / name))
    closing.flowchart(inside)
    assert check.half_wired_button(inside).certificate_id != dark.certificate_id
    trial.remove()
    for _ in range(2):
        assert certificate.issue(inside, "my-button", RIGHTS).certificate_id
        certificate.retire(inside, "my-button")


def test_a_damaged_certificate_is_told_to_who_asks_for_its_id(files: KeyFiles) -> None:
    files.certificate.write_text("gone")
    with pytest.raises(LessonError, match=r"certificate\.pem\.crt is damaged: retire it"):
        _ = files.certificate_id


def test_a_comment_above_the_certificate_is_no_damage(inside: Account, files: KeyFiles) -> None:
    before, pem = files.certificate_id, files.certificate.read_bytes()
    files.certificate.write_bytes("für zu Hause\n".encode("latin-1") + pem)
    assert files.certificate_id == before
    assert "RSA" in repr(certificate.describe(files.pem))
    assert certificate.issue(inside, "my-button", RIGHTS).certificate_id == before


def test_a_damaged_file_makes_no_step_done(inside: Account) -> None:
    thing.register(inside.iot, "my-button")
    certificate.create(inside, "my-button")
    files = KeyFiles(inside.key_folder / "my-button")
    certificate.remove(inside.iot, files.certificate_id)
    files.certificate.write_text("gone")
    listed = steps(closing.inventory(inside), "my-button")
    assert [each.what for each in listed if each.done] == ["The Thing is registered"]


def test_a_damaged_ledger_stops_nothing(inside: Account, files: KeyFiles) -> None:
    ledger = inside.key_folder / ".certificates"
    for name in (".history", "notes.txt", "notes", "x.call"):
        (ledger / name).write_text("gone")
    closing.clean_up(inside)
    assert closing.inventory(inside).empty
