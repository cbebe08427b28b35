"""``./tutorial`` as a learner types it: in a clean clone, with an empty HOME, from anywhere."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from jupyter_client import BlockingKernelClient

from docs.notebooks import NOTEBOOKS, ROOT

MARK = "IOT_BUTTON_TEST_RUN"
NOBODY = 65534
ALL_TOOLS = ("cat", "cksum", "dirname", "grep", "id", "mkdir", "rm", "sh")


@dataclass
class Clone:
    """A fresh clone of this repository, and the environment of a learner who has just made it."""

    folder: Path
    env: dict[str, str]

    def start(self, *arguments: str, user: int | None = None, **env: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [self.folder / "tutorial", *arguments],
            cwd="/",
            env=self.env | env,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **env: str) -> tuple[int, str]:
        """Run a command to its end; return its exit status and what it printed."""
        process = self.start(*arguments, **env)
        printed, _ = process.communicate(timeout=120)
        return process.returncode, printed

    def processes(self) -> list[psutil.Process]:
        """Whatever still runs of what was started here, detached or not."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.env[MARK]:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found


def clean_path() -> str:
    """A PATH without this test run's own .venv; the operating system's own, where it has Python."""
    system = "/usr/local/bin:/usr/bin:/bin"
    question = ["python3", "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    if subprocess.run(question, env={"PATH": system}, capture_output=True).returncode == 0:
        return system
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(name for name in folders if Path(name) != Path(sys.prefix, "bin"))


@pytest.fixture(scope="module")
def fresh() -> Iterator[Clone]:
    """A clone in which nothing has been installed yet."""
    with tempfile.TemporaryDirectory(prefix="iot button ") as place:
        Path(place).chmod(0o755)
        folder, home = Path(place, "my clone"), Path(place, "home")
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        home.mkdir()
        cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
        own = {"HOME": str(home), "PATH": clean_path(), "UV_CACHE_DIR": cache}
        clone = Clone(folder, os.environ | own | {MARK: uuid.uuid4().hex})
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


def test_a_second_start_installs_nothing_until_a_requirement_changes(installed: Clone) -> None:
    offline = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}
    assert installed.run("setup", **offline)[1].count("installing") == 0
    pins = installed.folder / "requirements.txt"
    pins.write_text(pins.read_text() + "# changed\n")
    assert installed.run("setup")[1].count("installing") == 1


def serve(clone: Clone, user: int | None = None) -> tuple[subprocess.Popen[str], str, str]:
    """Start Lab; return its process, its address and its token once it has printed them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = clone.start("lab", "--no-browser", f"--port={port}", user=user)
    assert process.stdout
    printed = []
    for line in process.stdout:
        printed.append(line)
        address = re.search(
            rf"(http://127.0.0.1:{port}/)lab/tree/01-thing.ipynb\?token=(\w+)", line
        )
        if address:
            return process, *address.groups()
    pytest.fail("".join(printed))


def start_sandbox(clone: Clone, address: str, token: str) -> None:
    """Do what the lesson's first cell does, in a kernel of that Lab."""
    kernel = requests.post(f"{address}api/kernels", params={"token": token}, timeout=30).json()
    runtime = Path(clone.env["HOME"], ".local/share/jupyter/runtime")
    client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{kernel['id']}.json"))
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(timeout=30)
    code = "from helpers import account; account.connect()"
    reply = client.execute(code, reply=True, timeout=30)
    client.stop_channels()
    assert reply["content"]["status"] == "ok", reply["content"]


def kinds(clone: Clone) -> set[str]:
    """What of the lesson runs now."""
    parts = {part for process in clone.processes() for part in process.cmdline()}
    return parts & {"jupyterlab", "ipykernel_launcher", "helpers.sandbox"}


@pytest.mark.parametrize("to_all", [True, False], ids=["Ctrl-C", "a signal to the shell alone"])
def test_lab_serves_the_notebooks_and_leaves_no_process(installed: Clone, to_all: bool) -> None:
    process, address, token = serve(installed)
    listing = requests.get(f"{address}api/contents", params={"token": token}, timeout=30).json()
    served = {entry["name"] for entry in listing["content"]}
    assert served >= {f"{name}.ipynb" for name in NOTEBOOKS}
    assert requests.get(f"{address}api/contents", timeout=30).status_code == 403
    start_sandbox(installed, address, token)
    assert kinds(installed) == {"jupyterlab", "ipykernel_launcher", "helpers.sandbox"}
    listening = {at.laddr.ip for one in installed.processes() for at in one.net_connections()}
    assert listening <= {"127.0.0.1", "::1"}
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0, printed
    assert len(printed.splitlines()) < 5, printed
    assert installed.processes() == []


@pytest.mark.skipif(
    os.geteuid() != 0 or "/usr/bin" not in clean_path(),
    reason="2026-11: only root may become another user, who needs a Python outside root's HOME",
)
def test_lab_as_another_user(installed: Clone) -> None:
    home = Path(installed.env["HOME"], "nobody")
    for folder in (home, installed.folder, installed.folder / "notebooks"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, NOBODY, NOBODY)
    theirs = Clone(installed.folder, installed.env | {"HOME": str(home)})
    process, address, token = serve(theirs, user=NOBODY)
    start_sandbox(theirs, address, token)
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0, printed
    assert theirs.processes() == []


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


@pytest.mark.parametrize(
    ("python", "message"),
    [
        (None, "Python 3.11 or newer is needed, found: none"),
        ('[ "$1" != --version ] || echo Python 3.9.2', "is needed, found: Python 3.9.2"),
        (f'[ "$2" != pip ] && exec {sys.executable} "$@"', "neither uv nor pip is here for"),
    ],
    ids=["none", "too old", "no pip"],
)
def test_a_python_that_will_not_do_gets_one_line(
    tmp_path: Path, python: str | None, message: str
) -> None:
    for tool in ALL_TOOLS:
        tmp_path.joinpath(tool).symlink_to(str(shutil.which(tool)))
    if python:
        tmp_path.joinpath("python3").write_text(f"#!/bin/sh\n{python}\n")
        tmp_path.joinpath("python3").chmod(0o755)
    copy = tmp_path / "clone"
    copy.mkdir()
    for name in ("tutorial", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, copy)
    status, printed = Clone(copy, {"PATH": str(tmp_path)}).run("setup")
    assert status == 1
    assert message in printed
    assert printed.count("\n") == 1
