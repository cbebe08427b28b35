"""How much the browser edition sends, and how long it takes: ``python -m bench.browser``.

Aims, on two cores: a first visit under 20 MB and 15 s from the address to the first cell's output,
a second one under 5 s. Bytes are what the server sends, compressed as a static host does.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, sync_playwright

from publish import browser
from publish.lite import serve, site

ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""No host but this one: the site asks no other."""
SETTLED = 15.0
"""Seconds after the first cell by which what comes in the background has come."""
_RUN = """async () => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    if (!panel?.sessionContext) return false;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
    await window.jupyterapp.commands.execute('notebook:run-cell');
    return true;
}"""
_FIRST_OUTPUT = """() => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets;
    const first = cells.find(cell => cell.model.type === 'code');
    return first.model.executionCount !== null && first.model.outputs.length > 0;
}"""
_SELECT_FIRST = """() => {
    const notebook = window.jupyterapp?.shell?.currentWidget?.content;
    const at = notebook?.widgets?.findIndex(cell => cell.model.type === 'code') ?? -1;
    if (at < 0) return false;
    const cell = notebook.widgets[at];
    cell.model.sharedModel.execution_count = null;
    cell.model.outputs.clear();
    notebook.activeCellIndex = at;
    return true;
}"""


class Counted:
    """A WSGI application, and how many bytes and answers it has sent."""

    def __init__(self, app: serve.Wsgi) -> None:
        self._app = app
        self.sent: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Pass an answer on, counted: its head as well as its body."""
        head: list[int] = [0]

        def counting(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            head[0] = len(status) + sum(len(name) + len(value) + 4 for name, value in headers)
            return start(status, headers, *rest)

        body = self._app(environ, counting)
        try:
            for part in body:
                self._count(environ["PATH_INFO"], len(part))
                yield part
        finally:
            self._count(environ["PATH_INFO"], head[0])
            getattr(body, "close", lambda: None)()

    def _count(self, path: str, size: int) -> None:
        with self._lock:
            self.sent[path] = self.sent.get(path, 0) + size


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Counted]]:
    """Serve *folder* in a thread; yield its address and what counts."""
    counted = Counted(serve.application(folder))
    running = serve.server(counted)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.effective_port}/", counted
    running.close()


def visit(context: BrowserContext, address: str) -> float:
    """Open the lesson and run its first cell; return the seconds to its output."""
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(_SELECT_FIRST, timeout=60_000, polling=50)
    page.evaluate(_RUN)
    page.wait_for_function(_FIRST_OUTPUT, timeout=60_000, polling=50)
    return time.perf_counter() - begun


def main() -> None:
    """Measure first and second visits, and print the rows."""
    parser = argparse.ArgumentParser(prog="./tutorial bench browser", description=__doc__)
    parser.add_argument("-n", type=int, default=3, help="how many times (default: %(default)s)")
    parser.add_argument("--built", action="store_true", help="measure the site that is there")
    options = parser.parse_args()
    folder = site.SITE if options.built else site.build()
    path = browser.chromium()
    assert path is not None, "no Chromium, and none to be had"
    cold: list[float] = []
    warm: list[float] = []
    first: list[int] = []
    later: list[int] = []
    with served(folder) as (address, counted), sync_playwright() as playwright:
        for _ in range(options.n):
            with tempfile.TemporaryDirectory() as profile:
                counted.sent.clear()
                for times in (cold, warm):
                    context = playwright.chromium.launch_persistent_context(
                        profile, executable_path=path, args=[*browser.FLAGS, ALONE]
                    )
                    times.append(visit(context, address))
                    if times is cold:
                        first.append(sum(counted.sent.values()))
                        time.sleep(SETTLED)
                        later.append(sum(counted.sent.values()))
                    context.close()
    rows = [("first visit, to the first cell", first, 20), ("and in the background", later, 20)]
    for what, sizes, aim in rows:
        print(f"{what:34} {statistics.median(sizes) / 1e6:6.1f} MB   (aim: under {aim})")
    for what, times, aim in [("first visit", cold, 15), ("second visit", warm, 5)]:
        print(f"{what:34} {statistics.median(times):6.1f} s    (aim: under {aim})")


if __name__ == "__main__":
    main()
