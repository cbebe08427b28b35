"""The notebooks and their panels in a real JupyterLab, in a real Chromium."""

import time

import pytest
from browser_desk import PANELS, Desk, desk, empty_desk
from browser_lab import Notebook
from playwright.sync_api import Locator

from helpers import closing
from publish.notebooks import NOTEBOOKS

__all__ = ["desk", "empty_desk"]  # fixtures

AT_MOST = 60.0
"""Seconds, from the first notebook to the message that arrives."""


def assert_hides_the_private_key(desk: Desk, text: str) -> None:
    secret = desk.files.private_key.read_text().splitlines()[1:-1]
    assert len(secret) > 20
    assert not any(line in text for line in secret)


def wait_until_disabled(button: Locator) -> None:
    button.page.wait_for_function("it => it.disabled", arg=button.element_handle())


def test_every_notebook_runs_to_the_end(desk: Desk) -> None:
    page = desk.page()
    for name in NOTEBOOKS:
        notebook = Notebook(page, desk.address, name)
        notebook.run_all()
        assert notebook.broken() == [], name
        for of, title, cell in PANELS:
            if of == name:
                notebook.picture(notebook.panel(title, cell=cell), cell)
        assert notebook.findings() == [], name
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
    notebook.run("connect", "panel")
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


def test_the_whole_lesson_by_clicks_alone(empty_desk: Desk) -> None:
    assert click_through(empty_desk) < AT_MOST
    assert all(step.done for step in closing.steps(closing.look(empty_desk.aws), "my-button"))


@pytest.mark.long
def test_by_clicks_ten_times_in_a_row(desk: Desk) -> None:
    took = []
    for _ in range(10):
        closing.clean_up(desk.aws)
        took.append(click_through(desk))
    assert max(took) < AT_MOST, took
