"""What is published is laid out whole, or not at all."""

import os
from pathlib import Path

import pytest
from docs_support import copy_project, docs

from publish import addresses, layout
from publish.addresses import Addresses
from publish.layout import NotPublished

BASE = "https://owner.github.io/lesson"
KNOWN = Addresses(site=BASE, browser=f"{BASE}/browser")


def make(pages: Path, blog: Path) -> None:
    for file in (pages / "index.html", pages / "browser" / "index.html"):
        file.parent.mkdir(parents=True)
        file.write_text(f"<a href='{BASE}/browser'>")
    blog.mkdir()


def test_everything_is_there_or_nothing(tmp_path: Path) -> None:
    def half(pages: Path, blog: Path) -> None:
        make(pages, blog)
        (blog / "post.md").write_text(f"[start]({BASE}/none)")

    with pytest.raises(NotPublished, match=f"blog/post.md: {BASE}/none is not there"):
        layout.lay_out(tmp_path / "new", KNOWN, half)
    assert not any((tmp_path / "new").iterdir())
    layout.lay_out(tmp_path / "new", KNOWN, make)
    there = {each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*")}
    assert {"new/pages/index.html", "new/pages/browser/index.html", "new/blog"} <= there
    assert not [name for name in there if ".new-" in name]


def test_what_would_fail_later_fails_first(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(NotPublished, match="is not empty"):
            layout.check(folder, KNOWN)
    layout.check(tmp_path / "new", KNOWN)
    with pytest.raises(NotPublished, match="Say --base-url"):
        layout.check(tmp_path / "new", Addresses(browser=BASE))


def test_the_base_url_goes_before_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(addresses.BASE_URL, f"{BASE}/")
    assert addresses.read() == KNOWN
    monkeypatch.setenv(addresses.BASE_URL, "http://plain.example")
    with pytest.raises(addresses.AddressError, match="no https:// address"):
        addresses.read()


@pytest.mark.parametrize("options", [["--base-url", "nowhere"], []])
def test_without_an_address_nothing_is_begun(options: list[str], tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    done = docs(project, "--publish", str(tmp_path / "out"), *options)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_two_clones_publish_the_same_bytes(tmp_path: Path) -> None:
    """Post, site and browser edition; every link between them leads somewhere."""
    found = []
    for name, zone in (("here", "Asia/Tokyo"), ("a folder, elsewhere", "America/Lima")):
        project = copy_project(tmp_path / name)
        out = tmp_path / f"of {name}"
        done = docs(project, "--publish", str(out), "--base-url", BASE, TZ=zone)
        assert done.returncode == 0, done.stderr
        files = {
            each.relative_to(out).as_posix(): each.read_bytes()
            for each in out.rglob("*")
            if each.is_file()
        }
        assert not [each for each, content in files.items() if os.fsencode(tmp_path) in content]
        found.append(files)
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []
    (post,) = [name for name in found[0] if name.startswith("blog/_posts/")]
    assert f"({BASE}/browser/lab/index.html" in found[0][post].decode()
