"""Someone at a terminal: types answers when a program asks, and reads what it prints."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pexpect

QUIET = 0.3
"""A program asks when it reads from the terminal and has printed nothing for that many seconds."""


@dataclass(frozen=True)
class Session:
    """What was printed, and how it ended."""

    text: str
    exit_code: int | None
    """``None`` where the program had to be stopped."""
    problem: str = ""


def type_answers(
    command: list[str],
    answers: Iterable[tuple[str, str]],
    *,
    env: dict[str, str],
    cwd: Path,
    always: Mapping[str, str] | None = None,
    quiet: float = QUIET,
    timeout: float = 120,
    asks: Callable[[str], bool] | None = None,
) -> Session:
    """Run a program at a terminal and answer what it asks.

    Args:
        command: The program and its arguments.
        answers: In order: a part of the question's last line, as it is printed, and what is typed.
        env: Its environment.
        cwd: Its folder.
        always: Answers to questions that may come at any time.
        quiet: How long nothing is printed before a question counts as asked, in seconds.
        timeout: How long one question may take to come, in seconds.
        asks: Says of what was printed whether it is a question, for a program that reads its
            terminal without blocking.
    """
    child = pexpect.spawn(
        command[0], command[1:], env=env, cwd=str(cwd), encoding="utf-8", echo=False, timeout=None
    )
    child.delaybeforesend = None
    text, since, left, at_any = "", "", list(answers), dict(always or {})
    problem = ""
    while True:
        printed = _until_asked(child, quiet, timeout, asks)
        text, since = text + printed, since + printed
        if not child.isalive() or child.flag_eof:
            break
        known = left[:1] + list(at_any.items())
        # A line that is not ended is what it asks; ended ones may be news that came after a prompt.
        last = since.rpartition("\n")[2]
        asked = last if last.strip() else since
        question, answer = max(known, key=lambda each: asked.rfind(each[0]), default=("", ""))
        if not known or question not in asked:
            problem = f"it asked {since[-120:]!r}; foreseen was {left[:1]}"
            break
        if left and question == left[0][0]:
            left.pop(0)
        text, since = f"{text}«{answer}»\n", ""
        child.sendline(answer)
    child.close(force=True)
    if not problem and left:
        problem = f"it ended and never asked {left[0][0]!r}"
    return Session(text.replace("\r\n", "\n"), child.exitstatus, problem)


def _until_asked(
    child: pexpect.spawn, quiet: float, timeout: float, asks: Callable[[str], bool] | None
) -> str:
    """Read until the program waits for the terminal, ends, or takes too long."""
    printed, last, end = "", time.monotonic(), time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            printed += child.read_nonblocking(65536, 0.05)
            last = time.monotonic()
        except pexpect.TIMEOUT:
            waits = asks(printed) if asks else _reads_the_terminal(child.pid)
            if waits and time.monotonic() - last >= quiet:
                break
        except pexpect.EOF:
            child.wait()
            break
    return printed


def _reads_the_terminal(pid: int) -> bool:
    """Whether a thread of a process is blocked in read(2) of its standard input (Linux only)."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            call = (task / "syscall").read_text().split()
        except OSError:
            continue  # it has just ended
        if call[:2] == ["0", "0x0"]:
            return True
    return False
