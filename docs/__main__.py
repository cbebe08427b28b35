"""Render the committed notebooks into a Jekyll post and a site, in _build; nothing is executed."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from docs import lesson, post, website
from docs.notebooks import ROOT

BUILD = ROOT / "_build"


def main() -> None:
    """Do what the command line says."""
    options = _options()
    if options.execute:
        subprocess.run([sys.executable, "-m", "docs.notebooks"], cwd=ROOT, check=True)
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as place:
        render(Path(place), options.title, options.date)
        for name in ("post", "site"):
            shutil.rmtree(BUILD / name, ignore_errors=True)
            Path(place, name).rename(BUILD / name)
    print("post: _build/post/" + post.file_name(options.title, options.date))
    print("site: _build/site/index.html")


def render(folder: Path, title: str, date: datetime) -> None:
    """Render both from one reading."""
    read = lesson.read()
    post.write(read, folder / "post", title, date)
    website.write(read, folder / "site")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./tutorial docs", description=__doc__)
    parser.add_argument("--title", default=post.TITLE, help="the post's title")
    parser.add_argument(
        "--date", type=datetime.fromisoformat, default=post.DATE, help="'2017-08-23 13:45'"
    )
    parser.add_argument("--execute", action="store_true", help="run the notebooks first")
    return parser.parse_args()


if __name__ == "__main__":
    main()
