"""The notebooks and their panels in a real JupyterLab, in a real Chromium."""

import time

import pytest
from browser_desk import PANELS, Desk, desk, empty_desk
from browser_lab import Notebook
from playwright.sync_api import Locator

from helpers import closing
from helpers.panels.steps import steps
from publish.notebooks import NOTEBOOKS

__all__ = ["desk", "empty_desk"]  # fixtures

IN_TURN = [
    name if name == "03-certificate" else pytest.param(name, marks=pytest.mark.long)
    for name in NOTEBOOKS
]
"""The one that shows a private key, once, is looked at in every run; the others take too long."""
AT_MOST = 60.0
"""Seconds, from the first notebook to the message that arrives."""


def assert_hides_the_private_key(desk: Desk, text: str) -> None:
    secret = desk.files.private_key.read_text().splitlines()[1:-1]
    assert len(secret) > 20
    assert not any(line in text for line in secret)


def wait_until_disabled(button: Locator) -> None:
    button.page.wait_for_function("it => it.disabled", arg=button.element_handle())


@pytest.mark.parametrize("name", IN_TURN)
def test_every_notebook_runs_to_the_end(desk: Desk, name: str) -> None:
    page = desk.page()
    notebook = Notebook(page, desk.address, name)
    notebook.run_all()
    assert notebook.broken() == []
    for of, title, cell in PANELS:
        if of == name:
            notebook.picture(notebook.panel(title, cell=cell), cell)
    assert notebook.findings() == []
    notebook.save()
    saved = (desk.folder / f"{name}.ipynb").read_text()
    assert "application/vnd.jupyter.widget-state+json" in saved
    if name == "03-certificate":
        assert_hides_the_private_key(desk, saved)
    notebook.shut_down()
    page.close()


def click_through(desk: Desk) -> float:
    """Do the whole lesson by clicks alone.

    Returns:
        How long it took, in seconds.
    """
    page, begun = desk.page(), time.monotonic()
    notebook = Notebook(page, desk.address, "01-thing")
    notebook.run("connect", "trial")
    panel = notebook.panel("A button that works", cell="trial")
    panel.get_by_role("button", name="Press", exact=True).click()
    panel.get_by_text('"clickType": "SINGLE"').wait_for()
    notebook.run("trial-remove", "panel")
    panel = notebook.panel("Register a Thing")
    panel.get_by_role("button", name="Create thing").click()
    panel.get_by_text("The registry has the Thing my-button.").wait_for()
    notebook.shut_down()

    notebook = Notebook(page, desk.address, "02-policy")
    notebook.run("connect", "panel")
    panel = notebook.panel("Create a policy")
    panel.get_by_role("button", name="Create").click()
    panel.get_by_text("The policy my-button-policy is in force.").wait_for()
    notebook.shut_down()

    notebook = Notebook(page, desk.address, "03-certificate")
    notebook.run("connect", "panel")
    panel = notebook.panel("Create a certificate")
    panel.get_by_role("button", name="Create certificate").click()
    download(desk, notebook, panel)
    for step in ("Activate", "Attach policy", "Attach to the Thing"):
        panel.get_by_role("button", name=step).click()
        wait_until_disabled(panel.get_by_role("button", name=step))
    assert panel.get_by_role("link", name="private key").count() == 0
    notebook.picture(panel, "clicked")
    notebook.shut_down()

    notebook = Notebook(page, desk.address, "04-closing")
    notebook.run("connect", "checklist", "panel")
    panel = notebook.panel("Press the button")
    panel.get_by_role("button", name="Press", exact=True).click()
    panel.get_by_text('"clickType": "SINGLE"').wait_for()
    took = time.monotonic() - begun
    notebook.picture(panel, "clicked")
    notebook.shut_down()
    page.close()
    return took


def download(desk: Desk, notebook: Notebook, panel: Locator) -> None:
    """Download all four files; neither the page nor the saved notebook shows the private key."""
    here = desk.files
    for label, file in {
        "certificate": here.certificate,
        "public key": here.public_key,
        "root CA": here.root_ca,
        "private key": here.private_key,
    }.items():
        with notebook.page.expect_download() as downloaded:
            panel.get_by_role("link", name=f"Download {label}").click()
        assert downloaded.value.suggested_filename == file.name
        assert downloaded.value.path().read_bytes() == file.read_bytes()
    notebook.save()
    saved = (desk.folder / "03-certificate.ipynb").read_text()
    assert "Download private key" in saved
    for text in (saved, notebook.page.content()):
        assert_hides_the_private_key(desk, text)


class _ByClicksAlone:
    """Ten times in a row. In two classes, for each goes to a worker of its own."""

    def test_the_whole_lesson(self, empty_desk: Desk, turn: int) -> None:
        assert click_through(empty_desk) < AT_MOST
        found = closing.inventory(empty_desk.aws)
        assert all(step.done for step in steps(found, "my-button"))


@pytest.mark.long
@pytest.mark.parametrize("turn", range(1, 6))
class TestByClicksAlone(_ByClicksAlone):
    pass


@pytest.mark.long
@pytest.mark.parametrize("turn", range(6, 11))
class TestByClicksAloneAgain(_ByClicksAlone):
    pass
