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
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from filelock import FileLock

from publish.lite import packages
from publish.notebooks import ROOT

HERE = ROOT / "publish/lite"
PARTS = ROOT / "_build/browser-parts"
"""What a build keeps for the next one."""
_RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
_SITE = "/lib/python3.14/site-packages/"
_LIBRARY = "/lib/python314.zip/"
_PAGE = ("start.mjs", "files.mjs", "memory.mjs")


class NotBuilt(Exception):
    """The site cannot be built; the message says what to do."""


def install(parts: Path = PARTS) -> Path:
    """Install the pinned packages of npm, unless they are there.

    Returns:
        Their folder.

    Raises:
        NotBuilt: node or npm is missing, or the installation failed.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise NotBuilt(f"{tool} is needed, 18 or newer. On Debian: apt-get install nodejs npm")
    folder, lock = parts / "npm", HERE / "package-lock.json"
    done = folder / "installed.json"
    if not (done.exists() and filecmp.cmp(lock, done, shallow=False)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in (HERE / "package.json", lock):
            shutil.copy(file, folder)
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        if subprocess.run(["npm", "ci", "--prefix", str(folder), *quiet]).returncode:
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


def prepare(wheels: dict[str, Path], parts: Path = PARTS) -> Path:
    """Make the site's Pyodide folder, unless the last build made the same.

    Args:
        wheels: Pyodide's own wheels by the name of their package, in place of stand-ins.
        parts: What a build keeps for the next one.

    Returns:
        The folder.
    """
    parts.mkdir(parents=True, exist_ok=True)
    with FileLock(parts / "lock"):
        return _prepare(wheels, parts)


def _prepare(wheels: dict[str, Path], parts: Path) -> Path:
    npm = install(parts)
    first = dict([*packages.files(packages.first()), *packages.kernel()])
    first |= {n: c for n, c in packages.standins() if n.split("/")[0].split(".")[0] not in wheels}
    first |= dict(packages.own())
    later = dict(packages.files(packages.later()))
    code = [HERE / "package-lock.json", HERE / "prepare.mjs", Path(__file__)]
    code += [HERE / "page" / each for each in _PAGE]
    digest = hashlib.sha256()
    for content in (*(each.read_bytes() for each in (*code, *wheels.values())), tar(first.items())):
        digest.update(hashlib.sha256(content).digest())
    digest.update(tar(later.items()))
    work, made = parts / "python", parts / "python/made"
    out = work / "pyodide"
    if made.exists() and made.read_text() == digest.hexdigest():
        return out
    shutil.rmtree(work, ignore_errors=True)
    _write(work / "source", first.items())
    _write(work / "later", later.items())
    out.mkdir()
    for name in _RUNTIME:
        shutil.copy(npm / "pyodide" / name, out)
    for name in _PAGE:
        shutil.copy(HERE / "page" / name, out)
    shutil.copy(npm / "fzstd/esm/index.mjs", out / "fzstd.mjs")
    lock = json.loads((npm / "pyodide/pyodide-lock.json").read_text())
    lock["packages"] = {
        name: lock["packages"][name] | {"file_name": wheel.name} for name, wheel in wheels.items()
    }
    (out / "pyodide-lock.json").write_text(json.dumps(lock))
    for wheel in wheels.values():
        shutil.copy(wheel, out)
    _node(str(work))
    compiled = _read(work / "compiled")
    imported: set[str] = set()
    if not wheels:
        _node(str(work), "memory")
        imported = set(json.loads((work / "imported.json").read_text()))
        shutil.move(work / "memory.zst", out)
        _leave_out(out / "python_stdlib.zip", imported, out / "rest.zip")
    (out / "library.tar").write_bytes(
        tar((n, c) for n, c in compiled.items() if _SITE + n in imported and not n.endswith(".py"))
    )
    (out / "lesson.tar").write_bytes(
        tar((n, c) for n, c in compiled.items() if _SITE + n not in imported or n.endswith(".py"))
    )
    (out / "later.tar").write_bytes(tar(_read(work / "compiled-later").items()))
    about = {"memory": not wheels, "wheels": sorted(wheels)}
    (out / "lesson.json").write_text(json.dumps(about))
    compress(out)
    made.write_text(digest.hexdigest())
    return out
