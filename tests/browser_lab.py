"""What tests ask of a notebook that is open in a browser, beyond running it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator

from publish import browser
from publish.notebooks import ROOT

PICTURES = ROOT / "test-output" / "panels"
_CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
_SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
_PANELS_HERE = ".jp-NotebookPanel:not(.lm-mod-hidden) .iot-panel"
_SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Start the browser, or say loudly that there is none."""
    path = browser.chromium()
    if path is None:
        missing("browser")
    with browser.launched(path, *flags) as running:
        yield running


def missing(what: str) -> NoReturn:
    """Skip a test and say loudly what is missing; fail where CI promises to have it."""
    text = f"NO {what.upper()}: what needs one was NOT tested. Install it, then test again."
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(f"{text} (2026-11: not every machine can have one)")


class Notebook(browser.Notebook):
    """An open notebook, with what only tests look at."""

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

    def picture(self, panel: Locator, what: str) -> None:
        """Keep a screenshot of a panel among the tests' output."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        panel.screenshot(path=PICTURES / f"{self.name}-{what}.png")

    def findings(self) -> list[str]:
        """What axe-core finds in the panels, where it is serious or critical."""
        # JupyterLab's body has no height, and axe-core takes all that is in it for hidden.
        self.page.evaluate("() => { document.body.style.height = '100vh'; }")
        panels = self.page.locator(_PANELS_HERE).all()
        assert panels
        return [text for panel in panels for text in self._findings_in(panel)]

    def _findings_in(self, panel: Locator) -> list[str]:
        # It judges what is on the screen, and of several places that a selector finds, the first.
        panel.scroll_into_view_if_needed()
        panel.evaluate("it => { it.id = 'judged'; }")
        found = Axe().run(self.page, context="#judged").response
        panel.evaluate("it => { it.removeAttribute('id'); }")
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
