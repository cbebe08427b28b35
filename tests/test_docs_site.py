"""What the pages of the site offer and lead to: one small site, made with every address set.

It has no reference and no decisions, for Sphinx takes longest over them; ``test_docs_build.py``
looks at the whole.
"""

import base64
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import browser_lab
import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from docs_support import copy_project, served
from playwright.sync_api import Browser, Page
from test_addresses import ALL, set_everywhere

from publish import addresses, website
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

PAGES = {
    *("index", "glossary", "troubleshooting", "sandbox", "real-account", "rehearsal"),
    *(
        "facilitator",
        "publishing",
        "security",
        "changelog",
        "404",
        "search",
        "genindex",
        *NOTEBOOKS,
    ),
}
MAKE = "from publish import lesson, website; website.write(lesson.read(), website.Path('site'))"

COLOUR = """async picture => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + picture;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
    canvas.drawImage(image, 0, 0);
    return [...canvas.getImageData(image.width / 2, 8, 1, 1).data].slice(0, 3);
}"""


class Links(HTMLParser):
    """The links of a page: their words by their addresses, and the classes of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self.classes: dict[str, str] = {}
        self._open: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and (address := given.get("href")):
            self._open = address
            self.found.setdefault(address, []).append("")
            self.classes[address] = given.get("class") or ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.found[self._open][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._open = None


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small site with every address set."""
    copy = copy_project(tmp_path_factory.mktemp("project"))
    set_everywhere(copy, ALL)
    for file in [*copy.glob("docs/decisions/*"), *copy.glob("docs/site/reference*/*")]:
        file.unlink()
    for name in ("reference.rst", "decisions.md"):
        (copy / "docs" / "site" / name).unlink()
    index = copy / "docs" / "site" / "index.md"
    index.write_text(re.sub(r"^(reference|decisions)\n", "", index.read_text("utf-8"), flags=re.M))
    done = subprocess.run([sys.executable, "-c", MAKE], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {file.stem for file in (copy / "site").rglob("*.html")} == PAGES
    return copy / "site"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser_lab.chromium() as running:
        yield running


def read(site: Path, page: str) -> str:
    return (site / f"{page}.html").read_text("utf-8")


def article(site: Path, page: str) -> str:
    """A page without side bar, head and foot."""
    return read(site, page).split("<article", 1)[1].split("</article>", 1)[0]


WIDTHS = {390: "light", 1280: "dark"}
"""A phone and a screen, in pixels, and how each is lit."""


def findings(chromium: Browser, *pages: str) -> list[str]:
    """What axe-core finds serious or critical on pages, on a phone and on a screen."""
    found = []
    for width, scheme in WIDTHS.items():
        page = chromium.new_page(
            viewport={"width": width, "height": 900},
            color_scheme="light" if scheme == "light" else "dark",
        )
        for address in pages:
            page.goto(address)
            response = Axe().run(page, options={"resultTypes": ["violations"]}).response
            assert len(response["passes"]) > 10
            found += [
                f"{width} {address}: {each['help']}: {node['html']}"
                for each in response["violations"]
                if each["impact"] in ("serious", "critical")
                for node in each["nodes"]
            ]
        page.close()
    return found


def colour(page: Page, picture: bytes) -> list[int]:
    """Red, green and blue of a picture, in the middle near its upper edge."""
    return list(page.evaluate(COLOUR, base64.b64encode(picture).decode()))


# What each page offers.


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_lesson_can_be_opened_and_downloaded(site: Path, name: str) -> None:
    links = Links(article(site, name).split('class="ways"')[1].split("</p>")[0]).found
    ways = {to: [f"Open {words}"] for words, to in addresses.ways(ALL, name).items()}
    assert links == ways | {f"notebooks/{name}.ipynb": ["Download the notebook"]}
    assert (site / "notebooks" / f"{name}.ipynb").read_bytes() == (
        FOLDER / f"{name}.ipynb"
    ).read_bytes()
    assert "Open it" not in article(site, name)


@pytest.mark.parametrize("page", sorted(PAGES - {"search", "genindex"}))
def test_edit_leads_to_the_file_that_the_page_is_made_from(site: Path, page: str) -> None:
    (address,) = re.findall(r'href="([^"]+)" rel="edit"', read(site, page))
    start = f"{ALL.repository}/edit/main/"
    assert address.startswith(start)
    file = ROOT / address.removeprefix(start)
    assert file.is_file()
    title = re.search(r"<h1>(?:<span.*?</span>)?([^<]+)", article(site, page))
    text = file.read_text("utf-8")
    if file.suffix == ".ipynb":
        text = json.loads(text)["cells"][0]["source"][0]
    assert title and title[1].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") in text


def test_pages_made_from_modules_lead_to_them() -> None:
    assert website.source_of("reference/helpers.thing", ".rst") == "helpers/thing.py"
    assert website.source_of("reference/helpers.account", ".rst") == "helpers/account/__init__.py"
    assert website.source_of("decisions/0003-state-is-pickled", ".md").startswith("docs/decisions/")


@pytest.mark.parametrize("page", sorted(PAGES))
def test_head_and_foot(site: Path, page: str) -> None:
    text = read(site, page)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"IoT button tutorial {project['version']} · {project['license']} licence" in text
    assert f'<link rel="canonical" href="{ALL.site}/{page}.html"' in text
    if page not in {"search", "genindex"}:
        assert f'<meta property="og:url" content="{ALL.site}/{page}.html" />' in text
        assert f'<meta property="og:image" content="{ALL.site}/_static/preview.png" />' in text
        assert len(re.findall('<meta name="description" content="[^"]{30,200}', text)) == 1
    assert (site / "_static" / "preview.png").read_bytes()[16:24] == bytes.fromhex(
        f"{1200:08x}{630:08x}"
    )


def test_for_machines(site: Path) -> None:
    named = re.findall("<loc>(.*?)</loc>", (site / "sitemap.xml").read_text("utf-8"))
    assert sorted(named) == sorted(f"{ALL.site}/{page}.html" for page in PAGES - {"404"})
    assert (site / ".nojekyll").exists()


# Words that are links.


def test_lessons_are_numbered_in_titles_and_in_the_side_bar(site: Path) -> None:
    side_bar = read(site, "glossary").split('class="sidebar-tree"')[1].split("</div>")[0]
    for number, name in enumerate(NOTEBOOKS, 1):
        assert f'<span class="section-number">{number}. </span>' in article(site, name)
        assert f'href="{name}.html">{number}. ' in side_bar


def test_a_notebook_that_is_named_is_a_link(site: Path) -> None:
    """Everywhere but in code, headings, links and the heads of tables, and on its own page."""
    for page in PAGES:
        text = re.sub(r"(?s)<(a|code|pre|h\d|title|th|script)\b.*?</\1>", "", article(site, page))
        left = re.findall(r"[Nn]otebooks?\s+0\d", re.sub("<[^>]+>", "", text))
        assert [each for each in left if each[-2:] != page[:2]] == [], page
    links = Links(article(site, "01-thing")).found
    assert links["02-policy.html"][:2] == ["02", "notebook 02"]
    assert links["03-certificate.html"][:2] == ["03", "notebook 03"]  # after "02 and"
    assert Links(article(site, "04-closing")).found["03-certificate.html"][0] == "03"  # "01 to"
    assert "Notebook 03" in Links(article(site, "troubleshooting")).found["03-certificate.html"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_first_uses_lead_to_the_glossary(site: Path, name: str) -> None:
    text = article(site, name)
    terms = re.findall(
        r'<a class="term[^"]*" href="glossary\.html#(term-[\w-]+)">([^<]+)</a>', text
    )
    assert len(terms) >= 8
    assert len({place for place, _ in terms}) == len(terms), "a first use comes once"
    places = set(re.findall(r'id="(term-[\w-]+)"', article(site, "glossary")))
    for place, words in terms:
        assert place in places
        assert place.removeprefix("term-").replace("-", " ") in (words, words.removesuffix("s"))
    assert not re.search(r'<(h\d|pre|code)\b[^>]*>(?:(?!</\1>).)*class="term', text, re.S)


def test_a_longer_term_is_not_cut(site: Path) -> None:
    links = Links(article(site, "02-policy")).found
    assert links["glossary.html#term-message-broker"] == ["message broker"]
    assert "glossary.html#term-topic-filter" not in links  # there it leads to AWS already


def test_the_words_of_the_lesson_stand_in_the_glossary(site: Path) -> None:
    wanted = "Thing principal client-id topic-filter policy statement certificate endpoint shadow"
    wanted += " ARN region TLS MQTT broker message-broker topic private-key registry"
    text = article(site, "glossary")
    for word in wanted.split():
        assert f'id="term-{word}"' in text
    listed = re.findall(r'<dt id="term-([\w-]+)"', text)
    assert len(listed) == len(set(listed)) > 20


# Where links lead.


def test_every_link_inside_leads_somewhere(site: Path) -> None:
    ids = {page: set(re.findall(r' id="([^"]+)"', read(site, page))) for page in PAGES}
    start = f"{ALL.site}/"
    for page in PAGES:
        for address in Links(read(site, page)).found:
            to, place = urldefrag(urljoin(f"{start}{page}.html", address))
            if to.startswith(start):
                file = site / to.removeprefix(start)
                assert file.is_file(), (page, address)
                assert not place or place in ids[file.stem], (page, address)


def test_files_that_are_no_pages_lead_to_the_repository(site: Path) -> None:
    start = f"{ALL.repository}/blob/main/"
    found = [
        address.removeprefix(start)
        for page in PAGES
        for address in Links(article(site, page)).found
        if address.startswith(start)
    ]
    assert "workshop/kubernetes/README.md" in found
    assert [file for file in found if not (ROOT / file).exists()] == []
    assert Links(article(site, "real-account")).found["security.html"] == ["SECURITY"]


def test_what_is_not_known_of_another_host_is_not_said() -> None:
    elsewhere = addresses.Addresses(repository="https://code.example/someone/name")
    assert addresses.in_repository(elsewhere, "SECURITY.md", "edit") == ""
    found = website.linked("[hub](hub/config.py)", "facilitator", "workshop/README.md", elsewhere)
    assert found == "hub (`workshop/hub/config.py`)"


def test_from_any_depth_the_page_for_nothing_leads_back(site: Path) -> None:
    text = read(site, "404")
    root = urlsplit(ALL.site).path
    named = re.findall(r'(?:href|src|action)="([^"#]+)', text)
    local = [each for each in named if ":" not in each]
    assert len(local) > 15
    assert [each for each in local if not each.startswith(f"{root}/")] == []


# At work.


def test_only_code_is_copied_and_it_is_copied_whole(site: Path, chromium: Browser) -> None:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    notebook = nbformat.read(FOLDER / "01-thing.ipynb", as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    with served(site) as address:
        page.goto(f"{address}/01-thing.html")
        buttons = page.locator("button.copybtn")
        buttons.first.wait_for(state="attached")
        assert page.locator(".cell_output button.copybtn").count() == 0
        assert page.locator(".cell_input button.copybtn").count() == len(code)
        page.locator(".cell_input button.copybtn").nth(2).click()
        copied = page.evaluate("navigator.clipboard.readText()")
    context.close()
    assert copied == code[2]


@pytest.mark.parametrize("system, chosen", [("light", "dark"), ("dark", "light")])
def test_a_drawing_follows_the_page_s_own_switch(
    site: Path, chromium: Browser, system: str, chosen: str
) -> None:
    page = chromium.new_page(color_scheme="light" if system == "light" else "dark")
    with served(site) as address:
        page.goto(f"{address}/01-thing.html")
        page.evaluate("theme => { document.body.dataset.theme = theme }", chosen)
        page.wait_for_timeout(200)
        picture = page.locator("article img").first.screenshot()
    found = colour(page, picture)
    page.close()
    assert max(found) < 60 if chosen == "dark" else min(found) > 200


def test_paper_is_light_and_has_the_text_alone(site: Path, chromium: Browser) -> None:
    page = chromium.new_page(color_scheme="dark", viewport={"width": 794, "height": 1123})
    page.emulate_media(media="print")
    with served(site) as address:
        page.goto(f"{address}/01-thing.html")
        assert min(colour(page, page.locator("article img").first.screenshot())) > 200
        assert min(colour(page, page.screenshot())) > 200
        for hidden in (".ways", ".sidebar-drawer", ".related-pages", ".edit-this-page", ".copybtn"):
            page.locator(hidden).first.wait_for(state="hidden")
        page.goto(f"{address}/sandbox.html")
        cut = "[...document.querySelectorAll('pre')].filter(it => it.scrollWidth > it.clientWidth)"
        assert page.evaluate(f"{cut}.length") == 0
    page.close()


def test_one_page_is_for_everyone(site: Path, chromium: Browser) -> None:
    """The whole site: ``test_docs_build.py``, with ``--long``."""
    with served(site) as address:
        assert findings(chromium, f"{address}/01-thing.html") == []
