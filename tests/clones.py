"""A clone of this repository in a learner's hands: its commands, its Lab, what still runs."""

import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from jupyter_client import BlockingKernelClient

MARK = "IOT_BUTTON_TEST_RUN"


@dataclass
class Clone:
    """A fresh clone of this repository, and the environment of a learner who has just made it."""

    folder: Path
    env: dict[str, str]

    def at_home(self, home: Path) -> "Clone":
        """The same clone for someone who lives in *home*."""
        where = {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
        return Clone(self.folder, self.env | where)

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

    def gone(self) -> bool:
        """Whether nothing of it runs any more, or will within two seconds."""
        give_up = time.monotonic() + 2
        while self.processes() and time.monotonic() < give_up:
            time.sleep(0.1)
        return self.processes() == []


def clean_path() -> str:
    """A PATH without this test run's own .venv; the operating system's own, where it has Python."""
    system = "/usr/local/bin:/usr/bin:/bin"
    question = ["python3", "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    if subprocess.run(question, env={"PATH": system}, capture_output=True).returncode == 0:
        return system
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(name for name in folders if Path(name) != Path(sys.prefix, "bin"))


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
            wait_for(port)
            return process, *address.groups()
    pytest.fail("".join(printed))


def wait_for(port: int) -> None:
    """Jupyter prints its address a moment before it listens there."""
    give_up = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < give_up
            time.sleep(0.05)


def start_sandbox(clone: Clone, address: str, token: str) -> None:
    """Do what the lesson's first cell does, in a kernel of that Lab."""
    kernel = requests.post(f"{address}api/kernels?token={token}", timeout=30).json()
    file = Path(clone.env["JUPYTER_RUNTIME_DIR"], f"kernel-{kernel['id']}.json")
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels(hb=False)  # a kernel that is still starting has no heart beat yet
    client.wait_for_ready(timeout=30)
    code = "from helpers import account; account.connect()"
    reply = client.execute(code, reply=True, timeout=30)
    client.stop_channels()
    assert reply["content"]["status"] == "ok", reply["content"]


def kinds(clone: Clone) -> set[str]:
    """What of the lesson runs now."""
    parts = {part for process in clone.processes() for part in process.cmdline()}
    return parts & {"jupyterlab", "ipykernel_launcher", "sandbox"}
