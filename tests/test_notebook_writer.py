"""``./tutorial notebooks`` itself, on a notebook of one cell: what it writes and refuses."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from publish import notebooks


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for notebooks/, with one notebook in it."""
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(notebooks, "NOTEBOOKS", ("tiny",))
    # What the whole lesson's docs are made from is another subject: test_docs_record.py.
    monkeypatch.setattr(notebooks, "tell_what_is_stale", lambda: sys.stdout.write("stale ...\n"))
    return tmp_path / "tiny.ipynb"


def write(path: Path, source: str, *tags: str) -> bytes:
    cell = v4.new_code_cell(source, metadata={"tags": list(tags)}, id="the-cell")
    quiet = v4.new_code_cell("said = None", id="quiet")
    nbformat.write(v4.new_notebook(cells=[cell, quiet]), path)
    return path.read_bytes()


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """Run the command in this process; return what it exits with."""
    monkeypatch.setattr(sys, "argv", ["notebooks", *arguments])
    with pytest.raises(SystemExit) as exit_:
        notebooks.main()
    return exit_.value.code


def test_written_once_and_then_unchanged(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "import uuid\nprint('hello'); print(uuid.uuid4())\nuuid.uuid4()"
    before = write(tiny, source)
    assert main(monkeypatch, "--check") == 1
    assert tiny.read_bytes() == before
    said = capsys.readouterr().out
    assert "+++ a fresh run" in said and "stale" not in said
    assert main(monkeypatch) == 0
    said = capsys.readouterr().out
    assert said.endswith("tiny.ipynb: other outputs of the-cell\nstale ...\n")
    written = tiny.read_bytes()
    assert b"hello" in written and b"01234567-89ab" in written
    assert main(monkeypatch) == 0
    assert tiny.read_bytes() == written
    assert "nothing changed\nstale ...\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "tags", "reason"),
    [
        ("1 / 0", [], "ZeroDivisionError: division by zero"),
        ("import warnings\nwarnings.warn('old')", [], "writes to stderr"),
        ("1 + 1", ["raises-exception"], "raised nothing"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", [], "Kernel died"),
    ],
)
def test_what_may_not_be_published_is_named_and_nothing_is_written(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, source: str, tags: list[str], reason: str
) -> None:
    before = write(tiny, source, *tags)
    message = str(main(monkeypatch))
    assert message.startswith(f"tiny, cell the-cell ({source.splitlines()[0]})")
    assert reason in message
    assert tiny.read_bytes() == before


def test_a_workplace_has_no_learner_s_keys(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tiny, "1")
    tiny.with_name("keys").mkdir()
    monkeypatch.setenv("IOT_TUTORIAL_TARGET", "aws")
    with notebooks.workplace() as (folder, env):
        assert [path.name for path in folder.iterdir()] == ["tiny.ipynb"]
        assert "IOT_TUTORIAL_TARGET" not in env
        assert not Path(env["IOT_TUTORIAL_STATE_DIR"]).is_relative_to(notebooks.ROOT)
    assert not folder.exists()
