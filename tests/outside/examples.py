"""AWS's doc examples, awsdocs/aws-doc-sdk-examples, python/example_code/iot."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from outside import device
from outside.result import Result
from outside.typist import Session, type_answers
from outside.world import REGION, World

STACK = """
Resources:
  Topic: {Type: "AWS::SNS::Topic"}
  Role:
    Type: "AWS::IAM::Role"
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}
Outputs:
  SNSTopicArn: {Value: !Ref Topic}
  RoleArn: {Value: !GetAtt Role.Arn}
"""
"""In place of the scenario's own template, which is another folder's: what the scenario reads."""


def run(world: World) -> Iterator[Result]:
    """Run the three programs and the integration tests."""
    folder = world.sources / "examples" / "python" / "example_code" / "iot"
    paths = f"{folder.parents[1]}:{folder}:{world.libraries / 'v1'}"
    env = world.environment(PYTHONPATH=paths, PYTHONDONTWRITEBYTECODE="1")
    made = device.make(world, "example")

    said = _ran([sys.executable, "iot_hello.py"], env, folder)
    yield Result.of("iot_hello", said, listed="1. example" in said.text)

    template = world.folder / "stack.yaml"
    template.write_text(STACK)
    said = type_answers(
        [sys.executable, "scenario_iot_basics.py"],
        [
            *(("CloudFormation stack", ""), ("path to CloudFormation", str(template))),
            *(("name for the IoT thing", "scenario"), ("topic rule", "scenario_rule")),
            ("delete the resources", "y"),
        ],
        env=env,
        cwd=folder,
        always={"Press Enter": ""},
        timeout=60,
    )
    yield Result.of(
        "scenario_iot_basics",
        said,
        no_error="error" not in said.text.lower(),
        cleaned="Resources deleted successfully" in said.text,
    )

    with subprocess.Popen(
        [
            *(sys.executable, "thing_performance.py", "-e", made.endpoint, "-r"),
            *(str(world.ca_file), "-c", str(made.certificate), "-k", str(made.key)),
            *("-n", made.thing, "-d", "1"),
        ],
        env=env,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as performing:
        time.sleep(12)  # it goes on until it is ended
        performing.terminate()
        text = performing.stdout.read() if performing.stdout else ""
    yield Result.of("thing_performance", Session(text, 0), accepted=text.count(" accepted") >= 3)

    command = ["-m", "pytest", "-v", "-p", "no:cacheprovider", "-c", "/dev/null", "test"]
    said = _ran([sys.executable, *command], env | {"AWS_REGION": REGION}, folder)
    for name, outcome in re.findall(r"::(\w+) (PASSED|FAILED|ERROR)", said.text):
        yield Result(name, outcome == "PASSED", [] if outcome == "PASSED" else [outcome], said.text)


def _ran(command: list[str], env: dict[str, str], cwd: Path) -> Session:
    ran = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120)
    return Session(ran.stdout + ran.stderr, ran.returncode)
