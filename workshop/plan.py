"""What a class should be like, and whether this machine can hold it."""

import json
import os
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

import psutil

from helpers.errors import LessonError

LAB_MB, KERNEL_MB, KERNELS = 130, 77, 4
"""Memory of a learner's Lab and of a notebook's kernel, and how many notebooks stay open.

Measured with ``./tutorial bench workshop``; see README.md.
"""
BASE_MB = 440
"""Memory of the hub, its proxy and the sandbox."""


@dataclass(frozen=True)
class Plan:
    """What the teacher asked for, and the codes and ports of this run."""

    folder: str
    """Where the class is kept: homes, accounts, what the hub and the sandbox know."""
    learners: int
    address: str
    port: int
    memory: int
    """How much one process of a learner may take at most, in MB."""
    idle: int
    """A Lab is stopped after this many seconds without use."""
    apart: bool
    """Whether each learner is a system user of their own."""
    code: str
    """The class's code, with which learners sign in."""
    teacher_code: str
    certificate: str = ""
    """TLS: files of the hub's own certificate and private key; empty without TLS."""
    private_key: str = ""
    sandbox_url: str = ""

    @property
    def homes(self) -> Path:
        """The folder of the learners' homes."""
        return Path(self.folder, "homes")

    @property
    def members(self) -> Path:
        """The file that lists the class's members."""
        return Path(self.folder, "members.json")

    @property
    def url(self) -> str:
        """The class's address, for a browser on this machine."""
        host = f"[{self.address}]" if ":" in self.address else self.address  # IPv6
        return f"http{'s' if self.certificate else ''}://{host}:{self.port}"

    def to_json(self) -> str:
        """Return one line of JSON, which :func:`from_json` reads."""
        return json.dumps(asdict(self))


def from_json(text: str) -> Plan:
    """Read what :meth:`Plan.to_json` wrote."""
    return Plan(**json.loads(text))


def needed_mb(learners: int) -> int:
    """Return how much memory a class needs, in MB.

    >>> needed_mb(30) == BASE_MB + 30 * (LAB_MB + KERNELS * KERNEL_MB)
    True
    """
    return BASE_MB + learners * (LAB_MB + KERNELS * KERNEL_MB)


def describe(learners: int) -> str:
    """Return a line that says what the class needs and what this machine has."""
    memory, cores = psutil.virtual_memory(), os.cpu_count() or 1
    needed, free = needed_mb(learners) / 1000, memory.available / 1e9
    who = "1 learner needs" if learners == 1 else f"{learners} learners need"
    line = (
        f"{who} about {needed:.1f} GB of memory with {KERNELS} notebooks open each; "
        f"this machine has {free:.1f} GB free, and {cores} cores."
    )
    return line if needed < free else f"{line} That is too little: expect Labs to be killed."


def check(address: str, *, tls: bool, insecure: bool, trusted: bool) -> bool:
    """Check whether the class may be opened like this.

    Args:
        address: The IP address that the hub is to listen on.
        tls: Whether it has a certificate.
        insecure: Whether the teacher accepts the risk of having none.
        trusted: Whether the learners may share one system user.

    Returns:
        Whether each learner can be a system user of their own.

    Raises:
        LessonError: it may not be opened; what to do about it.
    """
    try:
        loopback = ip_address(address).is_loopback
    except ValueError as problem:
        raise LessonError(f"--address takes an IP address, and {address!r} is none.") from problem
    if not (loopback or tls or insecure):
        raise LessonError(
            f"Without TLS, everyone on the network can read codes and work sent to {address}. "
            "Put TLS in front (workshop/README.md says how), give --certificate and "
            "--private-key, or take it upon you with --insecure."
        )
    apart = os.geteuid() == 0
    if not (apart or trusted):
        raise LessonError(
            "Not run as root, all learners share your system user: each can read the others' "
            "files, and yours. If they may, add --trusted; to keep them apart, run it as root."
        )
    return apart
