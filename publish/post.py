"""The lesson's short form as a Jekyll post, with the front matter and the order of the original.

It shows the cells that are tagged ``post`` and what they answered; the author's own words stand
between them, from post-words.md.
"""

import json
import re
import textwrap
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nbformat import NotebookNode

from publish import addresses
from publish.addresses import Addresses
from publish.lesson import IMAGES, Lesson

ORIGINAL = "IoT Button Part 3 - Prepare AWS environment"
WORDS = Path(__file__).with_name("post-words.md")
BUTTON = Path(__file__).with_name("button.svg")
TAG = "post"
BESIDE_THE_CELLS = ("opening", "opening, --replace", "after the start", "end")
COLUMNS = 76
"""Width of a block of code, and of what it answers."""
_FENCE = re.compile(r"^(`{3,})\w+\n.*?^\1$", re.M | re.S)
_PLACE = re.compile(r"^<!-- (.+) -->$", re.M)
_SCROLLS = 'style="overflow-x: auto"'
_SCROLLING = f"{{:scrolls: {_SCROLLS}}}"
"""kramdown's definition of what a block that ends in ``{: scrolls}`` has; it shows nothing."""


class PostError(Exception):
    """The words do not fit the tagged cells; the message names each place."""


@dataclass(frozen=True)
class Head:
    """What the post is called, and what it is to the one of 2017."""

    title: str = "IoT Button Part 3 revisited - A swapped policy and a missing step"
    date: datetime = datetime(2026, 11, 30, 13, 45)
    replaces: bool = False
    """Whether it takes the place of the one of 2017, instead of linking to it."""
    original: str = ""
    """Address of the one of 2017; if empty, [project.urls] may have one."""

    @property
    def file_name(self) -> str:
        """The post's file name, as Jekyll expects it: the date, then the title.

        >>> SUCCESSOR.file_name
        '2017-08-23-iot-button-part-3-prepare-aws-environment.md'
        """
        return f"{self.date:%Y-%m-%d}-{slug(self.title)}.md"

    @property
    def images(self) -> str:
        """The folder of its pictures, from the blog's root."""
        return f"{IMAGES}/{slug(self.title)}"


NEW = Head()
SUCCESSOR = Head(ORIGINAL, datetime(2017, 8, 23, 13, 45), replaces=True)


def slug(title: str) -> str:
    """Turn a title into a part of an address.

    >>> slug("It's here: part 4!")
    'it-s-here-part-4'
    """
    return "-".join(re.findall("[a-z0-9]+", title.lower()))


def write(lesson: Lesson, folder: Path, known: Addresses, head: Head = NEW) -> Path:
    """Write the post and its pictures into a new folder, laid out as a Jekyll blog is.

    Returns:
        The post's file.
    """
    text = render(lesson, known, head)
    contents = {**lesson.images, BUTTON.name: BUTTON.read_bytes()}
    file, images = folder / "_posts" / head.file_name, folder / head.images
    file.parent.mkdir(parents=True)
    images.mkdir(parents=True)
    file.write_text(text, "utf-8")
    for name in re.findall(rf"\]\(/{head.images}/(.+?)\)", text):
        (images / name).write_bytes(contents[name])
    return file


def render(lesson: Lesson, known: Addresses, head: Head = NEW) -> str:
    """Return the whole post as text.

    Raises:
        PostError: a tagged cell has no place in post-words.md, or a place there has no such cell.
    """
    _, *split = _PLACE.split(WORDS.read_text("utf-8"))
    words = {place: text.strip() for place, text in zip(split[::2], split[1::2], strict=True)}
    tagged = _tagged(lesson)
    if lost := words.keys() ^ {*BESIDE_THE_CELLS, *tagged}:
        names = ", ".join(sorted(lost))
        raise PostError(f"A cell tagged {TAG} or a place in {WORDS.name}, and not both: {names}")
    opening = words["opening, --replace" if head.replaces else "opening"]
    parts = [addresses.in_post(known), words["after the start"]]
    for place, cells in tagged.items():
        parts += [words[place], *(text for cell in cells for text in _cell(cell))]
    body = "\n\n".join(filter(None, [*parts, words["end"], _SCROLLING]))
    body = _FENCE.sub(r"\g<0>\n{: scrolls}", body)
    # Jekyll cuts the first paragraph out as the post's excerpt: it has to be whole by itself.
    whole = f"{_front_matter(head)}\n{as_written(opening)}\n\n{as_written(body)}\n"
    original = _link(f"*{ORIGINAL}*", head.original or known.original)
    whole = whole.replace("{{ original }}", "2017" if head.replaces else original)
    whole = whole.replace("{{ lesson }}", _link("The lesson", known.site))
    return whole.replace(f"]({IMAGES}/", f"](/{head.images}/")


def _link(words: str, address: str) -> str:
    return f"[{words}]({address})" if address else words


def as_written(body: str) -> str:
    r"""Protect a text from Liquid, Jekyll's template language: every ``{{`` and ``{%`` stays.

    >>> as_written("{{ x }}")
    '{% raw %}\n{{ x }}\n{% endraw %}'
    """
    # The one thing that ends `raw` is its own end tag: there, Liquid itself writes the brace.
    brace = "{% endraw %}{{ '{' }}{% raw %}"
    kept = re.sub(r"{(?=%-?\s*endraw)", lambda _: brace, body)
    return f"{{% raw %}}\n{kept}\n{{% endraw %}}"


def _front_matter(head: Head) -> str:
    text = json.dumps(head.title, ensure_ascii=False)  # a JSON string is a YAML one
    return f"""---
layout: post
title:  {text}
date:   {head.date:%Y-%m-%d %H:%M}
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


def _tagged(lesson: Lesson) -> dict[str, list[NotebookNode]]:
    """Return the tagged cells in the notebooks' order, each with the pictures that follow it."""
    found: dict[str, list[NotebookNode]] = {}
    for chapter in lesson.chapters:
        place = ""
        for cell in chapter.notebook.cells:
            if TAG in cell.metadata.get("tags", []):
                place = f"{chapter.name}/{cell.id}"
                found[place] = [cell]
            elif f"{chapter.name}/{cell.id}" == f"{place}-picture":
                found[place].append(cell)
    return found


def _cell(cell: NotebookNode) -> list[str]:
    if cell.cell_type != "code":
        return [cell.source]
    shown = [_fenced(addresses.without_addresses(cell.source), "python")]
    for output in cell.outputs:
        shown += ["*Output:*", _output(output)]
    return shown


def _output(output: NotebookNode) -> str:
    """Write a table as HTML, for a fence would cut it off; all else in a fence, wrapped."""
    if "text/html" in output.get("data", {}):
        return f"<div {_SCROLLS}>\n{output.data['text/html']}\n</div>"
    if output.output_type == "error":
        return _fenced(_wrapped("\n".join(output.traceback)), "text")
    return _fenced(_wrapped(output.get("text") or output.data["text/plain"]), "text")


def _wrapped(text: str) -> str:
    """Break long lines at blanks; what follows stands one column further in.

    >>> print(_wrapped(f"  one {'x' * 71}"))
      one
       xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    """
    wrapper = textwrap.TextWrapper(COLUMNS, break_long_words=False, break_on_hyphens=False)
    lines = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        wrapper.subsequent_indent = indent and f"{indent} "
        lines += wrapper.wrap(line) or [""]
    return "\n".join(lines)


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`{3,}", text)), 3)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
