"""Render the committed notebooks into a Jekyll post and a site, in _build; nothing is executed."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from publish import addresses, layout, lesson, pictures, post, record, way, website
from publish.notebooks import ROOT, NotebookError

BUILD = ROOT / "_build"


def main() -> None:
    """Build or check what the command line asks for."""
    options = _options()
    try:
        if options.execute:
            _run("publish.notebooks", *(["--check"] if options.check else []))
        if options.pictures:
            _make_pictures()
        if options.base_url:
            os.environ[addresses.BASE_URL] = options.base_url
        if options.publish:
            lay_out(options.publish, _head(options))
        elif options.check:
            check()
        else:
            build(_head(options))
    except (addresses.AddressError, layout.NotPublished, NotebookError, post.PostError) as error:
        sys.exit(str(error))
    except website.SiteError as error:
        sys.exit(f"The site has holes; nothing was written.\n{error}")


def build(head: post.Head = post.NEW) -> None:
    """Write the addresses and draw; render both into _build; record what they were made from."""
    BUILD.mkdir(exist_ok=True)
    known = addresses.read()
    addresses.write(known)
    way.write()
    read = lesson.read()
    shown = pictures.SHOWN_BY_THE_README
    pictures.FOLDER.joinpath(shown).write_bytes(read.images[shown])
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".new-") as place:
        file = render(read, Path(place), known, head)
        for name in ("post", "site"):
            shutil.rmtree(BUILD / name, ignore_errors=True)
            Path(place, name).rename(BUILD / name)
    if head == post.NEW:
        record.write(record.DOCS, record.of_docs(read, known))
    print(f"post: _build/post/_posts/{file.name}")
    print("site: _build/site/index.html")


def lay_out(folder: Path, head: post.Head) -> None:
    """Make everything that is published, in two folders that are ready to copy."""
    known = addresses.read()
    layout.check(folder, known)

    def make(pages: Path, blog: Path) -> None:
        render(lesson.read(), pages.parent, known, head)
        for name, target in (("site", pages), ("post", blog)):
            pages.parent.joinpath(name).rename(target)
        _run("publish.lite", "--into", str(pages / addresses.EDITION))

    layout.lay_out(folder, known, make)
    print(f"{folder}/{layout.PAGES}: copy what is in it to {known.site}")
    print(f"{folder}/{layout.BLOG}: copy what is in it into a Jekyll blog's folder")


def check() -> None:
    """Render both into a temporary folder; exit with 1 if something differs from the records."""
    known, read = addresses.read(), lesson.read()
    with tempfile.TemporaryDirectory(prefix="iot-docs-") as place:
        render(read, Path(place), known)
    if told := record.told(read, known):
        sys.exit(told)
    print(record.UP_TO_DATE)


def render(
    read: lesson.Lesson, folder: Path, known: addresses.Addresses, head: post.Head = post.NEW
) -> Path:
    """Render the post and the site, from notebooks that are read once.

    Returns:
        The post's file.
    """
    print("writing the post ...", flush=True)
    file = post.write(read, folder / "post", known, head)
    print("building the site ...", flush=True)
    website.write(read, folder / "site")
    return file


def _run(module: str, *options: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, *options], cwd=ROOT)
    if done.returncode:
        sys.exit(done.returncode)


def _make_pictures() -> None:
    from publish import screenshots  # loads a browser's driver, which nothing else here needs

    screenshots.shoot()
    record.write(record.TAKEN, record.of_pictures())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./tutorial docs", description=__doc__)
    parser.add_argument(
        "--replace", action="store_true", help="the post takes the place of the one of 2017"
    )
    parser.add_argument(
        "--original", default="", metavar="URL", help="address of the post of 2017, to link it"
    )
    parser.add_argument("--title", type=_title, help="the post's title")
    parser.add_argument("--date", type=_date, help="the post's date: '2017-08-23 13:45'")
    parser.add_argument(
        "--publish", type=Path, metavar="DIR", help="lay everything out in a new folder, to copy"
    )
    parser.add_argument(
        "--base-url", metavar="URL", help="with --publish: where the site will be, https://…"
    )
    parser.add_argument("--execute", action="store_true", help="run the notebooks first")
    parser.add_argument(
        "--pictures", action="store_true", help="make the panels' pictures anew, in a browser"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing, fail where something is not up to date"
    )
    return parser.parse_args()


def _head(options: argparse.Namespace) -> post.Head:
    head = post.SUCCESSOR if options.replace else post.NEW
    given = {name: getattr(options, name) for name in ("title", "date", "original")}
    return replace(head, **{name: value for name, value in given.items() if value})


def _title(text: str) -> str:
    if not post.slug(text):
        raise argparse.ArgumentTypeError("it needs a letter or a digit: the file is named after it")
    return text


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like '2017-08-23 13:45'") from None


if __name__ == "__main__":
    main()
