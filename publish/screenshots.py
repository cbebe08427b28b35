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
_STILL = """panel => {
    const copy = panel.cloneNode(true)
    const fields = [panel, copy].map(it => [...it.querySelectorAll('input, textarea, select')])
    fields[0].forEach((it, at) => {
        const still = fields[1][at]
        if (it.type === 'checkbox') still.toggleAttribute('checked', it.checked)
        else if (it.tagName === 'TEXTAREA') still.textContent = it.value
        else if (it.tagName === 'INPUT') still.setAttribute('value', it.value)
        else [...still.options].forEach((one, n) =>
            one.toggleAttribute('selected', n === it.selectedIndex))
    })
    let whole = copy
    for (let up = panel.parentElement; up !== document.documentElement; up = up.parentElement) {
        const around = up.cloneNode(false)
        around.removeAttribute('style')
        around.append(whole)
        whole = around
    }
    const styles = [...document.querySelectorAll('style, link[rel=stylesheet]')]
    const head = `<base href="${location.href}">${styles.map(it => it.outerHTML).join('')}`
    return `<!doctype html><html><head>${head}</head>${whole.outerHTML}</html>`
}"""
"""Returns a page with nothing but the panel, as it stands, in the same style.

In a notebook it begins between two pixels, and elsewhere each time: so do its letters.
"""


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
        still = context.new_page()
        still.set_content(panel.evaluate(_STILL))
        still.add_style_tag(content=_style(picture))
        alone = still.locator(".iot-panel")
        shown = alone.locator(picture.part) if picture.part else alone
        yield picture, shown.screenshot(animations="disabled")
        still.close()
    context.close()


def _style(picture: Picture) -> str:
    """Return what is added to the page's style while a picture is taken.

    The padding keeps neighbours out of the picture; the zoom makes room for a whole ARN.
    """
    around = "all: unset; display: block"
    style = f":has(.iot-panel) {{ {around} }} .iot-panel {{ width: {picture.width}px }}"
    selector, *_ = picture.part.split(" >> ")
    part = f"padding: {MARGIN}px !important; zoom: 0.88; border: none !important"
    return f"{style} {selector} {{ {part} }}" if selector else style
