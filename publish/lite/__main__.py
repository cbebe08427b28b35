"""Build the browser edition, and serve it: ``./tutorial browser [--serve]``."""

import argparse
import os
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
    parser.add_argument(
        "--into", type=Path, default=SITE, help="the site's folder: what is there goes"
    )
    parser.add_argument("--wheels", type=Path, help="a folder of Pyodide's own wheels")
    options = parser.parse_args()
    if options.port not in range(2**16):  # else it would be taken modulo 2^16
        say(f"{options.port} is no port: 1 to 65535, or 0 for any free one")
        return 1
    say("building the browser edition; the first time takes a minute ...")
    try:
        build(
            options.into,
            own_wheels=find(options.wheels, pyodide_lock()) if options.wheels else None,
        )
    except (NotBuilt, WrongWheels) as error:
        say(str(error))
        return 1
    if not options.serve:
        print(f"The site is in {os.path.relpath(options.into)}; --serve shows it.")
        return 0
    try:
        serve(options.into, options.port)
    except OSError as problem:
        say(f"port {options.port} cannot be served ({problem}): name another with --port")
        return 1
    return 0


def say(what: str) -> None:
    """Print a line as the script ``tutorial`` does."""
    sys.stderr.write(f"tutorial: {what}\n")


if __name__ == "__main__":
    sys.exit(main())
