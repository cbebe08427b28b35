"""The static site: JupyterLite with the lesson in it, and nothing that the lesson does not need."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from publish.lite import pages, runtime
from publish.lite.packages import labextension
from publish.lite.runtime import HERE, PARTS, NotBuilt
from publish.notebooks import ROOT

SITE = ROOT / "_build/browser"
START = "lab/index.html?path=01-thing.ipynb"
_NAME = "iot-lesson"
_EXTENSIONS = {
    "jupyterlab-widgets": "@jupyter-widgets/jupyterlab-manager",
    "jupyterlab-pygments": "jupyterlab_pygments",
    "jupyterlite-pyodide-kernel": "@jupyterlite/pyodide-kernel-extension",
}
_KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
# The worker installs none of these: they are in the page's Python already.
_THERE = ["micropip", "piplite", "ipykernel", "comm", "pyodide-kernel", "jedi", "ipython"]
_DISABLED = [
    *("@jupyterlab/terminal-extension", "@jupyterlab/services-extension:terminal-manager"),
    *("@jupyterlab/celltags-extension", "@jupyterlite/application-extension:share-file"),
]
"""What a page has no use for. Leaving out twenty more made no start quicker (2026-11-30)."""
_PAGE: dict[str, Any] = {
    "appName": "The IoT button tutorial",
    "disabledExtensions": _DISABLED,
    "exposeAppInBrowser": True,
    "litePluginSettings": {
        _KERNEL: {
            "pyodideUrl": "./static/pyodide/start.mjs",
            "disablePyPIFallback": True,
            "pipliteUrls": [],
            "loadPyodideOptions": {"packages": _THERE},
        }
    },
}
_OVERRIDES: dict[str, dict[str, Any]] = {
    # All cells in the page, so that the browser's own search finds them.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {
        # Seconds: what is typed and not run is kept soon, too.
        "autosaveInterval": 10,
        # Milliseconds: on a busy machine two saves of one page can overlap; the second must not
        # ask the learner whether somebody else has changed the file.
        "lastModifiedCheckMargin": 5000,
    },
}
_LONG_AGO = 1_790_000_000
"""2026-09: a date for files where git does not say one."""
_UNUSED = ("rspack.config*", "package.json", "*.map", "jupyterlite.schema*", "doc", "*.LICENSE.txt")
_FIRST = (
    *(
        "early.js",
        "early-worker.mjs",
        "start.mjs",
        "files.mjs",
        "memory.mjs",
        "pyodide.mjs",
        "pyodide.asm.mjs",
    ),
    *("pyodide.asm.wasm", "fzstd.mjs", "rest.zip", "lesson.json", "lesson.tar", "memory.zst"),
)
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>The IoT button tutorial</title>
<link rel="icon" href="lab/favicon.ico">
<script id="jupyter-config-data" type="application/json" data-jupyter-lite-root=".">{{}}</script>
<meta http-equiv="refresh" content="0; url={start}">
</head>
<body><p><a href="{start}">Open the lesson</a></p></body>
</html>
"""


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((ROOT / "lab/settings/overrides.json").read_text("utf-8"))
    for plugin, values in _OVERRIDES.items():
        settings[plugin] = settings.get(plugin, {}) | values
    return settings


def _date() -> int:
    """Return the last commit's time: the files' dates are part of the site.

    The same commit makes the same site, and a learner sees dates that make sense.
    """
    command = ["git", "log", "-1", "--format=%ct"]
    try:
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        said = ""
    return int(said) if said.isdecimal() else _LONG_AGO


def _jupyterlite(work: Path, out: Path) -> None:
    """Let JupyterLite build its part."""
    date = _date()
    pages.write(work / "files")
    for file in [*(work / "files").rglob("*"), work / "files"]:
        os.utime(file, (date, date))
    extensions = [str(labextension(*each)) for each in _EXTENSIONS.items()]
    (work / "jupyter-lite.json").write_text(
        json.dumps({"jupyter-lite-schema-version": 0, "jupyter-config-data": _PAGE})
    )
    (work / "overrides.json").write_text(json.dumps(_settings()))
    config = {
        "apps": ["lab"],
        "cache_dir": str(work / "cache"),
        "contents": ["files"],
        "federated_extensions": extensions,
        "ignore_sys_prefix": ["federated_extensions"],
        "no_sourcemaps": True,
        "no_unused_shared_packages": True,
        "output_dir": str(out),
    }
    (work / "jupyter_lite_config.json").write_text(json.dumps({"LiteBuildConfig": config}))
    command = [sys.executable, "-m", "jupyterlite_core", "build"]
    home = {
        "HOME": str(work),
        "JUPYTER_CONFIG_DIR": str(work / "none"),
        "SOURCE_DATE_EPOCH": str(date),
    }
    done = subprocess.run(
        command, cwd=work, env=os.environ | home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise NotBuilt(f"JupyterLite did not build: {done.stdout.decode()[-2000:]}")


def _add_extension(out: Path) -> None:
    """Add the lesson's own extension, and its part of the service worker."""
    folder = out / "extensions" / _NAME
    shutil.copytree(HERE / "extension", folder)
    shutil.copy(PARTS / "npm/node_modules/fflate/esm/browser.js", folder / "static/fflate.js")
    file = out / "jupyter-lite.json"
    page = json.loads(file.read_text())
    page["jupyter-config-data"]["federated_extensions"].append(
        {"name": _NAME, "extension": "./extension", "load": "static/remoteEntry.js"}
    )
    file.write_text(json.dumps(page, indent=1, sort_keys=True))
    worker = out / "service-worker.js"
    worker.write_text((HERE / "service-worker.js").read_text() + worker.read_text())
    index = out / "lab/index.html"
    scripts = (f"extensions/{_NAME}/static/page.js", "static/pyodide/early.js")
    script = "".join(f'<script src="../{each}"></script>' for each in scripts)
    kernel = "extensions/@jupyterlite/pyodide-kernel-extension/static"
    (worker_code,) = (out / kernel).glob("comlink.worker.*.js")
    (out / "static/pyodide/early-worker.mjs").write_text(
        f"import './start.mjs';\nimport '../../{kernel}/{worker_code.name}';\n"
    )
    index.write_text(re.sub(r"(<body[^>]*>)", rf"\1\n{script}", index.read_text(), count=1))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file


def _list(out: Path) -> None:
    """Write the list of files by which the page's cache and its progress go."""
    sizes, digests = {}, {}
    for name, file in _files(out):
        if name != "service-worker.js" and file.suffix != ".gz":
            content = file.read_bytes()
            sizes[name], digests[name] = len(content), hashlib.sha256(content).hexdigest()
    version = hashlib.sha256(json.dumps(digests).encode()).hexdigest()
    first = [path for name in _FIRST if (path := f"static/pyodide/{name}") in sizes]
    sent = [out / f"{each}.gz" for each in first]
    download = sum(
        small.stat().st_size if small.exists() else sizes[each]
        for each, small in zip(first, sent, strict=True)
    )
    listed = {
        "version": version,
        "files": sizes,
        "sha256": digests,
        "first": first,
        "download": download,
    }
    (out / "iot-files.json").write_text(json.dumps(listed))


def build(out: Path = SITE, *, own_wheels: dict[str, Path] | None = None) -> Path:
    """Build the site.

    Args:
        out: Its folder; what is there goes.
        own_wheels: Pyodide's own wheels, in place of stand-ins, by the name of their package.

    Returns:
        The folder.

    Raises:
        NotBuilt: something is missing; the message says what.
    """
    python = runtime.prepare(own_wheels or {})
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        _jupyterlite(Path(work), out)
    for pattern in _UNUSED:
        for unused in [*out.rglob(pattern)]:
            shutil.rmtree(unused) if unused.is_dir() else unused.unlink()
    shutil.copytree(python, out / "static/pyodide", dirs_exist_ok=True)
    for name in runtime.PAGE:
        shutil.copy(HERE / "page" / name, out / "static/pyodide")
    _add_extension(out)
    (out / "index.html").write_text(_INDEX.format(start=START))
    runtime.compress(out)
    _list(out)
    runtime.compress(out)  # the list
    for _, file in _files(out):
        os.utime(file)  # a server tells two versions of a file apart by their dates
    return out
