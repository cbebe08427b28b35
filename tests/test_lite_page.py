"""What the browser edition's page adds to JupyterLite, in a real Chromium, other hosts blocked."""

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_lab import chromium
from lite_pages import Server, served, tiny_site
from lite_support import site_folder
from playwright.sync_api import Browser, BrowserContext, Page, expect

from publish import browser as browsers
from publish.notebooks import ROOT

__all__ = ["site_folder"]  # a fixture

PICTURES = ROOT / "test-output" / "browser-edition"
PROBLEMS = {
    "worker": "This window does not let the lesson keep its files.",
    "storage": "This browser lets the page keep nothing: your work would be lost.",
    "full": "This browser has no room left for new work.",
    "old": "This browser is too old for the lesson.",
    "offline": "The site cannot be reached.",
}
UNABLE = {
    "no service worker": ("worker", "delete Navigator.prototype.serviceWorker"),
    "service worker refused": (
        "worker",
        "ServiceWorkerContainer.prototype.register = async () => { throw new Error('refused'); }",
    ),
    "no storage": ("storage", "IDBFactory.prototype.open = () => { throw new Error('denied'); }"),
    "no room": ("full", "StorageManager.prototype.estimate = async () => ({quota: 9, usage: 8})"),
    "room runs out": (
        "full",
        "setTimeout(() => Promise.reject(new DOMException('', 'QuotaExceededError')), 500)",
    ),
    "too old": ("old", "delete WebAssembly.Tag"),
    "a script that does not come": (
        "offline",
        "setTimeout(() => { const s = document.createElement('script'); s.src = 'gone.js';"
        " document.head.append(s); }, 500)",
    ),
    "a chunk that does not come": (
        "offline",
        "setTimeout(() => Promise.reject(new Error('Loading chunk 160 failed')), 500)",
    ),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.mark.parametrize("why", UNABLE)
def test_where_it_cannot_work_it_says_so(browser: Browser, tmp_path: Path, why: str) -> None:
    problem, script = UNABLE[why]
    folder = tmp_path / "site"
    folder.mkdir()
    tiny_site(folder)
    with served(folder) as site, browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(script)
        page.goto(site.address)
        expect(page.get_by_role("status")).to_contain_text(PROBLEMS[problem])
        page.evaluate("() => window.iotPage.ready()")
        expect(page.get_by_role("status")).to_contain_text(PROBLEMS[problem])
        assert re.search(r"\. [A-Z].*\.$", page.get_by_role("status").inner_text()), "what next?"
        page.get_by_role("button", name="Close").click()
        expect(page.locator("#iot-status")).to_be_hidden()


def test_where_it_can_work_it_reports_no_problem(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    tiny_site(folder)
    with served(folder) as site, browser.new_context() as context:
        page = context.new_page()
        page.goto(site.address)
        page.evaluate("async () => { await navigator.serviceWorker.ready; }")
        page.wait_for_timeout(1_000)
        expect(page.get_by_role("status")).to_have_text("Loading the lesson …")


_WATCH = """() => {
    window.lines = [];
    const look = () => {
        const box = document.getElementById('iot-status');
        const parts = box && !box.hidden ? [...box.querySelectorAll('span')] : [];
        const line = parts.map(each => each.textContent).join('');
        if (line !== window.lines.at(-1)) window.lines.push(line);
    };
    new MutationObserver(look).observe(document, {
        attributes: true, characterData: true, childList: true, subtree: true,
    });
}"""
_SAVE = """async ([path, content]) => {
    const model = { type: 'notebook', format: 'json', content };
    await window.jupyterapp.serviceManager.contents.save(path, model);
}"""
_CLOSE = """async () => {
    if (!window.panel) return;
    await window.panel.context.save();
    await window.panel.sessionContext.shutdown();
    window.panel.dispose();
}"""
_OPEN = """async path => {
    const app = window.jupyterapp;
    const panel = await app.commands.execute('docmanager:open', { path });
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
    window.panel = panel;
}"""
_OUTPUTS = """() => window.panel.content.widgets.map(
    cell => cell.model.executionCount === null ? null : cell.model.outputs.toJSON())"""
_PREPARE = """active => {
    const notebook = window.panel.content;
    notebook.widgets.forEach(cell => cell.model.clearExecution());
    notebook.activeCellIndex = active;
    notebook.deselectAll();
}"""
_COMMAND = "command => { window.jupyterapp.commands.execute(command); }"
_SETTLED = """() => window.panel.sessionContext.session?.kernel?.status === 'idle'
    && window.panel.content.widgets.every(cell => cell.model.executionState === 'idle')"""
_CONTENT = """async path => {
    const model = await window.jupyterapp.serviceManager.contents.get(path, { content: true });
    return model.content;
}"""


def cell(source: str, *tags: str) -> dict[str, Any]:
    """A code cell as a notebook's file holds it."""
    return {
        "cell_type": "code",
        "id": f"cell-{abs(hash(source)) % 10**8}",
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    """A notebook for the page's Python."""
    spec = {"name": "python", "display_name": "Python (Pyodide)", "language": "python"}
    return {
        "cells": list(cells),
        "metadata": {"kernelspec": spec},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


class Visitor:
    """One who visits the site with a browser of their own, and comes again."""

    def __init__(self, browser: Browser, site: Server, home: Path) -> None:
        self.site = site
        self.outside: list[str] = []
        self._home = home
        self._opened = ""
        self._launch = browser.browser_type.launch_persistent_context
        self.come()

    def come(self) -> None:
        """Start the browser and open the site."""
        self.context: BrowserContext = self._launch(
            self._home, executable_path=browsers.chromium(), args=list(browsers.FLAGS)
        )
        self.context.route("**", self._route)
        self.page: Page = self.context.new_page()
        self.page.add_init_script(f"({_WATCH})()")
        self.page.goto(f"{self.site.address}lab/index.html", wait_until="commit")
        self.wait_for_lab(self.page)

    def wait_for_lab(self, page: Page) -> None:
        """Wait until JupyterLab is up on a page."""
        page.wait_for_function("() => !window.older && window.jupyterapp?.shell", timeout=60_000)
        page.evaluate("async () => { await window.jupyterapp.restored; }")

    def _route(self, route: Any) -> None:
        if route.request.url.startswith((self.site.address, "blob:", "data:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def leave(self) -> None:
        """Close the browser."""
        self._opened = ""
        self.context.close()

    def open(self, path: str, content: dict[str, Any]) -> None:
        """Make a notebook, unless it is open, and wait for its kernel; the one before is closed."""
        if self._opened == path:
            return
        if self._opened:
            self.page.evaluate(_CLOSE)
        self.page.evaluate(_SAVE, [path, content])
        self.page.evaluate(_OPEN, path)
        self._opened = path

    def run(self, command: str = "notebook:run-all-cells", active: int = 0) -> list[Any]:
        """Run a command on the open notebook, and return each cell's outputs once all is quiet."""
        self.page.evaluate(_PREPARE, active)
        self.page.evaluate(_COMMAND, command)
        return self.outputs()

    def outputs(self) -> list[Any]:
        """Return each cell's outputs once the kernel is idle; None for one that has not run."""
        self.page.wait_for_timeout(1_000)
        self.page.wait_for_function(_SETTLED, timeout=60_000)
        return list(self.page.evaluate(_OUTPUTS))


@pytest.fixture(scope="module")
def visitor(
    browser: Browser, site_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Visitor]:
    with served(site_folder) as site:
        visitor = Visitor(browser, site, tmp_path_factory.mktemp("profile"))
        yield visitor
        visitor.leave()


long = pytest.mark.long


@long
def test_it_says_what_it_is_doing(visitor: Visitor) -> None:
    visitor.open("hello.ipynb", notebook(cell("'hello'")))
    status = visitor.page.get_by_role("status").filter(has_text="Ready")
    expect(status).to_have_text("Ready: press Shift+Enter in the first cell.")
    lines = [line for line in visitor.page.evaluate("() => window.lines") if line]
    phases = list(dict.fromkeys(re.sub(r" …( [\d.]+ of [\d.]+ MB)?$", "", line) for line in lines))
    assert phases == [
        "Loading the lesson",
        "Starting Python",
        "Ready: press Shift+Enter in the first cell.",
    ]
    figures = [re.search(r"([\d.]+) of ([\d.]+) MB", line) for line in lines]
    come = [(float(each[1]), float(each[2])) for each in figures if each]
    assert come == sorted(come)
    assert len(come) > 3
    visitor.page.keyboard.press("Shift")
    expect(visitor.page.locator("#iot-status")).to_be_hidden()


PROMISED = "raises-exception"
ERRORS = notebook(
    cell("'first'"),
    cell("1/0", PROMISED),
    cell("'second'"),
    cell("raise KeyError('promised, too')", PROMISED),
    cell("raise ValueError('not promised')"),
    cell("'never'"),
)
WAYS = {
    "Run All": ("notebook:run-all-cells", 0),
    "Run All Above": ("notebook:run-all-above", 5),
    "Run Selected and Below": ("notebook:run-all-below", 0),
    "Restart and Run All": ("notebook:restart-run-all", 0),
    "fast-forward": ('[data-jp-item-name="restart-and-run"]:visible', 0),
}


@long
@pytest.mark.parametrize("way", WAYS)
def test_running_goes_on_past_promised_errors_alone(visitor: Visitor, way: str) -> None:
    command, active = WAYS[way]
    visitor.open("errors.ipynb", ERRORS)
    page = visitor.page
    page.evaluate(_PREPARE, active)
    if command.startswith("["):
        page.locator(command).click()
    else:
        page.evaluate(_COMMAND, command)
    if way in ("Restart and Run All", "fast-forward"):
        page.locator(".jp-Dialog .jp-mod-accept").click()
        page.wait_for_function("() => window.lines.at(-1).startsWith('Ready')", timeout=60_000)
    outputs = visitor.outputs()
    assert [
        each and (each[0].get("evalue") or each[0]["data"]["text/plain"]) for each in outputs
    ] == [
        "'first'",
        "division by zero",
        "'second'",
        "'promised, too'",
        "not promised",
        None,
    ]


KEY = "-----BEGIN RSA PRIVATE KEY-----\nsecret-ä-0123\n-----END RSA PRIVATE KEY-----\n"
FILE = "keys/sandbox/button.private.pem.key"
LINKS = f"""import ipywidgets, pathlib
file = pathlib.Path({FILE!r})
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text({KEY!r}, "utf-8")
html = f'<div class="iot-links"><a href="{{file}}" download>Download private key</a></div>'
data = {{"text/html": html, "text/plain": "private key"}}
view = ipywidgets.Output()
view.outputs = ({{"output_type": "display_data", "data": data, "metadata": {{}}}},)
view"""


def stored(page: Page, path: str) -> str:
    """Return the text of a file that the page's Python has written."""
    return base64.b64decode(page.evaluate(_CONTENT, path)).decode()


def make_key(visitor: Visitor, name: str) -> None:
    """Let the page's Python write a private key and offer it, as the certificate panel does."""
    visitor.open(name, notebook(cell(LINKS)))
    visitor.run()
    visitor.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save-all')")


@long
def test_a_panels_link_saves_the_very_file(visitor: Visitor) -> None:
    make_key(visitor, "links.ipynb")
    link = visitor.page.get_by_role("link", name="Download private key")
    with visitor.page.expect_download() as saving:
        link.click()
    assert saving.value.suggested_filename == FILE.rsplit("/", 1)[1]
    assert saving.value.path().read_text("utf-8") == KEY
    saved = visitor.page.evaluate(_CONTENT, "links.ipynb")
    saved["cells"][0]["source"] = ""  # the test's own cell writes the key
    assert "secret" not in json.dumps(saved)
    assert "secret" not in visitor.page.locator(".jp-OutputArea:visible").first.inner_html()


@long
def test_input_and_files_go_on_working(visitor: Visitor) -> None:
    source = "open('given.txt', 'w').write(input('Name? '))\nopen('given.txt').read()"
    visitor.open("input.ipynb", notebook(cell(source)))
    visitor.page.evaluate(_COMMAND, "notebook:run-all-cells")
    box = visitor.page.locator(".jp-Stdin-input")
    box.fill("button")
    box.press("Enter")
    assert visitor.outputs()[0][-1]["data"]["text/plain"] == "'button'"
    assert stored(visitor.page, "given.txt") == "button"


@long
def test_work_is_found_after_the_browser_was_closed(visitor: Visitor) -> None:
    visitor.open("kept.ipynb", notebook(cell("open('kept.txt', 'w').write('kept')\n'answer'")))
    visitor.run()
    visitor.page.wait_for_timeout(3_000)  # nobody presses Save
    visitor.leave()
    visitor.come()
    (output,) = visitor.page.evaluate(_CONTENT, "kept.ipynb")["cells"][0]["outputs"]
    assert output["data"]["text/plain"] == "'answer'"
    visitor.open("again.ipynb", notebook(cell("open('kept.txt').read()")))
    assert visitor.run()[0][0]["data"]["text/plain"] == "'kept'"


@long
def test_a_second_visit_works_without_a_network(visitor: Visitor) -> None:
    visitor.page.wait_for_timeout(2_000)
    visitor.leave()
    visitor.site.stop()
    try:
        visitor.come()
        visitor.open("offline.ipynb", notebook(cell("import ipywidgets\n6 * 7")))
        assert visitor.run()[0][0]["data"]["text/plain"] == "42"
        assert "cannot be reached" not in "".join(visitor.page.evaluate("() => window.lines"))
    finally:
        visitor.site.start()


def today() -> tuple[str, str]:
    """Today, and tomorrow for a test that runs at midnight."""
    now = datetime.now(UTC).astimezone()
    return f"{now:%Y-%m-%d}", f"{now + timedelta(minutes=1):%Y-%m-%d}"


@long
def test_download_my_work(visitor: Visitor) -> None:
    page = visitor.page
    make_key(visitor, "work.ipynb")
    page.evaluate(
        "async () => { await window.jupyterapp.serviceManager.contents.save('dot.png', "
        "{ type: 'file', format: 'base64', content: btoa('\\x89PNG\\x00') }); }"
    )
    page.get_by_role("button", name="Download my work").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("It holds private keys: keep it to yourself")
    with page.expect_download() as saving:
        page.locator(".jp-Dialog .jp-mod-accept").click()
    assert saving.value.suggested_filename in [f"iot-lesson-{day}.zip" for day in today()]
    with zipfile.ZipFile(io.BytesIO(saving.value.path().read_bytes())) as work:
        assert work.testzip() is None
        assert work.read(FILE).decode() == KEY
        assert work.read("dot.png") == b"\x89PNG\x00"
        assert json.loads(work.read("work.ipynb"))["cells"][0]["outputs"]


@long
def test_the_buttons_can_be_read_and_reached(visitor: Visitor) -> None:
    page = visitor.page
    PICTURES.mkdir(parents=True, exist_ok=True)
    for theme in ("Light", "Dark"):
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme}",
        )
        page.locator(f'body[data-jp-theme-light="{str(theme == "Light").lower()}"]').wait_for(
            state="attached"
        )
        page.evaluate("() => { document.body.style.height = '100vh'; window.iotPage.ready(); }")
        for place in ("#iot-work", "#iot-status"):
            found = Axe().run(page, context=place).response
            assert [each["help"] for each in found["violations"]] == []
            assert "color-contrast" in [each["id"] for each in found["passes"]], place
        for width in (1280, 640, 480):  # 640: 1280 at 200 %
            page.set_viewport_size({"width": width, "height": 720})
            for name in ("Download my work", "Start over"):
                box = page.get_by_role("button", name=name).bounding_box()
                assert box is not None
                assert 0 <= box["x"] <= box["x"] + box["width"] <= width, (name, width)
            page.screenshot(path=PICTURES / f"page-{theme.lower()}-{width}.png")
        page.set_viewport_size({"width": 1280, "height": 720})


@long
def test_start_over(visitor: Visitor) -> None:
    page = visitor.page
    make_key(visitor, "over.ipynb")
    page.get_by_role("button", name="Start over").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("notebooks, your keys and your account")
    page.keyboard.press("Enter")  # the button that has the focus deletes nothing
    expect(dialog).to_have_count(0)
    assert stored(page, FILE) == KEY
    other = visitor.context.new_page()
    other.goto(page.url, wait_until="commit")
    visitor.wait_for_lab(other)
    page.bring_to_front()
    page.get_by_role("button", name="Start over").click()
    for each in (page, other):
        each.evaluate("() => { window.older = true; }")
    dialog.get_by_role("button", name="Delete and start over").click()
    for each in (page, other):
        visitor.wait_for_lab(each)
    listed = json.loads((visitor.site.folder / "api/contents/all.json").read_text())["content"]
    names = sorted(each["name"] for each in page.evaluate(_CONTENT, ""))
    assert names == sorted(each["name"] for each in listed)
    other.close()
    told = page.locator(".Toastify").get_by_text("This browser may delete your work")
    expect(told).to_have_count(0)
    page.evaluate(_SAVE, ["first.ipynb", notebook(cell("'first'"))])
    expect(told).to_be_visible()


_FORGET = """async () => {
    for (const { name } of await indexedDB.databases()) {
        await new Promise((done, fail) => {
            Object.assign(indexedDB.deleteDatabase(name), { onsuccess: done, onblocked: fail });
        });
    }
}"""


@long
def test_work_that_the_browser_has_deleted_is_told(visitor: Visitor) -> None:
    page = visitor.page
    make_key(visitor, "deleted.ipynb")
    page.goto(f"{visitor.site.address}iot-files.json")
    page.evaluate(_FORGET)
    page.goto(f"{visitor.site.address}lab/index.html")
    visitor.wait_for_lab(page)
    expect(page.locator(".Toastify")).to_contain_text("The browser has deleted your work")


@long
def test_nothing_was_asked_of_another_host(visitor: Visitor) -> None:
    assert visitor.outside == []
