"""The way of a message: the drawing at the top of each notebook."""

from collections.abc import Iterator
from itertools import combinations, product
from xml.etree import ElementTree

import browser_lab
import nbformat
import pytest
from playwright.sync_api import Browser

from helpers.certificate import Certificate
from helpers.flowchart import draw
from helpers.group import ThingGroup
from publish import browser, notebooks, way
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

SHOTS = ROOT / "test-output" / "way"
SVG = "{http://www.w3.org/2000/svg}"
PAGES = {"light": "#ffffff", "dark": "#111111"}
"""JupyterLab's background in its two themes."""
PHONE, CELL = 360, 700
_WIDTH = "async image => { await image.decode(); return image.naturalWidth; }"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser_lab.chromium() as running:
        yield running


def test_what_is_committed_is_what_is_drawn() -> None:
    files = {each.file for each in way.WAYS}
    assert {path.name for path in way.PICTURES.glob("way-*")} == files and len(files) == 4
    assert way.stale() == [], "run ./tutorial docs and commit"


@pytest.mark.parametrize("each", way.WAYS, ids=lambda each: each.notebook)
def test_each_notebook_shows_its_own_after_the_first_paragraph(each: way.Way) -> None:
    notebook = nbformat.read(FOLDER / f"{each.notebook}.ipynb", as_version=4)
    title = notebook.cells[0]
    assert title.id == "title"
    shown = title.source.split("\n\n")[2]
    assert shown == f"![{each.alternative}](pictures/{each.file})"
    assert not set("[]") & set(each.alternative)


def test_every_notebook_has_one() -> None:
    assert tuple(each.notebook for each in way.WAYS) == NOTEBOOKS
    assert len({each.alternative for each in way.WAYS}) == len(NOTEBOOKS)


@pytest.mark.parametrize("each", way.WAYS, ids=lambda each: each.lit)
def test_it_says_what_it_shows(each: way.Way) -> None:
    root = ElementTree.fromstring(way.draw(each))
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and title.text == each.alternative
    assert description is not None and description.text == way.DESCRIPTION
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    drawn = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert {"Button", "TLS", "Message broker", "Listener"} <= set(drawn)


def lit(each: way.Way) -> set[str]:
    root = ElementTree.fromstring(way.draw(each))
    return {
        "".join(text.itertext())
        for text in root.iter(f"{SVG}text")
        if text.get("fill") == "var(--lit)"
    }


def test_each_notebooks_own_piece_is_lit() -> None:
    assert [lit(each) for each in way.WAYS] == [
        {"Thing"},
        {"Policy"},
        {"Certificate"},
        {"Thing", "Policy", "Certificate"},
    ]


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG's, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_it_can_be_read(scheme: int) -> None:
    colours = {name: pair[scheme] for name, pair in way.COLOURS.items()}
    assert contrast("#000000", "#ffffff") == 21
    for text, ground in product(("ink", "quiet", "lit"), ("card", "field", "glow")):
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for shape, ground in product(("line", "lit"), ("card", "field")):
        assert contrast(colours[shape], colours[ground]) >= 3, (shape, ground)


@pytest.mark.parametrize("each", way.WAYS, ids=lambda each: each.lit)
def test_no_text_leaves_its_place(each: way.Way, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": CELL, "height": 400})
    page.set_content(way.draw(each).decode())
    texts, boxes = page.evaluate("""() => ['text', 'path'].map(kind =>
        [...document.querySelectorAll(`svg > ${kind}`)].map(shape => {
            const box = shape.getBBox();
            return [box.x, box.y, box.x + box.width, box.y + box.height];
        }))""")
    page.close()
    assert len(texts) == 19
    for one, other in combinations(texts, 2):
        assert apart(one, other)
    # Each text is inside every box that it touches.
    for text, box in product(texts, (box for box in boxes if is_frame(box))):
        assert apart(text, box) or inside(text, box), (text, box)
    assert all(inside(text, [0, 0, way.WIDTH, way.HEIGHT]) for text in texts)


def test_in_the_flowchart_no_text_lies_on_another_or_leaves_its_box(chromium: Browser) -> None:
    """Certificates and a group on one policy, with names as long as a learner makes them."""
    policies, things = ("zoe-second-button-policy", "zoe-panel"), ("zoe-second-button", "zoe-one")
    certificates = [
        Certificate(digit * 64, "", "INACTIVE", policies, things) for digit in ("a", "b", "0")
    ]
    group = ThingGroup("zoe-quarantine", ("zoe-whole-fleet",), things[:1], policies)
    page = chromium.new_page(viewport={"width": 900, "height": 400})
    page.set_content(draw(things, [*certificates, group], policies).svg)
    assert page.locator("text", has_text="attached").count() == 2
    texts, boxes, lines = page.evaluate("""() => ['text', 'rect', 'path'].map(kind =>
        [...document.querySelectorAll(`svg > ${kind}`)].map(shape => {
            const box = shape.getBBox();
            return [box.x, box.y, box.x + box.width, box.y + box.height];
        }))""")
    page.close()
    assert (len(texts), len(boxes), len(lines)) == (18, 9, 15)
    assert all(apart(one, other) for one, other in combinations(texts, 2))
    for text, box in product(texts, boxes):
        assert apart(text, box) or inside(text, box), (text, box)
    labels = [text for text in texts if all(apart(text, box) for box in boxes[1:])]
    assert len(labels) == 2
    assert all(label[3] < line[1] for label, line in product(labels, lines))


@pytest.mark.parametrize("scheme", PAGES)
def test_it_turns_dark_with_the_page(scheme: str, chromium: Browser) -> None:
    page = chromium.new_page(color_scheme="dark" if scheme == "dark" else "light")
    page.set_content(way.draw(way.WAYS[0]).decode())
    card = page.evaluate("getComputedStyle(document.querySelector('path')).fill")
    page.close()
    colour = way.COLOURS["card"][scheme == "dark"]
    assert card == "rgb({}, {}, {})".format(*bytes.fromhex(colour[1:]))


def is_frame(box: list[float]) -> bool:
    """Tell the card, the registry and the pieces in it from icons and lines."""
    return box[2] - box[0] > 70 and box[3] - box[1] > 70


def apart(one: list[float], other: list[float]) -> bool:
    return any(one[at] >= other[at + 2] or other[at] >= one[at + 2] for at in (0, 1))


def inside(text: list[float], box: list[float]) -> bool:
    return all(text[at] > box[at] + 4 and text[at + 2] < box[at + 2] - 4 for at in (0, 1))


@pytest.mark.parametrize("scheme", PAGES)
@pytest.mark.parametrize(("width", "zoom"), [(CELL, 1), (CELL, 2), (PHONE, 3)])
def test_it_is_whole_on_a_page(scheme: str, width: int, zoom: int, chromium: Browser) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(
        viewport={"width": width, "height": 300},
        device_scale_factor=zoom,
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    html = SHOTS / f"{scheme}-{width}-{zoom}.html"
    shown = "".join(
        f'<p><img style="max-width: 100%" src="{(way.PICTURES / each.file).as_uri()}"></p>'
        for each in way.WAYS
    )
    html.write_text(f'<body style="background: {PAGES[scheme]}">{shown}')
    page.goto(html.as_uri())
    page.screenshot(path=html.with_suffix(".png"), full_page=True)
    sizes = page.evaluate("[...document.images].map(image => [image.width, image.height])")
    wide = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    html.unlink()
    own = min(way.WIDTH, width - 16)
    assert sizes == [[own, round(own * way.HEIGHT / way.WIDTH)]] * 4
    assert wide == width


@pytest.mark.long
def test_jupyterlab_shows_it_in_both_themes(chromium: Browser) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = chromium.new_page(viewport={"width": 1100, "height": 760})
    with (
        notebooks.workplace() as (folder, env),
        browser.lab(folder, env, folder.parent / "home") as address,
    ):
        for each in way.WAYS:
            book = browser_lab.Notebook(page, address, each.notebook)
            picture = page.get_by_role("img", name=each.alternative)
            for theme in ("Light", "Dark"):
                book.use_theme(f"JupyterLab {theme}")
                assert picture.evaluate(_WIDTH) == way.WIDTH
                page.screenshot(path=SHOTS / f"lab-{each.notebook}-{theme.lower()}.png")
    page.close()
