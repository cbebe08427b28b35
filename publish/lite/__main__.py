"""Build the browser edition, and serve it: ``./tutorial browser [--serve]``."""

import argparse
import sys
from pathlib import Path

from publish.lite.runtime import NotBuilt, pyodide_lock
from publish.lite.serve import serve
from publish.lite.site import SITE, build
from publish.lite.wheels import WrongWheels, find


def main() -> int:
    """Build the site; with --serve, serve it on loopback until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="./tutorial browser", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="serve it on 127.0.0.1 until Ctrl-C")
    parser.add_argument("--port", type=int, default=8899, help="the port (default: %(default)s)")
    parser.add_argument("--wheels", type=Path, help="a folder of Pyodide's own wheels")
    options = parser.parse_args()
    try:
        build(own_wheels=find(options.wheels, pyodide_lock()) if options.wheels else None)
    except (NotBuilt, WrongWheels) as error:
        sys.stderr.write(f"tutorial: {error}\n")
        return 1
    if not options.serve:
        print(f"The site is in {SITE.relative_to(Path.cwd())}; --serve shows it.")
        return 0
    serve(SITE, options.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
