"""The troubleshooting page: each snippet runs on a sandbox and prints the symptom below it."""

import ast
import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from publish.canonical import sanitize
from publish.notebooks import ROOT
from publish.website import PAGES

PAGE = (ROOT / PAGES["troubleshooting"]).read_text("utf-8")
OPENING, *REST = re.split(r"^## ", PAGE, flags=re.M)
STORIES = {story.split("\n", 1)[0]: story for story in REST}
OF_ONE_PYTHON = r" \(_ssl\.c:\d+\)"
"""Where in OpenSSL's binding an error was raised: a line number that each Python has anew."""


def blocks(text: str) -> list[tuple[str, str]]:
    """Give the fenced blocks of a text, each with its language."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.M | re.S)


def run(code: str, names: dict[str, Any]) -> str:
    """Run code as a notebook's cell does, and give what is seen below the cell."""
    *lines, last = ast.parse(code).body
    if not isinstance(last, ast.Expr):
        lines, last = [*lines, last], None
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            exec(compile(ast.Module(lines, []), "<page>", "exec"), names)
            value = last and eval(compile(ast.Expression(last.value), "<page>", "eval"), names)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return printed.getvalue() + ("" if value is None else repr(value))


def comparable(text: str) -> str:
    """Leave out where lines break, and what differs from run to run."""
    return " ".join(re.sub(OF_ONE_PYTHON, "", sanitize(text)).split())


NOT_ON_A_SANDBOX = {
    "A panel does nothing": ["text"],
    "No module named helpers": ["python", "text"] * 2,
    "The commands do not start on Windows": ["text"],
    "git pull stops": ["text", "sh"],
}
"""Entries about Jupyter, git and Windows: what their fenced blocks are."""


def test_all_are_there() -> None:
    assert STORIES.keys() > WITH_A_PROCESS
    assert len(STORIES) == 27
    for title, story in STORIES.items():
        kinds = [kind for kind, _ in blocks(story)]
        if title in NOT_ON_A_SANDBOX:
            assert kinds == NOT_ON_A_SANDBOX[title]
        else:
            assert kinds[:3] == ["python", "text", "python"], title
        assert "**Why.**" in story and "**Cure.**" in story, title


def slug(title: str) -> str:
    """Give the name that GitHub and the site give a heading's place."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_each_entry_has_a_place_to_link_to() -> None:
    """GitHub and the site name a heading's place by themselves; JupyterLab otherwise than they."""
    places = re.findall(r'^<a id="(.+)"></a>\n\n## (.+)$', PAGE, flags=re.M)
    assert places == [(slug(title), title) for title in STORIES]
    assert set(re.findall(r"\]\(#(.+?)\)", PAGE)) <= {place for place, _ in places}


def test_the_tables_lead_to_entries_with_these_words() -> None:
    rows = re.findall(r"^\| `(.+?)`.* \| \[(.+)\]\(#(.+)\) \|$", PAGE, flags=re.M)
    assert len(rows) == 21
    for words, title, place in rows:
        assert place == slug(title)
        symptoms = " ".join(code for kind, code in blocks(STORIES[title]) if kind == "text")
        for part in words.split("…"):
            assert comparable(part) in comparable(symptoms), title


def test_a_dead_panel_looks_as_the_page_says() -> None:
    """The words are those of the widgets' own extension of JupyterLab, as installed here."""
    static = Path(sys.prefix, "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager")
    script = "".join(file.read_text("utf-8") for file in sorted(static.rglob("*.js")))
    story = STORIES["A panel does nothing"]
    [(_, symptom)] = blocks(story)
    assert symptom.strip() in script
    [waiting] = re.findall("Loading widget", story)
    assert f"{waiting}..." in script


def test_git_stops_and_goes_on_as_the_page_says(tmp_path: Path) -> None:
    author, learner = tmp_path / "author", tmp_path / "learner"
    settings = ["-c", "user.name=author", "-c", "user.email=author@example.com"]

    def sh(command: str, folder: Path) -> str:
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            text=True,
            capture_output=True,
            env=os.environ | {"LC_ALL": "C", "GIT_CONFIG_GLOBAL": os.devnull},
        )
        return done.stderr

    def commit(content: str) -> None:
        (author / "notebooks").mkdir(exist_ok=True)
        (author / "notebooks" / "01-thing.ipynb").write_text(content)
        sh("git add --all", author)
        subprocess.run(["git", *settings, "commit", "-qm", content], cwd=author, check=True)

    author.mkdir()
    sh("git init --quiet", author)
    commit("first")
    sh("git clone --quiet author learner", tmp_path)
    commit("second")
    notebook = learner / "notebooks" / "01-thing.ipynb"
    notebook.write_text("mine")
    (_, symptom), (_, cure) = blocks(STORIES["git pull stops"])
    assert symptom in sh("git pull", learner)
    sh(cure, learner)
    assert notebook.read_text() == "second"
    assert (learner / "work-before" / "01-thing.ipynb").read_text() == "mine"


WITH_LINES = [title for title in STORIES if NOT_ON_A_SANDBOX.get(title, ["python"])[0] == "python"]


WITH_A_PROCESS = {
    "The endpoint or the root certificate is not the right one",
    "Two devices have the same client id",
    "A message is published, no error comes, and nothing arrives",
    "Certificates that belong to nothing",
}
"""Entries about TLS, or with a line that needs a broker's port or an endpoint."""


@pytest.mark.parametrize("title", WITH_LINES)
def test_shows_its_symptom_and_is_cured(title: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("aws" if title in WITH_A_PROCESS else "inside")
    names: dict[str, Any] = {}
    for _, code in blocks(OPENING):
        assert run(code, names) == ""
    story = [*blocks(STORIES[title]), ("", "")]
    for (kind, code), (next_kind, symptom) in pairwise(story):
        if kind == "python":
            seen = run(code, names)
            if next_kind == "text":
                assert comparable(seen) == comparable(symptom)
            else:
                assert seen == ""
