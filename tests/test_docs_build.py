"""Post and site as built: from copies of the project, and the site looked at in a real browser."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import browser_lab
import pytest
from docs_support import copy_project, docs, look, served
from playwright.sync_api import Browser
from test_docs_site import findings

from publish import website

pytestmark = pytest.mark.long

AWS = re.compile(
    r"https://aws\.amazon\.com/(free|iot-core/pricing)/"
    r"|https://docs\.aws\.amazon\.com/(iot/latest/developerguide/[a-z0-9-]+\.html"
    r"|iot/latest/apireference/API_(iotdata_)?[A-Z]\w+\.html|IAM/latest/UserGuide/[\w-]+\.html"
    r"|boto3/latest/(guide|reference)/[\w/-]+\.html)(#[\w.-]+)?"
)
"""The forms of AWS's own pages that ours lead to."""
ALONE = ("index.html", "glossary.html", "reference.html", "404.html", "01-thing.html")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with its docs built."""
    copy = copy_project(tmp_path_factory.mktemp("project"))
    done = docs(copy, PYTHONHASHSEED="1", TZ="Asia/Tokyo")
    assert done.returncode == 0, done.stderr
    return copy


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser_lab.chromium() as running:
        yield running


def test_the_same_bytes_in_another_place(project: Path, tmp_path: Path) -> None:
    other = copy_project(tmp_path / "a folder, elsewhere")
    done = docs(other, PYTHONHASHSEED="2", TZ="America/Lima", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    here, there = files(project / "_build"), files(other / "_build")
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
    assert not [name for name, content in here.items() if str(project).encode() in content]


def test_check_names_the_changed_notebook_and_writes_nothing(project: Path) -> None:
    copy = copy_project(project / "inside")
    file = copy / "notebooks" / "02-policy.ipynb"
    assert docs(copy, "--check").returncode == 0
    file.write_text(file.read_text("utf-8").replace("Write the button", "Rewrite the button"))
    before = files(copy / "docs")
    done = docs(copy, "--check")
    assert done.returncode == 1
    assert "notebooks/02-policy.ipynb" in done.stderr and "01-thing" not in done.stderr
    assert not (copy / "_build").exists()
    assert {name for name in files(copy / "docs") if "__pycache__" not in name} == {
        name for name in before if "__pycache__" not in name
    }


def test_a_hole_in_the_site_is_an_error(tmp_path: Path) -> None:
    copy = copy_project(tmp_path)
    with (copy / "docs" / "site" / "index.md").open("a") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    names = copy / "docs" / "site" / "inventories" / "python.txt"
    names.write_text(re.sub("^pathlib.Path .*\n", "", names.read_text("utf-8"), flags=re.M))
    done = docs(copy)
    assert done.returncode == 1
    assert "index.md" in done.stderr and "nowhere.md" in done.stderr
    assert "reference target not found: pathlib.Path" in done.stderr, "a type that leads nowhere"
    assert not (copy / "_build" / "site").exists()


def test_the_site_in_a_browser(project: Path, chromium: Browser) -> None:
    site = project / "_build" / "site"
    names = pages(site)
    with served(site) as address:
        wrong = {name: look(chromium, f"{address}/{name}")[1] for name in names}
    assert wrong == {name: [] for name in names}


def test_every_page_is_for_everyone(project: Path, chromium: Browser) -> None:
    site = project / "_build" / "site"
    with served(site) as address:
        assert findings(chromium, *(f"{address}/{name}" for name in pages(site))) == []


def pages(site: Path) -> list[str]:
    """The site's pages, as addresses within it."""
    found = sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html"))
    assert {*ALONE, *(f"{page}.html" for page in website.PAGES)} <= set(found)
    return found


def test_links_to_aws_have_a_form_that_aws_has_and_lose_nothing(project: Path) -> None:
    site = project / "_build" / "site"
    seen = set()
    for name in pages(site):
        page = (site / name).read_text("utf-8")
        found = set(map(unescape, re.findall(r'href="([^"]*\bamazon(?:aws)?\.com[^"]*)"', page)))
        assert [each for each in found if not AWS.fullmatch(each)] == [], name
        stem = name.removesuffix(".html")
        file = project / website.PAGES.get(stem, f"notebooks/{stem}.ipynb")
        if file.exists() and stem not in website.PARTS:
            text = re.sub(r"(?s)```.*?```", "", file.read_text("utf-8"))
            said = re.findall(r"\]\((https?://[^)]*\bamazon(?:aws)?\.com[^)]*)\)", text)
            assert set(said) <= found, name
        seen |= found
    assert len(seen) > 30


def test_a_module_s_functions_come_first_and_nobody_constructs(project: Path) -> None:
    page = (project / "_build" / "site" / "reference" / "helpers.thing.html").read_text("utf-8")
    described = re.findall(r'<dl class="py (\w+)">\s*<dt class="[^"]*" id="([\w.]+)"', page)
    functions = [name for kind, name in described if kind == "function"]
    source = (project / "helpers" / "thing.py").read_text("utf-8")
    assert functions == [
        f"helpers.thing.{name}" for name in re.findall(r"^def (\w+)", source, re.M)
    ]
    assert [kind for kind, _ in described[: len(functions)]] == ["function"] * len(functions)
    assert described[-3:] == [
        ("class", "helpers.thing.Thing"),
        ("property", "helpers.thing.Thing.serial"),
        ("property", "helpers.thing.Thing.made_here"),
    ]
    (thing,) = re.findall(r'<dt class="[^"]*" id="helpers.thing.Thing">.*?</dt>', page, re.S)
    assert "sig-paren" not in thing
    for address in (
        "https://docs.python.org/3/library/stdtypes.html#str",
        "https://docs.aws.amazon.com/boto3/latest/reference/services/iot.html#IoT.Client",
        "#helpers.thing.Thing",
    ):
        assert f'href="{address}"' in page


def test_what_no_address_is_set_for_is_not_there(project: Path) -> None:
    site = project / "_build" / "site"
    assert not (site / "sitemap.xml").exists()
    for name in pages(site):
        page = (site / name).read_text("utf-8")
        assert not re.search(r'rel="(canonical|edit)"|og:image"|Open (in|on) ', page), name


def test_the_site_is_searched_offline_and_turns_dark(project: Path, chromium: Browser) -> None:
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    with served(project / "_build" / "site") as address:
        page.goto(f"{address}/search.html?q=IMPLICIT_DENY")
        page.locator("#found a", has_text="policy").first.wait_for(timeout=10_000)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
