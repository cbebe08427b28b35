"""The post as text: what the original's readers and Jekyll expect of it."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from publish import lesson, pictures, post, website
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT


@pytest.fixture(scope="module")
def read() -> lesson.Lesson:
    return lesson.read()


@pytest.fixture(scope="module")
def text(read: lesson.Lesson) -> str:
    return post.render(read)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the notebooks, for a test to change."""
    return Path(shutil.copytree(FOLDER, tmp_path / "notebooks", ignore=lambda *_: ["keys"]))


def add(folder: Path, name: str, *cells: NotebookNode) -> None:
    file = folder / f"{name}.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook.cells += cells
    nbformat.write(notebook, file)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def test_front_matter_has_the_originals_keys(text: str) -> None:
    _, front, _ = text.split("---\n", 2)
    assert list(yaml.safe_load(front)) == [
        *("layout", "title", "date", "comments", "description", "categories", "tags")
    ]
    assert yaml.safe_load(front)["title"] == post.TITLE


def test_sections_stand_in_the_originals_order(text: str) -> None:
    prose = without_code(text)
    headings = re.findall("^## (.+)$", prose, flags=re.M)
    assert headings == ["Before you start", "Thing", "Policy", "Certificate", "Closing"]
    assert not re.findall("^# ", prose, flags=re.M)


def test_nothing_sends_the_reader_to_a_notebook(text: str) -> None:
    assert ".ipynb" not in text
    _, sections = without_code(text).split("## Thing")
    assert not re.findall(".*notebook.*", sections, flags=re.I)
    anchors = set(re.findall(r"\]\(#([\w-]+)\)", text))
    assert anchors == {section.lower() for section in lesson.SECTIONS.values()}


def test_every_picture_is_there_and_described(read: lesson.Lesson, tmp_path: Path) -> None:
    file = post.write(read, tmp_path / "post")
    shown = re.findall(r"!\[(.*?)\]\((.+?)\)", file.read_text("utf-8"))
    assert {path for _, path in shown} == {f"/img/{name}" for name in read.images}
    for alternative, path in shown:
        assert len(alternative) > 20
        assert file.parent.joinpath(path[1:]).stat().st_size > 500


def test_the_readme_shows_the_flowchart_of_now(read: lesson.Lesson) -> None:
    name = pictures.SHOWN_BY_THE_README
    assert f"notebooks/pictures/{name}" in (ROOT / "README.md").read_text("utf-8")
    assert (pictures.FOLDER / name).read_bytes() == read.images[name], "run ./tutorial docs"


def test_title_and_date_are_ours_to_choose(read: lesson.Lesson, tmp_path: Path) -> None:
    date = post.DATE.replace(year=2026)
    file = post.write(read, tmp_path / "post", 'The "button": 4', date)
    assert file.name == "2026-08-23-the-button-4.md"
    front = yaml.safe_load(file.read_text("utf-8").split("---\n")[1])
    assert (front["title"], str(front["date"])) == ('The "button": 4', "2026-08-23 13:45")


def test_errors_are_cut_to_their_last_line(folder: Path) -> None:
    trace = ["\x1b[31mTraceback (most recent call last)\x1b[0m", 'File "elsewhere/x.py", line 1']
    error = new_output("error", ename="OddError", evalue="it is odd", traceback=trace)
    add(folder, "01-thing", new_code_cell("odd()", outputs=[error]))
    text = post.render(lesson.read(folder))
    assert "```python\nodd()\n```\n\n```text\nOddError: it is odd\n```\n" in text
    assert "Traceback" not in text and "elsewhere/" not in text


def test_a_panel_gives_way_to_a_line_that_says_how_to_run_it(folder: Path) -> None:
    output = new_output("display_data", data={"text/plain": f"{lesson.PANEL}Odd. Run this cell]"})
    add(folder, "01-thing", new_code_cell("odd_panel", outputs=[output]))
    assert f"```python\nodd_panel\n```\n\n{lesson.HOW_TO_RUN}" in post.render(lesson.read(folder))


def test_a_panel_s_own_picture_takes_its_place(folder: Path) -> None:
    html = '<img src="pictures/iot-cert.png" alt="It&#x27;s a &lt;form&gt; [new]" width="664">'
    data = {"text/plain": f"{lesson.PANEL}Odd. Run this cell]", "text/html": html}
    output = new_output("display_data", data=data)
    add(folder, "01-thing", new_code_cell("odd_panel", outputs=[output]))
    text = post.render(lesson.read(folder))
    picture = r"![It's a <form> \[new\]](/img/iot-cert.png)"
    assert f"odd_panel\n```\n\n{picture}\n\n{lesson.HOW_TO_RUN}" in text


def test_no_picture_stands_twice_and_each_has_its_place(text: str) -> None:
    shown = re.findall(r"\(/img/(.+?\.png)\)", text)
    assert sorted(shown) == sorted(each.file for each in pictures.PICTURES)


def test_code_in_a_text_is_left_alone(folder: Path) -> None:
    code = "```python\n# notebook 02, this notebook\n```"
    add(folder, "04-closing", new_markdown_cell(f"# Notebook 02\n\n{code}"))
    assert f"## [Policy](#policy)\n\n{code}" in post.render(lesson.read(folder))


def test_the_same_notebooks_give_the_same_post(text: str) -> None:
    assert text == post.render(lesson.read())


def test_what_is_committed_is_up_to_date(read: lesson.Lesson, tmp_path: Path) -> None:
    post.write(read, tmp_path / "post")
    stale = post.stale(tmp_path / "post")
    assert not stale, f"run ./tutorial docs and commit; changed since: {', '.join(stale)}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_changed_notebook_is_named(name: str, folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    post.write(lesson.read(folder), tmp_path / "before")
    kept.write_text(post.record(tmp_path / "before", folder))
    assert post.stale(tmp_path / "before", folder, kept) == []
    add(folder, name, new_markdown_cell("One sentence more."))
    post.write(lesson.read(folder), tmp_path / "after")
    assert post.stale(tmp_path / "after", folder, kept) == [
        f"_build/post/{post.file_name(post.TITLE, post.DATE)}",
        f"notebooks/{name}.ipynb",
    ]


def test_the_reference_lists_every_helper() -> None:
    listed = re.findall(
        r"automodule:: helpers\.(\w+)", (website.SETTINGS / "reference.rst").read_text()
    )
    # Not for the notebooks.
    inside = {"marker", "sandbox", "waiting"}
    there = {path.stem for path in (ROOT / "helpers").iterdir() if not path.name.startswith("_")}
    assert set(listed) == there - inside
