"""A real JupyterLab in a real Chromium: start both, open a notebook, run it, click in it."""

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
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "test-output" / "panels"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_SETTINGS: dict[str, Any] = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
    # The unsafe choice, off unless a learner makes it: what it saves must hold no secret either.
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
}


def chromium() -> Path | None:
    """Find a Chromium or Chrome; else get Debian's, or Playwright's own."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
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
def browser() -> Iterator[Browser]:
    """Start the browser, or say loudly that there is none."""
    path = chromium()
    if path is None:
        missing = "NO BROWSER: the panels were NOT tested. Install chromium, then test again."
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(f"{missing} (2026-11: not every machine can have one)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
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
_RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
_ALL_HAVE_RUN = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const code = panel.content.widgets.filter(cell => cell.model.type === 'code');
    return panel.sessionContext.session.kernel.status === 'idle'
        && code.every(cell => cell.model.executionCount !== null);
}"""
_SHOW = """async id => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const index = notebook.widgets.findIndex(cell => cell.model.id === id);
    notebook.activeCellIndex = index;
    notebook.deselectAll();
    notebook.mode = 'command';
    await notebook.scrollToItem(index, 'start');
}"""
_CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
_SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
_PANELS_HERE = ".jp-NotebookPanel:not(.lm-mod-hidden) .iot-panel"
_SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


class Notebook:
    """A notebook that is open in the browser, its kernel ready."""

    def __init__(self, page: Page, address: str, name: str) -> None:
        self.page = page
        self.name = name
        file = f"{name}.ipynb"
        if page.url == "about:blank":
            page.goto(address.format(file))
        else:
            page.evaluate(_OPEN, file)
        page.wait_for_function(_IS_OPEN, arg=file, timeout=60_000)
        page.evaluate(_READY)

    def run_all(self) -> None:
        """Run every cell, to the end: the command itself answers at the first promised error."""
        self.page.evaluate(_RUN_ALL)
        self.page.wait_for_function(_ALL_HAVE_RUN, timeout=60_000)

    def run(self, *cells: str) -> None:
        """Run single cells, by their ids: scroll there, and click on the tool bar's arrow."""
        for each in cells:
            self.page.evaluate(_SHOW, each)
            self.page.locator('[data-jp-item-name="run"]:visible').click()

    def cells(self) -> list[dict[str, Any]]:
        """What the notebook holds now, outputs included."""
        return list(self.page.evaluate(_CELLS))

    def broken(self) -> list[str]:
        """Ids of the cells that ended in an error and do not promise one."""
        return [
            cell["id"]
            for cell in self.cells()
            if any(output["output_type"] == "error" for output in cell.get("outputs", ()))
            and "raises-exception" not in cell["metadata"].get("tags", [])
        ]

    def panel(self, title: str, *, cell: str = "panel") -> Locator:
        """A panel, scrolled into view."""
        self.page.evaluate(_SHOW, cell)
        found = self.page.locator(".iot-panel", has=self.page.locator(".iot-title", has_text=title))
        found.wait_for()
        found.scroll_into_view_if_needed()
        return found

    def picture(self, panel: Locator, what: str) -> None:
        """Keep a screenshot of a panel among the tests' output."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        panel.screenshot(path=PICTURES / f"{self.name}-{what}.png")

    def findings(self) -> list[str]:
        """What axe-core finds in the panels, where it is serious or critical."""
        # JupyterLab's body has no height, and axe-core takes all that is in it for hidden.
        self.page.evaluate("() => { document.body.style.height = '100vh'; }")
        found = Axe().run(self.page, context=_PANELS_HERE).response
        judged = [
            check["message"]
            for each in found["passes"]
            if each["id"] == "color-contrast"
            for node in each["nodes"]
            for check in node["any"]
        ]
        assert any("sufficient color contrast" in message for message in judged), judged
        return [
            f"{each['impact']}: {each['help']}: {node['html']}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate(_SAVE)

    def shut_down(self) -> None:
        """End the kernel."""
        self.page.evaluate(_SHUT_DOWN)

    def use_theme(self, name: str) -> None:
        """Switch to ``JupyterLab Light`` or ``JupyterLab Dark``."""
        self.page.evaluate(_THEME, name)
        light = str(name.endswith("Light")).lower()
        self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")
