"""The troubleshooting page: each snippet runs on a real sandbox and prints the symptom below it."""

import ast
import io
import re
from contextlib import redirect_stdout
from itertools import pairwise
from typing import Any

import pytest

from helpers.account import Account
from publish.canonical import sanitize
from publish.website import PAGES

OPENING, *REST = re.split(r"^## ", PAGES["troubleshooting.md"].read_text("utf-8"), flags=re.M)
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


def test_all_thirteen_are_there() -> None:
    assert len(STORIES) == 13
    for title, story in STORIES.items():
        kinds = [kind for kind, _ in blocks(story)]
        assert kinds[:3] == ["python", "text", "python"], title
        assert "**Why.**" in story and "**Cure.**" in story, title


@pytest.mark.parametrize("title", STORIES)
def test_shows_its_symptom_and_is_cured(title: str, aws: Account) -> None:
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
