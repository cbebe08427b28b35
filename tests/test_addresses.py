"""The one setting for addresses: what is said where they are set, and that nothing is where not."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from docs_support import copy_project

from publish import addresses, times
from publish.addresses import AddressError, Addresses
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT

ALL = Addresses(
    repository="https://github.com/someone/iot-button-tutorial",
    site="https://someone.example/lesson",
    browser="https://someone.example/try",
    original="https://someone.example/2017/08/23/iot-button.html",
)
NONE = Addresses()
LINK = re.compile(r"\[([^][]*)\]\(([^()\s]*)\)")
"""Of Markdown: its words and its address."""


def project(folder: Path, *lines: str) -> Path:
    """A pyproject.toml with these lines under [project.urls]."""
    file = folder / "pyproject.toml"
    file.write_text("\n".join(['[project]\nname = "x"', "[project.urls]", *lines]))
    return file


def set_everywhere(folder: Path, known: Addresses) -> None:
    """Set the addresses in a copy of the project."""
    lines = [f'{name.capitalize()} = "{value}"' for name, value in vars(known).items() if value]
    file = folder / "pyproject.toml"
    place = "[dependency-groups]\n"
    before, after = file.read_text("utf-8").split(place)
    file.write_text("\n".join([f"{before}[project.urls]", *lines, place, after]), "utf-8")


def python(*command: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
    )


def write(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "publish.addresses", *options, folder=folder, PYTHONPATH=str(folder))


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project; what runs in the test's own process writes there, too."""
    folder = copy_project(tmp_path)
    for name in ("FOLDER", "README", "ROOT"):
        monkeypatch.setattr(addresses, name, folder / getattr(addresses, name).relative_to(ROOT))
    return folder


# The setting.


def test_all_are_read_and_each_may_be_missing(tmp_path: Path) -> None:
    lines = [f'{name.capitalize()} = "{value}"' for name, value in vars(ALL).items()]
    assert addresses.read(project(tmp_path, *lines)) == ALL
    assert addresses.read(project(tmp_path, lines[2])) == Addresses(browser=ALL.browser)
    assert addresses.read(project(tmp_path, 'Site = ""')) == NONE
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"')
    assert addresses.read(tmp_path / "pyproject.toml") == NONE


def test_a_slash_at_the_end_makes_no_difference(tmp_path: Path) -> None:
    assert addresses.read(project(tmp_path, f'Browser = "{ALL.browser}/"')).browser == ALL.browser


@pytest.mark.parametrize(
    "line",
    [
        'Site = "http://someone.example"',
        'Site = "https://someone.example/ "',
        'Site = " https://someone.example"',
        'Site = "https://someone.example/a(b)"',
        'Site = "https://someone.example/?a=b"',
        'Site = "https://someone:secret@someone.example"',
        'Site = "https://localhost/lesson"',
        'Site = "someone.example"',
        "Site = 5",
        'Repository = "https://github.com/someone"',
        'Repository = "https://github.com/someone/name/"',
        'Repository = "https://github.com/someone/name.git"',
        'Repository = "https://github.com/someone/name/tree/main"',
        'Repositry = "https://github.com/someone/name"',
    ],
)
def test_what_is_no_address_is_refused_in_one_line(line: str, tmp_path: Path) -> None:
    with pytest.raises(AddressError) as refused:
        addresses.read(project(tmp_path, line))
    name, _, value = line.partition(" = ")
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
    assert name == "Repositry" or value.strip('"') in str(refused.value)


def test_the_command_says_so_in_one_line_and_writes_nothing(copy: Path) -> None:
    set_everywhere(copy, Addresses(repository="https://github.com/someone"))
    before = (copy / "README.md").read_text("utf-8")
    for module in ("publish.addresses", "publish"):
        done = python("-m", module, folder=copy, PYTHONPATH=str(copy))
        assert done.returncode == 1
        assert done.stderr == (
            "[project.urls] Repository: 'https://github.com/someone' is not like "
            "https://code.host/owner/name, without .git.\n"
        )
    assert (copy / "README.md").read_text("utf-8") == before


# What is committed is what the setting says; today it says nothing.


def test_readme_and_notebooks_are_as_the_setting_says() -> None:
    assert addresses.stale(addresses.read()) == [], "run ./tutorial docs"


def test_what_is_stale_is_named_and_then_written(copy: Path) -> None:
    assert addresses.stale(NONE) == []
    set_everywhere(copy, ALL)
    names = "README.md, " + ", ".join(f"notebooks/{name}.ipynb" for name in NOTEBOOKS)
    done = write(copy, "--check")
    assert (done.returncode, done.stdout) == (1, f"stale: {names}\n")
    assert write(copy).stdout == f"changed: {names}\n"
    assert addresses.stale(ALL) == []


def test_a_readme_without_the_place_is_noticed(copy: Path) -> None:
    (copy / "README.md").write_text("# The IoT button tutorial\n")
    with pytest.raises(AddressError, match=r"README\.md has no lines <!-- addresses"):
        addresses.write(ALL)


def test_set_and_taken_back_leaves_every_byte_as_it_was(copy: Path) -> None:
    files = [copy / "README.md", *sorted((copy / "notebooks").glob("*.ipynb"))]
    before = {file: file.read_text("utf-8") for file in files}
    addresses.write(ALL)
    for file in files:
        now, then = file.read_text("utf-8").splitlines(), before[file].splitlines()
        changed = [line for line in now if line not in then]
        if file.suffix == ".md":
            start, end = (
                next(n for n, line in enumerate(now) if line.startswith(f"<!-- {words}"))
                for words in ("addresses", "end of addresses")
            )
            assert [line for line in changed if line not in now[start:end]] == []
            assert [line for line in then if line not in now] == then[start + 1 : start + 2]
        else:
            assert len(changed) == 2, changed  # the links and the comment
        assert file.read_text("utf-8") != before[file]
    addresses.write(NONE)
    assert {file: file.read_text("utf-8") for file in before} == before


# What is said.


@pytest.mark.parametrize("missing", [*vars(ALL), None])
def test_no_link_is_empty_or_leads_elsewhere(missing: str | None) -> None:
    known = Addresses(**vars(ALL) | ({missing: ""} if missing else {}))
    notebook = nbformat.read(FOLDER / "01-thing.ipynb", as_version=4)
    addresses.in_notebook(notebook, "01-thing", known)
    said = [notebook.cells[0].source, addresses.in_readme(known)]
    said += [addresses.in_post(known), addresses.on_site(known)]
    given = [value for value in vars(known).values() if value]
    services = ("https://mybinder.org/v2/gh/someone/", "https://colab.research.google.com/github/")
    for text in said:
        for words, address in LINK.findall(text.replace("[![", "[")):
            assert words
            if address.endswith(".svg"):
                continue
            assert address.startswith((*given, *services)), address
        assert "()" not in text and "[]" not in text and "None" not in text
    if missing:
        lost = vars(ALL)[missing]
        assert [text for text in said if lost in text] == []


def test_without_addresses_nothing_is_said_of_them() -> None:
    notebook = nbformat.read(FOLDER / "01-thing.ipynb", as_version=4)
    title = notebook.cells[0].source
    addresses.in_notebook(notebook, "01-thing", NONE)
    assert notebook.cells[0].source == title
    assert addresses.on_site(NONE) == ""
    assert LINK.findall(addresses.in_post(NONE)) == []
    assert LINK.findall(addresses.in_readme(NONE)) == []
    assert "./tutorial browser --serve" in addresses.in_readme(NONE)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_each_way_leads_to_the_notebook(name: str) -> None:
    """In the form that the documentation of each has; `ways` names the pages."""
    file = f"notebooks/{name}.ipynb"
    assert (ROOT / file).exists()
    found = {words: urlsplit(address) for words, address in addresses.ways(ALL, name).items()}
    assert list(found) == ["in the browser", "on Binder", "on Colab"]
    here, binder, colab = found.values()
    assert (here.netloc, here.path) == ("someone.example", "/try/lab/index.html")
    assert parse_qs(here.query) == {"path": [f"{name}.ipynb"]}
    assert (binder.netloc, binder.path) == (
        *("mybinder.org", "/v2/gh/someone/iot-button-tutorial/HEAD"),
    )
    assert parse_qs(binder.query) == {"urlpath": [f"lab/tree/{file}"]}
    assert (colab.netloc, colab.query) == ("colab.research.google.com", "")
    assert colab.path == f"/github/someone/iot-button-tutorial/blob/main/{file}"


def test_a_badge_is_a_picture_that_leads_somewhere() -> None:
    badge = re.compile(r"\[!\[([^]]+)\]\((https://[^)]+\.svg)\)\]\((https://[^)]+)\)")
    badges = badge.findall(addresses.in_readme(ALL))
    assert [address for *_, address in badges] == list(addresses.ways(ALL).values())
    assert [words for words, *_ in badges] == [
        f"Open the lesson {each}" for each in addresses.ways(ALL)
    ]


def test_another_code_host_has_no_badge_that_leads_nowhere() -> None:
    elsewhere = Addresses(repository="https://code.example/someone/name")
    assert addresses.ways(elsewhere) == {}
    assert "git clone https://code.example/someone/name`" in addresses.in_readme(elsewhere)


def test_a_notebook_that_is_opened_fetches_no_picture_from_elsewhere(copy: Path) -> None:
    addresses.write(ALL)
    for name in NOTEBOOKS:
        text = (copy / "notebooks" / f"{name}.ipynb").read_text("utf-8")
        assert re.findall(r"!\[[^]]*\]\(https?:", text) == []


def test_links_take_no_time_to_read(copy: Path) -> None:
    """Else a publisher who sets an address would find each notebook's time wrong."""
    before = [times.words(read) for read in map(notebook, NOTEBOOKS)]
    for name, words in zip(NOTEBOOKS, before, strict=True):
        changed = notebook(name)
        addresses.in_notebook(changed, name, ALL)
        assert changed != notebook(name)
        assert times.words(changed) == words


def notebook(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


# The first cell where the lesson is not installed: as IPython shows its error.

BARE = """
import json, sys
for finder in list(sys.meta_path):
    if "editable" in str(finder).lower():
        sys.meta_path.remove(finder)
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
for source in json.load(sys.stdin):
    print("=" * 80)
    shell.run_cell(source)
"""
FOREIGN = "def help_me():\n    return 'a package of that name, by somebody else'\n"


def first_cell(name: str) -> str:
    return next(str(cell.source) for cell in notebook(name).cells if cell.cell_type == "code")


def shown_without_the_lesson(sources: list[str], folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", BARE],
        input=json.dumps(sources),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "IPYTHONDIR": str(folder / "ipython")},
        capture_output=True,
        text=True,
    )
    return done.stdout.split("=" * 80 + "\n")[1:]


@pytest.mark.parametrize("foreign", [False, True], ids=["none", "foreign"])
def test_the_error_shows_how_to_get_the_helpers(foreign: bool, tmp_path: Path) -> None:
    error = "ModuleNotFoundError: No module named 'helpers'"
    if foreign:
        (tmp_path / "helpers").mkdir()
        (tmp_path / "helpers" / "__init__.py").write_text(FOREIGN)
        error = "ImportError: cannot import name 'account' from 'helpers'"
    cells = [first_cell(name) for name in NOTEBOOKS]
    for cell, shown in zip(cells, shown_without_the_lesson(cells, tmp_path), strict=True):
        assert error in shown
        line = cell.splitlines()[0]
        assert line.startswith("# ") and line in shown
        assert line.endswith("%pip install ..")


@pytest.mark.parametrize("folder", ["notebooks", "work"])
def test_from_where_a_notebook_runs_the_line_names_the_lesson(folder: str) -> None:
    """A notebook's folder is where its kernel runs; both lie in the one that pip can install."""
    assert (ROOT / folder / ".." / "pyproject.toml").resolve() == ROOT / "pyproject.toml"


def test_with_a_repository_the_line_fetches_it_from_there() -> None:
    changed = notebook("01-thing")
    addresses.in_notebook(changed, "01-thing", ALL)
    first = next(cell for cell in changed.cells if cell.cell_type == "code").source
    assert first.splitlines()[0].endswith(f" %pip install git+{ALL.repository}")
    assert first.splitlines()[1:] == first_cell("01-thing").splitlines()[1:]


@pytest.mark.long
def test_site_and_post_are_built_with_all_of_them(copy: Path) -> None:
    set_everywhere(copy, ALL)
    made = python("-m", "publish", folder=copy, PYTHONPATH=str(copy))
    assert made.returncode == 0, made.stderr
    readme = copy / "README.md"
    readme.write_text(readme.read_text("utf-8").replace("In a browser alone", "Somewhere"), "utf-8")
    checked = python("-m", "publish", "--check", folder=copy, PYTHONPATH=str(copy))
    assert re.findall(r"^  .*$", checked.stderr, re.M) == ["  README.md"]
    index = (copy / "_build" / "site" / "index.html").read_text("utf-8")
    for name, address in vars(ALL).items():
        assert (f'href="{address}"' in index) == (name != "site"), "it does not lead to itself"
    for page in (copy / "_build" / "site").glob("*.html"):
        assert not re.search(r'<(?:img|script)[^>]+src="https?:', page.read_text("utf-8"))
    (file,) = (copy / "_build" / "post" / "_posts").glob("*.md")
    assert addresses.ways(ALL)["in the browser"] in file.read_text("utf-8")
