"""The browser edition's service worker, in a real Chromium: files by version, and the lock."""

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser_lab import chromium
from lite_pages import Server, list_files, served, tiny_site
from playwright.sync_api import Browser, BrowserContext, Page

_REGISTER = """async () => {
    const workers = navigator.serviceWorker;
    await workers.register('service-worker.js');
    await workers.ready;
    if (!workers.controller) await new Promise(done => { workers.oncontrollerchange = done; });
}"""
_COLLECT = "keep => navigator.serviceWorker.controller.postMessage({ keep })"
_READ = "async path => { const answer = await fetch(path); return answer.text(); }"
_STATUS = "async ([path, method]) => (await fetch(path, { method })).status"
_KEPT = """async () => {
    const all = await Promise.all((await caches.keys()).map(async name =>
        (await (await caches.open(name)).keys()).map(each => each.url)));
    return all.flat().sort();
}"""
_HEAR_PROBLEMS = """() => {
    window.heard = [];
    const channel = new BroadcastChannel(`iot-lesson ${new URL('.', location).href}`);
    channel.onmessage = ({ data }) => data.problem && window.heard.push(data.problem);
}"""
LOST_AFTER = 10


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "site"
    folder.mkdir()
    tiny_site(folder)
    with served(folder) as server:
        yield server


def visit(context: BrowserContext, site: Server) -> Page:
    """Open a page of the site, and wait until the service worker serves it and keeps its files."""
    page = context.new_page()
    page.goto(f"{site.address}plain.html")
    page.evaluate(_REGISTER)
    collect(page, None, site.address + "one.txt")
    names = ["plain.html", "two.txt"]
    collect(page, names, *(site.address + name for name in (*names, "files/lesson.txt")))
    return page


def collect(page: Page, names: list[str] | None, *kept: str) -> None:
    """Have the service worker keep these files, or those needed first, and wait until it has."""
    page.evaluate(_COLLECT, names)
    give_up = time.monotonic() + 5
    while not set(kept) <= set(page.evaluate(_KEPT)):
        assert time.monotonic() < give_up, page.evaluate(_KEPT)
        time.sleep(0.05)


def publish(site: Server, number: int) -> None:
    """Put a new version of the site in the place of the older."""
    for name in ("one", "two"):
        (site.folder / f"{name}.txt").write_text(f"{name}, version {number}")
    list_files(site.folder, first=("one.txt",))
    for file in site.folder.rglob("*"):  # Python's server tells two versions apart by whole seconds
        os.utime(file, (time.time() + 10 * number,) * 2)


def read(page: Page, *paths: str) -> list[str]:
    return [page.evaluate(_READ, path) for path in paths]


def test_a_second_visit_needs_no_network(context: BrowserContext, site: Server) -> None:
    page = visit(context, site)
    site.stop()
    page.reload()
    assert page.title() == "plain"
    assert read(page, "one.txt", "two.txt", "files/lesson.txt") == [
        "one, version 1",
        "two, version 1",
        "the lesson",
    ]
    site.start()


@pytest.mark.long
def test_a_second_visit_asks_for_the_list_alone(context: BrowserContext, site: Server) -> None:
    page = visit(context, site)
    site.asked.clear()
    page.reload()
    read(page, "one.txt", "two.txt")
    assert [path for path in site.asked if path != "/favicon.ico"] == ["/iot-files.json"]


def test_what_the_site_has_not_is_not_asked_for(context: BrowserContext, site: Server) -> None:
    """JupyterLite looks for a learner's folders on the site, too: their names stay here."""
    page = visit(context, site)
    site.asked.clear()
    secret = "api/contents/keys/sandbox/my-button/all.json"
    assert page.evaluate(_STATUS, [secret, "GET"]) == 404
    assert page.evaluate(_STATUS, ["iot-files.json", "GET"]) == 200
    assert site.asked == ["/iot-files.json"]


@pytest.mark.long
def test_a_new_version_replaces_the_older_wholly(context: BrowserContext, site: Server) -> None:
    page = visit(context, site)
    publish(site, 2)
    page.reload()
    assert read(page, "one.txt", "two.txt") == ["one, version 2", "two, version 2"]
    kept = page.evaluate(_KEPT)
    assert len(kept) == len(set(kept)), "an older version is still there"


@pytest.mark.long
def test_an_open_page_stays_with_its_version(context: BrowserContext, site: Server) -> None:
    older = visit(context, site)
    publish(site, 2)
    newer = context.new_page()
    newer.goto(f"{site.address}plain.html")
    for page in (older, newer):
        assert read(page, "one.txt", "two.txt") == ["one, version 1", "two, version 1"]
    older.close()
    newer.reload()
    assert read(newer, "one.txt", "two.txt") == ["one, version 2", "two, version 2"]


@pytest.mark.long
def test_a_file_of_another_version_is_refused(context: BrowserContext, site: Server) -> None:
    page = context.new_page()
    page.goto(f"{site.address}plain.html")
    page.evaluate(_REGISTER)
    collect(page, None, site.address + "one.txt")
    page.evaluate(_HEAR_PROBLEMS)
    publish(site, 2)
    with pytest.raises(Exception, match="Failed to fetch"):
        read(page, "two.txt")
    page.wait_for_function("() => window.heard.includes('newer')")
    assert read(page, "one.txt") == ["one, version 1"]


@pytest.mark.long
def test_another_host_is_neither_kept_nor_answered_for(
    context: BrowserContext, site: Server
) -> None:
    page = visit(context, site)
    before = page.evaluate(_KEPT)
    asked: list[str] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(b"another host")

        def log_message(self, *_: object) -> None:
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{other.server_port}/one.txt"
    assert read(page, address, address) == ["another host", "another host"]
    other.shutdown()
    other.server_close()
    assert asked == ["/one.txt", "/one.txt"]
    assert page.evaluate(_KEPT) == before
    assert all(url.startswith(site.address) for url in before)


@pytest.mark.long
def test_what_is_jupyterlites_stays_jupyterlites(context: BrowserContext, site: Server) -> None:
    page = visit(context, site)
    post = "async path => (await fetch(path, { method: 'POST', body: '{}' })).text()"
    assert page.evaluate(post, "api/drive") == "JupyterLite"
    assert page.evaluate(post, "api/stdin/kernel") == "JupyterLite"
    assert page.evaluate(_READ, "/api/service-worker-heartbeat") == "JupyterLite"


_LINE_UP = """path => {
    window.order ??= [];
    fetch(path, { method: 'POST' }).then(answer => window.order.push([path, answer.status]));
}"""


def order(page: Page) -> list[str]:
    """Return the holders that have had the lock on this page, in order."""
    had = page.evaluate("() => window.order ?? []")
    assert all(status == 204 for _, status in had)
    return [path.rsplit("/", 1)[1] for path, _ in had]


def wait_for(page: Page, *holders: str, seconds: float = 5) -> float:
    """Wait until these have had the lock, in this order; return how long it took."""
    begun = time.monotonic()
    condition = "count => (window.order ?? []).length >= count"
    page.wait_for_function(condition, arg=len(holders), timeout=seconds * 1000)
    assert order(page) == list(holders)
    return time.monotonic() - begun


def test_two_holders_exclude_each_other(context: BrowserContext, site: Server) -> None:
    page = visit(context, site)
    other = context.new_page()
    other.goto(f"{site.address}plain.html")
    page.evaluate(_LINE_UP, "api/iot-lock/a")
    wait_for(page, "a")
    other.evaluate(_LINE_UP, "api/iot-lock/b")
    time.sleep(1)
    assert order(other) == []
    assert page.evaluate(_STATUS, ["api/iot-lock/a", "DELETE"]) == 204
    assert wait_for(other, "b") < 1


@pytest.mark.long
def test_who_comes_first_is_served_first(context: BrowserContext, site: Server) -> None:
    page = visit(context, site)
    for holder in ("a", "b", "c"):
        page.evaluate(_LINE_UP, f"api/iot-lock/{holder}")
        time.sleep(0.1)
    for so_far in (("a",), ("a", "b"), ("a", "b", "c")):
        wait_for(page, *so_far)
        page.evaluate(_STATUS, [f"api/iot-lock/{so_far[-1]}", "DELETE"])


@pytest.mark.long
def test_a_holder_that_has_died_loses_it(context: BrowserContext, site: Server) -> None:
    page = visit(context, site)
    dying = context.new_page()
    dying.goto(f"{site.address}plain.html")
    dying.evaluate(_LINE_UP, "api/iot-lock/dead")
    wait_for(dying, "dead")
    dying.close()
    page.evaluate(_LINE_UP, "api/iot-lock/b")
    assert LOST_AFTER - 3 < wait_for(page, "b", seconds=LOST_AFTER + 5) < LOST_AFTER + 1
    page.evaluate(_LINE_UP, "api/iot-lock/c")
    # The dead one, come to life, releases what it has no more.
    page.evaluate(_STATUS, ["api/iot-lock/dead", "DELETE"])
    time.sleep(0.5)
    assert order(page) == ["b"]


@pytest.mark.long
def test_a_kernels_worker_may_wait_for_it(context: BrowserContext, site: Server) -> None:
    (site.folder / "worker.js").write_text(
        """onmessage = ({ data: [method, holder] }) => {
            const request = new XMLHttpRequest();
            request.open(method, `api/iot-lock/${holder}`, false);
            request.send();
            postMessage(request.status);
        }"""
    )
    list_files(site.folder, first=("one.txt",))
    page = visit(context, site)
    ask = """([method, holder]) => {
        window.worker ??= new Worker('worker.js');
        window.worker.onmessage = ({ data }) => window.got.push(data);
        (window.got ??= []);
        window.worker.postMessage([method, holder]);
    }"""
    page.evaluate(_LINE_UP, "api/iot-lock/a")
    wait_for(page, "a")
    page.evaluate(ask, ["POST", "kernel"])
    time.sleep(1)
    assert page.evaluate("() => window.got") == []
    page.evaluate(_STATUS, ["api/iot-lock/a", "DELETE"])
    page.wait_for_function("() => window.got.length === 1 && window.got[0] === 204")
