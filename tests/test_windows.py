"""Without what Windows lacks, the sandbox starts, answers and ends: as far as Linux can show it.

No test ran on Windows itself (2026-11). Here, a Python starts in which our own modules see the
system as Windows shows it; the libraries that they use know Windows by themselves.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import boto3
import pytest

from lab import __main__ as lab
from publish.notebooks import ROOT
from sandbox import files, http_server, process

LACKED = {
    "os": "chown fchmod fchown fork getegid geteuid getgid getgroups getpgid getpgrp getsid getuid "
    "initgroups killpg lchown mkfifo nice openpty pread pwrite setegid seteuid setgid setgroups "
    "setpgid setsid setuid statvfs sync uname wait wait3 wait4 waitid O_CLOEXEC O_DIRECTORY "
    "O_NOFOLLOW O_NONBLOCK WNOHANG",
    "select": "epoll poll",
    "signal": "SIGALRM SIGHUP SIGKILL SIGQUIT SIGUSR1 SIGUSR2 alarm pause pthread_kill setitimer "
    "sigwait",
}
"""What Windows has not; os.fchmod it has from Python 3.13 on."""
MODULES_LACKED = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}

AS_ON_WINDOWS = f"""
import asyncio.unix_events, builtins, ctypes, os, select, selectors, signal, subprocess, sys, types

OURS = ("exercises", "helpers", "iot_policy", "lab", "publish", "sandbox")
LACKED = {LACKED!r}
MODULES_LACKED = {MODULES_LACKED!r}

class Seen(types.ModuleType):
    def __init__(self, real, **instead):
        super().__init__(real.__name__)
        vars(self).update(_real=real, _lacked=LACKED.get(real.__name__, "").split(), **instead)
    def __getattr__(self, name):
        if name in self._lacked:
            raise AttributeError(name)
        return getattr(self._real, name)
    def __setattr__(self, name, value):
        setattr(self._real, name, value)

class Popen(subprocess.Popen):
    def __init__(self, *arguments, creationflags, **more):
        assert creationflags == 0x200
        super().__init__(*arguments, start_new_session=True, **more)

def refuse(*_):
    raise NotImplementedError

handles = types.SimpleNamespace(GetProcessId=lambda handle: handle.value - 1_000_000)
seen = {{
    "ctypes": Seen(ctypes, windll=types.SimpleNamespace(kernel32=handles)),
    "os": Seen(os, name="nt"),
    "select": Seen(select),
    "signal": Seen(signal, SIGBREAK=signal.SIGWINCH),
    "subprocess": Seen(subprocess, CREATE_NEW_PROCESS_GROUP=0x200, Popen=Popen),
    "sys": Seen(sys, platform="win32"),
}}
asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler = refuse
real_import = builtins.__import__

def as_on_windows(name, globals=None, *more, **named):
    asked_by = str((globals or {{}}).get("__package__") or "").split(".")[0]
    if asked_by in OURS:
        if name in MODULES_LACKED:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        if name in seen:
            return seen[name]
    return real_import(name, globals, *more, **named)

builtins.__import__ = as_on_windows
# waitress looks for it when it begins; asyncio's own loop there needs neither.
selectors.DefaultSelector = selectors.SelectSelector
import waitress.wasyncore
waitress.wasyncore.select = Seen(select)
"""


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment in which a Python begins as on Windows, with a state folder of its own."""
    site, state = tmp_path / "site", tmp_path / "local" / "iot-button-tutorial"
    site.mkdir()
    (site / "sitecustomize.py").write_text(AS_ON_WINDOWS)
    seen_as = {"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    yield os.environ | seen_as | {"IOT_TUTORIAL_STATE_DIR": str(state)}
    process.stop(state)


def python(*command: str, env: dict[str, str], folder: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=env, cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_python_starts_as_on_windows(windows: dict[str, str]) -> None:
    """Else the tests below would pass on nothing."""
    look = "from sandbox import files, process; print(files.has_owners(), process.sys.platform)"
    assert python("-c", look, env=windows) == "False win32"
    look = "from sandbox import process; process.os.getuid"
    with pytest.raises(AssertionError, match="AttributeError: getuid"):
        python("-c", look, env=windows)


def test_the_sandbox_starts_answers_and_ends(windows: dict[str, str]) -> None:
    command = [sys.executable, "-m", "sandbox"]
    with subprocess.Popen(
        command, env=windows, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout and serving.stderr
        line = serving.stdout.readline()
        assert line, serving.stderr.read()
        iot = boto3.client(
            "iot",
            endpoint_url=json.loads(line)["endpoint_url"],
            region_name="eu-west-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        iot.create_thing(thingName="button")
        assert [each["thingName"] for each in iot.list_things()["things"]] == ["button"]
        serving.terminate()
        assert serving.wait(timeout=10) == 0
        assert serving.stderr.read() == ""


ENDED = """
import asyncio, signal
from sandbox import server

async def serve():
    server._on_signal(print)

asyncio.run(serve())
signal.raise_signal(signal.SIGTERM)
print("ended")
"""


@pytest.mark.long
def test_a_signal_that_comes_when_it_has_ended_is_no_error() -> None:
    assert python("-c", ENDED, env=dict(os.environ)) == "ended"


LESSON = """
from helpers import account, button, certificate, policy, thing
aws = account.connect()
made = thing.register(aws.iot, "button")
least = policy.least_privilege(aws.region, aws.number, made.serial, client_id="button")
policy.put_in_force(aws.iot, "rights", least)
certificate.issue(aws, "button", "rights")
button.press(button.device(aws, "button"))
print(aws.line.read("about")["pid"])
"""


@pytest.mark.long
def test_a_kernel_starts_it_finds_it_and_presses(windows: dict[str, str], tmp_path: Path) -> None:
    """The Jupyter server is named by a handle there, which is no process id."""
    kernel = windows | {"JPY_PARENT_PID": str(os.getpid() + 1_000_000)}
    first = python("-c", LESSON, env=kernel, folder=tmp_path)
    (tmp_path / "keys").rename(tmp_path / "keys-before")
    assert python("-c", LESSON, env=kernel, folder=tmp_path) == first
    assert python("-m", "sandbox", "--stop", env=windows) == ""


@pytest.mark.long
def test_the_lab_makes_its_copy_and_starts_jupyter(windows: dict[str, str], tmp_path: Path) -> None:
    """JupyterLab, asked for its version, says it and ends."""
    place = tmp_path / "place"
    for name in ("helpers", "iot_policy", "lab", "notebooks", "sandbox"):
        leave = shutil.ignore_patterns("keys", ".*", "__pycache__")
        shutil.copytree(ROOT / name, place / name, ignore=leave)
    site, _ = windows["PYTHONPATH"].split(os.pathsep)
    here = windows | {"PYTHONPATH": os.pathsep.join([site, str(place)])}
    said = python("-m", "lab", "--version", env=here, folder=place).splitlines()
    assert said[-1] == metadata.version("jupyterlab")
    assert (place / "work" / "01-thing.ipynb").exists()


def test_keys_that_cannot_be_linked_stop_no_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows lets administrators make links, and those who are in its developer mode."""

    def refuse(*_: object, target_is_directory: bool) -> None:
        assert target_is_directory  # there, a link says what it leads to
        raise OSError(22, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    work, notebooks = tmp_path / "work", tmp_path / "notebooks"
    for folder in (work, notebooks / "keys"):
        folder.mkdir(parents=True)
    (notebooks / "keys" / "private.pem.key").write_text("secret")
    lab.share_keys(work, notebooks)
    assert capsys.readouterr().out == (
        "tutorial: work/ is without the keys of notebooks/keys: "
        "A required privilege is not held by the client\n"
    )


def open_elsewhere(monkeypatch: pytest.MonkeyPatch, refusals: int) -> list[int]:
    """Refuse that many times to replace a file, as Windows does while somebody has it open."""
    left = [refusals]
    replace = os.replace

    def busy(*paths: Path) -> None:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "Access is denied")
        replace(*paths)

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(files, "_READ_WITHIN", 0.2)
    return left


def test_a_file_that_is_being_read_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "has_owners", lambda: False)
    left = open_elsewhere(monkeypatch, 3)
    files.write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    left[0] = 1000
    with pytest.raises(PermissionError):
        files.write_whole(tmp_path / "file", b"newer")
    assert 900 < left[0] < 1000
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_elsewhere_what_may_not_be_replaced_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = open_elsewhere(monkeypatch, 3)
    with pytest.raises(PermissionError):
        files.write_whole(tmp_path / "file", b"new")
    assert left == [2]


def test_a_file_has_no_owner_to_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "geteuid")
    for content in (b"before", b"after"):
        files.write_whole(tmp_path / "file", content, keep_owner=True)
    assert (tmp_path / "file").read_bytes() == b"after"


@pytest.mark.parametrize(("platform", "looks_up"), [("win32", [1, 1, 1]), ("linux", [None])])
def test_the_lab_looks_up_from_its_wait_where_no_signal_ends_it(
    platform: str, looks_up: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    class Lab:
        def wait(self, timeout: int | None) -> int:
            asked.append(timeout)
            if len(asked) < len(looks_up):
                raise subprocess.TimeoutExpired("lab", 1)
            return 5

    monkeypatch.setattr(sys, "platform", platform)
    assert lab._wait(Lab()) == 5
    assert asked == looks_up


def test_without_poll_there_are_no_more_connections_than_select_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("select.poll")
    assert http_server.room_for_connections(2000) + http_server.FILES_LEFT <= 512


@pytest.mark.parametrize(("given", "server"), [(None, None), ("", None), ("17", 17)])
def test_the_notebook_server_of_a_kernel(
    given: str | None, server: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    if given is not None:
        monkeypatch.setenv("JPY_PARENT_PID", given)
    assert process.notebook_server() == server


MAY: dict[str, set[str]] = {
    "sandbox/files.py": {"os.chown", "os.geteuid"},  # after has_owners()
    "sandbox/http_server.py": {"resource"},  # after select.poll
    "sandbox/log.py": {"os.fchmod"},  # after hasattr
    "sandbox/process.py": {"os.geteuid"},  # after has_owners()
    "publish/browser.py": {"os.geteuid"},  # after apt-get was found
}
"""Who uses what Windows lacks; a class (workshop) is held on Linux or macOS."""


def lacked(source: str) -> set[str]:
    """List what a module uses and Windows has not."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                found |= {f"{module}.{name}"} if name in LACKED.get(module, "").split() else set()
            case ast.Import():
                found |= {each.name for each in node.names} & MODULES_LACKED
            case ast.ImportFrom(module=str(module)):
                found |= {module} & MODULES_LACKED
    return found


def test_nothing_else_uses_what_windows_lacks() -> None:
    assert lacked("import fcntl, os\nos.killpg(signal.SIGKILL)") == {
        *("fcntl", "os.killpg", "signal.SIGKILL")
    }
    found = {}
    for folder in ("exercises", "helpers", "iot_policy", "lab", "publish", "sandbox"):
        for file in (ROOT / folder).rglob("*.py"):
            if used := lacked(file.read_text("utf-8")):
                found[file.relative_to(ROOT).as_posix()] = used
    assert found == MAY


def test_git_for_windows_leaves_line_ends_as_they_are() -> None:
    names = ["tutorial", "notebooks/01-thing.ipynb", "helpers/thing.py", "requirements.txt"]
    asked = ["git", "check-attr", "eol", *names]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [f"{name}: eol: lf" for name in names]
