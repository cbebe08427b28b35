"""What may be wrong with a machine that asks for AWS: each time one sentence, never a traceback.

Files, variables and processes are real; AWS is :mod:`pretend_aws`, behind a proxy for HTTPS.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from machines import SSO, VARIABLES, Machine
from pretend_aws import ANOTHER, KEYS, NUMBER, ZOE

from helpers.account import Account, connect
from helpers.errors import LessonError
from publish.notebooks import ROOT
from sandbox.device import TlsLink


def refused(act: Callable[[], object]) -> str:
    """Return what a learner is told, as IPython shows it: two lines, and no stack."""
    with pytest.raises(LessonError) as problem:
        act()
    said, where = problem.value._render_traceback_()
    assert "The lesson does not connect" in where
    assert NUMBER not in said and ANOTHER not in said
    assert "\n" not in str(problem.value)
    return said.removeprefix("LessonError: ")


def test_a_machine_that_is_ready_connects(machine: Machine) -> None:
    about = connect(target="aws").about
    assert "········9012, region eu-west-1, signed in as user/zoe." in about
    assert machine.aws.asked == ["sts.eu-west-1.amazonaws.com GetCallerIdentity"]


def given(*, keys: str = KEYS, config: str = "", **variables: str) -> Callable[[Machine], None]:
    """A machine with these files and variables."""

    def set_up(on: Machine) -> None:
        on.keys(keys)
        on.config(config)
        for name, value in variables.items():
            on.variable(name, value)

    return set_up


def region(name: str) -> Callable[[Machine], None]:
    return given(IOT_TUTORIAL_REGION=name)


def no_text(on: Machine) -> None:
    (on.home / ".aws" / "config").write_bytes(b"[default]\nregion = \xff\xfe\n")


def a_failing_process(on: Machine) -> None:
    on.process("import sys", "sys.exit('the vault is locked')")


def a_process_that_says_nothing(on: Machine) -> None:
    on.process("print('hello')")


def a_process_with_old_keys(on: Machine) -> None:
    keys = {"Version": 1, "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "example"}
    on.process(f"print({json.dumps(keys | {'Expiration': '2020-01-01T00:00:00Z'})!r})")


def sso_not_begun(on: Machine) -> None:
    on.sso(expires="2020-01-01T00:00:00Z").unlink()


def sso_that_expired(on: Machine) -> None:
    on.sso(expires="2020-01-01T00:00:00Z")


def a_role_that_may_not_be_taken(on: Machine) -> None:
    on.config(
        f"[profile student]\nrole_arn = arn:aws:iam::{ANOTHER}:role/Student\n"
        "source_profile = default\n"
    )
    on.variable("AWS_PROFILE", "student")
    on.aws.refuses["AssumeRole"] = (
        "AccessDenied",
        f"User: {ZOE} is not authorized to perform: sts:AssumeRole on resource: "
        f"arn:aws:iam::{ANOTHER}:role/Student",
    )


def no_region(on: Machine) -> None:
    on.monkeypatch.delenv("IOT_TUTORIAL_REGION")


def a_region_not_enabled(on: Machine) -> None:
    region("ap-east-1")(on)
    on.aws.refuses["sts.ap-east-1.amazonaws.com"] = ("InvalidClientTokenId", "The token …")


def another_partition(on: Machine) -> None:
    region("cn-north-1")(on)
    on.aws.refuses["sts.cn-north-1.amazonaws.com.cn"] = ("InvalidClientTokenId", "The token …")


def keys_that_aws_does_not_know(on: Machine) -> None:
    on.aws.identities.clear()


def keys_that_expired(on: Machine) -> None:
    text = f"The security token of {ZOE} included in the request is expired"
    on.aws.refuses["sts.eu-west-1.amazonaws.com"] = ("ExpiredToken", text)


def a_wrong_clock(on: Machine) -> None:
    text = "Signature expired: 20260101T000000Z is now earlier than 20261201T000000Z"
    on.aws.refuses["sts.eu-west-1.amazonaws.com"] = ("SignatureDoesNotMatch", text)


def another_account(on: Machine) -> None:
    on.aws.identities["AKIAEXAMPLE"] = f"arn:aws:iam::{ANOTHER}:user/zoe"


def the_root_user(on: Machine) -> None:
    on.aws.identities["AKIAEXAMPLE"] = f"arn:aws:iam::{NUMBER}:root"


def a_proxy_that_opens_what_passes(on: Machine) -> None:
    on.monkeypatch.delenv("AWS_CA_BUNDLE")


AGAIN = "then run this cell again"
ROLE = f"role_arn = arn:aws:iam::{NUMBER}:role/Student\n"
MISTAKES: dict[str, tuple[Callable[[Machine], None], list[str]]] = {
    "a profile that is not there": (
        given(AWS_PROFILE="school"),
        ["There is no profile 'school'", "set AWS_PROFILE to one that", "or unset it"],
    ),
    "half a key pair, in variables": (
        given(AWS_ACCESS_KEY_ID="AKIAEXAMPLE"),
        ["Half a key pair: AWS_SECRET_ACCESS_KEY is missing", "Give both halves"],
    ),
    "its other half": (
        given(keys="", AWS_SECRET_ACCESS_KEY="example"),
        ["Half a key pair: aws_access_key_id is missing", "Give both halves"],
    ),
    "half a key pair, in a file": (
        given(keys="[default]\naws_access_key_id = AKIAEXAMPLE\n"),
        ["Half a key pair: aws_secret_access_key is missing (shared-credentials-file)"],
    ),
    "its other half, in a file": (
        given(keys="[default]\naws_secret_access_key = example\n"),
        ["Half a key pair: aws_access_key_id is missing", "Give both halves"],
    ),
    "half a key pair, in the config": (
        given(keys="", config="[default]\naws_access_key_id = AKIAEXAMPLE\n"),
        ["Half a key pair: aws_secret_access_key is missing (config-file)"],
    ),
    "a broken config file": (
        given(config="[default\nregion = eu-west-1\n"),
        [".aws/config cannot be read: put it right"],
    ),
    "a section twice": (
        given(config="[default]\n[default]\n"),
        [".aws/config cannot be read: put it right"],
    ),
    "a broken file of keys": (
        given(keys="aws_access_key_id = AKIAEXAMPLE\n"),
        [".aws/credentials cannot be read: put it right"],
    ),
    "a config file that is no text": (no_text, [".aws/config cannot be read: put it right"]),
    "nobody signed in": (
        given(keys=""),
        ["Nobody is signed in to AWS on this machine. Sign in", AGAIN],
    ),
    "a credential process that is not there": (
        given(keys="", config="[default]\ncredential_process = /no/such/program\n"),
        ["What gives credentials on this machine failed", "/no/such/program", AGAIN],
    ),
    "a credential process that fails": (
        a_failing_process,
        ["What gives credentials on this machine failed", "the vault is locked", AGAIN],
    ),
    "a credential process that says nothing of use": (
        a_process_that_says_nothing,
        ["What gives credentials on this machine failed", AGAIN],
    ),
    "a credential process with old keys": (
        a_process_with_old_keys,
        ["What gives credentials on this machine failed", "still expired", AGAIN],
    ),
    "SSO not begun": (sso_not_begun, ["Run `aws sso login`", AGAIN]),
    "SSO that expired": (sso_that_expired, ["Run `aws sso login`", AGAIN]),
    "an SSO session that is not there": (
        given(keys="", config=SSO.replace("[sso-session school]", "[sso-session scool]")),
        ["A setting for AWS on this machine is not valid", '"school"', "~/.aws/config"],
    ),
    "a role of a profile that is not there": (
        given(keys="", config=f"[default]\n{ROLE}source_profile = me\n"),
        ["A setting for AWS on this machine is not valid", '"me"', "~/.aws/config"],
    ),
    "roles in a circle": (
        given(
            keys="",
            config=f"[default]\n{ROLE}source_profile = me\n"
            f"[profile me]\n{ROLE}source_profile = default\n",
        ),
        ["A setting for AWS on this machine is not valid", "loop", "~/.aws/config"],
    ),
    "a role that may not be taken": (
        a_role_that_may_not_be_taken,
        ["········9012:user/zoe is not authorized", "Sign in", AGAIN],
    ),
    "a token that is not there": (
        given(
            keys="",
            AWS_WEB_IDENTITY_TOKEN_FILE="/no/such/file",
            AWS_ROLE_ARN=f"arn:aws:iam::{NUMBER}:role/Student",
        ),
        ["What gives credentials on this machine failed", "/no/such/file", AGAIN],
    ),
    "no region": (no_region, ["Say in which region: set IOT_TUTORIAL_REGION"]),
    "a misspelt region": (
        region("eu-wset-1"),
        ["AWS has no region 'eu-wset-1': set IOT_TUTORIAL_REGION to eu-west-1"],
    ),
    "a region in capitals": (
        region("EU-WEST-1"),
        ["AWS has no region 'EU-WEST-1': set IOT_TUTORIAL_REGION to eu-west-1"],
    ),
    "a region with a blank": (region("eu-west-1 "), ["set IOT_TUTORIAL_REGION to eu-west-1"]),
    "a place for a region": (region("Ireland"), ["AWS has no region 'Ireland'", "eu-west-1"]),
    "a region without AWS IoT": (
        region("ap-southeast-3"),
        ["There is no AWS IoT in the region ap-southeast-3: set IOT_TUTORIAL_REGION"],
    ),
    "a region not enabled": (
        a_region_not_enabled,
        ["your account has not enabled the region ap-east-1. Enable it", "or set IOT_TUTORIAL"],
    ),
    "another partition": (
        another_partition,
        ["cn-north-1 is of another partition, aws-cn", "Set IOT_TUTORIAL_REGION"],
    ),
    "keys that AWS does not know": (
        keys_that_aws_does_not_know,
        ["AWS does not say who is signed in", "InvalidClientTokenId", "Sign in", AGAIN],
    ),
    "keys that expired": (
        keys_that_expired,
        ["AWS does not say who is signed in", "········9012", "is expired", "Sign in", AGAIN],
    ),
    "a wrong clock": (a_wrong_clock, ["Signature expired", AGAIN]),
    "another account": (another_account, ["ends in 3333", "sign in to the account that you named"]),
    "the root user": (the_root_user, ["root user is signed in", "sign in as a user or role"]),
    "a proxy that is not there": (
        given(HTTPS_PROXY="http://127.0.0.1:9"),
        ["AWS is not reached", "Look at network and proxy", AGAIN],
    ),
    "a proxy that opens what passes": (
        a_proxy_that_opens_what_passes,
        ["AWS is not reached", "SSL", "Look at network and proxy", AGAIN],
    ),
    "nonsense in a variable": (
        given(AWS_DEFAULTS_MODE="nonsense"),
        ["A setting for AWS on this machine is not valid", "Look at the AWS_ variables", AGAIN],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gives_its_sentence(machine: Machine, mistake: str) -> None:
    make, says = MISTAKES[mistake]
    make(machine)
    said = refused(lambda: connect(target="aws"))
    for each in says:
        assert each in said


@pytest.mark.parametrize("value", ["nonsense", ""])
def test_no_variable_of_aws_gives_a_traceback(machine: Machine, value: str) -> None:
    refused_by = []
    for name in VARIABLES - {"AWS_CA_BUNDLE"}:  # this one leads to the tests' own AWS
        with machine.monkeypatch.context() as patch:
            patch.setenv(name, value)
            try:
                connect(target="aws")
            except LessonError as problem:
                refused_by.append((name, str(problem)))
    assert len(refused_by) < len(VARIABLES) / 2
    assert "AWS_DEFAULTS_MODE" in dict(refused_by)
    for name, said in refused_by:
        assert "this machine" in said or "key pair" in said or "profile" in said, name


LIST_THINGS = "iot.eu-west-1.amazonaws.com /things"


def test_sso_that_expires_in_the_middle(machine: Machine) -> None:
    token = machine.sso(expires="2099-01-01T00:00:00Z")
    lesson = connect(target="aws")
    lesson.iot.list_things()
    token.unlink()
    assert "Run `aws sso login`, then run this cell again" in refused(lesson.iot.list_things)
    machine.sso(expires="2099-01-01T00:00:00Z")
    lesson.iot.list_things()  # what the sentence says helps
    assert machine.aws.asked.count(LIST_THINGS) == 2


@pytest.mark.parametrize("client", ["iot", "iot-data"])
def test_a_process_that_fails_in_the_middle(machine: Machine, client: str) -> None:
    give_keys(machine, "AKIAEXAMPLE")
    lesson = connect(target="aws")
    machine.process("import sys", "sys.exit('the vault is locked')")
    asked = list(machine.aws.asked)
    assert "the vault is locked" in refused(lambda: read_with(lesson, client))
    assert machine.aws.asked == asked


@pytest.mark.parametrize("client", ["iot", "iot-data"])
def test_keys_that_become_another_accounts(machine: Machine, client: str) -> None:
    give_keys(machine, "AKIAEXAMPLE")
    lesson = connect(target="aws")
    read_with(lesson, client)
    machine.aws.identities["AKIAANOTHER"] = f"arn:aws:sts::{ANOTHER}:assumed-role/Admin/zoe"
    give_keys(machine, "AKIAANOTHER")
    assert "ends in 3333" in refused(lambda: read_with(lesson, client))
    assert machine.aws.asked[-1] == "sts.eu-west-1.amazonaws.com GetCallerIdentity"


def test_new_keys_of_the_same_account_go_on(machine: Machine) -> None:
    give_keys(machine, "AKIAEXAMPLE")
    lesson = connect(target="aws")
    machine.aws.identities["AKIANEW"] = ZOE
    give_keys(machine, "AKIANEW")
    lesson.iot.list_things()
    lesson.iot.list_things()
    who = "sts.eu-west-1.amazonaws.com GetCallerIdentity"
    assert machine.aws.asked == [who, who, LIST_THINGS, LIST_THINGS]


def give_keys(on: Machine, key: str) -> None:
    """Have a program give keys that are for a few minutes: they are asked for at each call."""
    on.process(
        "import datetime, json",
        "until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)",
        f"keys = dict(Version=1, AccessKeyId={key!r}, SecretAccessKey='example')",
        "print(json.dumps(keys | dict(Expiration=until.isoformat())))",
    )


def read_with(lesson: Account, client: str) -> None:
    if client == "iot":
        lesson.iot.list_things()
    else:
        lesson.data().get_thing_shadow(thingName="zoe-button")


def test_a_proxy_is_told_of_before_a_press(machine: Machine) -> None:
    assert "A press is MQTT, which no such proxy passes on" in connect(target="aws").about
    machine.variable("NO_PROXY", "iot.eu-west-1.amazonaws.com")
    assert "proxy" not in connect(target="aws").about


def test_the_port_is_tried_once_and_anew_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def unreachable(address: tuple[str, int], *_: object, **__: object) -> Any:
        tried.append(address[1])
        raise TimeoutError("timed out")

    monkeypatch.setattr("socket.create_connection", unreachable)
    link, nobody = TlsLink(8883, alpn_port=443), Path(os.devnull)
    assert [link.choose_port("an-endpoint") for _ in range(2)] == [443, 443]
    assert tried == [8883]
    client = Mock(**{"connect.side_effect": TimeoutError("timed out")})
    with pytest.raises(OSError, match=r"neither port 8883 nor 443 of an-endpoint .* proxy"):
        link.open(client, "an-endpoint", certificate=nobody, private_key=nobody, root_ca=nobody)
    link.choose_port("an-endpoint")
    assert tried == [8883, 8883]


def test_in_a_notebook_it_is_two_lines(machine: Machine) -> None:
    """Through IPython itself, in a process of its own."""
    machine.variable("AWS_PROFILE", "school")
    cell = "from helpers import account\naws = account.connect(target='aws')"
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as Shell\n"
        f"Shell.instance(colors='NoColor').run_cell({cell!r})"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    shown = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    lines = (shown.stdout + shown.stderr).strip().splitlines()
    assert len(lines) == 2 and lines[0].startswith("LessonError: There is no profile 'school'")


IOT = botocore.session.get_session().get_service_model("iot")
TEXTS = [
    "User: {who} is not authorized to perform: iot:CreateThing on resource: "
    "arn:aws:iot:eu-west-1:{number}:thing/my-button because no identity-based policy allows the "
    "iot:CreateThing action",
    "Thing arn:aws:iot:eu-west-1:{number}:thing/my-button is already attached to {who}",
    "Certificate arn:aws:iot:eu-west-1:{number}:cert/0a1b is not found in account {number}",
    "{number}",
    "({number})",
]
"""How AWS names an account in its errors: by ARNs, and alone."""


@pytest.mark.parametrize("who", [ZOE, f"arn:aws-cn:sts::{NUMBER}:assumed-role/Student/zoe"])
@pytest.mark.parametrize("text", TEXTS)
def test_no_text_of_aws_shows_an_account(machine: Machine, text: str, who: str) -> None:
    """Each error that AWS IoT's API has, wherever the lesson may quote it."""
    lesson = connect(target="aws")
    said = text.format(number=NUMBER, who=who)
    for shape in IOT.error_shapes:
        # Not over the network: what AWS throttles, botocore tries again for a minute.
        with Stubber(lesson.iot) as stub, pytest.raises(ClientError) as problem:
            stub.add_client_error("get_policy", shape.name, said)
            lesson.iot.get_policy(policyName="zoe-policy")
        shown = str(problem.value)
        assert NUMBER not in shown
        assert "9012" in shown
