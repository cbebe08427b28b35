"""moto's own tests of AWS IoT, getmoto/moto, tests/test_iot and tests/test_iotdata, server mode."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from outside.result import Result
from outside.world import ROOT, World

PORT = 5099
APART = {
    "test_iot_cloudformation.py": "asks CloudFormation, another service",
    "test_server.py": "asks moto's own application in the test's process, no server",
}
"""Files that do not ask AWS IoT's API, and why."""


def run(world: World) -> Iterator[Result]:
    """Run them all, each on a sandbox of its own."""
    report = world.folder / "moto.xml"
    left_out = [f"--ignore-glob=*/{name}" for name in APART]
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", "."),
            *("-p", "moto_plugin", "-p", "no:cacheprovider", "--tb=short", f"--junitxml={report}"),
            *(*left_out, "tests/test_iot", "tests/test_iotdata"),
        ],
        cwd=world.sources / "moto",
        env=world.environment(
            PYTHONPATH=f"{ROOT}:{Path(__file__).parent}",
            PYTHONDONTWRITEBYTECODE="1",
            TEST_SERVER_MODE="true",
            TEST_SERVER_MODE_ENDPOINT=f"http://127.0.0.1:{PORT}",
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.exists():
        yield Result("moto", False, ["nothing was run"], ran.stdout + ran.stderr)
        return
    for case in ElementTree.parse(report).iter("testcase"):
        problem = next((each for each in case if each.tag in ("failure", "error")), None)
        skipped = case.find("skipped") is not None
        failed = [str(problem.get("message"))[:200]] if problem is not None else []
        name = f"{str(case.get('classname')).rpartition('.')[2]}.{case.get('name')}"
        yield Result(name, not failed and not skipped, failed or ["skipped"] * skipped, ran.stdout)
