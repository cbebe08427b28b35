"""How the lesson looks: each notebook as opened and as run, light and dark, at 100 and 200 %.

In a learner's copy, which JupyterLab trusts. The screenshots stay in ``test-output/looks``: what
is ugly, only a person sees.
"""

import nbformat
import pytest
from browser_desk import PANELS, Desk, desk
from browser_lab import Notebook
from nbformat.v4 import new_markdown_cell
from playwright.sync_api import Page

from publish import screenshots
from publish.notebooks import NOTEBOOKS, ROOT
from publish.pictures import PICTURES as PANELS_PICTURES

__all__ = ["desk"]  # a fixture

pytestmark = pytest.mark.long

PICTURES = ROOT / "test-output" / "looks"
WIDTH = 1280
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

HERE = ".jp-NotebookPanel:not(.lm-mod-hidden)"
PANEL = f"{HERE} .iot-panel"
_HERE = f"const here = document.querySelector('{HERE}');"
_HIDDEN_HEIGHT = f"""() => {{
    {_HERE}
    const outer = here.querySelector('.jp-WindowedPanel-outer');
    outer.scrollTop = 0;
    const last = [...here.querySelectorAll('.jp-Cell')].pop();
    return Math.ceil(last.getBoundingClientRect().bottom - outer.getBoundingClientRect().bottom);
}}"""
_WRONG = f"""() => {{
    {_HERE}
    const shown = [...here.querySelectorAll('.jp-Cell *')].filter(it => it.checkVisibility());
    const ofWhich = it => {{
        const cell = it.closest('.jp-Cell').innerText.trim().slice(0, 40);
        return `${{it.tagName}}.${{it.className}} in ${{JSON.stringify(cell)}}`;
    }};
    const wide = shown
        .filter(it => !['INPUT', 'SELECT', 'TEXTAREA'].includes(it.tagName))
        .filter(it => it instanceof HTMLElement && getComputedStyle(it).display !== 'inline')
        .filter(it => it.scrollWidth > it.clientWidth + 1)
        .map(it => `cut: ${{ofWhich(it)}}: ${{it.scrollWidth}} > ${{it.clientWidth}}`);
    const missing = shown.filter(it => it.tagName === 'IMG' && !it.naturalWidth)
        .map(it => `no picture: ${{ofWhich(it)}}: ${{it.alt}}`);
    const told = ['Error displaying widget', 'Loading widget', '<svg']
        .filter(text => here.innerText.includes(text)).map(text => `shown as text: ${{text}}`);
    return [...wide, ...missing, ...told];
}}"""


def show_whole(page: Page, width: int) -> None:
    """Make the window as high as the notebook, which then has nothing to scroll."""
    height = 1000
    page.set_viewport_size({"width": width, "height": height})
    for _ in range(8):
        page.wait_for_timeout(300)
        more = page.evaluate(_HIDDEN_HEIGHT)
        if more <= 0:
            return
        height += more + 20
        page.set_viewport_size({"width": width, "height": height})
    raise AssertionError("the notebook grows and grows")


def show_side_bar(page: Page, shown: bool) -> None:
    """Show or hide the list of files, which takes half of a page at 200 %."""
    bar = page.locator("#jp-left-stack")
    if bar.is_visible() != shown:
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        bar.wait_for(state="visible" if shown else "hidden")


def look(notebook: Notebook, state: str) -> dict[str, list[str]]:
    """Take the four screenshots of a state.

    Returns:
        What is wrong in each, by its file's name.
    """
    found = {}
    for percent in (100, 200):
        show_side_bar(notebook.page, percent == 100)
        for theme, called in THEMES.items():
            notebook.use_theme(called)
            show_whole(notebook.page, WIDTH * 100 // percent)
            file = PICTURES / f"{notebook.name}-{state}-{theme}-{percent}.png"
            notebook.page.screenshot(path=file, animations="disabled")
            found[file.name] = notebook.page.evaluate(_WRONG)
            if percent == 200 and notebook.page.locator(PANEL).count():
                found[file.name] += notebook.findings()
    return found


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_nothing_is_cut_and_every_picture_is_there(desk: Desk, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page = desk.page()
    notebook = Notebook(page, desk.address, name)
    images, panels = page.locator(f"{HERE} .jp-OutputArea-output img"), page.locator(PANEL)
    here = sum(of == name for of, *_ in PANELS)
    wrong = look(notebook, "opened")
    assert panels.count() == 0
    assert images.count() >= here > 0
    notebook.run_all()
    panels.nth(here - 1).wait_for()
    wrong |= look(notebook, "run")
    assert panels.count() == here
    assert len(wrong) == 8
    assert {file: found for file, found in wrong.items() if found} == {}
    notebook.shut_down()
    page.close()


def test_a_copy_that_is_not_trusted_shows_the_pictures_too(desk: Desk) -> None:
    """It leaves out the flowchart, which is SVG: of that, the text stays."""
    notebook = nbformat.read(desk.folder / "04-closing.ipynb", as_version=4)
    notebook.cells.append(new_markdown_cell("From elsewhere."))
    nbformat.write(notebook, desk.folder / "untrusted.ipynb")
    page = desk.page()
    Notebook(page, desk.address, "untrusted")
    show_whole(page, WIDTH)
    assert page.locator(f"{HERE} .jp-mod-trusted img").count() == 0
    assert page.locator(f"{HERE} .jp-OutputArea-output img").count() == 2
    assert page.evaluate(_WRONG) == []
    page.locator(f"{HERE} pre", has_text="Certificate 1: 01234567… ACTIVE").wait_for()
    page.close()


def test_a_picture_is_the_same_twice(desk: Desk) -> None:
    """With other ids, at another time of day, at another place of the page."""
    ours = [picture for picture in PANELS_PICTURES if picture.notebook == "03-certificate"]
    first, second = (
        [png for _, png in screenshots.taken(desk.browser, desk.address, "03-certificate", ours)]
        for _ in range(2)
    )
    assert len(first) == 3
    assert first == second
