"""The house as CONTRIBUTING draws it: which way imports point, and what an import loads."""

import ast
from collections.abc import Iterator
from pathlib import Path

from publish.notebooks import ROOT

MAY_IMPORT = {
    "iot_policy": set[str](),
    "sandbox": {"iot_policy"},
    "helpers": {"iot_policy", "sandbox"},
    "publish": {"helpers", "iot_policy", "sandbox", "workshop"},
    "workshop": {"helpers", "iot_policy", "sandbox", "publish"},
    "bench": {"helpers", "iot_policy", "sandbox", "publish", "workshop"},
}
"""A package's own arrows; nothing of the product imports tests."""
OURS = MAY_IMPORT.keys() | {"tests"}


def imports(file: Path) -> Iterator[str]:
    """Every module that a file names in an import, at its top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_every_arrow_points_as_drawn() -> None:
    for package, allowed in MAY_IMPORT.items():
        files = sorted((ROOT / package).rglob("*.py"))
        assert files, package
        for file in files:
            ours = {name.split(".")[0] for name in imports(file)} & OURS - {package}
            assert ours <= allowed, f"{file.relative_to(ROOT)} imports {ours - allowed}"
