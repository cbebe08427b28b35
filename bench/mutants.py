"""Find the changes to the code that no test notices.

``python -m bench.mutants iot_policy -t tests/test_policy_*.py``: mutmut makes one small change at a
time (a bound, an operator, a text, an argument) and runs the tests that reach the changed function.
A change that no test notices survives: its diff is printed at the end. mutmut passes over
decorated functions, ``except`` clauses and what stands outside of functions: try those by hand.

It works on a copy in a temporary folder, so the repository stays as it is. mutmut is fetched for
the run and is none of the project's dependencies.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MUTMUT = "mutmut==3.8.1"
FORGET = """
import functools, gc

def pytest_sessionstart():
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper):
            each.cache_clear()
"""
"""A plugin for pytest: mutmut tries a mutant in a fork, which must not know the old answers."""
PASSED_OVER = [".git", ".uv", ".venv*", "mutants", "__pycache__", ".*_cache", "node_modules"]


def main() -> None:
    """Mutate the files that are named, run the tests that are named, print what survives."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sources", nargs="+", help="files or folders to change")
    parser.add_argument("-t", "--tests", nargs="+", required=True, help="files to test them with")
    parser.add_argument("-k", "--only", nargs="*", default=[], help="mutants, such as *.x_decide*")
    parser.add_argument("-n", "--processes", default="1")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*PASSED_OVER))
        (copy / "forget_answers.py").write_text(FORGET, "utf-8")
        configure(copy / "pyproject.toml", asked.sources, asked.tests)
        mutmut(copy, "run", "--max-children", asked.processes, *asked.only)
        report(copy)


def configure(pyproject: Path, sources: list[str], tests: list[str]) -> None:
    """Write mutmut's settings, which it reads from the project's file alone."""
    found = [str(path) for name in sources for path in python_files(Path(name))]
    settings = {
        "source_paths": sorted({Path(name).parts[0] for name in sources}),
        "only_mutate": found,
        "also_copy": [each.name for each in pyproject.parent.iterdir()],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "forget_answers"],
        "pytest_add_cli_args_test_selection": tests,
        "track_dependencies": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with pyproject.open("a", encoding="utf-8") as file:
        file.write("\n".join(["", "[tool.mutmut]", *lines, ""]))


def python_files(path: Path) -> list[Path]:
    """Return *path* itself, or the Python files of a folder."""
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def report(copy: Path) -> None:
    """Print the diff of each mutant that was not killed, and how many there were of each kind."""
    listed = mutmut(copy, "results", "--all", "true", quiet=True).split("\n")
    results = dict(line.strip().split(": ", 1) for line in listed if ": " in line)
    for name, result in sorted(results.items()):
        if result != "killed":
            print(f"\n{result}: {name}")
            print("\n".join(mutmut(copy, "show", name, quiet=True).splitlines()[3:]))
    for kind in sorted(set(results.values())):
        print(f"{kind}: {sum(result == kind for result in results.values())}")
    print(f"mutants: {len(results)}")


def mutmut(copy: Path, *arguments: str, quiet: bool = False) -> str:
    """Run mutmut in the copy, with the project's packages beside its own."""
    uv = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    python = ["--python", sys.executable, "--with", MUTMUT]
    command = [uv, "run", "--no-project", "--quiet", *python, "mutmut", *arguments]
    return subprocess.run(
        command, cwd=copy, check=True, text=True, stdout=subprocess.PIPE if quiet else None
    ).stdout


if __name__ == "__main__":
    main()
