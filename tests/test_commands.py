"""``./tutorial`` as a learner types it: in a clean clone, with an empty HOME, from anywhere."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
import requests
from clones import MARK, Clone, clean_path, kinds, serve, start_sandbox

from publish.notebooks import NOTEBOOKS, ROOT

ANOTHER = 65534 if os.geteuid() == 0 else None
"""Who else the commands run as: nobody, where this run may choose; else the same user again."""
ALL_TOOLS = ("cat", "cksum", "cp", "dirname", "grep", "id", "mkdir", "rm", "sh")


@pytest.fixture(scope="module")
def fresh() -> Iterator[Clone]:
    """A clone in which nothing has been installed yet."""
    with tempfile.TemporaryDirectory(prefix="iot button ") as place:
        Path(place).chmod(0o755)
        folder, home = Path(place, "my clone"), Path(place, "home")
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        home.mkdir()
        cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
        own = {"PATH": clean_path(), "UV_CACHE_DIR": cache, MARK: uuid.uuid4().hex}
        own["UV_COMPILE_BYTECODE"] = "0"  # saves half a minute of processor an installation
        clone = Clone(folder, os.environ | own).at_home(home)
        yield clone
        for process in clone.processes():
            process.kill()


@pytest.fixture(scope="module")
def installed(fresh: Clone) -> Clone:
    """The same clone, set up the hard way: killed half-way, then started twice at once."""
    killed = fresh.start("setup")
    give_up = time.monotonic() + 60
    while not fresh.folder.joinpath(".venv", "pyvenv.cfg").exists():
        assert time.monotonic() < give_up
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not fresh.folder.joinpath(".venv", "installed").exists()
    both = [fresh.start("setup") for _ in range(2)]
    printed = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert "".join(printed).count("tutorial: installing") == 1
    return fresh


def test_a_second_start_installs_nothing(installed: Clone) -> None:
    status, printed = installed.run("setup", UV_OFFLINE="1", PIP_NO_INDEX="1")
    assert status == 0
    assert "installing" not in printed


LAB = ("lab", "--version")
"""All of ``lab``, but that JupyterLab prints its version and ends."""


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=author", "-c", "user.email=author@example.com"]
    command = ["git", "-C", folder, *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def edit(notebook: Path, cell: str) -> None:
    """Change a notebook's first cell, as an author does or a learner."""
    content = nbformat.read(notebook, as_version=4)
    content.cells[0].source = cell
    nbformat.write(content, notebook)


@pytest.mark.long
def test_a_learner_runs_the_lesson_and_pulls_the_next_version(
    installed: Clone, tmp_path: Path
) -> None:
    """Then starts over; all that git sees of it is nothing."""
    clone, work = installed.folder, installed.folder / "work"
    status, printed = installed.run(*LAB)
    assert (status, printed.count("tutorial: ")) == (0, 1), printed
    assert "work/ is your own copy" in printed
    ran = work / "03-certificate.ipynb"
    as_made = ran.read_text()
    execute = [clone / ".venv" / "bin" / "jupyter", "execute", "--inplace", ran]
    subprocess.run(execute, env=installed.env, check=True, capture_output=True, timeout=120)
    assert ran.read_text() != as_made
    key = work / "keys" / "sandbox" / "my-button" / "private.pem.key"
    assert key.exists()
    assert git(clone, "status", "--porcelain") == ""

    upstream = tmp_path / "upstream"
    git(clone, "clone", "--quiet", ".", str(upstream))
    for name in ("01-thing", "03-certificate"):
        edit(upstream / "notebooks" / f"{name}.ipynb", "# The next version")
    git(upstream, "commit", "--quiet", "--all", "--message=the next version")
    git(clone, "pull", "--quiet", "--ff-only", str(upstream), "HEAD")
    before = ran.read_text()
    status, printed = installed.run(*LAB)
    assert (status, printed.count("tutorial: ")) == (0, 1), printed
    assert "a newer 03-certificate.ipynb;" in printed
    assert ran.read_text() == before
    assert "# The next version" in work.joinpath("01-thing.ipynb").read_text()

    assert installed.run("lab", "--fresh", "--version")[0] == 0
    assert "# The next version" in ran.read_text()
    (aside,) = clone.glob("work-*")
    assert aside.joinpath(ran.name).read_text() == before
    assert key.exists()
    assert git(clone, "status", "--porcelain") == ""


def test_the_keys_of_a_learner_who_worked_in_notebooks_are_found(installed: Clone) -> None:
    shutil.rmtree(installed.folder / "work", ignore_errors=True)
    key = Path("keys", "sandbox", "my-button", "private.pem.key")
    made = installed.folder / "notebooks" / key
    made.parent.mkdir(parents=True)
    made.write_text("secret")
    assert "work/keys leads to notebooks/keys" in installed.run(*LAB)[1]
    assert installed.folder.joinpath("work", key).read_text() == "secret"
    assert git(installed.folder, "status", "--porcelain") == ""
    shutil.rmtree(installed.folder / "notebooks" / "keys")
    installed.folder.joinpath("work", "keys").unlink()


def test_a_copy_that_cannot_be_made_gets_one_line(installed: Clone) -> None:
    work = installed.folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.write_text("mine")
    status, printed = installed.run(*LAB)
    assert (status, printed.count("\n")) == (1, 1), printed
    assert "work is a file" in printed
    work.unlink()
    installed.folder.chmod(0o555)
    try:
        process = installed.start(*LAB, user=ANOTHER)
        printed = process.communicate(timeout=30)[0]
    finally:
        installed.folder.chmod(0o755)
    assert (process.returncode, printed.count("\n")) == (1, 1), printed
    assert "cannot be made" in printed and "Permission denied" in printed


def give_away(clone: Clone, user: int) -> Clone:
    """Hand what a learner writes to in the clone, and a HOME, to another user."""
    for name in (".sandbox", "work"):
        shutil.rmtree(clone.folder / name, ignore_errors=True)
    home = Path(clone.env["HOME"], "another")
    home.mkdir()
    for folder in (home, clone.folder):
        os.chown(folder, user, user)
    return clone.at_home(home)


@pytest.mark.parametrize(
    ("user", "send"),
    [
        pytest.param(None, os.killpg, id="Ctrl-C"),
        pytest.param(
            *(ANOTHER, os.kill),
            id="another user, a signal to the shell alone",
            marks=pytest.mark.long,
        ),
    ],
)
def test_lab_serves_the_notebooks_and_leaves_no_process(
    installed: Clone, user: int | None, send: Callable[[int, int], None]
) -> None:
    clone = give_away(installed, user) if user else installed
    process, address, token = serve(clone, user)
    listing = requests.get(f"{address}api/contents?token={token}", timeout=30).json()
    assert {entry["name"] for entry in listing["content"]} >= {
        f"{name}.ipynb" for name in NOTEBOOKS
    }
    mine = clone.folder / "work" / "mine.txt"
    mine.touch()
    assert requests.get(f"{address}api/contents/mine.txt?token={token}", timeout=30).ok
    assert requests.get(f"{address}api/contents", timeout=30).status_code == 403
    page = f"lab/api/settings/@jupyterlab/notebook-extension:tracker?token={token}"
    told = requests.get(f"{address}{page}", timeout=30).json()["schema"]["properties"]
    assert told["codeCellConfig"]["default"]["lineWrap"], "long lines are cut off at 200 %"
    start_sandbox(clone, address, token)
    assert kinds(clone) == {"jupyterlab", "ipykernel_launcher", "sandbox"}
    assert {one.uids().real for one in clone.processes()} == {user or os.getuid()}
    listening = {at.laddr.ip for one in clone.processes() for at in one.net_connections()}
    assert listening <= {"127.0.0.1", "::1"}
    send(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0, printed
    assert len(printed.splitlines()) < 5, printed
    assert clone.gone()


def test_help_lists_the_commands(fresh: Clone) -> None:
    status, printed = fresh.run()
    assert (status, printed) == fresh.run("help")
    assert status == 0
    assert all(
        f"\n  {name}" in printed for name in ("lab", "test", "notebooks", "bench", "setup", "help")
    )


def test_an_unknown_command_is_refused(fresh: Clone) -> None:
    message = "tutorial: no command 'lap'; ./tutorial help lists them\n"
    assert fresh.run("lap") == (2, message)


def bare(place: Path, **programs: str) -> Clone:
    """What set-up reads here, and a PATH with these programs and the plainest tools."""
    tools, folder = place / "tools", place / "clone"
    tools.mkdir()
    folder.mkdir()
    for name in ALL_TOOLS:
        tools.joinpath(name).symlink_to(str(shutil.which(name)))
    for name, script in programs.items():
        tools.joinpath(name).write_text(f"#!/bin/sh\n{script}\n")
        tools.joinpath(name).chmod(0o755)
    for name in ("tutorial", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "lab" / "settings", folder / "lab" / "settings")
    return Clone(folder, {"PATH": str(tools)})


def test_it_installs_again_when_a_requirement_or_the_folder_has_changed(tmp_path: Path) -> None:
    python = f'exec "{sys.executable}" "$@"'
    uv = "[ $1 != venv ] || { mkdir -p .venv/bin && cp $0 .venv/bin/python; }"
    clone = bare(tmp_path, python3=python, uv=uv)

    def installs() -> bool:
        status, printed = clone.run("setup")
        assert status == 0, printed
        return "tutorial: installing" in printed

    assert installs()
    assert not installs()
    for name in ("requirements.txt", "pyproject.toml", "lab/settings/overrides.json"):
        with clone.folder.joinpath(name).open("a") as file:
            file.write("# changed\n")
        assert installs()
        assert not installs()
    clone.folder = clone.folder.rename(tmp_path / "moved")
    assert installs()
    assert not installs()


OLD = "import sys; sys.version_info = (3, 10, 9); exec(sys.argv[1])"


@pytest.mark.parametrize(
    ("python", "message"),
    [
        (None, "Python 3.11 or newer is needed, found: none"),
        (
            f'[ $1 != --version ] || echo Python 3.10.9\nexec "{sys.executable}" -c "{OLD}" "$2"',
            "Python 3.11 or newer is needed, found: Python 3.10.9",
        ),
        (f'[ "$2" != pip ] && exec "{sys.executable}" "$@"', "neither uv nor pip is here for"),
    ],
    ids=["none", "too old", "no pip"],
)
def test_a_python_that_will_not_do_gets_one_line(
    tmp_path: Path, python: str | None, message: str
) -> None:
    clone = bare(tmp_path, **({"python3": python} if python else {}))
    status, printed = clone.run("setup")
    assert status == 1
    assert message in printed
    assert printed.count("\n") == 1
