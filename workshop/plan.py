"""What a class is to be like, and whether this machine can hold it."""

import json
import os
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

import psutil

from helpers.errors import LessonError

LAB_MB, KERNEL_MB, KERNELS = 130, 77, 4
"""What a learner's Lab takes, what a notebook's kernel takes, and how many notebooks stay open.

Measured with ``./tutorial bench workshop``; see README.md.
"""
BASE_MB = 440
"""The hub, its proxy and the sandbox."""


@dataclass(frozen=True)
class Plan:
    """What the teacher asked for, and what was made up for this run."""

    folder: str
    """Where the class is kept: homes, accounts, what the hub and the sandbox know."""
    learners: int
    address: str
    port: int
    memory: int
    """The most that one process of a learner may take, MB."""
    idle: int
    """After how many seconds without use a Lab is stopped."""
    apart: bool
    """Whether each learner is a system user of their own."""
    code: str
    """The class's, which learners sign in with."""
    teacher_code: str
    certificate: str = ""
    """TLS: files of the hub's own certificate and private key; empty without TLS."""
    private_key: str = ""
    sandbox_url: str = ""

    @property
    def homes(self) -> Path:
        """Where the learners' homes are."""
        return Path(self.folder, "homes")

    @property
    def members(self) -> Path:
        """The list of who is in the class."""
        return Path(self.folder, "members.json")

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the class."""
        return f"http{'s' if self.certificate else ''}://{self.address}:{self.port}"

    def to_json(self) -> str:
        """One line of JSON, which :func:`from_json` reads."""
        return json.dumps(asdict(self))


def from_json(text: str) -> Plan:
    """Read what :meth:`Plan.to_json` wrote."""
    return Plan(**json.loads(text))


def needed_mb(learners: int) -> int:
    """Say how much memory a class takes, in MB.

    >>> needed_mb(30) == BASE_MB + 30 * (LAB_MB + KERNELS * KERNEL_MB)
    True
    """
    return BASE_MB + learners * (LAB_MB + KERNELS * KERNEL_MB)


def describe(learners: int) -> str:
    """Say what the class takes and what this machine has, in a line."""
    memory, cores = psutil.virtual_memory(), os.cpu_count() or 1
    needed, free = needed_mb(learners) / 1000, memory.available / 1e9
    who = "1 learner needs" if learners == 1 else f"{learners} learners need"
    line = (
        f"{who} about {needed:.1f} GB of memory with {KERNELS} notebooks open each; "
        f"this machine has {free:.1f} GB free, and {cores} cores."
    )
    return line if needed < free else f"{line} That is too little: expect Labs to be killed."


def check(address: str, *, tls: bool, insecure: bool, trusted: bool) -> bool:
    """See that the class may be opened like this.

    Args:
        address: Where the hub is to listen.
        tls: Whether it has a certificate.
        insecure: Whether the teacher takes it upon them to go without one.
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
