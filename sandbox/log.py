"""The sandbox's log: one line an event, repeats counted, three megabytes at most."""

import io
import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

NAME = "sandbox.log"
BYTES = 1_000_000
OLD_ONES = 2
COUNTED_SECONDS = 5.0
"""A repeated line is counted for that long before the count is written."""
_FORMAT = "%(asctime)s %(message)s"
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def begin(folder: Path, *, debug: bool = False) -> None:
    """Let everything that this process logs go to ``sandbox.log``, and to a terminal if it has one.

    Args:
        folder: Where the log is.
        debug: Whether an error is logged with its traceback, and what happens in more detail.

    Raises:
        OSError: the log cannot be written.
    """
    handlers: list[logging.Handler] = [_OwnersFile(folder / NAME)]
    if sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    formatter = logging.Formatter(_FORMAT) if debug else _OneLine(_FORMAT)
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[Counting(handlers)])
    logging.getLogger("sandbox").setLevel(logging.DEBUG if debug else logging.INFO)
    logging.raiseExceptions = False  # a full disk is no reason to write to standard error instead
    threading.excepthook = _log_threads_error
    sys.excepthook = _log_last_error
    sys.unraisablehook = _log_unraisable  # of a server name that is no text, for one


def lead_to(folder: Path) -> None:
    """Let what the sandbox logs go to ``sandbox.log``, in a process that has other things to do.

    Args:
        folder: Where the log is, in place of where it was.
    """
    logger = logging.getLogger("sandbox")
    for handler in [each for each in logger.handlers if isinstance(each, _EachLine)]:
        logger.removeHandler(handler)
    handler = _EachLine(folder / NAME, delay=True)
    handler.setFormatter(_OneLine(_FORMAT))
    logger.addHandler(handler)


class Counting(logging.Handler):
    """Passes lines on; one that is equal to the one before it is counted instead."""

    def __init__(self, handlers: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._handlers = handlers
        self._last = ""
        self._repeats = 0
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on, or count it."""
        line = record.getMessage()
        if line == self._last:
            self._repeats += 1
            if self._timer is None:
                self._timer = threading.Timer(COUNTED_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()
            return
        self.flush()
        self._last = line
        self._pass(record)

    def flush(self) -> None:
        """Write how often the last line has come again."""
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._repeats:
                said = f"… and {self._repeats} times more"
                self._repeats = 0
                self._pass(logging.makeLogRecord({"msg": said}))
        finally:
            self.release()

    def _pass(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            handler.handle(record)


class _OwnersFile(RotatingFileHandler):
    """A bounded log that only its owner can read."""

    def __init__(self, file: Path, *, delay: bool = False) -> None:
        super().__init__(file, maxBytes=BYTES, backupCount=OLD_ONES, encoding="utf-8", delay=delay)

    def _open(self) -> io.TextIOWrapper:
        # Before 2026-12 the log was everyone's to read: one that is there gets the mode, too.
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if hasattr(os, "fchmod"):  # Windows has it from Python 3.13 on
            os.fchmod(descriptor, 0o600)
        return open(descriptor, "a", encoding=self.encoding)  # noqa: PTH123  no path


class _EachLine(_OwnersFile):
    """The same, open for no longer than a line takes: a page's file is kept when it is closed."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        self.close()


class _OneLine(logging.Formatter):
    """Writes what went wrong without its traceback, and no line break of a message."""

    def format(self, record: logging.LogRecord) -> str:
        # A record keeps how its error was written, for other handlers: theirs has its traceback.
        kept, record.exc_text = record.exc_text, None
        line = " ".join(super().format(record).splitlines())
        record.exc_text = kept
        return line

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  logging's name
        return f"({traceback.format_exception_only(ei[1])[-1].strip()})"


def _log_threads_error(problem: threading.ExceptHookArgs) -> None:
    logging.getLogger("sandbox").error("A thread has ended", exc_info=problem.exc_value)


def _log_unraisable(problem: "sys.UnraisableHookArgs") -> None:
    logging.getLogger("sandbox").error("An error had nobody to hear it", exc_info=problem.exc_value)


def _log_last_error(
    kind: type[BaseException], problem: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger("sandbox").critical("The sandbox ends", exc_info=problem)
    sys.__excepthook__(kind, problem, trace)
