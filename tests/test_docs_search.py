"""The site's search, in a real browser: what is typed leads to the right section first."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import browser_lab
import pytest
from axe_playwright_python.sync_playwright import Axe
from docs_support import copy_project, docs, served
from playwright.sync_api import Browser, Page

from publish import search, website
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

FAILS = "troubleshooting.html#"
TROUBLESHOOTING = (FOLDER / "troubleshooting.md").read_text("utf-8")
SYMPTOMS = {
    heading: f"{FAILS}{place}"
    for place, heading in re.findall(r'<a id="(.+?)"></a>\n\n## (.+)', TROUBLESHOOTING)
}
FIRST_WORDS = {
    words.replace("`", ""): f"{FAILS}{place}"
    for words, place in re.findall(r"^\| (`.+?) \| \[.+?\]\(#(.+?)\) \|$", TROUBLESHOOTING, re.M)
}
CODES = {
    code
    for file in ("troubleshooting.md", *(f"{name}.ipynb" for name in NOTEBOOKS))
    for code in re.findall(r"\b[A-Z][A-Za-z]+Exception\b", (FOLDER / file).read_text("utf-8"))
}
# As a learner types: a word, half of one, a plural, a sentence, code.
TYPED = {
    "client id": "glossary.html#term-client-id",
    "Client IDs": "glossary.html#term-client-id",
    "TestAuthorization": "02-policy.html#ask-for-the-verdict",
    "test_authorization": "02-policy.html#ask-for-the-verdict",
    "IMPLICIT_DENY": "02-policy.html#ask-for-the-verdict",
    "mosquitto": "sandbox.html#point-a-device-at-it",
    "mosq": "sandbox.html#point-a-device-at-it",
    "aws cli": "sandbox.html#point-the-aws-cli-at-it",
    "pytest": "sandbox.html#in-your-tests",
    "how do I clean up": "04-closing.html#clean-up",
    "cleaning up": "04-closing.html#clean-up",
    "my button is refused": f"{FAILS}a-press-is-refused",
    "private key lost": f"{FAILS}the-private-key-is-lost",
    "I've lost my private key": f"{FAILS}the-private-key-is-lost",
    "certificate inactive": f"{FAILS}the-certificate-is-not-active",
    "nothing arrives": f"{FAILS}a-message-is-published-no-error-comes-and-nothing-arrives",
    "Windows": f"{FAILS}the-commands-do-not-start-on-windows",
    "git pull": f"{FAILS}git-pull-stops",
    "resource already exists": f"{FAILS}the-thing-has-other-attributes",
    "VersionsLimitExceeded": f"{FAILS}there-are-five-versions-already",
    "polic": "glossary.html#term-policy",
    "policies": "glossary.html#term-policy",
    "topics": "glossary.html#term-topic",
    "payload": "glossary.html#term-payload",
    "what is a thing": "01-thing.html#what-a-thing-is",
    "rename a thing": "01-thing.html#what-a-thing-is",
    "create a thing": "01-thing.html#create-the-thing",
    "create_thing": "01-thing.html#create-the-thing",
    "activat": "03-certificate.html#activate-it",
    "attach thing": "03-certificate.html#the-post-s-missing-step-attach-the-thing",
    "rotate certificate": "03-certificate.html#your-turn-a-new-certificate-for-an-old-button",
    "real button": "04-closing.html#a-real-button",
    "flowchart": "04-closing.html#what-you-have-made",
    "real account": "real-account.html#on-a-real-aws-account",
    "teacher's board": "facilitator.html#while-they-work-the-board",
    "thing.register": "reference/helpers.thing.html#helpers.thing.register",
}
FIRST = "#found li:first-child a"


def ask(page: Page, question: str) -> str:
    """Type a question over the last one; return where the first result leads."""
    page.locator("#question").fill(question)
    first = page.locator(FIRST)
    return str(first.get_attribute("href")) if first.count() else "nowhere"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser_lab.chromium() as running:
        yield running


# A page's sections.


def test_a_section_has_its_own_text_and_address() -> None:
    page = """<nav>Beside</nav><article><section id="all"><h1>All<a class="headerlink">¶</a></h1>
        <p>Before.</p><section id="one"><h2>One</h2><p>First  <code>words</code>.</p></section>
        <p>After.</p></section></article>"""
    found = search.sections(page, "01-thing.html")
    shared = {"page": "All", "symptoms": "", "weight": 1.2}
    assert found == [
        {"address": "01-thing.html#all", "title": "All", "text": "Before. After."} | shared,
        {"address": "01-thing.html#one", "title": "One", "text": "First words."} | shared,
    ]


def test_terms_and_functions_are_sections() -> None:
    page = """<article><section id="s"><h1>S</h1><dl><dt id="term-a">a</dt><dt id="term-b">b</dt>
        <dd>Two words for it.</dd></dl><dl><dt class="sig" id="it.C">class C</dt><dd>A class.
        <dl><dt class="sig" id="it.C.do">do()</dt><dd>Do it.</dd></dl></dd></dl></section>
        </article>"""
    found = search.sections(page, "reference/it.html")
    assert [(each["title"], each["text"]) for each in found] == [
        ("S", ""),
        ("a", "Two words for it."),
        ("b", "Two words for it."),
        ("it.C", "class C A class."),
        ("it.C.do", "do() Do it."),
    ]


def test_what_only_leads_on_belongs_to_where_it_leads() -> None:
    rows = [
        ("BadName", '<a href="#name">Names</a>'),
        ("NoName", '<a href="#name">Names</a>'),
        ("Other", 'see <a href="#name">Names</a>'),
    ]
    table = "".join(f"<tr><td>{words}</td> <td>{where}</td></tr>" for words, where in rows)
    page = f"""<article><section id="s"><h1>S</h1><table>{table}</table><section id="name">
        <h2>Names</h2></section></section></article>"""
    one, name = search.sections(page, "troubleshooting.html")
    assert (one["text"], name["symptoms"]) == ("Other see Names", "BadName NoName")


# A small site.

SMALL = {
    "conf.py": f"""
extensions = ["publish.search"]
html_theme = "furo"
templates_path = [{str(website.SETTINGS / "_templates")!r}]
html_static_path = [{str(website.SETTINGS / "_static")!r}]
""",
    "index.rst": """
Lesson
======

Hats
----

Of hats: a cat wears one.

.. toctree::

   changelog
   troubleshooting
""",
    "changelog.rst": """
Changes
=======

Cats
----

Cats, cats.
""",
    "troubleshooting.rst": f"""
Fails
=====

<b>The</b> location of a wound.

It bites
--------

{"Words before. " * 40} *BiteException*: put_on the gloves in time, by id. {"And after. " * 40}
""",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for name, text in SMALL.items():
        (source / name).write_text(text, "utf-8")
    built = source / "built"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", str(source), str(built)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (built / "searchindex.js").exists()  # Sphinx's own, which nothing reads
    return built


def test_whole_words_and_the_lesson_first(small: Path, chromium: Browser) -> None:
    """From a folder, without a server."""
    page = chromium.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{(small / 'index.html').as_uri()}")
    page.locator(".sidebar-search").fill("cat")
    page.keyboard.press("Enter")
    # Neither "location" nor a changelog that has nothing but cats.
    page.locator("#found li").nth(1).wait_for()
    assert [link.get_attribute("href") for link in page.locator("#found a").all()] == [
        "index.html#hats",
        "changelog.html#cats",
    ]
    for typed in ("bite", "BiteEx", "exceptions", "puton", "glo"):
        assert ask(page, typed) == "troubleshooting.html#it-bites", typed
    page.locator("#question").fill("zebra")
    assert page.locator("#how-many").inner_text() == "Sections found: 0"
    assert page.locator("#found li").count() == 0
    assert said == []


def test_a_result_shows_its_page_and_the_words(small: Path, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(f"{(small / 'search.html').as_uri()}?q=the+bites,+in+gloves+by+id")
    assert page.locator(FIRST).inner_text() == "It bites Fails"
    shown = page.locator("#found li:first-child p").inner_text()
    assert shown.startswith("… ") and shown.endswith(" …") and len(shown) < 240
    marked = page.locator("#found li:first-child mark").all_inner_texts()
    assert marked == ["BiteException", "gloves", "id"]
    assert page.locator("#found b").count() == 0  # a page's text is text
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/troubleshooting.html#it-bites")


# The site.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = copy_project(tmp_path_factory.mktemp("project"))
    done = docs(copy)
    assert done.returncode == 0, done.stderr
    return copy / "_build" / "site"


@pytest.mark.long
def test_what_a_learner_types_leads_to_its_section(site: Path, chromium: Browser) -> None:
    assert len(SYMPTOMS) >= 27 and len(FIRST_WORDS) >= 20 and len(CODES) >= 6
    assert FIRST_WORDS.keys() >= CODES
    asked = SYMPTOMS | FIRST_WORDS | TYPED
    page = chromium.new_page()
    with served(site) as address:
        page.goto(f"{address}/search.html")
        found = {question: ask(page, question) for question in asked}
        assert {q: to for q, to in found.items() if to != asked[q]} == {}
        for place in {*asked.values()}:
            name, anchor = place.split("#")
            assert f'id="{anchor}"' in (site / name).read_text("utf-8")


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_everyone_can_read_the_results(
    site: Path, chromium: Browser, scheme: str, width: int
) -> None:
    context = chromium.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )
    page = context.new_page()
    with served(site) as address:
        page.goto(f"{address}/search.html?q=private+key")
        page.locator(FIRST).wait_for()
        found = Axe().run(page).response["violations"]
        wide = max(
            box["x"] + box["width"]
            for each in page.locator("#found *").all()
            if (box := each.bounding_box())
        )
    context.close()
    assert [each for each in found if each["impact"] in ("serious", "critical")] == []
    assert wide <= width
