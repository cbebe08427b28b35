"""``python -m outside SUITE``: run one of others' suites in a world of its own.

Prints one line of JSON a result; what each program printed stands in the folder ``--keep``.
"""

import argparse
import faulthandler
import importlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from outside import world

SUITES = ("course", "examples", "samples", "moto_suite", "paho_suite")


def main() -> int:
    """Run what the command line says; return 1 where something did not end as on AWS."""
    parser = argparse.ArgumentParser(prog="python -m outside", description=__doc__)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--sources", type=Path, required=True, help="see README.md")
    parser.add_argument("--libraries", type=Path, required=True, help="see README.md")
    parser.add_argument("--keep", type=Path, help="where what was printed is kept")
    chosen = parser.parse_args()
    if "OUTSIDE_INSIDE" not in os.environ:
        world.enter(sys.argv[1:])
    faulthandler.register(signal.SIGUSR1)
    passed = True
    with (
        tempfile.TemporaryDirectory(prefix="outside-") as folder,
        world.opened(Path(folder), chosen.sources.resolve(), chosen.libraries.resolve()) as here,
    ):
        for result in importlib.import_module(f"outside.{chosen.suite}").run(here):
            passed &= result.passed
            fields = result.to_json()
            text = fields.pop("text")
            if chosen.keep:
                chosen.keep.mkdir(parents=True, exist_ok=True)
                (chosen.keep / f"{result.name.replace('/', '-')}.txt"[:200]).write_text(str(text))
            print(json.dumps(fields), flush=True)  # noqa: T201  what it is for
        if chosen.keep:
            (chosen.keep / f"{chosen.suite}-sandbox.log").write_text(here.log.read_text())
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
