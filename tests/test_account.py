"""Nothing reaches a real AWS endpoint, whatever the machine holds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import pid
from machines import VARIABLES

from helpers.account import Account, connect
from helpers.errors import LessonError
from sandbox import process

HOSTILE = {
    "AWS_ACCESS_KEY_ID": "not-a-key",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_PROFILE": "production",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "http://203.0.113.1",
    "AWS_ENDPOINT_URL_IOT": "http://203.0.113.1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/missing.pem",
    "HTTP_PROXY": "http://203.0.113.1:3128",
    "HTTPS_PROXY": "http://203.0.113.1:3128",
    "ALL_PROXY": "http://203.0.113.1:3128",
}
"""203.0.113.1 is an address of nobody's (RFC 5737)."""

LOOK = """
import json, socket, sys
contacted = set()
events = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")

def note(event, args):
    if event in events:
        where = args[1] if event in ("socket.connect", "socket.sendto") else args
        contacted.add(where[0] if isinstance(where, tuple) else "a file")

sys.addaudithook(note)
from helpers import button, certificate, closing, policy, thing
from helpers.account import connect
aws = connect()
name = aws.name("button")
made = thing.register(aws.iot, name)
policy.put_in_force(aws.iot, name, policy.intended(aws.region, aws.number, made.serial))
certificate.issue(aws, name, name)
button.press(button.device(aws, name))
closing.clean_up(aws)
print(json.dumps({"contacted": sorted(contacted), "region": aws.iot.meta.region_name}))
"""


@pytest.mark.parametrize("value", ["nonsense", ""])
def test_nonsense_in_a_variable_of_aws_does_not_stop_the_sandbox(
    value: str, inside: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(VARIABLES) > 40
    for name in VARIABLES:
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            again = connect()
            assert again.iot.list_things()["things"] == []
            assert again.data().meta.endpoint_url == inside.iot.meta.endpoint_url


def test_no_packet_leaves_the_machine(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile production]\nregion = us-east-1\nendpoint_url = http://203.0.113.1\n"
    )
    (tmp_path / "credentials").write_text(
        "[production]\naws_access_key_id = dummy\naws_secret_access_key = dummy\n"
    )
    env = os.environ | HOSTILE | {"PYTHONPATH": str(process.PROJECT)}
    env |= {"AWS_CONFIG_FILE": str(tmp_path / "config"), "IOT_TUTORIAL_STATE_DIR": str(tmp_path)}
    env |= {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    env |= {"IOT_TUTORIAL_ACCOUNT": "111122223333", "IOT_TUTORIAL_REGION": "us-east-1"}
    try:
        run = subprocess.run(
            [sys.executable, "-c", LOOK],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout) == {
            "contacted": ["127.0.0.1", "localhost"],
            "region": "eu-west-1",
        }
    finally:
        process.stop(tmp_path)


def test_a_sandbox_that_does_not_start_is_the_lessons_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(tmp_path / "file" / "state"))
    with pytest.raises(LessonError, match="Set IOT_TUTORIAL_STATE_DIR to a folder of yours"):
        connect()


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(LessonError, match="no target 'asw'"):
        connect(target="asw")


def test_a_learner_whose_name_aws_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_LEARNER", "zoe-b")
    with pytest.raises(LessonError, match="1 to 32 letters"):
        connect()


def test_names_begin_with_the_learner(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    assert aws.name("button") == "my-button"
    monkeypatch.setenv("IOT_TUTORIAL_LEARNER", "zoe")
    assert connect().name("button") == "zoe-button"


def test_it_says_which_aws_answers(aws: Account) -> None:
    assert repr(aws).startswith("Local sandbox: account 123456789012, region eu-west-1.")


def test_a_call_brings_a_killed_sandbox_back(aws: Account) -> None:
    aws.iot.create_thing(thingName="kept")
    os.kill(pid(aws), 9)
    assert aws.iot.describe_thing(thingName="kept")["thingName"] == "kept"


def test_connect_brings_a_killed_sandbox_back(aws: Account) -> None:
    aws.iot.create_thing(thingName="kept")
    killed = pid(aws)
    os.kill(killed, 9)
    again = connect()
    assert pid(again) != killed
    assert again.iot.describe_thing(thingName="kept")["thingName"] == "kept"


LOADED = """
import sys
from helpers import account, thing
ours = ("exercises", "helpers", "iot_policy", "sandbox", "workshop", "publish")
print(*(name for name in sys.modules if name.partition(".")[0] in ours))
"""


def test_the_lessons_first_line_loads_little_of_the_project() -> None:
    """Neither the policy language nor what keeps a real account safe: nobody has asked for those.

    Three thousand lines were loaded once, for one f-string.
    """
    said = subprocess.check_output([sys.executable, "-c", LOADED], cwd=process.PROJECT, text=True)
    loaded = said.split()
    assert {"helpers.account", "helpers.thing", "sandbox.line"} <= set(loaded)
    lines = 0
    for name in loaded:
        path = process.PROJECT / name.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        lines += len(file.read_text().splitlines())
    assert lines < 1300
    assert not {"iot_policy", "helpers.account.real", "helpers.account.guard"} & set(loaded)
