"""What no committed file may hold, and what keeps the generated ones honest."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from publish.notebooks import NOTEBOOKS, ROOT

DOCUMENTATION_ACCOUNTS = {"123456789012", "111122223333", "444455556666"}
"""The sandbox's account number, and the two that AWS's documentation uses."""

FORBIDDEN = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/=]{20}",
    "an absolute path of a machine": r"(?<![\w.~])/(?:home|Users|root|work|workspace)/\w",
    "a package registry's host": r"(?i)(?:pypi|pythonhosted|npmjs|anaconda)\.(?:org|com)\b",
    "an AWS access key": r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b",
}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert files
    return [file for file in files if file.is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    for file in tracked():
        found = re.search(FORBIDDEN[what], file.read_text("utf-8", errors="replace"))
        assert not found, f"{file.relative_to(ROOT)}: {found}"


def test_no_account_number_is_a_real_one() -> None:
    for file in tracked():
        numbers = re.findall(r"(?<![\w.])\d{12}(?!\w)", file.read_text("utf-8", errors="replace"))
        assert set(numbers) <= DOCUMENTATION_ACCOUNTS, file.relative_to(ROOT)


@pytest.mark.parametrize(
    ("what", "example"),
    [
        ("a private key", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEAx0000000"),
        ("an absolute path of a machine", '"/' + 'home/ada/x"'),
        ("a package registry's host", "https://" + "pypi" + ".org/simple"),
        ("an AWS access key", "AKIA" + "IOSFODNN7ANOTHER"),
    ],
)
def test_each_pattern_finds_what_it_is_for(what: str, example: str) -> None:
    assert re.search(FORBIDDEN[what], example)


def test_no_test_sees_the_aws_settings_of_this_machine() -> None:
    seen = {name: text for name, text in os.environ.items() if name.startswith("AWS_")}
    assert seen == {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pins(file: str) -> dict[str, str]:
    text = (ROOT / file).read_text("utf-8")
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


PINS = pins("requirements.txt")


@pytest.mark.parametrize(
    ("file", "group"), [("requirements.txt", "dev"), ("requirements-workshop.txt", "workshop")]
)
def test_requirements_pin_what_pyproject_asks_for(file: str, group: str) -> None:
    asked = chain(PROJECT["project"]["dependencies"], PROJECT["dependency-groups"][group])
    for wanted in map(Requirement, asked):
        pin = pins(file).get(canonicalize_name(wanted.name))
        assert pin and wanted.specifier.contains(pin), f"{wanted} is pinned to {pin}: compile again"


def test_a_class_runs_on_the_versions_that_the_tests_ran_on() -> None:
    class_pins = pins("requirements-workshop.txt")
    both = class_pins.keys() & PINS.keys()
    assert both >= {"boto3", "moto", "jupyterlab"}
    assert {name: class_pins[name] for name in both} == {name: PINS[name] for name in both}


def test_requirements_pin_what_the_pinned_ask_for() -> None:
    installed = {
        canonicalize_name(each.metadata["Name"]): each for each in metadata.distributions()
    }
    assert installed.keys() >= {"boto3", "jupyterlab", "moto"}
    for name in installed.keys() & PINS.keys():
        for wanted in map(Requirement, installed[name].requires or []):
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                assert canonicalize_name(wanted.name) in PINS, f"{name} asks for {wanted}"


def test_every_generated_file_is_in_the_table() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    guide = guide.split("## Generated files\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| .+ \| `([^`]+)` \|$", guide, re.MULTILINE)
    generated = chain.from_iterable(ROOT.glob(pattern) for pattern, _ in rows)
    notebooks = {ROOT / "notebooks" / f"{name}.ipynb" for name in NOTEBOOKS}
    others = (
        "README.md",
        "docs/pictures.sha256",
        "docs/rendered.sha256",
        "docs/site/_static/preview.png",
        "publish/lite/package-lock.json",
        "requirements.txt",
        "requirements-workshop.txt",
        "tests/node/package-lock.json",
        "workshop/package-lock.json",
        "workshop/student-policy.json",
    )
    pictures = {*ROOT.glob("notebooks/pictures/*")}
    assert {path.suffix for path in pictures} == {".png", ".svg"}
    assert set(generated) == {*(ROOT / name for name in others), *notebooks, *pictures}


def test_every_upper_bound_and_exact_version_says_why() -> None:
    for name in ("pyproject.toml", "environment.yml"):
        for line in (ROOT / name).read_text("utf-8").splitlines():
            if re.search(r"^\s*[\"-].*(?:<|[^<>!]=)\s*\d", line):
                assert "  # " in line, f"{name}: {line}"


def test_every_skip_says_why_and_since_when() -> None:
    for file in (ROOT / "tests").glob("*.py"):
        source = file.read_text("utf-8")
        for node in ast.walk(ast.parse(source)):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and re.match("skip|xfail|importor", called.attr):
                text = ast.get_source_segment(source, node) or ""
                assert re.search(r"20\d\d-\d\d", text), f"{file.name}, line {node.lineno}: {text}"


@pytest.mark.skipif(
    shutil.which("shellcheck") is None,
    reason="2026-11: a Debian package, which .ci/run installs",
)
def test_the_shell_scripts_are_sound() -> None:
    subprocess.run(["shellcheck", "tutorial", ".ci/run"], cwd=ROOT, check=True)


def test_each_promise_names_a_test_that_is_there() -> None:
    promises = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = [line for line in promises.splitlines() if line.startswith("| ") and "---" not in line]
    named = [re.findall(r"`(tests/\w+\.py)((?:::\w+)+)`", row) for row in rows]
    held = [tests for row, tests in zip(rows, named, strict=True) if row != "| Promise | Held by |"]
    assert len(held) > 15
    assert all(held), "a promise without a test"
    for file, names in chain.from_iterable(held):
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        *classes, test = names.removeprefix("::").split("::")
        for name in classes:
            tree = next(each for each in tree.body if getattr(each, "name", "") == name)
        assert any(getattr(each, "name", "") == test for each in tree.body), f"{file}{names}"
