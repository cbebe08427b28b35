"""What the page's Python does before the first cell: import the lesson, or wake up with it."""

import gc
import importlib
import inspect
import random
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = (
    "pyodide_kernel",
    "boto3",
    "ipywidgets",
    "helpers.account",
    "helpers.panels",
    "helpers.button",
    "helpers.closing",
    "exercises.check",
    "sandbox.inside",
    "moto.iam.access_control",
)
"""What every notebook needs, the slowest to import first."""

_generators: list[random.Random] = []
_folders: list[str] = []


def load() -> None:
    """Import the lesson, so that the first cell finds it there."""
    for name in MODULES:
        importlib.import_module(name)
    jedi(False)
    _put_right()


def _put_right() -> None:
    """Let an error have its name alone, as in other kernels, and a sleep need nothing new."""
    interpreter = importlib.import_module("pyodide_kernel.interpreter")

    def show(self: Any, kind: type, value: object, lines: list[str]) -> None:
        self._last_traceback = {"ename": kind.__name__, "evalue": str(value), "traceback": lines}

    interpreter.Interpreter._showtraceback = show
    # Pyodide's own would switch stacks, which a page in a copied memory cannot.
    time.sleep = inspect.unwrap(time.sleep)


def jedi(there: bool) -> None:
    """Switch the better Tab completion on, once its files are there, or off."""
    kernel: ModuleType = sys.modules["pyodide_kernel"]
    kernel.ipython_shell.Completer.use_jedi = there


def note() -> list[str]:
    """Note, before the memory is copied, what must differ in each page.

    Returns:
        The files of all modules that are imported: no page needs to read them.
    """
    gc.collect()
    _generators[:] = [each for each in gc.get_objects() if isinstance(each, random.Random)]
    _folders[:] = [str(each) for each in Path.home().rglob("*") if each.is_dir()]
    specs = [each.__spec__ for each in sys.modules.values() if getattr(each, "__spec__", None)]
    return [name for each in specs for name in (each.origin, each.cached) if name]


def wake() -> None:
    """Begin in a page's memory that was copied: new randomness, and the folders that were there."""
    for each in _generators:
        each.seed()
    for name in _folders:
        Path(name).mkdir(parents=True, exist_ok=True)
    importlib.invalidate_caches()
