"""A class as a teacher holds it: `./tutorial workshop`, until Ctrl-C."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.visitor import Visitor
from publish.notebooks import ROOT

APART = os.geteuid() == 0
"""Whether this run can make system users."""


@dataclass(frozen=True)
class Room:
    """A class that is being held, and what its teacher was told."""

    folder: Path
    address: str
    code: str
    teacher_code: str
    printed: str
    process: subprocess.Popen[str]

    def enter(self, name: str, code: str = "") -> Visitor:
        """Sign someone in and wait for their Lab."""
        visitor = Visitor(self.address, name)
        assert visitor.sign_in(code or self.code) == 302
        visitor.open_lab()
        return visitor


@contextmanager
def hold(folder: Path, *options: str, user: int | None = None) -> Iterator[Room]:
    """Hold a class in *folder*, as another user where one is given; end it as Ctrl-C does."""
    command = [ROOT / "tutorial", "workshop", "--port=0", "--folder", folder, *options]
    process = subprocess.Popen(
        command if APART and user is None else [*command, "--trusted"],
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed = ""
        assert process.stdout
        for line in process.stdout:
            printed += line
            if line.startswith("Ctrl-C"):
                break
        codes = re.findall(r"the code (\S+)", printed)
        assert len(codes) == 2, printed
        address = re.findall(r"http://127\.0\.0\.1:\d+", printed)[0]
        yield Room(folder, address, *codes, printed, process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
