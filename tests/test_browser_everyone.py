"""The panels for everyone: by keyboard alone, and readable where something is wrong.

How they look on light and dark ground, and at 200 %: ``test_looks.py``.
"""

import pytest
from browser_desk import Desk, desk, empty_desk
from browser_lab import Notebook
from playwright.sync_api import Page

from helpers import policy, thing

__all__ = ["desk", "empty_desk"]  # fixtures

pytestmark = pytest.mark.long


def focused(page: Page) -> str:
    """Return the name of the control that has the focus."""
    return str(
        page.evaluate(
            "() => (document.activeElement.labels?.[0] ?? document.activeElement).textContent"
        )
    )


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on the control of that name."""
    for _ in range(60):
        if focused(page) == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {name!r}")


def go_to(notebook: Notebook, cell: str) -> None:
    """Move down to a cell with the arrow key, and run it."""
    ids = [each["id"] for each in notebook.cells()]
    active = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    notebook.page.keyboard.press("Escape")
    while (at := notebook.page.evaluate(active)) != ids.index(cell):
        notebook.page.keyboard.press("ArrowDown" if at < ids.index(cell) else "ArrowUp")
    notebook.page.keyboard.press("Control+Enter")


def press(page: Page, name: str, says: str, key: str = "Space") -> None:
    """Press a button with a key, and wait for what the panel says then."""
    tab_to(page, name)
    page.keyboard.press(key)
    page.locator(".iot-panel:visible").get_by_text(says).first.wait_for()


def test_the_whole_lesson_by_keyboard_alone(empty_desk: Desk) -> None:
    page = empty_desk.page()
    keys = page.keyboard

    def begin(name: str, *cells: str) -> None:
        notebook = Notebook(page, empty_desk.address, name)
        for each in cells:
            go_to(notebook, each)
        page.locator(".iot-panel:visible .iot-title").last.wait_for()

    begin("01-thing", "connect", "trial")
    press(page, "Press", '"clickType": "SINGLE"')
    begin("01-thing", "trial-remove", "panel")
    tab_to(page, "Name")
    keys.press("Control+A")
    keys.type("my button")
    page.locator(".iot-wrong").get_by_text("is not allowed").wait_for()
    for _ in " button":
        keys.press("Backspace")
    keys.type("-button")
    press(page, "Create thing", "The registry has the Thing my-button.")

    begin("02-policy", "connect", "panel")
    tab_to(page, "Start from")
    for key in ("Space", "ArrowDown", "Enter"):  # Space opens the list
        keys.press(key)
    press(page, "Create", "The policy my-button-policy is in force.", "Enter")

    begin("03-certificate", "connect", "panel")
    press(page, "1. Create certificate", "INACTIVE")
    press(page, "2. Activate", "The certificate is active.")
    press(page, "3. Attach policy", "has the policy my-button-policy.")
    press(page, "4. Attach to the Thing", "is attached to the Thing my-button.")

    begin("04-closing", "connect", "checklist", "panel")
    press(page, "Press", '"clickType": "SINGLE"')
    found = policy.find(empty_desk.aws.iot, "my-button-policy")
    intended = policy.intended(empty_desk.aws.region, empty_desk.aws.number, thing.EXAMPLE_SERIAL)
    assert found is not None and found.text == policy.to_json(intended)
    page.close()


def test_after_each_click_the_keys_still_lead_on(empty_desk: Desk) -> None:
    """A button that is disabled loses the focus to the page, where Shift+Enter does nothing."""
    thing.register(empty_desk.aws.iot, "my-button")
    least = policy.recommended(empty_desk.aws.region, empty_desk.aws.number)
    policy.put_in_force(empty_desk.aws.iot, "my-button-policy", least)
    page = empty_desk.page()
    active = "() => window.jupyterapp.shell.currentWidget.content.activeCell.model.id"

    def click(notebook: Notebook, name: str, after: str) -> None:
        button = notebook.panel().get_by_role("button", name=name)
        button.click()
        page.wait_for_function("it => it.disabled", arg=button.element_handle())
        page.wait_for_function(
            "name => document.activeElement.textContent === name", arg=after, timeout=5_000
        )
        panel = page.evaluate(active)
        page.keyboard.press("Shift+Enter")
        page.wait_for_function(f"id => ({active})() !== id", arg=panel, timeout=5_000)

    notebook = Notebook(page, empty_desk.address, "03-certificate")
    notebook.run("connect", "panel")
    click(notebook, "1. Create certificate", "2. Activate")
    click(notebook, "2. Activate", "3. Attach policy")
    click(notebook, "3. Attach policy", "4. Attach to the Thing")
    click(notebook, "4. Attach to the Thing", "Look again")
    click(notebook, "Start again", "1. Create certificate")
    page.close()


def test_troubleshooting_leads_to_its_entries(desk: Desk) -> None:
    """In JupyterLab's preview, whose names for headings are not those of GitHub and the site."""
    page = desk.page(height=700)
    Notebook(page, desk.address, "01-thing")
    page.evaluate(
        "async () => { await window.jupyterapp.commands.execute('docmanager:open', "
        "{path: 'troubleshooting.md', factory: 'Markdown Preview'}); }"
    )
    entry = "It cannot be deleted: it is attached"
    shown = page.locator(".jp-MarkdownViewer")
    heading = shown.get_by_role("heading", name=entry)
    heading.wait_for(state="attached")
    assert heading.evaluate("it => it.getBoundingClientRect().top") > 700
    shown.get_by_role("link", name=entry, exact=True).click()
    page.wait_for_function(
        "it => it.getBoundingClientRect().top < 300", arg=heading.element_handle(), timeout=5_000
    )
    page.close()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_what_is_wrong_is_readable_too(empty_desk: Desk, theme: str) -> None:
    """Red on either ground, in words and by more than the colour: a bad name, a refused press."""
    page = empty_desk.page()
    notebook = Notebook(page, empty_desk.address, "01-thing")
    notebook.use_theme(theme)
    notebook.run("connect", "panel")
    panel = notebook.panel("Register a Thing")
    panel.get_by_label("Name", exact=True).fill("my button")
    panel.get_by_text("is not allowed").wait_for()
    assert panel.get_by_role("button", name="Create thing").is_disabled()
    assert notebook.findings() == []
    notebook.picture(panel, f"refused-{theme[11:].lower()}")

    notebook = Notebook(page, empty_desk.address, "02-policy")
    notebook.run("connect", "panel")
    panel = notebook.panel("Create a policy")
    panel.get_by_label("Advanced mode (JSON)").check()
    panel.get_by_label("Start from").select_option("The post's own JSON")
    panel.get_by_text("can never match").wait_for()
    assert notebook.findings() == []
    notebook.picture(panel, f"posted-{theme[11:].lower()}")
    panel.get_by_label("Policy document").fill('{"Version": ')
    panel.get_by_text("(line 1, column 13)").wait_for()
    assert notebook.findings() == []

    notebook = Notebook(page, empty_desk.address, "04-closing")
    notebook.run("connect", "checklist", "panel")
    panel = notebook.panel("Press the button")
    panel.get_by_role("button", name="Press", exact=True).click()
    refusal = panel.get_by_role("alert")
    refusal.wait_for()
    assert "issue its certificate first" in refusal.inner_text()
    red, green, blue = map(
        int, refusal.evaluate("it => getComputedStyle(it).color.match(/\\d+/g)")[:3]
    )
    assert red > 1.5 * max(green, blue)
    assert notebook.findings() == []
    notebook.picture(panel, f"refused-{theme[11:].lower()}")
    page.close()
