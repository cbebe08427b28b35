"""What sandbox/README.md says to type, typed; only the ports are others."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from publish.notebooks import ROOT

README = (ROOT / "sandbox" / "README.md").read_text("utf-8")
BLOCKS = [
    (heading, language, code)
    for heading, section in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", README, re.M)
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", section, re.M | re.S)
]


def block(heading: str, number: int = 0) -> str:
    """The code of a section's block, by its number."""
    return [code for found, _, code in BLOCKS if found == heading][number]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_every_block_is_run_by_a_test() -> None:
    assert README.count("\n```") == 2 * len(BLOCKS)
    assert [(heading, language) for heading, language, _ in BLOCKS] == [
        ("Start it", "sh"),
        ("Point the AWS CLI at it", "sh"),
        ("Point boto3 at it", "python"),
        ("Point a device at it", "sh"),
        ("Point a device at it", "python"),
        ("Point a program or a web page at it", "python"),
        ("Point a program or a web page at it", "js"),
        ("In your tests", "python"),  # tests/test_pytest_plugin.py
    ]


def test_from_the_start_to_a_device(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    ports = {each: str(free_port()) for each in ("8080", "8883", "8443")}

    def typed(code: str) -> list[str]:
        code = re.sub("|".join(ports), lambda port: ports[port[0]], code)
        shell = ["sh", "-eu", "-c", code]
        return shell if "import " not in code else [sys.executable, "-c", code]

    def said(code: str) -> str:
        done = subprocess.run(typed(code), cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    serving = subprocess.Popen(
        typed(f"exec {block('Start it')}"), cwd=tmp_path, env=env, stdout=-1, text=True
    )
    try:
        assert serving.stdout
        assert f'"mqtt_port": {ports["8883"]}' in serving.stdout.readline()
        assert '"thingName": "lamp"' in said(block("Point the AWS CLI at it"))
        assert said(block("Point boto3 at it")) == "['lamp']\n"
        said(block("Point a device at it"))
        assert said(block("Point a device at it", 1)) == "0\n"
        assert "refused" not in (tmp_path / "iot" / "sandbox.log").read_text()
        said("python -m sandbox --stop --state-dir iot")
        assert serving.wait(timeout=10) == 0
    finally:
        serving.kill()
