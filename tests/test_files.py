"""A file is whole at every moment, and private from its first byte."""

import os
import stat
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest

from sandbox.files import write_whole
from sandbox.state_files import keep, recall


def listed(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def test_it_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"before", b"after", b""):
        write_whole(file, content)
        assert file.read_bytes() == content
        assert listed(tmp_path) == ["file"]


def test_it_is_on_the_disk_before_it_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("folder" if folder else f"{os.fstat(descriptor).st_size} bytes")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", lambda *paths: steps.append("place") or replace(*paths))
    write_whole(tmp_path / "file", b"content")
    assert steps == ["7 bytes", "place", "folder"]


def test_a_file_system_that_cannot_sync_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError("invalid argument")

    monkeypatch.setattr(os, "fsync", only_files)
    write_whole(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_the_version_before_stays_beside_a_state_file(tmp_path: Path) -> None:
    file, before = tmp_path / "file", tmp_path / "file.before"
    for content in (b"1", b"2", b"3"):
        keep(file, content)
    assert (file.read_bytes()[-1:], before.read_bytes()[-1:]) == (b"3", b"2")
    assert stat.S_IMODE(before.stat().st_mode) == 0o600


@pytest.mark.parametrize("problem", [PermissionError, NotImplementedError])
def test_where_there_are_no_links_there_is_no_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: type[Exception]
) -> None:
    """A disk may have none; in a browser, Python has no call for them."""
    monkeypatch.setattr(Path, "hardlink_to", Mock(side_effect=problem))
    for content in (b"1", b"2"):
        keep(tmp_path / "file", content)
    assert recall(tmp_path / "file", lambda _: None, lost="") == b"2"
    assert listed(tmp_path) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_its_mode_is_that_from_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    seen: list[int] = []
    fdopen = os.fdopen

    def look(descriptor: int, how: str) -> object:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return fdopen(descriptor, how)

    monkeypatch.setattr(os, "fdopen", look)
    file = tmp_path / "file"
    file.touch(mode=0o666)
    file.chmod(0o666)
    before = os.umask(0)
    try:
        write_whole(file, b"secret", mode=mode)
    finally:
        os.umask(before)
    assert seen == [mode]
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_private_is_what_is_not_said_otherwise(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"secret")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "file", b"before")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(tmp_path / "file", b"after")
    assert (tmp_path / "file").read_bytes() == b"before"
    assert listed(tmp_path) == ["file"]


def partial_of(file: Path) -> Path:
    """The partial file that this thread writes."""
    return file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.partial")


def test_what_a_killed_writer_left_is_no_obstacle(tmp_path: Path) -> None:
    partial_of(tmp_path / "file").write_bytes(b"half of a longer con")
    write_whole(tmp_path / "file", b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert listed(tmp_path) == ["file"]


def test_no_link_leads_it_astray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another is quicker to put something there, nothing is written through it."""
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"theirs")
    partial_of(tmp_path / "file").symlink_to(theirs)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "file", b"ours")
    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("keep", [True, False])
def test_the_owner_stays_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    """As root writes the list of a class, which the hub's user reads."""
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, *ids: given.append((path.name, *ids)))
    file = tmp_path / "file"
    write_whole(file, b"new", keep_owner=keep)
    write_whole(file, b"of ours", keep_owner=keep)
    assert given == []
    there = file.stat()
    monkeypatch.setattr(os, "geteuid", lambda: there.st_uid + 1)
    write_whole(file, b"of another", keep_owner=keep)
    assert given == ([(partial_of(file).name, there.st_uid, there.st_gid)] if keep else [])
