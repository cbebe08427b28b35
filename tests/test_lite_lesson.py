"""The lesson in a browser alone: the built site in a real Chromium, and no other host to ask."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import browser_lab
import nbformat
import pytest
from cells import with_answers
from lite_support import site, site_folder
from nbformat import NotebookNode
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Request,
)

from publish import browser
from publish.canonical import canonical
from publish.lite.pages import KERNEL
from publish.notebooks import FOLDER, NOTEBOOKS

__all__ = ["site", "site_folder"]  # fixtures

pytestmark = pytest.mark.long

READ = """async path => {
    const contents = window.jupyterapp.serviceManager.contents;
    const {format, content} = await contents.get(path, {content: true});
    return format === 'base64' ? atob(content) : content;
}"""
WRITE = """async ([path, content]) => {
    await window.jupyterapp.serviceManager.contents.save(
        path, {type: 'notebook', format: 'json', content});
}"""
OVER = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const code = panel.content.widgets.map(cell => cell.model).filter(it => it.type === 'code');
    const failed = it => it.toJSON().outputs.some(output => output.output_type === 'error')
        && !(it.getMetadata('tags') ?? []).includes('raises-exception');
    return panel.sessionContext.session.kernel.status === 'idle'
        && (code.every(it => it.executionCount !== null) || code.some(failed));
}"""
CLEAR = "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"


class Notebook(browser_lab.Notebook):
    """A notebook that is open in the site."""

    patience = 120_000

    def run_all(self) -> None:
        """Run every cell, to the end or to an error that is not promised."""
        self.page.evaluate(browser.RUN_ALL)
        self.page.wait_for_function(OVER, timeout=self.patience)
        assert self.broken() == [], self.cells()


class Learner:
    """Somebody in a browser that knows nothing yet: one browser, one account, one set of keys."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.context = context
        self._site = site
        self.asked: list[Request] = []
        context.on("request", lambda request: self.asked.append(request))

    def open(self, name: str) -> Notebook:
        """Open a notebook in a page of its own."""
        page = self.context.new_page()
        return Notebook(page, f"{self._site}lab/?path={{}}", name)

    def write(self, page: Page, name: str, notebook: NotebookNode) -> None:
        """Put a notebook into the browser's own files, for the page's kernel."""
        notebook.metadata = {"kernelspec": KERNEL}
        page.evaluate(WRITE, [f"{name}.ipynb", notebook])

    def check_asked(self) -> None:
        """Nothing but the site was asked, and it was sent nothing but a request for a file."""
        asked = [each for each in self.asked if not each.url.startswith(("data:", "blob:"))]
        assert len(asked) > 10
        others = [each.url for each in asked if not each.url.startswith(self._site)]
        assert not others
        lock = f"{self._site}api/iot-lock/"  # the service worker answers, and sends nothing on
        sent = [
            each.url for each in asked if each.method != "GET" and not each.url.startswith(lock)
        ]
        drive = [url for url in sent if "/api/drive" in url]  # likewise
        assert sent == drive


ALONE = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser_lab.chromium(*ALONE) as running:
        yield running


@pytest.fixture
def learner(chromium: Browser, site: str) -> Iterator[Learner]:
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    made = Learner(context, site)
    yield made
    made.check_asked()
    context.close()


def committed(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def outputs(notebook: NotebookNode) -> dict[str, Any]:
    """What each cell shows, in the committed form."""
    cells = canonical(notebook).cells
    return {cell.id: cell.outputs for cell in cells if cell.cell_type == "code"}


def shown(notebook: Notebook) -> NotebookNode:
    return nbformat.from_dict(
        {"cells": notebook.cells(), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_output_is_the_committed_one(learner: Learner, name: str) -> None:
    notebook = learner.open(name)
    notebook.page.evaluate(CLEAR)  # so that what is seen was made here
    assert not any(outputs(shown(notebook)).values())
    notebook.run_all()
    found = outputs(shown(notebook))
    expected = outputs(committed(name))
    assert list(found) == list(expected)
    for cell, output in expected.items():
        assert found[cell] == output, cell


def test_every_exercise_can_be_done(learner: Learner) -> None:
    """The folded answers in place of the stubs, one notebook after the other on one account."""
    page = learner.open(NOTEBOOKS[0]).page
    for name in NOTEBOOKS:
        learner.write(page, f"answered-{name}", with_answers(committed(name)))
    for name in NOTEBOOKS:
        notebook = learner.open(f"answered-{name}")
        notebook.run_all()
        checks = [cell for cell in notebook.cells() if cell["id"].endswith("-check")]
        assert checks
        for cell in checks:
            assert "Well done." in json.dumps(cell["outputs"]), cell
        notebook.shut_down()


def test_the_whole_lesson_by_clicks(learner: Learner) -> None:
    notebook = learner.open("01-thing")
    notebook.run("connect", "trial")
    press(notebook.panel("A button that works", cell="trial"))
    notebook.run("trial-remove", "panel")
    panel = notebook.panel("Register a Thing")
    panel.get_by_role("button", name="Create thing").click()
    panel.get_by_text("The registry has the Thing my-button.").wait_for()

    notebook = learner.open("02-policy")
    notebook.run("connect", "panel")
    panel = notebook.panel("Create a policy")
    panel.get_by_role("button", name="Create").click()
    panel.get_by_text("The policy my-button-policy is in force.").wait_for()

    notebook = learner.open("03-certificate")
    notebook.run("connect", "panel")
    panel = notebook.panel("Create a certificate")
    panel.get_by_role("button", name="Create certificate").click()
    secret = download_all(notebook, panel)
    for step in ("Activate", "Attach policy", "Attach to the Thing"):
        button = panel.get_by_role("button", name=step)
        button.click()
        notebook.page.wait_for_function("it => it.disabled", arg=button.element_handle())
    assert panel.get_by_role("link", name="private key").count() == 0
    notebook.save()
    saved = json.dumps(notebook.page.evaluate(READ, "03-certificate.ipynb"))
    for text in (saved, notebook.page.content()):
        assert not any(line in text for line in secret.splitlines()[1:-1])

    notebook = learner.open("04-closing")
    notebook.run("connect", "checklist", "panel")
    press(notebook.panel("Press the button"))


def press(panel: Locator) -> None:
    """Press the round button, and see the message."""
    panel.get_by_role("button", name="Press", exact=True).click()
    panel.get_by_text('"clickType": "SINGLE"').wait_for()


def download_all(notebook: Notebook, panel: Locator) -> str:
    """Download all four files, each under its own name with its very bytes; return the key."""
    content = ""
    for label, name in {
        "certificate": "certificate.pem.crt",
        "public key": "public.pem.key",
        "root CA": "root-ca.pem",
        "private key": "private.pem.key",
    }.items():
        with notebook.page.expect_download() as downloaded:
            panel.get_by_role("link", name=f"Download {label}").click()
        assert downloaded.value.suggested_filename == name
        content = downloaded.value.path().read_text()
        assert content == notebook.page.evaluate(READ, f"keys/sandbox/my-button/{name}")
    assert "PRIVATE KEY" in content
    return content


COUNT = """
from helpers import account
aws = account.connect()
for number in range(20):
    aws.iot.create_thing(thingName=f"WHO-{number}")
"""
LIST = """
aws = account.connect()
[each["thingName"] for each in aws.iot.list_things()["things"]]
"""


def of_cells(*sources: str) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in sources])


RUN_AT_ONCE = """async files => {
    const app = window.jupyterapp;
    for (const file of files) {
        await app.commands.execute('docmanager:open', {path: file});
        await app.shell.currentWidget.sessionContext.ready;
        await app.shell.currentWidget.sessionContext.session.kernel.info;
    }
    for (const file of files) {
        await app.commands.execute('docmanager:open', {path: file});
        await new Promise(resolve => setTimeout(resolve, 100));
        app.commands.execute('notebook:run-all-cells');
    }
}"""
HAVE_RUN = """files => [...window.jupyterapp.shell.widgets('main')]
    .filter(panel => files.includes(panel.context?.path))
    .every(panel => panel.content.widgets.every(cell => cell.model.executionCount !== null))"""


@pytest.mark.parametrize("pages", [1, 2])
def test_two_notebooks_at_once_lose_nothing(learner: Learner, pages: int) -> None:
    """Side by side in one page, and in two tabs of the browser."""
    who = ("ada", "zoe")
    files = [f"{each}.ipynb" for each in who]
    page = learner.open(NOTEBOOKS[0]).page
    for each in who:
        learner.write(page, each, of_cells(COUNT.replace("WHO", each)))
    learner.write(page, "look", of_cells("from helpers import account", LIST))
    if pages == 1:
        opened = {page: files}
    else:
        opened = {page: files[:1], learner.open(NOTEBOOKS[1]).page: files[1:]}
    for each, its in opened.items():
        each.evaluate(RUN_AT_ONCE, its)
    for each, its in opened.items():
        each.wait_for_function(HAVE_RUN, arg=its, timeout=Notebook.patience)
    look = learner.open("look")
    look.run_all()
    listed = look.cells()[1]["outputs"][0]["data"]["text/plain"]
    assert [listed.count(f"'{each}-") for each in who] == [20, 20]


def test_a_closed_browser_finds_the_work_again(
    chromium: Browser, site: str, tmp_path: Path
) -> None:
    with closed_afterwards(chromium, tmp_path) as context:
        notebook = Learner(context, site).open(NOTEBOOKS[0])
        notebook.run_through("create-thing")
        notebook.page.evaluate(TYPE, "# my own line")
        notebook.save()
        notebook.page.reload()
        notebook.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget")
        again = Notebook(notebook.page, "", NOTEBOOKS[0])
        assert "# my own line" in again.cells()[0]["source"]
    with closed_afterwards(chromium, tmp_path) as context:
        learner = Learner(context, site)
        again = learner.open(NOTEBOOKS[0])
        assert "# my own line" in again.cells()[0]["source"]
        learner.write(again.page, "look", of_cells("from helpers import account", LIST))
        look = learner.open("look")
        look.run_all()
        assert look.cells()[1]["outputs"][0]["data"]["text/plain"] == "['my-button']"
        learner.check_asked()


TYPE = """text => {
    const [cell] = window.jupyterapp.shell.currentWidget.content.widgets;
    cell.model.sharedModel.setSource(text);
}"""


@contextmanager
def closed_afterwards(chromium: Browser, profile: Path) -> Iterator[BrowserContext]:
    """Start another browser, with a profile that stays, and close it."""
    context = chromium.browser_type.launch_persistent_context(
        profile, executable_path=browser.chromium(), args=[*browser.FLAGS, *ALONE]
    )
    yield context
    context.close()
