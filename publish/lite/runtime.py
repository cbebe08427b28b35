"""Pyodide from npm: installed once, compiling the lesson's Python and copying its memory."""

import filecmp
import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from filelock import FileLock

from publish.lite import packages, wheels
from publish.notebooks import ROOT

HERE = ROOT / "publish/lite"
PARTS = ROOT / "_build/browser-parts"
"""What a build keeps for the next one."""
_RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
_SITE = "/lib/python3.14/site-packages/"
_LIBRARY = "/lib/python314.zip/"
PAGE = ("early.js", "start.mjs", "files.mjs", "memory.mjs")
"""The page's own scripts, beside Pyodide's."""


class NotBuilt(Exception):
    """The site cannot be built; the message says what to do."""


def install(parts: Path = PARTS, asked: Path = HERE) -> Path:
    """Install the pinned packages of npm, unless they are there.

    Args:
        parts: Where they are kept.
        asked: The folder of the files that name them, ``package.json`` and ``package-lock.json``.

    Returns:
        Their folder.

    Raises:
        NotBuilt: node or npm is missing, or the installation failed.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise NotBuilt(f"{tool} is needed, 18 or newer. On Debian: apt-get install nodejs npm")
    folder, lock = parts / "npm", asked / "package-lock.json"
    done = folder / "installed.json"
    if not (done.exists() and filecmp.cmp(lock, done, shallow=False)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in (asked / "package.json", lock):
            shutil.copy(file, folder)
        quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        command = ["npm", "ci", "--prefix", str(folder), "--ignore-scripts", *quiet]
        if subprocess.run(command).returncode:
            raise NotBuilt("npm ci did not finish; once the cause above is gone, try again")
        shutil.copy(lock, done)
    return folder / "node_modules"


def tar(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Pack files, the same bytes each time."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files):
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, BytesIO(content))
    return out.getvalue()


def compress(folder: Path) -> None:
    """Put a smaller copy beside each file that has one, as static hosts do on their own."""
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        there = file.with_name(f"{file.name}.gz")
        if file.suffix == ".gz" or there.exists():
            continue
        content = file.read_bytes()
        small = gzip.compress(content, 9, mtime=0)
        if len(small) < 0.95 * len(content):
            there.write_bytes(small)


def _read(folder: Path) -> dict[str, bytes]:
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in files}


def _write(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    for name, content in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _leave_out(archive: Path, imported: set[str], rest: Path) -> None:
    """Write what of Python's own library is not in the copied memory."""
    with ZipFile(archive) as whole, ZipFile(rest, "w", ZIP_DEFLATED, compresslevel=9) as out:
        for name in sorted(whole.namelist()):
            if _LIBRARY + name not in imported:
                out.writestr(ZipInfo(name), whole.read(name), ZIP_DEFLATED)


def _node(*arguments: str) -> None:
    if subprocess.run(["node", str(HERE / "prepare.mjs"), *arguments]).returncode:
        raise NotBuilt("Pyodide did not prepare the lesson: see above")


def pyodide_lock(parts: Path = PARTS) -> dict[str, Any]:
    """Return what Pyodide's distribution holds, installing it from npm first where needed."""
    parts.mkdir(parents=True, exist_ok=True)
    with FileLock(parts / "lock"):
        lock: dict[str, Any] = json.loads(
            (install(parts) / "pyodide/pyodide-lock.json").read_text()
        )
    return lock


def sources(own_wheels: Iterable[str] = ()) -> dict[str, bytes]:
    """Return every file of the page's Python that is needed at the start, by its path.

    Args:
        own_wheels: The packages that come as Pyodide's own wheels: no stand-in for these.
    """
    files = dict([*packages.files(packages.first()), *packages.kernel()])
    for name, content in packages.standins():
        if name.split("/")[0].removesuffix(".py") not in own_wheels:
            files[name] = content
    return files | dict(packages.own())


def prepare(own_wheels: dict[str, Path], parts: Path = PARTS) -> Path:
    """Make the site's Pyodide folder, unless the last build made the same.

    Args:
        own_wheels: Pyodide's own wheels by the name of their package, in place of stand-ins.
        parts: What a build keeps for the next one.

    Returns:
        The folder.

    Raises:
        NotBuilt: node or npm is missing, or one of the steps failed.
    """
    lock = wheels.listed(own_wheels, pyodide_lock(parts))
    first, later = sources(own_wheels), dict(packages.files(packages.later()))
    code = [HERE / "package-lock.json", HERE / "prepare.mjs", HERE / "page/memory.mjs"]
    code += [Path(__file__), *own_wheels.values()]
    parcels = [each.read_bytes() for each in code] + [tar(first.items()), tar(later.items())]
    digest = hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in parcels)).hexdigest()
    work = parts / "python"
    with FileLock(parts / "lock"):
        if not (work / "made").exists() or (work / "made").read_text() != digest:
            shutil.rmtree(work, ignore_errors=True)
            _write(work / "source", first.items())
            _write(work / "later", later.items())
            _gather(work / "pyodide", parts / "npm/node_modules", lock, own_wheels)
            _node(str(work))
            _pack(work, own_wheels)
            (work / "made").write_text(digest)
    return work / "pyodide"


def _gather(out: Path, npm: Path, lock: dict[str, Any], own_wheels: dict[str, Path]) -> None:
    """Put together what the page has of others: Pyodide, its wheels, the unpacking of zstd."""
    out.mkdir()
    files = [npm / "pyodide" / each for each in _RUNTIME] + [HERE / "page/memory.mjs"]
    for file in (*files, *own_wheels.values()):
        shutil.copy(file, out)
    shutil.copy(npm / "fzstd/esm/index.mjs", out / "fzstd.mjs")
    (out / "pyodide-lock.json").write_text(json.dumps(lock))
    (out / "lesson.json").write_text(
        json.dumps({"memory": not own_wheels, "wheels": sorted(own_wheels)})
    )


def _pack(work: Path, own_wheels: dict[str, Path]) -> None:
    """Pack the compiled files; with the copied memory apart from those that it holds."""
    out, imported = work / "pyodide", set[str]()
    if not own_wheels:  # a memory that has compiled parts loaded cannot be copied
        _node(str(work), "memory")
        imported = set(json.loads((work / "imported.json").read_text()))
        shutil.move(work / "memory.zst", out)
        _leave_out(out / "python_stdlib.zip", imported, out / "rest.zip")
    library: dict[str, bytes] = {}
    lesson: dict[str, bytes] = {}
    for name, content in _read(work / "compiled").items():
        held = _SITE + name in imported and not name.endswith(".py")
        (library if held else lesson)[name] = content
    (out / "library.tar").write_bytes(tar(library.items()))
    (out / "lesson.tar").write_bytes(tar(lesson.items()))
    (out / "later.tar").write_bytes(tar(_read(work / "compiled-later").items()))
    compress(out)
