"""The files of a certificate by themselves: no account, and nothing is overwritten or left half."""

import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import worlds
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from helpers import key_files
from helpers.errors import LessonError
from helpers.key_files import KeyFiles

FOLDER = Path("keys") / "sandbox" / "button"
NAMES = ["certificate.pem.crt", "private.pem.key", "public.pem.key", "root-ca.pem"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _no_umask() -> Iterator[None]:
    """Leave the modes to us alone: nothing of this machine's settings helps."""
    before = os.umask(0)
    yield
    os.umask(before)


def save() -> KeyFiles:
    key_files.save_keys(FOLDER, "private", "public")
    return key_files.add_certificate(FOLDER, "certificate", root_ca="root")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_no_umask")
def test_only_the_owner_can_read_them() -> None:
    key_files.save_keys(FOLDER, "private", "public")
    unfinished = key_files.unfinished_folder(FOLDER)
    assert {path.name: mode(path) for path in unfinished.iterdir()} == {
        "private.pem.key": 0o600,
        "public.pem.key": 0o600,
    }
    files = key_files.add_certificate(FOLDER, "certificate", root_ca="root")
    assert {path.name: mode(path) for path in FOLDER.iterdir()} == dict.fromkeys(NAMES, 0o600)
    for folder in (FOLDER, *FOLDER.parents[:2]):
        assert mode(folder) == 0o700
    told = [files.certificate, files.private_key, files.public_key, files.root_ca]
    assert [path.read_text() for path in told] == ["certificate", "private", "public", "root"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604, 0o666])
def test_who_can_read_them_is_told_by_the_mode(mode: int) -> None:
    files = save()
    files.private_key.chmod(mode)
    others = "only you" if mode == 0o600 else f"others too (mode {mode:o})"
    assert files.readers == dict.fromkeys(NAMES, "only you") | {"private.pem.key": others}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("os.name", "nt", "see its Properties, Security"),
        ("sys.platform", "emscripten", "only you"),
    ],
)
def test_where_there_are_no_modes_none_is_read(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser and Windows both give every file a mode that says nothing."""
    files, found = save(), sorted(FOLDER.iterdir())
    for path in found:
        path.chmod(0o666)
    with monkeypatch.context() as there:  # where pathlib makes no new path: they are the system's
        there.setattr(Path, "iterdir", lambda _: iter(found))
        there.setattr(KeyFiles, "existing", lambda self: self)
        there.setattr(name, value)
        readers = files.readers
    assert readers == dict.fromkeys(NAMES, told)


def test_half_a_save_counts_for_nothing() -> None:
    key_files.save_keys(FOLDER, "private", "public")
    assert key_files.all_saved(FOLDER.parent) == []
    assert key_files.saved(FOLDER) is None
    assert key_files.unfinished(FOLDER.parent) == [KeyFiles(Path(f"{FOLDER}.unfinished"))]
    assert key_files.folders(FOLDER.parent) == [Path(f"{FOLDER}.unfinished")]
    files = key_files.add_certificate(FOLDER, "certificate", root_ca="root")
    assert key_files.all_saved(FOLDER.parent) == [files]
    assert key_files.unfinished(FOLDER.parent) == []


def test_an_unfinished_folder_counts_for_nothing_even_if_it_is_whole() -> None:
    """A kill between the last file and the new name."""
    save()
    FOLDER.rename(key_files.unfinished_folder(FOLDER))
    assert key_files.all_saved(FOLDER.parent) == []


@pytest.mark.parametrize("missing", ["certificate.pem.crt", "private.pem.key"])
def test_without_certificate_or_private_key_they_are_of_no_use(missing: str) -> None:
    save()
    (FOLDER / missing).unlink()
    assert key_files.saved(FOLDER) is None
    assert key_files.all_saved(FOLDER.parent) == []


def test_what_is_hidden_or_no_folder_is_no_certificates() -> None:
    files = save()
    (FOLDER.parent / ".certificates").mkdir()
    (FOLDER.parent / "notes.txt").write_text("mine")
    assert key_files.folders(FOLDER.parent) == [FOLDER]
    assert key_files.all_saved(FOLDER.parent) == [files]


def test_a_folder_that_is_there_is_not_written_to() -> None:
    FOLDER.mkdir(parents=True)
    with pytest.raises(LessonError, match=f"{FOLDER} is there already, and a private key is writ"):
        key_files.save_keys(FOLDER, "private", "public")
    assert names(FOLDER.parent) == ["button"]
    assert names(FOLDER) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_there_is_not_overwritten(name: str) -> None:
    """Not even one that another process has just written."""
    folder = key_files.unfinished_folder(FOLDER)
    folder.mkdir(parents=True)
    (folder / name).write_text("theirs")
    with pytest.raises(FileExistsError):
        save()
    assert (folder / name).read_text() == "theirs"
    assert not FOLDER.exists()


def test_the_private_key_is_deleted_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as anything is left, it can be told whose certificate it was."""
    files, seen = save(), []
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        seen.append(names(FOLDER))
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    files.delete()
    assert seen[0] == NAMES and seen[-1] == ["private.pem.key"]
    assert not FOLDER.exists()


def test_deleting_goes_on_where_it_stopped_and_leaves_other_files() -> None:
    files = save()
    for path in (files.root_ca, files.certificate):
        path.unlink()
    (FOLDER / "notes.txt").write_text("mine")
    files.delete()
    files.delete()
    assert names(FOLDER) == ["notes.txt"]


def test_the_public_key_is_computed_from_a_whole_private_key_alone() -> None:
    files = save()
    assert files.computed_public_key() is None  # "private" is no PEM
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    files.private_key.write_bytes(pem)
    assert files.computed_public_key() == key.public_key()
    files.private_key.write_bytes(pem[: len(pem) // 2])
    assert files.computed_public_key() is None
    files.private_key.unlink()
    assert files.computed_public_key() is None


def test_a_private_key_of_a_kind_that_is_not_known() -> None:
    files, key = save(), ed25519.Ed25519PrivateKey.generate()
    pkcs8, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    der = key.private_bytes(serialization.Encoding.DER, pkcs8, none)
    text = ssl.DER_cert_to_PEM_cert(der.replace(b"\x2b\x65\x70", b"\x2b\x65\x01"))
    files.private_key.write_text(text.replace("CERTIFICATE", "PRIVATE KEY"))
    assert files.computed_public_key() is None


def test_a_certificate_of_no_version_has_no_id() -> None:
    files = save()
    pem = worlds.foreign_certificate()
    files.certificate.write_text(pem)
    assert files.known_id
    der = ssl.PEM_cert_to_DER_cert(pem).replace(b"\xa0\3\2\1\2", b"\xa0\3\2\1\1")
    files.certificate.write_text(ssl.DER_cert_to_PEM_cert(der))
    assert files.known_id == ""
