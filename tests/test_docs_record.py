"""The records of what docs and pictures are made from: whatever changes is named, nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from docs_support import copy_project

from publish import lesson, record
from publish.addresses import read as known
from publish.pictures import PICTURES

POST = f"_build/post/_posts/{record.post.NEW.file_name}"


def replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        text = (project / file).read_text("utf-8")
        assert old in text, f"{file} has no {old!r} any more"
        (project / file).write_text(text.replace(old, new, 1), "utf-8")

    return change


def in_notebook(name: str, cell: str, key: str, value: object) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        file = project / "notebooks" / f"{name}.ipynb"
        notebook = json.loads(file.read_text("utf-8"))
        (found,) = [each for each in notebook["cells"] if each["id"] == cell]
        found[key] = value
        file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")

    return change


def png(*names: str) -> list[str]:
    return [f"notebooks/pictures/{name}.png" for name in names]


CHANGES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "a notebook's text": (
        in_notebook("01-thing", "about-panel", "source", ["Click."]),
        ["notebooks/01-thing.ipynb, text"],
    ),
    "a notebook's code": (
        replace("notebooks/02-policy.ipynb", "form = panels.policy", "form  = panels.policy"),
        ["notebooks/02-policy.ipynb, code"],
    ),
    "an output": (
        in_notebook("03-certificate", "endpoint", "outputs", []),
        ["notebooks/03-certificate.ipynb, outputs"],
    ),
    "a tag": (
        in_notebook("04-closing", "to-remove", "metadata", {"tags": ["hidden"]}),
        ["notebooks/04-closing.ipynb, tags"],
    ),
    "a panel's code": (
        replace("helpers/panels/checklist.py", '"Look again"', '"Look once more"'),
        png("iot-checklist"),
    ),
    "a picture's clicks": (
        replace("publish/pictures.py", 'clicks=("Press",), until', 'clicks=("Long press",), until'),
        png("iot-press", "iot-press-refused"),
    ),
    "the drawings of the way": (
        replace("publish/way.py", '_WAY = "The way', '_WAY = "The path'),
        [
            f"notebooks/pictures/way-{name}.svg"
            for name in ("certificate", "message", "policy", "thing")
        ],
    ),
    "the post's words": (
        replace("publish/post-words.md", "button", "Button"),
        ["publish/post-words.md", POST],
    ),
    "a page of the site": (
        replace("SECURITY.md", ".", "!"),
        ["SECURITY.md"],
    ),
    "a setting of the site": (
        replace("docs/site/conf.py", "\n", "\n# new\n"),
        ["docs/site/conf.py"],
    ),
    "README's addresses": (
        replace("README.md", "<!-- end of addresses -->", "By hand.\n<!-- end of addresses -->"),
        ["README.md"],
    ),
    "the glossary": (
        replace("docs/site/glossary.md", ".", "!"),
        ["docs/site/glossary.md"],
    ),
    "a helper's docstring": (
        replace("helpers/thing.py", '"""', '"""New. '),
        ["helpers/thing.py, its reference"],
    ),
}


def told(project: Path) -> list[str]:
    """Return what a copy of the project names as changed; its kernel has the copy's helpers."""
    done = subprocess.run(
        [sys.executable, "-m", "publish.record"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]


@pytest.fixture(scope="module")
def after_all(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is named once everything has changed: one run, for it takes a kernel."""
    project = copy_project(tmp_path_factory.mktemp("changed"))
    for change, _ in CHANGES.values():
        change(project)
    return told(project)


def test_what_is_committed_is_up_to_date() -> None:
    now = record.told(lesson.read(), known())
    assert not now, now


@pytest.mark.parametrize("kind", CHANGES)
def test_each_kind_of_change_is_named(kind: str, after_all: list[str]) -> None:
    _, names = CHANGES[kind]
    assert set(names) <= set(after_all)


def test_nothing_else_is_named(after_all: list[str]) -> None:
    assert sorted(after_all) == sorted(name for _, names in CHANGES.values() for name in names)


def test_every_picture_shows_the_panels_style(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    replace("helpers/panels/panel.css", "font-weight: 600", "font-weight: 700")(project)
    assert told(project) == sorted(png(*(each.name for each in PICTURES)))


def test_what_nobody_sees_makes_nothing_stale(tmp_path: Path) -> None:
    """Line ends, a comment in a panel, a function's body, a tool tip."""
    project = copy_project(tmp_path)
    for file, old, new in (
        ("helpers/panels/checklist.py", "self.button = ", "# New.\n        self.button = "),
        ("helpers/panels/certificate_steps.py", "Show what has changed", "Show all that changed"),
        ("helpers/thing.py", "    return {", "    pass\n    return {"),
    ):
        replace(file, old, new)(project)
    for name in ("notebooks/01-thing.ipynb", "docs/site/glossary.md", "publish/post-words.md"):
        file = project / name
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert told(project) == []
