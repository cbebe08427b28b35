"""Take the pictures of the panels: a real JupyterLab in a real browser, at 2x, in light colours."""

import sys
from collections.abc import Iterator
from itertools import groupby

from playwright.sync_api import Browser, Locator

from publish.browser import Notebook, chromium, lab, launched
from publish.notebooks import workplace
from publish.pictures import FOLDER, PICTURES, Picture

HEIGHT = 1200
SHARPNESS = 2
"""Pixels of the picture per pixel of the page."""
MARGIN = 12
"""Pixels around a part of a panel."""


def shoot() -> None:
    """Take every picture anew, into notebooks/pictures."""
    path = chromium()
    if path is None:
        sys.exit("There is no browser to make pictures with. On Debian: apt-get install chromium")
    with (
        workplace() as (folder, env),
        launched(path) as running,
        lab(folder, env, folder.parent / "home") as address,
    ):
        for name, pictures in groupby(PICTURES, key=lambda picture: picture.notebook):
            print(f"pictures of {name} ...", flush=True)
            for picture, shown in _shown(running, address, name, list(pictures)):
                file, style = FOLDER / picture.file, _room(picture.part)
                shown.screenshot(path=file, style=style, animations="disabled")


def _shown(
    browser: Browser, address: str, name: str, pictures: list[Picture]
) -> Iterator[tuple[Picture, Locator]]:
    """Run a notebook as far as each panel, and click that into the state that a picture shows."""
    context = browser.new_context(
        device_scale_factor=SHARPNESS,
        color_scheme="light",
    )
    notebook = Notebook(context.new_page(), address, name)
    at = ""
    for picture in pictures:
        if picture.cell != at:
            at = picture.cell
            notebook.run_through(at)
        notebook.page.set_viewport_size({"width": picture.width, "height": HEIGHT})
        panel = notebook.panel(cell=at)
        for text in picture.clicks:
            panel.get_by_role("button", name=text, disabled=False, exact=True).click()
        if picture.until:
            panel.get_by_text(picture.until).wait_for()
        notebook.page.mouse.move(0, 0)
        yield picture, panel.locator(picture.part) if picture.part else panel
    context.close()


def _room(part: str) -> str:
    """Return the style of a part of a panel while its picture is taken.

    The padding keeps its neighbours out of the picture; the zoom makes room for a whole ARN.
    """
    selector, *_ = part.split(" >> ")
    return f"{selector} {{ padding: {MARGIN}px; zoom: 0.88 }}" if part else ""
