"""The house as CONTRIBUTING draws it: which way imports point, and what an import loads."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter

import nbformat
import pytest

from publish.notebooks import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([\w.]+)` \| .+ \| (.*) \|$", GUIDE.split("## The house\n")[1], re.M)
ARROWS = {package: set(re.findall(r"`([\w.]+)`", cell)) for package, cell in ROWS}
"""What each package may import of the others: the table's first and last column."""


def modules() -> Iterator[tuple[str, str]]:
    """Every module of ours with its source; the tests' own have names without a package."""
    for package in ARROWS:
        if "." not in package and package != "notebooks":
            for file in sorted((ROOT / package).rglob("*.py")):
                parts = file.relative_to(ROOT).with_suffix("").parts
                yield (
                    ".".join(parts).removesuffix(".__init__").removeprefix("tests."),
                    file.read_text("utf-8"),
                )
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(file, as_version=4).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        yield f"notebooks.{file.stem}", "\n".join(code)


SOURCES = dict(modules())


def package_of(module: str) -> str:
    """The row that a module belongs to: the longest that its name begins with."""
    rows = [row for row in ARROWS if f"{module}.".startswith(f"{row}.")]
    return max(rows, key=len, default="tests")


def imports(module: str) -> set[str]:
    """The modules of ours that a module imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(SOURCES[module])):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports a relative name"
            names = {f"{node.module}.{each.name}".removeprefix("tests.") for each in node.names}
            found |= {name if name in SOURCES else str(node.module) for name in names}
    return found & SOURCES.keys() - {module}


GRAPH = {module: imports(module) for module in SOURCES}


def test_the_table_names_every_package() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True)
    folders = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert folders - {"docs"} == {row for row in ARROWS if "." not in row} - {"notebooks"}
    assert len(ARROWS) > len(folders)


@pytest.mark.parametrize("package", ARROWS)
def test_every_arrow_points_as_drawn(package: str) -> None:
    own = [module for module in GRAPH if package_of(module) == package]
    assert own
    for module in own:
        wrong = {
            name for name in GRAPH[module] if package_of(name) not in ARROWS[package] | {package}
        }
        assert not wrong, f"{module} imports {wrong}"


def test_no_import_comes_back_to_where_it_began() -> None:
    TopologicalSorter(GRAPH).prepare()  # raises CycleError, which names the circle


def test_no_private_name_leaves_its_package() -> None:
    product = {module: text for module, text in SOURCES.items() if package_of(module) != "tests"}
    for module, source in product.items():
        ours = {name.split(".")[-1] for name in GRAPH[module]}
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.ImportFrom(module=origin) if str(origin).split(".")[0] in ARROWS:
                    names = [each.name for each in node.names]
                case ast.Attribute(value=ast.Name(id=origin)) if origin in ours:
                    names = [node.attr]
                case _:
                    continue
            private = [name for name in names if re.match("_[^_]", name)]
            assert not private, f"{module} uses {private} of {origin}"


def test_the_policy_language_needs_nothing_but_python() -> None:
    """-S leaves out what is installed: neither boto3 nor moto nor a table library is there."""
    look = "import sys, iot_policy; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", look], cwd=ROOT, capture_output=True, text=True
    )
    assert loaded.returncode == 0, loaded.stderr
    names = set(loaded.stdout.split())
    assert "iot_policy" in names
    assert names <= {*sys.stdlib_module_names, "iot_policy", "__main__"}


def test_the_lesson_can_be_read_in_an_hour() -> None:
    helpers = (ROOT / "helpers").rglob("*.py")
    aside = {"panels", "sign_in.py"}  # the latter is read by those who work on a real account
    files = [file for file in helpers if not aside & set(file.parts)]
    assert len(files) < 22
    assert sum(file.read_text("utf-8").count("\n") for file in files) < 2770
