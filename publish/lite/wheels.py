"""Pyodide's own wheels of the compiled packages, in place of the stand-ins: ``--wheels DIR``.

No package registry has them; Pyodide's distribution does. Its lock file, which npm brings, says
which file each is and what it holds.
"""

import hashlib
from pathlib import Path
from typing import Any

WANTED = ("cryptography", "regex")
"""What there are stand-ins for."""
PURE = ("pycparser", "six")
"""What these require and any installation has."""


class WrongWheels(Exception):
    """A wheel is missing or is another one; the message names it."""


def find(folder: Path, lock: dict[str, Any]) -> dict[str, Path]:
    """Find in *folder* the wheels of cryptography, of regex, or of both, with what they require.

    Args:
        folder: Where the wheels lie.
        lock: The contents of Pyodide's ``pyodide-lock.json``.

    Returns:
        Each wheel by the name of its package.

    Raises:
        WrongWheels: none is there, one that another requires is missing, or one is not Pyodide's.
    """
    known = lock["packages"]
    there = [name for name in WANTED if (folder / known[name]["file_name"]).is_file()]
    if not there:
        names = " nor ".join(known[name]["file_name"] for name in WANTED)
        raise WrongWheels(f"{folder} holds neither {names}")
    found: dict[str, Path] = {}
    while there:
        name = there.pop()
        wheel = folder / known[name]["file_name"]
        if not wheel.is_file():
            raise WrongWheels(f"{folder} does not hold {wheel.name}")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != known[name]["sha256"]:
            raise WrongWheels(f"{wheel} is not Pyodide's own: its SHA-256 differs")
        found[name] = wheel
        there += [each for each in known[name]["depends"] if each not in (*found, *PURE)]
    return found


def listed(wheels: dict[str, Path], lock: dict[str, Any]) -> dict[str, Any]:
    """Return Pyodide's lock file with these wheels alone: the page asks for no other."""
    packages = {}
    for name in wheels:
        about = lock["packages"][name]
        packages[name] = about | {"depends": [each for each in about["depends"] if each in wheels]}
    return lock | {"packages": packages}
