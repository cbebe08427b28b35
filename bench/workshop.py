"""A class that runs the whole lesson at once: seconds, memory a learner, failures.

``python -m bench.workshop [LEARNERS ...]``; 1, 10 and 30 where none are given.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event, Thread

import psutil

from bench.visitor import Visitor
from helpers.table import table
from publish.notebooks import NOTEBOOKS, ROOT
from workshop import homes, processes

SAMPLE_SECONDS = 5.0


@dataclass
class Memory:
    """The most memory that each kind of process took, in MB; shared pages count once (PSS)."""

    folder: Path
    most: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    processes: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def watch(self, over: Event) -> None:
        """Measure every few seconds, until it is over."""
        while not over.wait(SAMPLE_SECONDS):
            now: defaultdict[str, list[float]] = defaultdict(list)
            for process in processes.of_class(self.folder):
                try:
                    now[kind(process)].append(process.memory_full_info().pss / 1e6)
                except (psutil.NoSuchProcess, psutil.ZombieProcess):
                    continue  # it ended while it was looked at
            for what, sizes in now.items():
                if sum(sizes) > self.most[what]:
                    self.most[what], self.processes[what] = sum(sizes), len(sizes)

    def each(self, what: str) -> float:
        """Return what one process of a kind took, in MB."""
        return self.most[what] / max(1, self.processes[what])


def kind(process: psutil.Process) -> str:
    """Return whether a process is a ``lab``, a ``kernel``, or serves the whole ``class``."""
    line = " ".join(process.cmdline())
    return "lab" if "singleuser" in line else "kernel" if "ipykernel" in line else "class"


@dataclass(frozen=True)
class Result:
    """What was measured with a class of one size."""

    learners: int
    labs: float
    """Seconds until the last one had a Lab."""
    lesson: float
    """Seconds from signing in until the last one had run the last notebook."""
    typical: float
    """The same for the median learner."""
    memory: Memory
    failures: list[str]


def measure(learners: int) -> Result:
    """Hold a class in which everyone runs everything at once."""
    place = Path(tempfile.mkdtemp(prefix="iot-bench-"))
    place.chmod(0o711)
    names = [f"bench-{number:02}" for number in range(1, learners + 1)]
    command = [str(ROOT / "tutorial"), "workshop", f"--learners={learners}", "--port=0"]
    command += ["--folder", str(place / "class"), *([] if os.geteuid() == 0 else ["--trusted"])]
    workshop = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert workshop.stdout
        printed = ""
        while "Ctrl-C" not in printed:
            line = workshop.stdout.readline()
            if not line:
                sys.exit(f"the class did not start: {printed}")
            printed += line
        return attend(names, printed, Memory(place / "class"))
    finally:
        os.killpg(workshop.pid, signal.SIGINT)
        workshop.wait()
        for name in (*names, homes.TEACHER) if os.geteuid() == 0 else ():
            subprocess.run(["userdel", homes.PREFIX + name], check=False, capture_output=True)
        shutil.rmtree(place)


def attend(names: list[str], printed: str, memory: Memory) -> Result:
    """Let everyone take part, and wait until the last one is done."""
    address = re.findall(r"http://\S+", printed)[0]
    code = re.findall(r"the code (\S+)", printed)[0]
    since = time.monotonic()
    labs, finished = [], []

    def one(name: str) -> list[str]:
        visitor = Visitor(address, name)
        if visitor.sign_in(code) != 302:
            return [f"{name} could not sign in"]
        visitor.open_lab()
        labs.append(time.monotonic() - since)
        wrong = [
            f"{name}, {book}: {problem}"
            for book in NOTEBOOKS
            for problem in visitor.run(f"{book}.ipynb")
        ]
        finished.append(time.monotonic() - since)
        return wrong

    over = Event()
    watcher = Thread(target=memory.watch, args=(over,))
    watcher.start()
    try:
        with ThreadPoolExecutor(len(names)) as everyone:
            failures = [problem for wrong in everyone.map(one, names) for problem in wrong]
    finally:
        over.set()
        watcher.join()
    return Result(len(names), max(labs), max(finished), median(finished), memory, failures)


def main() -> None:
    """Measure each size, and print a table."""
    sizes = [int(each) for each in sys.argv[1:]] or [1, 10, 30]
    results = []
    for learners in sizes:
        load = os.getloadavg()[0]
        print(f"{learners} learners at once; the machine's load before: {load:.1f} ...", flush=True)
        results.append(measure(learners))
        for failure in results[-1].failures:
            print(failure)
    rows = [
        (
            each.learners,
            f"{each.labs:.0f}",
            f"{each.typical:.0f}",
            f"{each.lesson:.0f}",
            f"{each.memory.each('lab'):.0f}",
            f"{each.memory.each('kernel'):.0f}",
            f"{each.memory.most['class']:.0f}",
            f"{sum(each.memory.most.values()) / 1000:.1f}",
            len(each.failures),
        )
        for each in results
    ]
    titles = [
        *("Learners", "Labs up, s", "Lesson, median, s", "Lesson, last, s", "A Lab, MB"),
        *("A kernel, MB", "Hub, proxy and sandbox, MB", "Together, GB", "Failures"),
    ]
    print(table(titles, rows))
    first, last = results[0], results[-1]
    if last.learners > first.learners:
        grows = last.memory.most["class"] - first.memory.most["class"]
        more = last.learners - first.learners
        print(f"Beside Lab and kernel, a learner takes {grows / more:.1f} MB.")
        times, size = last.lesson / first.lesson, last.learners / first.learners
        print(f"{size:.0f} times the learners take {times:.1f} times as long.")
    sys.exit(any(each.failures for each in results))


if __name__ == "__main__":
    main()
