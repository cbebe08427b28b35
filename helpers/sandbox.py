"""``python -m helpers.sandbox`` is ``python -m sandbox`` now; this file stays for one release."""

import runpy
import sys

if __name__ == "__main__":
    sys.stderr.write("python -m helpers.sandbox is now: python -m sandbox\n")
    runpy.run_module("sandbox", run_name="__main__")
