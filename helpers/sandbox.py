"""``python -m helpers.sandbox`` is now ``python -m sandbox``; this file stays for one release."""

import runpy
import sys

if __name__ == "__main__":
    print("python -m helpers.sandbox is now: python -m sandbox", file=sys.stderr)  # noqa: T201  a command line
    runpy.run_module("sandbox", run_name="__main__")
