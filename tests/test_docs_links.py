"""Links between what is published: those that lead somewhere, and each kind that does not."""

from pathlib import Path

import pytest

from publish.links import broken

SITE, BLOG = "https://lessons.example/iot/", "https://blog.invalid/"


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    texts = {
        "pages/index.html": "<p id='top'></p>",
        "pages/a/page.html": "<h1 id='här'></h1><a name='old'></a>",
        "pages/a/b c.png": "",
        "pages/browser/index.html": "",
        "pages/browser/lab/index.html": "",
        "pages/browser/files/01-thing.ipynb": "{}",
        "blog/_posts/post.md": "",
        "blog/img/post/way.svg": "",
    }
    for name, text in texts.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return {SITE: tmp_path / "pages", BLOG: tmp_path / "blog"}


def of(places: dict[str, Path], link: str, tag: str = "<a href='{}'>") -> list[str]:
    page = places[SITE] / "a" / "page.html"
    page.write_text(page.read_text("utf-8") + tag.format(link), "utf-8")
    return broken(places)


@pytest.mark.parametrize(
    "link",
    [
        "page.html",
        "#old",
        "page.html#h%C3%A4r",
        "../index.html#top",
        "..",
        "../",
        "b%20c.png",
        "/iot/index.html",
        SITE,
        SITE.rstrip("/"),
        f"{SITE}a/page.html#old",
        f"{SITE.rstrip('/')}?search=policy",
        f"{SITE}browser/",
        f"{SITE}browser/lab/index.html",
        f"{SITE}browser/lab/index.html?path=01-thing.ipynb",
        "https://docs.aws.amazon.com/iot/",
        "mailto:nobody@example.com",
        "data:image/png;base64,",
    ],
)
def test_what_leads_somewhere_is_not_named(places: dict[str, Path], link: str) -> None:
    assert of(places, link) == []


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("other.html", "is not there"),
        ("../a", "is not there"),  # a folder without a page
        ("page.html#none", "names a place that the page does not have"),
        ("#none", "names a place that the page does not have"),
        ("/index.html", "leads out of what is published"),
        ("../../iot2/", "leads out of what is published"),
        (f"{SITE}other", "is not there"),
        (f"{SITE}browser/lab/index.html?path=05.ipynb", "opens 05.ipynb, which is not there"),
    ],
)
def test_what_leads_nowhere_is_named(places: dict[str, Path], link: str, problem: str) -> None:
    assert of(places, link) == [f"pages/a/page.html: {link} {problem}"]


@pytest.mark.parametrize("tag", ["<img src='{}'>", "<link href='{}'>", "<script src='{}'>"])
def test_whatever_holds_an_address_is_followed(places: dict[str, Path], tag: str) -> None:
    assert of(places, "gone.png", tag) == ["pages/a/page.html: gone.png is not there"]


def test_a_post_is_read_as_markdown(places: dict[str, Path]) -> None:
    post = places[BLOG] / "_posts" / "post.md"
    links = f"[a]({SITE}a/page.html#old) ![b](/img/post/way.svg) `[code](none)`\n\n"
    links += f"|[c]({SITE}gone)|\n|---|\n|![d](/img/post/gone.svg)|\n\n<img src='/img/e.png'>"
    post.write_text(f"{{% raw %}}\n{links}", "utf-8")
    assert broken(places) == [
        f"blog/_posts/post.md: {SITE}gone is not there",
        "blog/_posts/post.md: /img/post/gone.svg is not there",
        "blog/_posts/post.md: /img/e.png is not there",
    ]
