"""Post and site as built: by a real Jekyll, by Sphinx, and looked at in a real browser."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import browser_lab
import nbformat
import pytest
from docs_support import copy_project, docs, jekyll, served
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import Browser

from publish import notebooks
from publish.canonical import canonical
from publish.lesson import PANEL

pytestmark = pytest.mark.long

LIQUID = "{{ site.time }} {% if x %} {%- endraw -%} {% endraw %} {{ '%}' }}"
LAYOUT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ page.title }}</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>pre, table { display: block; overflow-x: auto } img { max-width: 100% }
p, li, td { overflow-wrap: anywhere }</style></head>
<body><h1>{{ page.title }}</h1>{{ page.excerpt }}{{ content }}</body></html>
"""
WIDTHS = (390, 1280)


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


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The post as Jekyll builds it, with Liquid's own signs in a text and in a code block."""
    copy = copy_project(tmp_path_factory.mktemp("blog"))
    file = copy / "notebooks" / "04-closing.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook.cells += [new_markdown_cell(f"Signs: `{LIQUID}`"), new_code_cell(f'"""{LIQUID}"""')]
    nbformat.write(notebook, file)
    assert docs(copy).returncode == 0
    blog = copy / "blog"
    shutil.copytree(copy / "_build" / "post", blog / "_posts", ignore=lambda *_: ["img"])
    shutil.copytree(copy / "_build" / "post" / "img", blog / "img")
    (blog / "_layouts").mkdir()
    (blog / "_layouts" / "post.html").write_text(LAYOUT)
    (blog / "_config.yml").write_text("title: A blog\n")
    done = subprocess.run([jekyll(), "build"], cwd=blog, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search("warning|error", done.stdout + done.stderr, flags=re.I), done.stderr
    return blog / "_site"


def look(chromium: Browser, address: str) -> tuple[str, list[str]]:
    """Open a page; return its text and what is wrong with it, on a phone and on a screen."""
    page = chromium.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(f"console: {said.text}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1:", "data:"))
            else wrong.append(f"leaves the machine: {request.url}")
        ),
    )
    page.goto(address, wait_until="networkidle")
    images = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
    wrong += [f"not shown: {source}" for source in page.evaluate(images)]
    described = "[...document.images].filter(i => !i.alt.trim()).map(i => i.src)"
    wrong += [f"not described: {source}" for source in page.evaluate(described)]
    anchors = """[...document.querySelectorAll('a[href^="#"]')].map(a => a.hash.slice(1))
        .filter(id => id && !document.getElementById(decodeURIComponent(id)))"""
    wrong += [f"no such place: #{name}" for name in page.evaluate(anchors)]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wrong.append(f"wider than a screen of {width} pixels")
    text = page.evaluate("document.body.innerText")
    page.close()
    return text, wrong


def test_the_post_in_a_browser(blog: Path, chromium: Browser) -> None:
    (page,) = blog.rglob("iot-button-part-3-prepare-aws-environment.html")
    with served(blog) as address:
        text, wrong = look(chromium, f"{address}/{page.relative_to(blog).as_posix()}")
    assert wrong == []
    assert text.count(LIQUID) == 2


def test_a_reader_can_follow_the_post_without_the_notebooks(project: Path) -> None:
    """Every block of Python, typed in one after the other, answers what the post shows below it."""
    (file,) = (project / "_build" / "post").glob("*.md")
    sections = file.read_text("utf-8").split("## Thing")[1]
    sections = re.sub("<details.*?</details>", "", sections, flags=re.S)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", sections, flags=re.M | re.S)
    cells = [
        new_code_cell(code, metadata={"tags": ["raises-exception"]})
        for kind, code in blocks
        if kind == "python"
    ]
    typed = new_notebook(cells=cells)
    with notebooks.workplace(inside=True) as (folder, env):
        notebooks.execute(typed, folder, env)
    seen = [
        output for cell in canonical(typed).cells for output in map(as_text, cell.outputs) if output
    ]
    assert seen == [" ".join(text.split()) for kind, text in blocks if kind == "text"]


def as_text(output: NotebookNode) -> str:
    """Give what the post shows in a fence; a picture and a table stand there as such."""
    if output.output_type == "error":
        return " ".join(output.traceback[0].split())
    data = output.get("data", {})
    drawn = data.get("text/plain", "").startswith(PANEL)
    if drawn or {"text/html", "image/svg+xml"} & data.keys():
        return ""
    return " ".join(output.get("text", data.get("text/plain", "")).split())


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
