"""What pip installs, and the Pythons of requires-python, as far as they are here.

No package registry has a CPython 3.14 (looked for 2026-11). The browser edition's Pyodide is one:
where its tests run the notebooks, they run on 3.14.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest

from publish.canonical import SANITIZE
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT, workplace

pytestmark = pytest.mark.long

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = ("exercises", "helpers", "iot_policy", "sandbox")
RUNNING = "{}.{}".format(*sys.version_info)
OTHERS = [f"3.{minor}" for minor in range(11, 15) if f"3.{minor}" != RUNNING]
QUICK = [
    *("tests/test_policy_*.py", "tests/test_broker_packets.py", "tests/test_broker_topics.py"),
    *("tests/test_broker_sessions.py", "tests/test_broker_policy.py", "tests/test_broker_tls.py"),
    *("tests/test_certificate.py", "tests/test_thing.py", "tests/test_canonical.py"),
    *PACKAGES,  # their docstrings' examples
]
"""Tests that start no process, where a difference between Pythons would show."""
WHOLE = "tests/test_notebooks.py::test_alone_on_a_fresh_sandbox[04-closing]"
"""The notebook that runs through the whole lesson."""


def uv(*arguments: str | Path) -> None:
    program = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    env = {"UV_PYTHON_DOWNLOADS": "never"}
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        env["UV_SYSTEM_CERTS"] = "1"  # as ./tutorial installs
    done = subprocess.run(
        [program, *arguments], env=env | os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def find_python(version: str) -> Path | None:
    """Look for a Python on PATH, and where pyenv and uv keep theirs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    uvs = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    on_path = [Path(folder, f"python{version}") for folder in os.get_exec_path()]
    kept = [*pyenv.glob(f"{version}.*/bin/python"), *uvs.glob(f"cpython-{version}.*/bin/python")]
    for found in filter(Path.exists, [*on_path, *kept]):
        look = [found, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
        said = subprocess.run(look, capture_output=True, text=True)  # pyenv's stand-ins fail here
        if said.stdout.strip() == version:
            return found
    return None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy in which someone has taken the lesson."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    for name in [*names, ".sandbox/registry", "notebooks/keys/my-button/private.pem.key"]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name) if name in names else (copy / name).touch()
    uv("build", "--quiet", "--wheel", "--out-dir", built, copy)
    (made,) = built.glob("*.whl")
    return made


def test_the_wheel_holds_the_three_packages_and_no_more(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = {name for name in content.namelist() if ".dist-info/" not in name}
    ours = [file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file()]
    expected = {
        file.relative_to(ROOT).as_posix() for file in ours if file.suffix in (".py", ".css")
    }
    assert names == expected
    assert "helpers/panels/panel.css" in names


def test_what_is_installed_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    uv("pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "site", wheel)
    look = "import helpers.panels, helpers.thing, importlib.metadata, iot_policy, sandbox.server\n"
    look += "plugin = importlib.metadata.entry_points(group='pytest11')['iot_sandbox'].load()\n"
    look += (
        "print(*(each.__file__ for each in (helpers.panels, iot_policy, sandbox.server, plugin)))"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    said = subprocess.run(
        [sys.executable, "-c", look], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert [Path(file).is_relative_to(tmp_path / "site") for file in said.stdout.split()] == [
        True
    ] * 4


def test_the_versions_are_those_that_pyproject_promises() -> None:
    assert PROJECT["project"]["requires-python"] == f">={min([RUNNING, *OTHERS], key=by_number)}"


def by_number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def python_here(version: str) -> Path:
    found = find_python(version)
    if found is None:
        pytest.skip(f"2026-11: this machine has no Python {version}")
    return found


def test_installing_it_cures_another_package_of_that_name(wheel: Path, tmp_path: Path) -> None:
    """PyPI's `helpers` is somebody else's; pip puts ours in the same folder."""
    foreign, about = tmp_path / "helpers-1.0-py3-none-any.whl", "helpers-1.0.dist-info/"
    with zipfile.ZipFile(foreign, "w") as content:
        content.writestr("helpers/__init__.py", "from helpers.theirs import help_me")
        content.writestr("helpers/theirs.py", "help_me = print")
        content.writestr(f"{about}METADATA", "Metadata-Version: 2.1\nName: helpers\nVersion: 1.0\n")
        content.writestr(
            f"{about}WHEEL", "Wheel-Version: 1.0\nGenerator: test\nTag: py3-none-any\n"
        )
        content.writestr(f"{about}RECORD", f"helpers/__init__.py,,\n{about}RECORD,,\n")
    python = tmp_path / "python" / "bin" / "python"
    uv("venv", "--quiet", "--seed", "--python", sys.executable, tmp_path / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    look = [python, "-c", "from helpers import errors; print(errors.LessonError.__name__)"]
    env = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    said = []
    for each in (foreign, wheel):
        subprocess.run([*pip, each], check=True, env=env, cwd=tmp_path)
        done = subprocess.run(look, env=env, cwd=tmp_path, capture_output=True, text=True)
        said.append(done.stdout.strip() or done.stderr.splitlines()[-1].split(" (")[0])
    assert said == ["ImportError: cannot import name 'errors' from 'helpers'", "LessonError"]


@pytest.mark.parametrize("version", sorted([RUNNING, *OTHERS], key=by_number))
def test_with_the_newest_of_everything_the_notebooks_run(
    version: str, wheel: Path, tmp_path: Path
) -> None:
    """As ``pip install .`` does it: no pins, only the bounds of pyproject.toml."""
    python = tmp_path / "bin" / "python"
    uv("venv", "--quiet", "--python", python_here(version), tmp_path)
    uv("pip", "install", "--quiet", "--upgrade", "--python", python, wheel)
    strict = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60"]
    strict += [f"--nbval-sanitize-with={SANITIZE}", "-q", "-p", "no:cacheprovider"]
    with workplace() as (folder, env):
        env = {name: text for name, text in env.items() if name != "PYTHONPATH"}
        command = [python, "-m", "pytest", *strict, *(f"{name}.ipynb" for name in NOTEBOOKS)]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    read = [nbformat.read(FOLDER / f"{name}.ipynb", as_version=4) for name in NOTEBOOKS]
    cells = [cell for each in read for cell in each.cells if cell.cell_type == "code"]
    assert f"{len(cells)} passed" in done.stdout


@pytest.mark.parametrize("version", OTHERS)
def test_the_quick_tests_and_a_notebook(version: str, wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    uv("venv", "--quiet", "--python", python_here(version), tmp_path)
    uv("pip", "sync", "--quiet", "--python", python, ROOT / "requirements.txt")
    uv("pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    quick = [
        str(file.relative_to(ROOT)) for pattern in QUICK for file in sorted(ROOT.glob(pattern))
    ]
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *quick, WHOLE]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) > 300
