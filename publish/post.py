"""The lesson as a Jekyll post, with the front matter and the order of the original.

And the record of what it was made from, by which a change that it does not show yet is noticed.
"""

import json
import re
import textwrap
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from nbformat import NotebookNode

from publish import addresses
from publish.lesson import IMAGES, SECTIONS, Chapter, Lesson
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

TITLE = "IoT Button Part 3 - Prepare AWS environment"
DATE = datetime(2017, 8, 23, 13, 45)
OPENING = Path(__file__).with_name("post-opening.md")
RECORD = ROOT / "docs" / "rendered.sha256"
"""What the post was made from, as ``sha256sum`` writes it: a digest, two blanks, a file."""
ONLY_IN_THE_NOTEBOOKS = {"title", "before"}
"""Cells that say how to use a notebook; the opening and the section's heading replace them."""

# What refers to a notebook as a file or a number, and what the post has in its place.
_LINKS = (*((rf"\[{name}\]\({name}\.ipynb\)", section) for name, section in SECTIONS.items()),)
_NUMBERS = (*((rf"[Nn]otebook\s+{name[:2]}", section) for name, section in SECTIONS.items()),)
_OTHERS = re.compile(r"\b(this|later|earlier|first three)(\s+)notebook")
_FENCE = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)


def file_name(title: str, date: datetime) -> str:
    """Return the post's file name, as Jekyll expects it: the date, then the title.

    >>> file_name(TITLE, DATE)
    '2017-08-23-iot-button-part-3-prepare-aws-environment.md'
    """
    return f"{date:%Y-%m-%d}-{slug(title)}.md"


def slug(title: str) -> str:
    """Turn a title into a part of an address.

    >>> slug("It's here: part 4!")
    'it-s-here-part-4'
    """
    return "-".join(re.findall("[a-z0-9]+", title.lower()))


def write(lesson: Lesson, folder: Path, title: str = TITLE, date: datetime = DATE) -> Path:
    """Write the post into a new folder, its pictures beside it.

    Returns:
        The post's file.
    """
    folder.mkdir(parents=True)
    file = folder / file_name(title, date)
    file.write_text(render(lesson, title, date), "utf-8")
    lesson.write_images(folder / IMAGES)
    return file


def render(lesson: Lesson, title: str = TITLE, date: datetime = DATE) -> str:
    """Return the whole post as text."""
    # Jekyll cuts the first paragraph out as the post's excerpt: it has to be whole by itself.
    text = addresses.put(OPENING.read_text("utf-8"), addresses.in_post(addresses.read()))
    excerpt, opening = text.strip().split("\n\n", 1)
    parts = [opening]
    for chapter in lesson.chapters:
        parts += [f"## {chapter.section}", *_section(chapter)]
    body = "\n\n".join(parts)
    return f"{_front_matter(title, date)}\n{as_written(excerpt)}\n\n{as_written(body)}\n"


def as_written(body: str) -> str:
    r"""Protect a text from Liquid, Jekyll's template language: every ``{{`` and ``{%`` stays.

    >>> as_written("{{ x }}")
    '{% raw %}\n{{ x }}\n{% endraw %}'
    """
    # The one thing that ends `raw` is its own end tag: there, Liquid itself writes the brace.
    brace = "{% endraw %}{{ '{' }}{% raw %}"
    kept = re.sub(r"{(?=%-?\s*endraw)", lambda _: brace, body)
    return f"{{% raw %}}\n{kept}\n{{% endraw %}}"


def _front_matter(title: str, date: datetime) -> str:
    text = json.dumps(title, ensure_ascii=False)  # a JSON string is a YAML one
    return f"""---
layout: post
title:  {text}
date:   {date:%Y-%m-%d %H:%M}
comments: false
description: {text}
categories:
    - AWS
    - IoT
tags:
    - dash
    - button
---
"""


def _section(chapter: Chapter) -> list[str]:
    parts = []
    for cell in chapter.notebook.cells:
        if cell.cell_type == "code":
            parts += [_fenced(addresses.without_addresses(cell.source), "python")]
            parts += [_output(output) for output in cell.outputs]
        elif cell.id == "title":
            parts.append(_lead(cell.source))
        elif cell.id not in ONLY_IN_THE_NOTEBOOKS:
            parts.append(_markdown(cell.source))
    return parts


def _lead(source: str) -> str:
    """Return the paragraph that says what the section is about, and the picture, without aims."""
    shown = addresses.without_addresses(source).split("\n\n")[1:3]
    return _markdown("\n\n".join(shown))


def _markdown(source: str) -> str:
    """Adapt a notebook's text to the post; leave its code blocks as they are."""
    result, rest = "", 0
    for fence in _FENCE.finditer(source):
        result += _prose(source[rest : fence.start()]) + fence[0]
        rest = fence.end()
    return result + _prose(source[rest:])


def _prose(text: str) -> str:
    for pattern, section in (*_LINKS, *_NUMBERS):
        text = re.sub(pattern, f"[{section}](#{section.lower()})", text)
    text = _OTHERS.sub(r"\1\2section", text)
    text = re.sub(rf"\]\({IMAGES}/", f"](/{IMAGES}/", text)
    text = re.sub("^(?=#+ )", "#", text, flags=re.MULTILINE)
    # kramdown reads Markdown inside HTML only where it is told to.
    return text.replace("<details>", '<details markdown="1">')


def _output(output: NotebookNode) -> str:
    """Write a table as HTML, for a page would cut it off in a fence; all else in a fence."""
    if output.output_type == "error":
        return _fenced(textwrap.fill("\n".join(output.traceback), 96), "text")
    if "text" in output:
        return _fenced(output.text, "text")
    return str(output.data.get("text/html") or _fenced(output.data["text/plain"], "text"))


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`{3,}", text)), 3)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def record(post: Path, notebooks: Path = FOLDER) -> str:
    """Return the digests of the notebooks, and of the post that was made from them.

    Line ends do not count: git may check texts out with others.
    """
    files = {f"notebooks/{name}.ipynb": notebooks / f"{name}.ipynb" for name in NOTEBOOKS}
    found = sorted(path for path in post.rglob("*") if path.is_file())
    files |= {f"_build/post/{path.relative_to(post).as_posix()}": path for path in found}
    return "".join(f"{_digest(path)}  {name}\n" for name, path in files.items())


def stale(post: Path, notebooks: Path = FOLDER, kept: Path = RECORD) -> list[str]:
    """List the files that differ from the record: none if everything is up to date.

    Args:
        post: A folder into which the post has been rendered just now.
        notebooks: What it was rendered from.
        kept: The record, as committed.
    """
    then = set(kept.read_text("utf-8").splitlines()) if kept.exists() else set()
    now = set(record(post, notebooks).splitlines())
    return sorted({line.split("  ", 1)[1] for line in then ^ now})


def _digest(path: Path) -> str:
    return sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
