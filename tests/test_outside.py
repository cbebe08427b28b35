"""Others' own programs and tests, unmodified, on the sandbox: what passes of them, by name.

Their sources are not ours to keep: `tests/outside/README.md` says how to get them.
"""

import fnmatch
import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from outside.result import Result
from outside.typist import type_answers

from publish.notebooks import ROOT

PLACE = os.environ.get("OUTSIDE", "")
"""The folder with `src` and `libs`, as the page beside the suites has it."""

EXPECTED = json.loads((ROOT / "tests" / "outside" / "expected.json").read_text())
"""What does not pass, by suite, and why: AWS's page, or what is left out. `*` stands for more."""


@pytest.mark.long
@pytest.mark.skipif(
    not PLACE,
    reason="others' sources are not in this repository, and CI has none (since 2026-11-30): "
    "tests/outside/README.md says how to get them, then set OUTSIDE",
)
@pytest.mark.parametrize("suite", ["course", "examples", "samples", "moto_suite", "paho_suite"])
def test_what_does_not_pass_is_known(suite: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "outside", suite, "--keep", tmp_path),
            *("--sources", f"{PLACE}/src", "--libraries", f"{PLACE}/libs"),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
    )
    results = [json.loads(line) for line in ran.stdout.splitlines()]
    assert results, ran.stderr
    failed = {each["name"]: each["failed"] for each in results if not each["passed"]}
    known = {name: fnmatch.filter(failed, name) for name in EXPECTED[suite]}
    assert failed.keys() == set(chain(*known.values())), failed
    assert all(known.values()), "this passes now: take it out"


@pytest.mark.skipif(
    not Path("/proc/self/syscall").exists(),
    reason="what a program waits for is read in Linux's /proc (since 2026-12-01)",
)
@pytest.mark.parametrize(
    ("program", "failed"),
    [
        ("input('Name? '); input('Press Enter')", []),
        ("input('Age? ')", ["it asked 'Age? '"]),
        ("print('Name?'); input('Age? ')", ["it asked"]),
        ("input('Name? '); input('Age? ')", ["it asked 'Age? '"]),
        ("pass", ["it ended and never asked 'Name'"]),
        ("input('Name? '); exit(2)", ["exit code 2"]),
        ("print('Name? ', end='\\nNews\\n'); input()", []),
    ],
)
def test_what_was_not_foreseen_fails(program: str, failed: list[str], tmp_path: Path) -> None:
    said = type_answers(
        [sys.executable, "-c", program],
        [("Name", "lamp")],
        env=dict(os.environ),
        cwd=tmp_path,
        always={"Press Enter": ""},
        timeout=10,
    )
    result = Result.of("a program", said)
    assert result.passed == (not failed)
    assert all(any(each in problem for problem in result.failed) for each in failed)
