"""A real JupyterLab in a real Chromium: start both, open a notebook, run it, find its panels.

The panels' pictures are made with it, and the tests that need a browser drive it, too.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from publish.notebooks import ROOT

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
"""Chromium without a screen, and without a word to its makers."""
_LEARNERS = ROOT / "lab" / "settings" / "overrides.json"
_SETTINGS: dict[str, Any] = {
    **json.loads(_LEARNERS.read_text("utf-8")),
    # The unsafe choice, off unless a learner makes it: what it saves must hold no secret either.
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
}


def chromium() -> Path | None:
    """Find a Chromium or Chrome; else install Debian's, or Playwright's own."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        sys.stderr.write("installing Debian's chromium ...\n")
        subprocess.run(["apt-get", "install", "-qq", "--yes", "chromium"], capture_output=True)
        found = shutil.which("chromium")
    if found is not None:
        return Path(found)
    sys.stderr.write("downloading a browser for Playwright ...\n")
    download = [sys.executable, "-m", "playwright", "install", "chromium"]
    done = subprocess.run(download, capture_output=True)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if done.returncode == 0 and own.exists() else None


@contextmanager
def launched(path: Path, *flags: str) -> Iterator[Browser]:
    """Start the browser at *path*; it ends with the ``with`` block."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        yield running
        running.close()


@contextmanager
def lab(folder: Path, env: dict[str, str], home: Path) -> Iterator[str]:
    """Serve the notebooks of *folder* in a JupyterLab that knows nothing of this machine's.

    Yields:
        Its address, token included.
    """
    settings = home / "settings"
    settings.mkdir(parents=True)
    (settings / "overrides.json").write_text(json.dumps(_SETTINGS))
    own = {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "user"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += ["--ip=127.0.0.1", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.expose_app_in_browser=True", f"--LabApp.app_settings_dir={settings}"]
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=env | own, stdout=log, stderr=log)
    try:
        yield _address(server, home / "runtime", home / "lab.log")
    finally:
        kernels = psutil.Process(server.pid).children(recursive=True)
        server.terminate()
        _, alive = psutil.wait_procs([server, *kernels], timeout=20)
        for process in alive:
            process.kill()


def _address(server: "subprocess.Popen[bytes]", runtime: Path, log: Path) -> str:
    give_up = time.monotonic() + 60
    file = runtime / f"jpserver-{server.pid}.json"
    while time.monotonic() < give_up and server.poll() is None:
        if file.exists() and (text := file.read_text()):
            about = json.loads(text)
            return f"{about['url']}lab/tree/{{}}?token={about['token']}&reset"
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


_OPEN = "async path => { await window.jupyterapp.commands.execute('docmanager:open', {path}); }"
_IS_OPEN = "file => window.jupyterapp?.shell?.currentWidget?.sessionContext?.path === file"
_READY = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
_ALL_HAVE_RUN = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const code = panel.content.widgets.filter(cell => cell.model.type === 'code');
    return panel.sessionContext.session.kernel.status === 'idle'
        && code.every(cell => cell.model.executionCount !== null);
}"""
_IDLE = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    return panel.sessionContext.session.kernel.status === 'idle';
}"""
_RUN_THROUGH = """async () => {
    await window.jupyterapp.commands.execute('notebook:run-all-above');
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
_ABOVE_HAVE_RUN = """id => {
    const panel = window.jupyterapp.shell.currentWidget, cells = panel.content.widgets;
    return panel.sessionContext.session.kernel.status === 'idle'
        && cells.slice(0, cells.findIndex(cell => cell.model.id === id) + 1)
            .every(cell => cell.model.type !== 'code' || cell.model.executionCount !== null);
}"""
_SHOW = """async id => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const index = notebook.widgets.findIndex(cell => cell.model.id === id);
    notebook.activeCellIndex = index;
    notebook.deselectAll();
    notebook.mode = 'command';
    await notebook.scrollToItem(index, 'start');
}"""


class Notebook:
    """A notebook that is open in the browser, its kernel ready."""

    patience = 60_000.0
    """Milliseconds that it may take to open, or to run."""

    def __init__(self, page: Page, address: str, name: str) -> None:
        self.page = page
        self.name = name
        file = f"{name}.ipynb"
        if page.url == "about:blank":
            page.goto(address.format(file))
        else:
            page.evaluate(_OPEN, file)
        page.wait_for_function(_IS_OPEN, arg=file, timeout=self.patience)
        page.evaluate(_READY)

    def run_all(self) -> None:
        """Run every cell, to the end: the command itself answers at the first promised error."""
        self.page.evaluate(RUN_ALL)
        self.page.wait_for_function(_ALL_HAVE_RUN, timeout=self.patience)

    def run_through(self, cell: str) -> None:
        """Run the cells from the first to this one, by its id."""
        self.page.evaluate(_SHOW, cell)
        self.page.evaluate(_RUN_THROUGH)
        self.page.wait_for_function(_ABOVE_HAVE_RUN, arg=cell, timeout=self.patience)

    def run(self, *cells: str) -> None:
        """Run single cells, by their ids: scroll there, and click on the tool bar's arrow."""
        for each in cells:
            self.page.evaluate(_SHOW, each)
            self.page.locator('[data-jp-item-name="run"]:visible').click()

    def wait_until_idle(self) -> None:
        """Wait until the kernel has answered what it was asked."""
        self.page.wait_for_function(_IDLE, timeout=self.patience)

    def panel(self, title: str = "", *, cell: str = "panel") -> Locator:
        """A panel, scrolled into view: by its title, or the one of the cell that is active."""
        self.page.evaluate(_SHOW, cell)
        found = self.page.locator(".iot-panel" if title else ".jp-mod-active .iot-panel")
        found = found.filter(has=self.page.locator(".iot-title", has_text=title))
        found.wait_for()
        found.scroll_into_view_if_needed()
        return found
