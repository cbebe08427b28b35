"""The learner's IAM policy: every call that the lesson makes is in it, and nothing more."""

import asyncio
import fnmatch
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import conftest
import in_process
import lessons
import nbformat
import pytest
from cells import run_notebook

from helpers import account
from helpers.account import Account, real
from publish.notebooks import FOLDER, NOTEBOOKS, ROOT
from workshop import student_policy

EXAMPLE = ["learner", "--account", "111122223333", "--region", "eu-west-1"]


class Recorder:
    """What a client is asked to do."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.left_over: dict[str, dict[str, Any]] = {}

    def follow(self, aws: Account) -> Account:
        aws.iot.meta.events.register("provide-client-params.iot", self._note)
        aws.data().meta.events.register("provide-client-params.iot-data", self._note)
        return aws

    def _note(self, params: dict[str, Any], model: Any, **_: object) -> None:
        self.calls.append((model.name, params))


async def run_notebooks() -> None:
    for name in NOTEBOOKS:
        await run_notebook(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4))


def as_aws(sandbox: Account) -> Account:
    """An account that is treated as a real one, and that the sandbox answers for."""
    iot, data = conftest.client(sandbox), sandbox.data
    aws = real.account(iot, data, number=sandbox.number, learner="zoe", signed_in="user/zoe")
    return replace(aws, root_ca=sandbox.root_ca, link=sandbox.link)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Every call of the four notebooks, run as they are on either target."""
    recorder = Recorder()
    for target in TARGETS:
        with pytest.MonkeyPatch.context() as patch, lessons.few_keys(patch):
            in_process.empty()
            patch.setenv("IOT_TUTORIAL_SANDBOX", "inside")
            patch.setenv("IOT_TUTORIAL_STATE_DIR", str(in_process.folder()))
            patch.setenv("IOT_TUTORIAL_LEARNER", "zoe")
            patch.chdir(tmp_path_factory.mktemp(target))
            sandbox = account.connect()
            aws = recorder.follow(sandbox if target == "sandbox" else as_aws(sandbox))
            patch.setattr(account, "connect", lambda aws=aws: aws)
            asyncio.run(run_notebooks())
            if target == "sandbox":  # in a real account the lesson asks for no thing groups
                recorder.calls = [each for each in recorder.calls if each[0] != "ListThingGroups"]
            recorder.left_over[target] = {
                "things": aws.iot.list_things()["things"],
                "policies": aws.iot.list_policies()["policies"],
                "certificates": aws.iot.list_certificates()["certificates"],
                "files": in_process.files(Path()),
            }
    return recorder


TARGETS = ("sandbox", "aws")


@pytest.mark.parametrize("target", TARGETS)
def test_the_notebooks_run_as_they_are_and_leave_nothing(recorded: Recorder, target: str) -> None:
    left = recorded.left_over[target]
    assert left == {"things": [], "policies": [], "certificates": [], "files": []}


ZOES = student_policy.build("zoe", account=in_process.ACCOUNT, region=in_process.REGION)


def statement_for(call: str) -> dict[str, Any]:
    (found,) = [each for each in ZOES["Statement"] if f"iot:{call}" in each["Action"]]
    return found


def test_every_call_of_the_lesson_is_in_it_and_nothing_more(recorded: Recorder) -> None:
    allowed = {action for each in ZOES["Statement"] for action in each["Action"]}
    # AWS asks for TagResource where something is created with tags.
    assert {f"iot:{call}" for call, _ in recorded.calls} | {"iot:TagResource"} == allowed


def test_every_call_is_on_what_it_allows(recorded: Recorder) -> None:
    for call, params in recorded.calls:
        resource = statement_for(call)["Resource"]
        for parameter, kind in (("thingName", "thing"), ("policyName", "policy")):
            if f":{kind}/" in resource and parameter in params:
                arn = f"arn:aws:iot:{in_process.REGION}:{in_process.ACCOUNT}:{kind}/"
                assert fnmatch.fnmatchcase(arn + params[parameter], resource), (call, params)


def test_every_policy_is_made_with_the_marker(recorded: Recorder) -> None:
    made = [params for call, params in recorded.calls if call == "CreatePolicy"]
    assert len(made) > 5
    condition = statement_for("CreatePolicy")["Condition"]["StringEquals"]
    for params in made:
        tags = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in params.get("tags", [])}
        assert tags == condition, params["policyName"]


def test_every_thing_that_is_made_carries_the_marker(recorded: Recorder) -> None:
    for call, params in recorded.calls:
        attributes = params.get("attributePayload", {}).get("attributes", {})
        if call == "CreateThing" and "serialNumber" in attributes:
            assert attributes["madeBy"] == "iot-button-tutorial"


def test_another_learners_names_are_outside() -> None:
    for each in ZOES["Statement"]:
        for kind in ("thing", "policy"):
            arn = f"arn:aws:iot:{in_process.REGION}:{in_process.ACCOUNT}:{kind}/zoe2-button"
            assert each["Resource"] == "*" or not fnmatch.fnmatchcase(arn, each["Resource"])


def test_only_what_has_no_narrower_resource_is_on_everything() -> None:
    (wide,) = [each for each in ZOES["Statement"] if each["Resource"] == "*"]
    assert wide["Sid"] == "WholeAccount"
    changing = [each for each in wide["Action"] if not each.startswith(("iot:List", "iot:Desc"))]
    assert changing == ["iot:CreateCertificateFromCsr", "iot:CreateKeysAndCertificate"]


def test_the_file_for_the_workshop_is_what_the_command_prints() -> None:
    command = [sys.executable, "-m", "workshop.student_policy", *EXAMPLE]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "workshop" / "student-policy.json").read_text() == printed
    # IAM takes 6144 characters, white space not counted.
    assert len("".join(json.dumps(json.loads(printed)).split())) < 6144
