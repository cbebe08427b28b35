"""The post: what its readers, the original's readers and Jekyll expect of it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import browser_lab
import nbformat
import pytest
import yaml
from docs_support import jekyll, look, served
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from playwright.sync_api import Browser

from publish import __main__ as command
from publish import addresses, lesson, pictures, post, website
from publish.addresses import Addresses
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

ALL = Addresses(
    repository="https://github.com/someone/iot-button-tutorial",
    site="https://someone.example/lesson",
    browser="https://someone.example/try",
    original="https://someone.example/2017/08/23/iot-button.html",
)
NONE = Addresses()
WORDS = 1200
"""What is read in six minutes, at 200 words a minute."""
SECTIONS = ["AWS IoT Console", "Thing", "Policy", "Certificate", "Closing", "What to read next"]
LINK = re.compile(r"(?<!!)\[[^]]*\]\(([^)]+)\)")
LIQUID = "{{ site.time }} {% if x %} {%- endraw -%} {% endraw %} {{ '%}' }}"
LAYOUT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ page.title }}</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
<body><h1>{{ page.title }}</h1>{{ page.excerpt }}{{ content }}</body></html>
"""
"""A blog without any style, which is the one that helps a post the least."""


@pytest.fixture(scope="module")
def read() -> lesson.Lesson:
    return lesson.read()


@pytest.fixture(scope="module")
def text(read: lesson.Lesson) -> str:
    return post.render(read, ALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the notebooks, for a test to change."""
    return Path(shutil.copytree(FOLDER, tmp_path / "notebooks", ignore=lambda *_: ["keys"]))


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the post's own words, for a test to change."""
    monkeypatch.setattr(post, "WORDS", Path(shutil.copy(post.WORDS, tmp_path)))
    return post.WORDS


def add(folder: Path, name: str, *cells: NotebookNode) -> None:
    file = folder / f"{name}.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook.cells += cells
    nbformat.write(notebook, file)


def add_tagged(folder: Path, words: Path, *cells: NotebookNode) -> None:
    """Add cells to the last notebook and to the post."""
    for number, cell in enumerate(cells):
        cell.id = f"odd-{number}"
        cell.metadata.tags = [post.TAG]
        words.write_text(f"{words.read_text('utf-8')}\n<!-- 04-closing/{cell.id} -->\n", "utf-8")
    add(folder, "04-closing", *cells)


def tagged(cell_type: str = "") -> Iterator[NotebookNode]:
    """The notebooks' cells that are for the post, as they are committed."""
    for name in NOTEBOOKS:
        for cell in nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells:
            if post.TAG in cell.metadata.get("tags", []) and cell.cell_type.startswith(cell_type):
                yield cell


def blocks(text: str, language: str) -> list[str]:
    return [code for kind, code in fences(text) if kind == language]


def fences(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.M | re.S)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


# What it says.


@pytest.mark.parametrize("head", [post.NEW, post.SUCCESSOR])
@pytest.mark.parametrize("known", [ALL, NONE])
def test_it_is_read_in_six_minutes(head: post.Head, known: Addresses, read: lesson.Lesson) -> None:
    """Counted is all below the front matter, split at blanks: prose, code and what it answered.

    Not counted is what no reader sees: HTML's tags, and the braces of Liquid and of kramdown.
    """
    _, _, body = post.render(read, known, head).split("---\n", 2)
    seen = re.sub(r"<[a-z/][^>]*>|\{%.*?%\}|\{:.*?\}", " ", body)
    assert 900 < len(seen.split()) < WORDS


@pytest.mark.parametrize("head", [post.NEW, post.SUCCESSOR])
def test_front_matter_has_the_originals_keys(head: post.Head, read: lesson.Lesson) -> None:
    _, front, _ = post.render(read, ALL, head).split("---\n", 2)
    about = yaml.safe_load(front)
    assert list(about) == [
        *("layout", "title", "date", "comments", "description", "categories", "tags")
    ]
    assert (about["title"], about["tags"]) == (head.title, ["dash", "button"])


def test_sections_stand_in_the_originals_order(text: str) -> None:
    assert re.findall("^#+ (.+)$", without_code(text), flags=re.M) == SECTIONS


def test_it_opens_with_the_button_and_how_to_start(text: str) -> None:
    body = text.split("---\n", 2)[2]
    assert re.match(r"\n\{% raw %\}\n!\[.{20,}\]\(/img/[\w-]+/button\.svg\)", body)
    assert body.index("**Start now**") < body.index("## AWS IoT Console")


@pytest.mark.parametrize(
    ("known", "first"),
    [
        (ALL, f"{ALL.browser}/lab/index.html?path=01-thing.ipynb"),
        (Addresses(site=ALL.site, original=ALL.original), ALL.site),
        (Addresses(repository="https://code.example/a/b", original=ALL.original), None),
    ],
)
def test_the_first_link_leads_into_the_lesson(
    known: Addresses, first: str | None, read: lesson.Lesson
) -> None:
    for head in (post.NEW, post.SUCCESSOR):
        assert LINK.findall(post.render(read, known, head))[0] == (first or known.repository)


def test_without_addresses_it_says_what_to_type(read: lesson.Lesson) -> None:
    text = post.render(read, NONE)
    start = text[text.index("**Start now**") : text.index("## AWS IoT Console")]
    assert blocks(start, "sh") == ["./tutorial lab\n"]
    assert LINK.findall(start) == []
    assert "()" not in without_code(text).replace("`connect()`", "")
    assert "{{" not in text


def test_a_new_post_links_the_original(read: lesson.Lesson) -> None:
    link = f"[*{post.ORIGINAL}*]({{}})"
    assert link.format(ALL.original) in post.render(read, ALL)
    given = post.Head(original="https://elsewhere.example/")
    for known in (ALL, NONE):
        assert link.format("https://elsewhere.example/") in post.render(read, known, given)
    assert f"in *{post.ORIGINAL}* I clicked" in post.render(read, NONE)


def test_its_successor_does_not_speak_of_another_post(read: lesson.Lesson) -> None:
    text = post.render(read, ALL, post.SUCCESSOR)
    assert ALL.original not in text
    assert post.ORIGINAL not in text.split("---\n", 2)[2]
    assert "This\npost of 2017" in text


def test_no_exercise_and_no_notebook_is_left_in_it(text: str) -> None:
    found = re.findall(
        r"Ellipsis|Not yet|Your turn|[\w-]+\.ipynb\)|%pip|notebook \d|this notebook", text
    )
    assert found == ["01-thing.ipynb)"], "the link that opens the lesson"


# What it shows.


def test_it_shows_the_tagged_cells_in_order(text: str) -> None:
    sources = [addresses.without_addresses(cell.source) + "\n" for cell in tagged("code")]
    assert blocks(text, "python") == sources
    assert len(sources) > 10


def test_what_is_shown_is_what_the_notebooks_answered(text: str) -> None:
    outputs = [output for cell in tagged() for output in cell.get("outputs", [])]
    html = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    drawn = [output for output in outputs if "image/svg+xml" in output.get("data", {})]
    assert text.count("<table>") == len(html) and all(table in text for table in html)
    assert text.count("iot-flow1.svg") == len(drawn) == 1
    answers = [each for output in outputs if (each := plain(output))]
    assert [" ".join(block.split()) for block in blocks(text, "text")] == answers
    assert len(answers) > 10


def plain(output: NotebookNode) -> str:
    """An answer as one line; empty where a table or a drawing stands for it."""
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    data = output.get("data", {})
    if data.keys() & {"text/html", "image/svg+xml"}:
        return ""
    return " ".join((output.get("text") or data["text/plain"]).split())


def test_each_answer_says_that_it_is_one(text: str) -> None:
    answers = re.findall(r"^(?:```text|<div style=\"overflow-x: auto\">)$", text, flags=re.M)
    led = re.findall(
        r"^\*Output:\*\n\n(?:```text|<div style=\"overflow-x: auto\">)$", text, flags=re.M
    )
    assert len(led) == len(answers) > 10
    ends = re.findall(r"^```text\n.*?^```\n\{: scrolls\}\n\n(.)", text, flags=re.M | re.S)
    assert len(ends) > 10 and "`" not in ends, "an answer goes over into the next cell's code"


def test_no_block_is_wider_than_the_page_of_a_blog(text: str) -> None:
    lines = [line for _, block in fences(text) for line in block.splitlines()]
    assert [line for line in lines if len(line) > 76] == []


def test_every_picture_is_there_and_described(read: lesson.Lesson, tmp_path: Path) -> None:
    file = post.write(read, tmp_path / "post", ALL)
    shown = re.findall(r"!\[(.*?)\]\((.+?)\)", file.read_text("utf-8"))
    place = f"img/{file.stem[11:]}"
    assert [path for _, path in shown] == [f"/{place}/button.svg", f"/{place}/iot-flow1.svg"]
    assert all(len(alternative) > 20 for alternative, _ in shown)
    there = {path for path in tmp_path.joinpath("post").rglob("*") if path.is_file()}
    assert there == {file, *(tmp_path / "post" / path[1:] for _, path in shown)}
    assert file.parent.name == "_posts"


def test_errors_are_cut_to_their_last_line(folder: Path, words: Path) -> None:
    trace = ["\x1b[31mTraceback (most recent call last)\x1b[0m", 'File "elsewhere/x.py", line 1']
    error = new_output("error", ename="OddError", evalue="it is odd", traceback=trace)
    add_tagged(folder, words, new_code_cell("odd()", outputs=[error]))
    text = post.render(lesson.read(folder), NONE)
    assert blocks(text, "text")[-1] == "OddError: it is odd\n"
    assert "Traceback" not in text and "elsewhere/" not in text


def test_a_text_can_be_tagged_too(folder: Path, words: Path) -> None:
    add_tagged(folder, words, new_markdown_cell("Odd: ![A way](pictures/way-thing.svg)."))
    text = post.render(lesson.read(folder), NONE)
    assert f"Odd: ![A way](/{post.NEW.images}/way-thing.svg)." in text


# Words and cells that do not fit.


def test_words_for_a_cell_that_is_gone_are_named(folder: Path) -> None:
    file = folder / "03-certificate.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id != "attach-thing"]
    nbformat.write(notebook, file)
    with pytest.raises(post.PostError, match=r"not both: 03-certificate/attach-thing$"):
        post.render(lesson.read(folder), NONE)


def test_a_tagged_cell_without_a_place_is_named(words: Path, read: lesson.Lesson) -> None:
    lines = words.read_text("utf-8").replace("<!-- 04-closing/press -->", "")
    words.write_text(lines.replace("<!-- end -->", "<!-- 04-closing/odd -->"), "utf-8")
    with pytest.raises(post.PostError, match=r"not both: 04-closing/odd, 04-closing/press, end$"):
        post.render(read, NONE)


# As the command line has it.


def test_a_head_is_ours_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[post.Head] = []
    monkeypatch.setattr(command, "build", built.append)
    for line in (
        "",
        "--original https://elsewhere.example/",
        "--replace",
        "--replace --date 2026-12-24",
        "--title X",
    ):
        monkeypatch.setattr("sys.argv", ["docs", *line.split()])
        command.main()
    new, linked, successor, later, named = built
    assert new == post.NEW
    assert linked == post.Head(original="https://elsewhere.example/")
    assert successor == post.SUCCESSOR
    assert later.file_name == "2026-12-24-iot-button-part-3-prepare-aws-environment.md"
    assert named.file_name == "2026-11-30-x.md"


def test_a_title_is_written_as_it_is(read: lesson.Lesson, tmp_path: Path) -> None:
    head = post.Head('The "button": 4')
    file = post.write(read, tmp_path / "post", NONE, head)
    assert file.name == "2026-11-30-the-button-4.md"
    front = yaml.safe_load(file.read_text("utf-8").split("---\n")[1])
    assert (front["title"], str(front["date"])) == ('The "button": 4', "2026-11-30 13:45")


# As Jekyll builds it.


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser_lab.chromium() as running:
        yield running


@pytest.mark.parametrize("head", [post.NEW, post.SUCCESSOR])
def test_jekyll_builds_it_and_nothing_overflows(
    head: post.Head, folder: Path, words: Path, tmp_path: Path, chromium: Browser
) -> None:
    """With Liquid's own signs in a text and in a code block."""
    cells = new_markdown_cell(f"Signs: `{LIQUID}`"), new_code_cell(f'"""{LIQUID}"""')
    add_tagged(folder, words, *cells)
    blog = tmp_path / "blog"
    post.write(lesson.read(folder), blog, ALL, head)
    (blog / "_layouts").mkdir()
    (blog / "_layouts" / "post.html").write_text(LAYOUT)
    (blog / "_config.yml").write_text("title: A blog\nfuture: true\n")
    done = subprocess.run([jekyll(), "build"], cwd=blog, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search("warning|error", done.stdout + done.stderr, flags=re.I), done.stderr
    (page,) = blog.joinpath("_site").rglob(f"{head.file_name[11:-3]}.html")
    with served(blog / "_site") as address:
        seen, wrong = look(chromium, f"{address}/{page.relative_to(blog / '_site').as_posix()}")
    assert wrong == []
    assert seen.count(LIQUID) == 2
    assert "scrolls" not in page.read_text("utf-8")


# The lesson that it is made from.


def test_the_readme_shows_the_flowchart_of_now(read: lesson.Lesson) -> None:
    name = pictures.SHOWN_BY_THE_README
    assert f"notebooks/pictures/{name}" in (ROOT / "README.md").read_text("utf-8")
    assert (pictures.FOLDER / name).read_bytes() == read.images[name], "run ./tutorial docs"


def test_a_panel_gives_way_to_a_line_that_says_how_to_run_it(folder: Path) -> None:
    output = new_output("display_data", data={"text/plain": f"{lesson.PANEL}Odd. Run this cell]"})
    add(folder, "01-thing", new_code_cell("odd_panel", outputs=[output]))
    *_, panel, how = lesson.read(folder).chapters[0].notebook.cells
    assert (panel.source, panel.outputs, how.source) == ("odd_panel", [], lesson.HOW_TO_RUN)


def test_a_panel_s_own_picture_takes_its_place(folder: Path) -> None:
    html = '<img src="pictures/iot-cert.png" alt="It&#x27;s a &lt;form&gt; [new]" width="664">'
    data = {"text/plain": f"{lesson.PANEL}Odd. Run this cell]", "text/html": html}
    output = new_output("display_data", data=data)
    add(folder, "01-thing", new_code_cell("odd_panel", outputs=[output]))
    *_, picture, how = lesson.read(folder).chapters[0].notebook.cells
    assert picture.source == r"![It's a <form> \[new\]](img/iot-cert.png)"
    assert how.source == lesson.HOW_TO_RUN


def test_no_picture_stands_twice_and_each_has_its_place(read: lesson.Lesson) -> None:
    cells = [cell.source for chapter in read.chapters for cell in chapter.notebook.cells]
    shown = re.findall(r"\(img/(.+?\.png)\)", "\n".join(cells))
    assert sorted(shown) == sorted(each.file for each in pictures.PICTURES)


# The reference.


def test_the_reference_lists_every_helper() -> None:
    listed = re.findall(
        r"^   helpers\.(\w+)$", (website.SETTINGS / "reference.rst").read_text(), re.M
    )
    # Not for the notebooks.
    inside = {"marker", "sandbox", "waiting"}
    there = {path.stem for path in (ROOT / "helpers").iterdir() if not path.name.startswith("_")}
    assert set(listed) == there - inside
