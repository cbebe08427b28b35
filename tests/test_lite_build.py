"""The browser edition's site, without a browser: what it holds, leaves out and asks."""

import gzip
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import nbformat
import pytest
from lite_support import site_folder

from lab.copies import as_new, lesson
from publish.lite import __main__ as lite_main
from publish.lite import packages, pages, runtime, serve, wheels
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

__all__ = ["site_folder"]  # a fixture

PINS = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.M))
SERVICES = {"iot", "iot-data", "sts"}


def names(files: dict[str, bytes], pattern: str) -> set[str]:
    return {found[1] for name in files if (found := re.match(pattern, name))}


# Python's part


def test_botocore_is_trimmed_to_three_services() -> None:
    files = dict(packages.files(packages.first()))
    assert names(files, r"botocore/data/([^/]+)/") == SERVICES
    endpoints = json.loads(files["botocore/data/endpoints.json"])
    aws = endpoints["partitions"][0]["services"]
    assert set(aws) == set(packages.SERVICES)
    assert "eu-west-1" in aws["iot"]["endpoints"]


def test_what_is_packed_has_the_pinned_versions() -> None:
    packed = packages.first() | packages.later()
    assert {"boto3", "ipython", "moto", "jedi"} <= packed.keys()
    assert not packed.keys() & packages.LEFT_OUT.keys()
    for name, package in packed.items():
        assert package.version == PINS[name], name


def test_no_compiled_part_is_packed() -> None:
    files = runtime.sources()
    assert len(files) > 500
    assert not [name for name in files if name.endswith((".so", ".pyd", ".pyc", ".pyi"))]


def test_the_lesson_is_packed_whole() -> None:
    files = runtime.sources()
    tracked = subprocess.run(
        ["git", "ls-files", *packages.PROJECT], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    wanted = [name for name in tracked if name.endswith((".py", ".css"))]
    assert len(wanted) > 60
    for name in wanted:
        assert files[name] == (ROOT / name).read_bytes()


def test_pip_says_that_nothing_can_be_installed() -> None:
    code = "import asyncio; from piplite.cli import get_transformed_code as get;"
    code += "exec(asyncio.run(get(['install', 'numpy'])))"
    kernel = ROOT / "publish/lite/kernel"
    done = subprocess.run([sys.executable, "-c", code], cwd=kernel, capture_output=True, text=True)
    assert "asks no other host" in done.stdout


def test_a_tar_is_the_same_each_time() -> None:
    files = [("b/two", b"2"), ("a", b"1")]
    assert runtime.tar(files) == runtime.tar(reversed(files))
    with tarfile.open(fileobj=BytesIO(runtime.tar(files))) as archive:
        assert archive.getnames() == ["a", "b/two"]


def test_npm_packages_are_pinned_without_an_address() -> None:
    asked = json.loads((runtime.HERE / "package.json").read_text())["dependencies"]
    locked = json.loads((runtime.HERE / "package-lock.json").read_text())["packages"]
    assert set(asked) == {"fflate", "fzstd", "pyodide"}
    for name, version in asked.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert not [name for name, about in locked.items() if "resolved" in about]


def test_without_node_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "npm").touch(mode=0o755)
    code = "import sys; from publish.lite import runtime; runtime.PARTS = sys.argv[1]\n"
    code += "from pathlib import Path\ntry: runtime.install(Path(sys.argv[1]))\n"
    code += "except runtime.NotBuilt as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "parts")],
        env={"PATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "node is needed, 18 or newer. On Debian: apt-get install nodejs npm\n"


# Pyodide's own wheels

LOCK: dict[str, Any] = {
    "info": {"python": "3.14.2"},
    "packages": {
        "cryptography": {"file_name": "cryptography-1-x.whl", "depends": ["six", "cffi"]},
        "cffi": {"file_name": "cffi-2-x.whl", "depends": ["pycparser"]},
        "regex": {"file_name": "regex-3-x.whl", "depends": []},
        "numpy": {"file_name": "numpy-4-x.whl", "depends": []},
    },
}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """A folder of synthetic wheels, and a lock file that knows them."""
    for name, about in LOCK["packages"].items():
        content = f"a wheel of {name}".encode()
        (tmp_path / about["file_name"]).write_bytes(content)
        about["sha256"] = hashlib.sha256(content).hexdigest()
    yield tmp_path


def test_own_wheels_take_the_place_of_stand_ins(own: Path) -> None:
    found = wheels.find(own, LOCK)
    assert set(found) == {"cryptography", "cffi", "regex"}
    listed = wheels.listed(found, LOCK)["packages"]
    assert listed.keys() == found.keys()
    assert listed["cryptography"]["depends"] == ["cffi"]
    assert listed["cffi"]["depends"] == []
    standins = {"cryptography/__init__.py", "regex.py"}
    assert standins <= runtime.sources().keys()
    assert not standins & runtime.sources(found).keys()


def test_one_own_wheel_leaves_the_other_stand_in(own: Path) -> None:
    (own / "cryptography-1-x.whl").unlink()
    found = wheels.find(own, LOCK)
    assert set(found) == {"regex"}
    assert "cryptography/__init__.py" in runtime.sources(found)


def test_a_missing_wheel_is_named(own: Path) -> None:
    (own / "cffi-2-x.whl").unlink()
    with pytest.raises(wheels.WrongWheels, match=r"does not hold cffi-2-x\.whl$"):
        wheels.find(own, LOCK)


def test_a_wheel_that_is_not_pyodides_is_named(own: Path) -> None:
    (own / "regex-3-x.whl").write_bytes(b"another")
    with pytest.raises(wheels.WrongWheels, match=r"regex-3-x\.whl is not Pyodide's own"):
        wheels.find(own, LOCK)


def test_a_folder_without_wheels_is_named(tmp_path: Path, own: Path) -> None:
    empty = tmp_path / "empty"
    with pytest.raises(wheels.WrongWheels, match=r"empty holds neither cryptography-1-x\.whl nor"):
        wheels.find(empty, LOCK)


# The notebooks


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_are_the_committed_ones_but_for_what_is_named(name: str) -> None:
    committed = nbformat.reads(as_new(FOLDER / f"{name}.ipynb"), as_version=4)
    # nbformat's own reading would drop what is trusted.
    shown = nbformat.from_dict(json.loads(pages.notebook(FOLDER / f"{name}.ipynb")))
    nbformat.validate(shown)
    said = [cell for cell in shown.cells if cell.id.startswith("browser-")]
    assert {cell.id.removeprefix("browser-") for cell in said} == pages.SENTENCES.get(
        name, {}
    ).keys()
    order = [cell.id for cell in shown.cells]
    for cell in said:
        assert cell.source.startswith("*In the browser:* ")
        assert "\n" not in cell.source
        assert order[order.index(cell.id) - 1] == cell.id.removeprefix("browser-")
    shown.cells = [cell for cell in shown.cells if cell not in said]
    for cell in shown.cells:
        if cell.cell_type == "code":
            assert cell.metadata.pop("trusted")  # else a drawing is shown as its text
    assert shown.metadata.kernelspec.name == "python"
    shown.metadata.kernelspec = committed.metadata.kernelspec
    assert shown == committed


# The server


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[http.client.HTTPConnection]:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/index.html").write_text("the lab")
    (tmp_path / "a.wasm").write_bytes(b"wasm" * 500)
    (tmp_path / "a.mjs").write_text("export {}")
    runtime.compress(tmp_path)
    running = serve.server(serve.application(tmp_path))
    threading.Thread(target=running.run, daemon=True).start()
    yield http.client.HTTPConnection("127.0.0.1", running.effective_port, timeout=10)
    running.close()


def ask(
    connection: http.client.HTTPConnection, path: str, **headers: str
) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    return answer


def test_the_server_answers_as_a_static_host(connection: http.client.HTTPConnection) -> None:
    answer: Any = ask(connection, "/a.wasm", Accept_Encoding="gzip")
    assert answer.headers["Content-Type"] == "application/wasm"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == b"wasm" * 500
    plain: Any = ask(connection, "/a.wasm")
    assert (plain.headers["Content-Encoding"], plain.body) == (None, b"wasm" * 500)
    tag = answer.headers["ETag"]
    assert ask(connection, "/a.wasm", Accept_Encoding="gzip", If_None_Match=tag).status == 304
    assert ask(connection, "/a.mjs").headers["Content-Type"].startswith("text/javascript")
    for path in ("/lab/", "/lab/index.html"):
        answer = ask(connection, path)
        assert (answer.status, answer.body) == (200, b"the lab")
    assert ask(connection, "/none").status == 404


def test_the_server_listens_on_loopback_alone(tmp_path: Path) -> None:
    running = serve.server(serve.application(tmp_path))
    assert running.socket.getsockname()[0] == "127.0.0.1"
    assert running.socket.family == socket.AF_INET
    running.close()


# The built site

UNPACK = """
import { readFileSync, writeFileSync } from 'node:fs';
const [site, file] = process.argv.slice(1);
const { decompress } = await import(`${site}/static/pyodide/fzstd.mjs`);
writeFileSync(file, decompress(readFileSync(`${site}/static/pyodide/memory.zst`)));
"""


@pytest.mark.long
def test_every_file_is_listed_as_it_is(site_folder: Path) -> None:
    listed = json.loads((site_folder / "iot-files.json").read_text())
    files = {
        each.relative_to(site_folder).as_posix(): each.read_bytes()
        for each in site_folder.rglob("*")
        if each.is_file() and each.suffix != ".gz"
    }
    others = {"iot-files.json", "service-worker.js"}
    assert listed["files"] == {n: len(c) for n, c in files.items() if n not in others}
    assert listed["sha256"] == {
        n: hashlib.sha256(c).hexdigest() for n, c in files.items() if n not in others
    }
    assert set(listed["first"]) <= listed["files"].keys()
    assert "static/pyodide/memory.zst" in listed["first"]
    small = list(site_folder.rglob("*.gz"))
    assert len(small) > 100
    for each in small:
        assert gzip.decompress(each.read_bytes()) == each.with_suffix("").read_bytes()


@pytest.mark.long
def test_no_other_host_is_named_where_one_could_be_asked(site_folder: Path) -> None:
    page = json.loads((site_folder / "jupyter-lite.json").read_text())["jupyter-config-data"]
    kernel = page["litePluginSettings"]["@jupyterlite/pyodide-kernel-extension:kernel"]
    assert kernel["disablePyPIFallback"] is True
    addresses = [kernel["pyodideUrl"], *kernel["pipliteUrls"]]
    assert len(addresses) > 1
    assert all(each.startswith("./") for each in addresses)
    assert "://" not in json.dumps(page["litePluginSettings"])
    own = [
        *(site_folder / "static/pyodide" / each for each in runtime.PAGE),
        *(site_folder / "extensions/iot-lesson").rglob("[!f]*.js"),  # not fflate.js: its comments
        *(site_folder / name for name in ("index.html", "static/pyodide/lesson.json")),
    ]
    assert len(own) > 6
    for file in own:
        assert not re.search(r"https?://", file.read_text()), file
    lock = json.loads((site_folder / "static/pyodide/pyodide-lock.json").read_text())
    assert lock["packages"] == {}


@pytest.mark.long
def test_the_lesson_lies_in_the_site(site_folder: Path) -> None:
    for file in lesson(FOLDER):
        shown = site_folder / "files" / file.relative_to(FOLDER)
        if file.suffix != ".ipynb":
            assert shown.read_bytes() == file.read_bytes()
        else:
            assert shown.read_text("utf-8") == pages.notebook(file)
    assert (site_folder / "files/troubleshooting.md").exists()
    assert "url=lab/index.html?path=01-thing.ipynb" in (site_folder / "index.html").read_text()


@pytest.mark.long
def test_no_path_of_this_machine_is_in_the_site(site_folder: Path, tmp_path: Path) -> None:
    places = [str(ROOT).encode(), str(site_folder.parent).encode(), sys.prefix.encode()]
    memory = tmp_path / "memory.bin"
    subprocess.run(["node", "--input-type=module", "-e", UNPACK, site_folder, memory], check=True)
    files = [each for each in site_folder.rglob("*") if each.is_file() and each.suffix != ".gz"]
    assert len(files) > 200
    assert memory.stat().st_size > 20e6
    for file in (*files, memory):
        content = file.read_bytes()
        assert not [place for place in places if place in content], file


@pytest.mark.long
def test_sources_are_there_for_the_lesson_alone(site_folder: Path) -> None:
    with tarfile.open(site_folder / "static/pyodide/lesson.tar") as archive:
        found = archive.getnames()
    python = {name.split("/")[0] for name in found if name.endswith(".py")}
    assert python == {*packages.PROJECT, "iot_start.py"}
    assert "helpers/thing.py" in found


@pytest.mark.long
def test_the_same_sources_make_the_same_memory(site_folder: Path, tmp_path: Path) -> None:
    """All else in the site is copied or compiled; this is what a Python has run to make."""
    elsewhere = os.environ | {"TZ": "America/Lima", "LANG": "de_DE.UTF-8", "HOME": str(tmp_path)}
    again = tmp_path / "python"
    shutil.copytree(runtime.PARTS / "python", again)
    # With less room for what is new, Node collects what it no longer needs at other moments.
    command = ["node", "--max-semi-space-size=1", runtime.HERE / "prepare.mjs", again, "memory"]
    subprocess.run(command, check=True, env=elsewhere)
    made = (again / "memory.zst").read_bytes()
    assert made == (site_folder / "static/pyodide/memory.zst").read_bytes()


def test_a_port_that_is_taken_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lite_main, "build", lambda *_, **__: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(
            sys, "argv", ["browser", f"--into={tmp_path}", "--serve", f"--port={port}"]
        )
        assert lite_main.main() == 1
    building, said = capsys.readouterr().err.splitlines()
    assert "takes a minute" in building
    assert said.startswith(f"tutorial: port {port} cannot be served (")
    assert said.endswith("): name another with --port")


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_what_is_no_port_is_said_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    monkeypatch.setattr(lite_main, "build", Mock(side_effect=AssertionError("it builds")))
    monkeypatch.setattr(sys, "argv", ["browser", "--serve", f"--port={port}"])
    assert lite_main.main() == 1
    said = capsys.readouterr().err
    assert said == f"tutorial: {port} is no port: 1 to 65535, or 0 for any free one\n"
