"""The lesson as a site: Sphinx builds it from a folder that is made anew each time."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from publish import addresses
from publish.lesson import IMAGES, Lesson
from publish.notebooks import ROOT

SETTINGS = ROOT / "docs" / "site"
PAGES = {
    "troubleshooting.md": ROOT / "notebooks" / "troubleshooting.md",
    "facilitator.md": ROOT / "workshop" / "README.md",
}
"""Pages that are kept elsewhere, by their names on the site; a missing one is left out."""
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


def gather(lesson: Lesson, source: Path) -> None:
    """Copy what Sphinx reads into one folder: settings, pages, notebooks and pictures."""
    shutil.copytree(SETTINGS, source, ignore=shutil.ignore_patterns("__pycache__"))
    index = source / "index.md"
    shown = addresses.put(index.read_text("utf-8"), addresses.on_site(addresses.read()))
    index.write_text(shown, "utf-8")
    lesson.write_images(source / IMAGES)
    for chapter in lesson.chapters:
        nbformat.write(chapter.notebook, source / f"{chapter.name}.ipynb")
    for name, page in PAGES.items():
        if page.exists():
            text = without_places(without_file_links(page.read_text("utf-8")))
            (source / name).write_text(text, "utf-8")


def without_file_links(text: str) -> str:
    """Name a file of the repository instead of linking to it: the site does not hold it.

    >>> without_file_links("See [the hub](hub/config.py) and [AWS](https://aws.amazon.com).")
    'See the hub (`hub/config.py`) and [AWS](https://aws.amazon.com).'
    """
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)]+)\)", r"\1 (`\2`)", text)


def without_places(text: str) -> str:
    """Leave out the places that only JupyterLab needs: Sphinx names each heading's by itself."""
    return re.sub(r'^<a id="[\w-]+"></a>\n\n', "", text, flags=re.M)
