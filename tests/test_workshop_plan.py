"""What a class may be like: who gets in from where, how big it is, who shares what."""

import http.server
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest
import trustme

from helpers.errors import LessonError
from lab import copies
from publish.notebooks import ROOT
from workshop import __main__ as command
from workshop import homes, plan, processes, register
from workshop.classroom import Classroom
from workshop.plan import Plan

OPEN = {"tls": False, "insecure": False, "trusted": True}


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", "::"])
def test_beyond_this_machine_only_with_tls(address: str) -> None:
    with pytest.raises(LessonError, match="Without TLS"):
        plan.check(address, **OPEN)
    plan.check(address, **(OPEN | {"tls": True}))
    plan.check(address, **(OPEN | {"insecure": True}))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_s_own_browsers_need_none(address: str) -> None:
    plan.check(address, **OPEN)


def test_a_name_is_no_address() -> None:
    with pytest.raises(LessonError, match="takes an IP address"):
        plan.check("localhost", **OPEN)


def test_without_root_only_with_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LessonError, match="add --trusted"):
        plan.check("127.0.0.1", **(OPEN | {"trusted": False}))
    assert not plan.check("127.0.0.1", **OPEN)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert plan.check("127.0.0.1", **(OPEN | {"trusted": False}))


def test_the_sum_is_said_up_front() -> None:
    each = plan.LAB_MB + plan.KERNELS * plan.KERNEL_MB
    assert plan.needed_mb(30) - plan.needed_mb(29) == each
    assert plan.describe(1).startswith("1 learner needs about 0.9 GB of memory")
    assert "too little" not in plan.describe(1)
    assert "too little" in plan.describe(10_000_000)


def test_a_plan_reads_back() -> None:
    made = Plan("/f", 3, "127.0.0.1", 80, 512, 60, True, "code", "teacher's")
    assert plan.from_json(made.to_json()) == made
    assert made.url == "http://127.0.0.1:80"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "workshop", *options]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--address=0.0.0.0"], "Without TLS, everyone on the network can read"),
        (["--certificate=x.pem"], "belong together"),
        (["--address=192.0.2.7", "--insecure", "--trusted"], "of 192.0.2.7 cannot be had"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(tmp_path: Path, options: list[str], said: str) -> None:
    done = run("--folder", str(tmp_path / "class"), *options)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_each_run_has_another_code(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = {command.new_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(len(code) == 14 and set(code) <= {*command.LETTERS, "-"} for code in codes)


def test_a_home_is_made_once_and_never_touched_again(tmp_path: Path) -> None:
    home = tmp_path / "zoe"
    homes.prepare(home, homes.lesson("zoe"), None)
    first = home / "notebooks" / "01-thing.ipynb"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert first.read_bytes() == copies.as_new(ROOT / "notebooks" / "01-thing.ipynb")
    first.write_text("my work")
    homes.prepare(home, homes.lesson("zoe"), None)
    assert first.read_text() == "my work"
    assert [path.name for path in tmp_path.iterdir()] == ["zoe"]


def test_only_the_teacher_finds_the_board() -> None:
    board = {"board.ipynb"}
    lesson = {path.name for path in homes.lesson("zoe")}
    assert {path.name for path in homes.lesson(homes.TEACHER)} == lesson | board
    assert not lesson & board


def test_the_class_has_room_for_so_many(tmp_path: Path) -> None:
    file = tmp_path / "members.json"
    file.write_text("[]")
    zoe = register.enter(file, "zoe", room=1)
    assert register.enter(file, "zoe", room=1) == zoe
    with pytest.raises(LessonError, match="has its 1 learners"):
        register.enter(file, "ada", room=1)


def test_a_word_keeps_a_name(tmp_path: Path) -> None:
    words = register.Words(tmp_path)
    assert words.fits("zoe", "swordfish")
    assert words.fits("zoe", "swordfish")
    assert not words.fits("zoe", "")
    assert not words.fits("zoe", "swordfis")
    assert words.fits("ada", "")
    assert "swordfish" not in (tmp_path / "zoe").read_text()


def test_what_was_started_for_a_class_is_ended_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LAST_WORDS_SECONDS", 0.5)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", f"{deaf}; time.sleep(60)"],
            env=os.environ | {processes.MARK: str(mark)},
            stdout=subprocess.PIPE,
        )
        for mark in (tmp_path, tmp_path / "another")
    ]
    for each in started:
        assert each.stdout
        each.stdout.readline()
    try:
        assert processes.end(tmp_path) == 1
        assert [psutil.pid_exists(each.pid) and each.poll() is None for each in started] == [
            False,
            True,
        ]
    finally:
        started[1].kill()
        started[1].wait()


class _Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy that does not know where the hub is at first, as JupyterHub's own."""

    def do_GET(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined]
        known = self.path == "/hub/login" and self.server.asked > 2  # type: ignore[attr-defined]
        self.send_response(200 if known else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class _IPv6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
@pytest.mark.parametrize("tls", [False, True])
def test_a_class_is_open_once_a_browser_gets_its_first_page(
    tmp_path: Path, address: str, host: str, tls: bool
) -> None:
    server = (_IPv6 if ":" in address else http.server.ThreadingHTTPServer)((address, 0), _Proxy)
    server.asked = 0  # type: ignore[attr-defined]
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("class.example").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    room = Classroom(
        Plan(str(tmp_path), 3, address, port, 512, 60, True, "a", "b", "certificate" if tls else "")
    )
    assert room._plan.url == f"http{'s' if tls else ''}://{host}:{port}"
    room._hub = Mock(poll=lambda: None)
    room.wait_until_open()
    assert server.asked == 3  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
