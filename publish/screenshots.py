"""Take the pictures of the panels: a real JupyterLab in a real browser, at 2x, in light colours."""

import sys
from collections.abc import Iterator
from itertools import groupby

from playwright.sync_api import Browser, ViewportSize

from publish.browser import Notebook, chromium, lab, launched
from publish.canonical import sanitize
from publish.notebooks import workplace
from publish.pictures import FOLDER, PICTURES, Picture

WINDOW: ViewportSize = {"width": 1500, "height": 1200}
SHARPNESS = 2
"""Pixels of the picture per pixel of the page."""
MARGIN = 12
"""Pixels around a panel, or around a part of one."""
_AS_PLACEHOLDERS = """(panel, texts) => {
    const every = [...panel.querySelectorAll('*')].flatMap(it => 'value' in it ? [it] : [])
    const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) every.push(walker.currentNode)
    const name = it => it.nodeType === Node.TEXT_NODE ? 'data' : 'value'
    if (!texts) return every.map(it => String(it[name(it)]))
    every.forEach((it, at) => { if (it[name(it)] !== texts[at]) it[name(it)] = texts[at] })
}"""
"""Returns the texts of a panel, or sets them."""
_ALONE = """(panel, style) => {
    const sheet = document.createElement('style')
    document.head.append(Object.assign(sheet, { className: 'iot-sheet', textContent: style }))
    panel.classList.add('iot-alone')
    const { left, top } = panel.getBoundingClientRect()
    panel.style.margin = `${Math.ceil(top) - top}px 0 0 ${Math.ceil(left) - left}px`
    document.activeElement.blur()
}"""
"""Puts a panel on top of the page, at a whole pixel; by itself it begins between two of them."""
_AS_BEFORE = """panel => {
    document.querySelector('.iot-sheet').remove()
    panel.classList.remove('iot-alone')
    panel.style.margin = ''
}"""


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
            for picture, content in taken(running, address, name, list(pictures)):
                (FOLDER / picture.file).write_bytes(content)


def taken(
    browser: Browser, address: str, name: str, pictures: list[Picture]
) -> Iterator[tuple[Picture, bytes]]:
    """Run a notebook as far as each panel, click that into the state to show, and take it.

    Args:
        browser: To open a new window in.
        address: A JupyterLab's, as :func:`publish.browser.lab` gives it.
        name: The notebook's.
        pictures: Its pictures, in the order in which they are taken.

    Yields:
        Each with its PNG, which is the same each time.
    """
    context = browser.new_context(
        device_scale_factor=SHARPNESS,
        color_scheme="light",
        viewport=WINDOW,
    )
    notebook = Notebook(context.new_page(), address, name)
    at = ""
    for picture in pictures:
        if picture.cell != at:
            at = picture.cell
            notebook.run_through(at)
        notebook.run(*picture.first)
        panel = notebook.panel(cell=at)
        for text in picture.clicks:
            panel.get_by_role("button", name=text, disabled=False, exact=True).click()
        if picture.until:
            panel.get_by_text(picture.until).first.wait_for()
        panel.locator(".iot-under-way").wait_for(state="detached")
        notebook.wait_until_idle()
        notebook.page.mouse.move(0, 0)
        panel.evaluate(_AS_PLACEHOLDERS, sanitize(panel.evaluate(_AS_PLACEHOLDERS)))
        panel.evaluate(_ALONE, _style(picture))
        part = panel.locator(picture.part) if picture.part else panel
        yield picture, part.screenshot(animations="disabled")
        panel.evaluate(_AS_BEFORE)
    context.close()


def _style(picture: Picture) -> str:
    """Return the page's style while a picture is taken.

    The shadow and the padding keep neighbours out of the picture; the zoom makes room for a whole
    ARN.
    """
    place = f"position: fixed !important; top: {MARGIN}px; left: {MARGIN}px; z-index: 9"
    alone = f"{place}; width: {picture.width}px; box-shadow: 0 0 0 {MARGIN}px #fff"
    style = f".iot-panel.iot-alone {{ {alone} }}"
    selector, *_ = picture.part.split(" >> ")
    part = f"padding: {MARGIN}px !important; zoom: 0.88; border: none !important"
    return f"{style} .iot-alone {selector} {{ {part} }}" if selector else style
