"""What sandbox/README.md says to type, typed; only the ports are others."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from test_websocket_clients import modules  # noqa: F401  a fixture

from publish.notebooks import ROOT
from sandbox.gaps import operations, served

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


def test_the_table_is_true_of_each_operation_that_it_names() -> None:
    section = README.split("## What is there, and what is not\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \| ([^|]*) \| ([^|]*) \|$", section, re.M)[1:]
    known = {
        name for each in ("iot", "iot-data") for name in operations.model(each).operation_names
    }
    there, not_there = (
        {name for row in rows for name in re.findall(r"\w+", row[column]) if name in known}
        for column in (0, 1)
    )
    assert there == {
        *("TestAuthorization", "GetEffectivePolicies", "CreateTopicRule"),
        *("UpdateIndexingConfiguration", "DescribeIndex", "SearchIndex"),
        *("Publish", "DeleteConnection"),
    }
    assert there <= served.SERVED.keys()
    assert not_there == {
        *("ListIndices", "GetStatistics"),
        *("GetConnection", "ListSubscriptions", "SendDirectMessage"),
    }
    assert not not_there & served.SERVED.keys()


@pytest.mark.parametrize("node", [False, pytest.param(True, marks=pytest.mark.long)])
def test_from_the_start_to_a_device_and_a_page(
    tmp_path: Path, node: bool, request: pytest.FixtureRequest
) -> None:
    """mqtt.js comes from npm, which takes a while the first time."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    ports = {each: str(free_port()) for each in ("8080", "8883", "8443")}
    if node:
        env["NODE_PATH"] = str(request.getfixturevalue("modules"))

    def ours(code: str) -> str:
        return re.sub("|".join(ports), lambda port: ports[port[0]], code)

    def said(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(code: str) -> str:
        return said("sh", "-eu", "-c", ours(code))

    def python(code: str) -> str:
        return said(sys.executable, "-c", ours(code))

    start = shlex.split(ours(block("Start it")))
    serving = subprocess.Popen(start, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert serving.stdout
        told = json.loads(serving.stdout.readline())
        assert [str(told["mqtt_port"]), str(told["wss_port"])] == [ports["8883"], ports["8443"]]
        assert '"thingName": "lamp"' in shell(block("Point the AWS CLI at it"))
        assert python(block("Point boto3 at it")) == "['lamp']\n"
        shell(block("Point a device at it"))
        assert python(block("Point a device at it", 1)) == "0\n"
        address = python(block("Point a program or a web page at it")).strip()
        assert address.startswith(f"wss://localhost:{ports['8443']}/mqtt?")
        if node:
            (tmp_path / "page.js").write_text(block("Point a program or a web page at it", 1))
            assert said("node", "page.js", address) == "lamps/lamp/state on\n"
        assert "refused" not in (tmp_path / "iot" / "sandbox.log").read_text()
        said("python", "-m", "sandbox", "--stop", "--state-dir", "iot")
        assert serving.wait(timeout=10) == 0
    finally:
        serving.kill()
