"""The lesson as a site: Sphinx builds it from a folder that is made anew each time."""

import os
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from copy import deepcopy
from pathlib import Path

import nbformat

from publish import addresses
from publish.lesson import IMAGES, Lesson
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

SETTINGS = ROOT / "docs" / "site"
PAGES = {
    "troubleshooting": "notebooks/troubleshooting.md",
    "sandbox": "sandbox/README.md",
    "real-account": "README.md",
    "rehearsal": "docs/rehearsal.md",
    "facilitator": "workshop/README.md",
    "publishing": "docs/publishing.md",
    "security": "SECURITY.md",
    "changelog": "CHANGELOG.md",
    **{
        f"decisions/{file.stem}": f"docs/decisions/{file.name}"
        for file in sorted(ROOT.glob("docs/decisions/*.md"))
    },
}
"""Pages that are kept elsewhere, by their names on the site."""
PARTS = {"real-account": "On a real AWS account"}
"""Pages that are one section of their file, by its heading."""
# So that no clock, time zone, language or hash seed of this machine changes the site.
SAME_EVERYWHERE = {
    "SOURCE_DATE_EPOCH": "1503495900",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
}


class SiteError(Exception):
    """Sphinx warned or failed; the message is what it said."""


def write(lesson: Lesson, folder: Path) -> None:
    """Build the site into a new folder.

    Raises:
        SiteError: Sphinx warned or failed; a warning would be a hole in the site.
    """
    with tempfile.TemporaryDirectory(prefix="iot-site-") as place:
        source = Path(place, "source")
        gather(lesson, source)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
        command += ["-d", str(Path(place, "doctrees")), str(source), str(folder)]
        environment = os.environ | SAME_EVERYWHERE
        # Python looks for a module's imports in the current folder first: here, the helpers.
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SiteError(done.stderr.replace(f"{source}{os.sep}", "").strip())
    if site := addresses.read().site:
        sitemap(folder, site)


def gather(lesson: Lesson, source: Path) -> None:
    """Copy what Sphinx reads into one folder: settings, pages, notebooks and pictures."""
    shutil.copytree(SETTINGS, source, ignore=shutil.ignore_patterns("__pycache__"))
    known = addresses.read()
    index = source / "index.md"
    shown = addresses.put(index.read_text("utf-8"), addresses.on_site(known))
    index.write_text(shown, "utf-8")
    lesson.write_images(source / IMAGES)
    downloads = source / "extra" / "notebooks"
    downloads.mkdir(parents=True)
    (source / "extra" / ".nojekyll").touch()  # else GitHub leaves out the folders that begin with _
    for chapter in lesson.chapters:
        notebook = deepcopy(chapter.notebook)
        addresses.on_lesson_page(notebook, chapter.name, known)
        nbformat.write(notebook, source / f"{chapter.name}.ipynb")
        shutil.copy(FOLDER / f"{chapter.name}.ipynb", downloads)
    for page, file in PAGES.items():
        text = (ROOT / file).read_text("utf-8")
        if page in PARTS:
            text = section(text, PARTS[page])
        target = source / f"{page}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(without_places(linked(text, page, file, known)), "utf-8")


def source_of(page: str, suffix: str) -> str:
    """Return the file of the repository that a page is made from.

    Args:
        page: Its name on the site.
        suffix: How its file ends where Sphinx reads it.
    """
    module = page.removeprefix("reference/").replace(".", "/")
    made = [f"{folder}/{page}{suffix}" for folder in ("docs/site", "notebooks")]
    made += [f"{module}.py", f"{module}/__init__.py"]
    return PAGES.get(page) or next(file for file in made if (ROOT / file).exists())


def section(text: str, heading: str) -> str:
    r"""Return a section of a text as a text of its own.

    >>> section("# One\n\n## Two\n\n2.\n\n## Three\n", "Two")
    '# Two\n\n2.\n\n'
    """
    _, rest = text.split(f"## {heading}\n", 1)
    return f"# {heading}\n{rest.split('## ', 1)[0]}"


def linked(text: str, page: str, file: str, known: addresses.Addresses) -> str:
    """Let a text's links to files lead to the site's pages.

    Those that are none lead to the repository, if its address is known, and are else named.

    >>> known = addresses.Addresses()
    >>> linked("[a](../SECURITY.md#b), [c](hub/d.py)", "facilitator", "workshop/README.md", known)
    '[a](security.md#b), c (`workshop/hub/d.py`)'
    """
    pages = {of: f"{name}.md" for name, of in PAGES.items() if name not in PARTS}
    pages |= {f"notebooks/{name}.ipynb": f"{name}.ipynb" for name in NOTEBOOKS}

    def lead(link: re.Match[str]) -> str:
        words, path, place = link.groups("")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        if target in pages:
            there = posixpath.relpath(pages[target], posixpath.dirname(page))
            return f"[{words}]({there}{place})"
        address = addresses.in_repository(known, target, "blob")
        if address:
            return f"[{words}]({address}{place})"
        return words if target in words else f"{words} (`{target}`)"

    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!\w+:)([^)#]+)(#[^)]+)?\)", lead, text)


def sitemap(folder: Path, site: str) -> None:
    """List the site's pages for search engines, which want whole addresses."""
    pages = [page.relative_to(folder).as_posix() for page in folder.rglob("*.html")]
    lines = [f"<url><loc>{site}/{page}</loc></url>" for page in sorted(pages) if page != "404.html"]
    opened = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    text = "\n".join(['<?xml version="1.0" encoding="utf-8"?>', opened, *lines, "</urlset>\n"])
    (folder / "sitemap.xml").write_text(text, "utf-8")


def without_places(text: str) -> str:
    """Leave out the places that only JupyterLab needs: Sphinx names each heading's by itself."""
    return re.sub(r'^<a id="[\w-]+"></a>\n\n', "", text, flags=re.M)
