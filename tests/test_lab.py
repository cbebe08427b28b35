"""A learner's copy of the notebooks: what is in it, what stays, what is replaced, who trusts it."""

import json
import subprocess
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from nbformat.sign import NotebookNotary

from lab import copies
from lab.__main__ import NoCopyError, share_keys, work
from publish.notebooks import NOTEBOOKS, ROOT
from workshop import homes

ONE, TWO, PICTURE = "01-one.ipynb", "02-two.ipynb", "pictures/way.svg"


def write(file: Path, said: str) -> None:
    """Write a notebook whose drawing Jupyter shows only if it is trusted."""
    drawing = v4.new_output("display_data", {"image/svg+xml": f"<svg><title>{said}</title></svg>"})
    cell = v4.new_code_cell(said, outputs=[drawing], id="drawing", execution_count=1)
    nbformat.write(v4.new_notebook(cells=[cell]), file)


def source(file: Path) -> str:
    return str(nbformat.read(file, as_version=4).cells[0].source)


def git(notebooks: Path, *arguments: str) -> None:
    who = ["-c", "user.name=author", "-c", "user.email=author@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=notebooks, check=True, capture_output=True)


def commit(notebooks: Path) -> None:
    git(notebooks, "add", "--all", ".")
    git(notebooks, "commit", "--quiet", "--message=a version")


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lesson in a clone, and a learner whose Jupyter has trusted nothing yet."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for kind in ("DATA", "CONFIG", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{kind}_DIR", str(tmp_path / "jupyter" / kind))
    folder = tmp_path / "clone" / "notebooks"
    (folder / "pictures").mkdir(parents=True)
    write(folder / ONE, "one")
    write(folder / TWO, "two")
    folder.joinpath(PICTURE).write_text("<svg/>")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def listed(folder: Path) -> set[str]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix() for file in files} - {".made-from.json"}


def make_key(folder: Path, content: str = "secret") -> Path:
    key = folder / "keys" / "sandbox" / "my-button" / "private.pem.key"
    key.parent.mkdir(parents=True)
    key.write_text(content)
    return key


def test_the_lesson_is_the_four_notebooks_troubleshooting_and_their_pictures() -> None:
    files = [file.relative_to(copies.NOTEBOOKS) for file in copies.lesson()]
    names = [f"{name}.ipynb" for name in NOTEBOOKS]
    assert [str(file) for file in files if len(file.parts) == 1] == [*names, "troubleshooting.md"]
    assert {file.parts[0] for file in files if len(file.parts) > 1} <= {"pictures"}


def test_keys_and_what_else_lies_about_are_not_copied(notebooks: Path) -> None:
    make_key(notebooks)
    for name in ("notes.txt", ".hidden.ipynb", ".ipynb_checkpoints/x.ipynb", "pictures/.x"):
        notebooks.joinpath(name).parent.mkdir(exist_ok=True)
        notebooks.joinpath(name).write_text("")
    assert listed(work(notebooks)) == {ONE, TWO, PICTURE}


def test_no_cell_of_a_copy_has_run(notebooks: Path) -> None:
    result = v4.new_output("execute_result", {"text/plain": "1"}, execution_count=1)
    cell = v4.new_code_cell('"execution_count": 1', outputs=[result], execution_count=1, id="it")
    nbformat.write(v4.new_notebook(cells=[cell]), notebooks / ONE)
    found = nbformat.read(work(notebooks) / ONE, as_version=4).cells[0]
    assert found.execution_count is found.outputs[0].execution_count is None
    assert found.source == cell.source


def test_what_the_learner_changed_stays_and_a_newer_one_is_named(
    notebooks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = work(notebooks)
    write(copy / ONE, "mine")
    capsys.readouterr()
    work(notebooks)
    assert capsys.readouterr().out == ""
    write(notebooks / ONE, "one, newer")
    write(notebooks / TWO, "two, newer")
    commit(notebooks)
    for _ in range(2):
        work(notebooks)
        (line,) = capsys.readouterr().out.splitlines()
        assert f"a newer {ONE};" in line and "--fresh" in line
        assert (source(copy / ONE), source(copy / TWO)) == ("mine", "two, newer")


def test_to_open_a_notebook_is_not_to_change_it(notebooks: Path) -> None:
    """JupyterLab then writes into it, by itself, which language it is in."""
    copy = work(notebooks)
    opened = nbformat.read(copy / ONE, as_version=4)
    opened.metadata["language_info"] = {"name": "python"}
    nbformat.write(opened, copy / ONE)
    write(notebooks / ONE, "one, newer")
    assert copies.update(copy, notebooks) == []
    assert source(copy / ONE) == "one, newer"


def test_outputs_are_a_learner_s_work_too(notebooks: Path) -> None:
    copy = work(notebooks)
    ran = nbformat.read(copy / ONE, as_version=4)
    ran.cells[0].outputs = [v4.new_output("stream", text="ran")]
    nbformat.write(ran, copy / ONE)
    write(notebooks / ONE, "one, newer")
    assert copies.update(copy, notebooks) == [ONE]
    assert nbformat.read(copy / ONE, as_version=4) == ran


def test_what_is_missing_comes_again_and_what_is_new_comes_too(notebooks: Path) -> None:
    copy = work(notebooks)
    (copy / ONE).rename(copy / "mine.ipynb")
    notebooks.joinpath("pictures", "new.svg").write_text("<svg/>")
    work(notebooks)
    assert listed(copy) == {ONE, TWO, PICTURE, "pictures/new.svg", "mine.ipynb"}


def test_a_page_beside_the_notebooks_comes_too_and_needs_no_trust(notebooks: Path) -> None:
    page = notebooks / "troubleshooting.md"
    page.write_text("the first\n")
    commit(notebooks)
    copy = work(notebooks)
    page.write_text("the second\n")
    commit(notebooks)
    assert copies.update(copy, notebooks) == []
    assert (copy / page.name).read_text() == "the second\n"


@pytest.mark.parametrize("with_git", [True, False])
def test_what_was_done_in_notebooks_is_not_lost_when_that_is_put_back(
    notebooks: Path, capsys: pytest.CaptureFixture[str], with_git: bool
) -> None:
    """Before there was a copy, learners worked there; git, or a new archive, puts it back."""
    committed = (notebooks / ONE).read_text()
    write(notebooks / ONE, "an answer")
    write(notebooks / "mine.ipynb", "mine")
    if not with_git:
        notebooks.joinpath(".git").rename(notebooks / ".gone")
    copy = work(notebooks)
    said = capsys.readouterr().out
    assert (f"changes in {ONE};" in said and "git checkout notebooks" in said) == with_git
    assert source(copy / "mine.ipynb") == "mine"
    (notebooks / ONE).write_text(committed)
    (notebooks / "mine.ipynb").unlink()
    assert copies.update(copy, notebooks) == [ONE]
    assert source(copy / ONE) == "an answer"
    assert source(copy / "mine.ipynb") == "mine"


def is_trusted(file: Path) -> bool:
    notary = NotebookNotary()
    with closing(notary.store):
        return bool(notary.check_signature(nbformat.read(file, as_version=4)))


def test_the_copy_is_trusted_and_what_the_learner_brings_is_not(notebooks: Path) -> None:
    assert not is_trusted(notebooks / ONE)
    copy = work(notebooks)
    assert is_trusted(copy / ONE) and is_trusted(copy / TWO)
    write(notebooks / ONE, "one, newer")
    write(copy / TWO, "from elsewhere")
    work(notebooks)
    assert source(copy / ONE) == "one, newer"
    assert is_trusted(copy / ONE)
    assert not is_trusted(copy / TWO)


def test_a_broken_notebook_is_copied_as_it_is(notebooks: Path) -> None:
    """As after a merge that stopped half-way."""
    (notebooks / ONE).write_text("<<<<<<< HEAD")
    assert (work(notebooks) / ONE).read_text() == "<<<<<<< HEAD"


@pytest.mark.parametrize("record", [None, "", "[1]", "{"])
def test_without_its_record_nothing_is_overwritten(notebooks: Path, record: str | None) -> None:
    copy = work(notebooks)
    write(copy / ONE, "mine")
    (copy / ".made-from.json").unlink()
    if record is not None:
        (copy / ".made-from.json").write_text(record)
    write(notebooks / TWO, "two, newer")
    assert copies.update(copy, notebooks) == [ONE, TWO]
    assert (source(copy / ONE), source(copy / TWO)) == ("mine", "two")
    (copy / TWO).write_bytes(copies.as_new(notebooks / TWO))
    assert copies.update(copy, notebooks) == [ONE]
    assert TWO in json.loads((copy / ".made-from.json").read_text())


def test_fresh_keeps_all_that_there_was_and_leaves_the_keys_in_use(
    notebooks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = work(notebooks)
    write(copy / ONE, "mine")
    write(copy / "mine.ipynb", "mine, too")
    key = make_key(copy)
    inode = copy.stat().st_ino
    capsys.readouterr()
    assert work(notebooks, fresh=True) == copy
    (aside,) = notebooks.parent.glob("work-20*")
    assert f" {aside.name}/ " in capsys.readouterr().out.splitlines()[0]
    assert source(aside / ONE) == "mine"
    assert listed(aside) == {ONE, TWO, PICTURE, "mine.ipynb"}
    assert listed(copy) == {ONE, TWO, PICTURE, key.relative_to(copy).as_posix()}
    assert source(copy / ONE) == "one"
    assert copy.stat().st_ino == inode  # where kernels are at work
    assert copies.update(copy, notebooks) == []


def test_fresh_for_someone_who_has_no_copy_yet(notebooks: Path) -> None:
    assert listed(work(notebooks, fresh=True)) == {ONE, TWO, PICTURE}
    assert not list(notebooks.parent.glob("work-*"))


@pytest.mark.parametrize("made_in", ["notebooks", "work"])
def test_keys_are_found_from_either_folder_and_stay_where_they_are(
    notebooks: Path, capsys: pytest.CaptureFixture[str], made_in: str
) -> None:
    both = {"notebooks": notebooks, "work": work(notebooks)}
    other, folder = both.pop(made_in), both.popitem()[1]
    (other / "keys" / "sandbox").mkdir(parents=True)
    share_keys(folder, other)
    assert not folder.joinpath("keys").is_symlink(), "there is no key yet"
    (other / "keys" / "sandbox").rmdir()
    (other / "keys").rmdir()
    key = make_key(other)
    capsys.readouterr()
    for _ in range(2):
        share_keys(folder, other)
    (line,) = capsys.readouterr().out.splitlines()
    assert f"{folder.name}/keys leads to {other.name}/keys" in line
    assert folder.joinpath(key.relative_to(other)).read_text() == "secret"
    assert not key.is_symlink() and not other.joinpath("keys").is_symlink()
    (other / "keys").rename(other / "away")
    share_keys(folder, other)
    assert not folder.joinpath("keys").is_symlink(), "a lesson would stumble over it"


def test_keys_of_its_own_are_left_alone(notebooks: Path) -> None:
    copy = work(notebooks)
    make_key(notebooks, "the other")
    key = make_key(copy)
    share_keys(copy, notebooks)
    assert key.read_text() == "secret"
    elsewhere = copy / "keys"
    elsewhere.rename(copy / "away")
    elsewhere.symlink_to("a stick that is not plugged in")
    share_keys(copy, notebooks)
    assert elsewhere.readlink() == Path("a stick that is not plugged in")


@pytest.mark.parametrize("kind", ["file", "link", "link to nothing"])
def test_what_else_is_called_work_stays(notebooks: Path, tmp_path: Path, kind: str) -> None:
    copy = notebooks.with_name("work")
    if kind == "file":
        copy.write_text("mine")
    else:
        copy.symlink_to(tmp_path if kind == "link" else tmp_path / "nothing")
    for fresh in (False, True):
        with pytest.raises(NoCopyError, match=f"is a {kind.split()[0]}, and"):
            work(notebooks, fresh=fresh)
    assert copy.is_symlink() or copy.read_text() == "mine"
    assert not list(notebooks.parent.glob("work-*"))


def test_a_home_in_a_class_is_trusted_by_its_owner_s_jupyter(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "NOTEBOOKS", notebooks)
    home = tmp_path / "zoe"
    board = ROOT / "workshop" / "board.ipynb"
    homes.prepare(home, [*copies.lesson(notebooks), board], None)
    assert listed(home / "notebooks") == {ONE, TWO, PICTURE, board.name}
    for name in ("JUPYTER_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert not is_trusted(home / "notebooks" / ONE)
    monkeypatch.setenv("HOME", str(home))
    assert all(is_trusted(home / "notebooks" / name) for name in (ONE, TWO, board.name))
