"""Post and site as built: from copies of the project, and the site looked at in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import browser_lab
import pytest
from docs_support import copy_project, docs, look, served
from playwright.sync_api import Browser

pytestmark = pytest.mark.long


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
    done = docs(copy)
    assert done.returncode == 1
    assert "index.md" in done.stderr and "nowhere.md" in done.stderr
    assert not (copy / "_build" / "site").exists()


def test_the_site_in_a_browser(project: Path, chromium: Browser) -> None:
    site = project / "_build" / "site"
    pages = sorted(site.glob("*.html"))
    assert {page.stem for page in pages} >= {"index", "01-thing", "02-policy", "reference"}
    with served(site) as address:
        wrong = {page.name: look(chromium, f"{address}/{page.name}")[1] for page in pages}
    assert wrong == {page.name: [] for page in pages}


def test_the_site_is_searched_offline_and_turns_dark(project: Path, chromium: Browser) -> None:
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    with served(project / "_build" / "site") as address:
        page.goto(f"{address}/search.html?q=IMPLICIT_DENY")
        page.locator("ul.search a", has_text="policy").first.wait_for(timeout=10_000)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
