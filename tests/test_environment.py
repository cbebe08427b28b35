"""environment.yml, which conda and Binder read, asks for what pyproject.toml asks for."""

import tomllib

import yaml
from packaging.requirements import Requirement
from rattler import MatchSpec

from publish.notebooks import ROOT

ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
PACKAGES = [entry for entry in ENVIRONMENT["dependencies"] if isinstance(entry, str)]


def test_conda_understands_every_entry() -> None:
    for entry in PACKAGES:
        MatchSpec(entry, strict=True)


def test_the_packages_and_ranges_are_pyproject_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {str(Requirement(text)) for text in project["dependencies"]}
    listed = {str(Requirement(text)) for text in PACKAGES if not text.startswith("python=")}
    assert listed - {"pip"} == wanted


def test_binder_finds_a_python_that_is_new_enough() -> None:
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]
    assert "python=3.12" in PACKAGES
    assert {"pip": ["-e ."]} in ENVIRONMENT["dependencies"]
