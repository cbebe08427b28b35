"""The sandbox as a process: it starts once, says where it is, keeps what it knows, and ends."""

import json
import os
import pickletools
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import broker_support
import conftest
import in_process
import psutil
import pytest
from broker_wire import RawClient, client_context

from helpers import policy
from helpers.account import Account
from sandbox import process
from sandbox.errors import SandboxError
from sandbox.line import Sandbox


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    process.stop(tmp_path)


def serve(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sandbox", "--state-dir", str(folder), *options]
    return subprocess.Popen(
        command, cwd=process.PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_one_line_and_ends_when_told(folder: Path, ending: signal.Signals) -> None:
    running = serve(folder)
    assert running.stdout is not None
    said = json.loads(running.stdout.readline())
    assert set(said) == {
        "endpoint_url",
        "mqtt_host",
        "mqtt_port",
        "ca_file",
        "region",
        "account",
        "pid",
        "version",
        "wss_port",
    }
    assert (said["region"], said["account"]) == ("eu-west-1", "123456789012")
    assert said["pid"] == running.pid
    running.send_signal(ending)
    assert running.wait(timeout=10) == 0
    assert running.stdout.read() == ""


def test_it_listens_on_loopback_only(aws: Account) -> None:
    listening = [
        each.laddr.ip
        for each in psutil.Process(conftest.pid(aws)).net_connections()
        if each.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 3  # AWS's API, MQTT, and MQTT over WebSocket
    assert set(listening) == {"127.0.0.1"}


def test_many_who_ask_at_once_share_one(folder: Path) -> None:
    ask = "from sandbox import process; import sys, pathlib\n"
    ask += "print(process.find_or_start(pathlib.Path(sys.argv[1])).pid)"

    def pid(_: int) -> str:
        command = [sys.executable, "-c", ask, str(folder)]
        return subprocess.check_output(command, cwd=process.PROJECT, text=True)

    with ThreadPoolExecutor(4) as four:
        assert len(set(four.map(pid, range(4)))) == 1


def test_a_second_one_on_the_same_folder_is_refused(aws: Account, state_dir: Path) -> None:
    second = serve(state_dir)
    _, said = second.communicate(timeout=20)
    assert second.returncode == 1
    assert "already serves" in said
    assert len(said.splitlines()) == 1


def test_it_comes_back_at_the_same_place(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])  # 8883 is another test's, perhaps
    foreground = serve(folder, "--mqtt-port", port)
    assert foreground.stdout is not None
    first = Sandbox(**json.loads(foreground.stdout.readline()))
    foreground.kill()
    foreground.wait()
    second = process.find_or_start(folder)
    assert second.pid != first.pid
    assert (second.endpoint_url, second.mqtt_port) == (first.endpoint_url, first.mqtt_port)
    assert second.wss_port == first.wss_port > 0
    assert second.ca_file == first.ca_file


def test_it_ends_with_the_last_of_its_owners(folder: Path) -> None:
    owners = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    sandbox = process.find_or_start(folder, owner=owners[0].pid)
    assert process.find_or_start(folder, owner=owners[1].pid) == sandbox
    for owner in owners:
        assert process.running(folder) == sandbox
        owner.kill()
        owner.wait()
        time.sleep(1.5)
    psutil.wait_procs([psutil.Process(sandbox.pid)] if psutil.pid_exists(sandbox.pid) else [], 5)
    assert process.running(folder) is None


def test_stop_says_whether_there_was_one(folder: Path) -> None:
    process.find_or_start(folder)
    assert process.stop(folder)
    assert not process.stop(folder)


def test_stop_ends_no_other_process_that_has_its_number(folder: Path) -> None:
    sleeper = "import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", sleeper, "-m", "sandbox"]) as other:
        told = Sandbox("http://127.0.0.1:9", "localhost", 9, "", "eu-west-1", "1" * 12, other.pid)
        (folder / "sandbox.json").write_text(json.dumps(told.to_json()))
        assert not process.stop(folder)
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize(
    ("command", "it_is"),
    [
        ("python -m sandbox", True),
        ("python -m sandbox --state-dir folder", True),
        ("python -u -m helpers.sandbox --owner 1", True),
        ("python -m pytest -m sandbox", False),
        ("python pytest -m sandbox", False),
        ("python -m", False),
        ("python", False),
        ("", False),
        ("less sandbox", False),
        ("python script.py sandbox", False),
        ("python -m sandbox.process", False),
    ],
)
def test_a_sandbox_is_known_by_how_python_was_started(command: str, it_is: bool) -> None:
    assert process.is_sandbox(command.split()) == it_is


def test_the_old_name_works_for_one_release(folder: Path) -> None:
    command = [sys.executable, "-m", "helpers.sandbox", "--state-dir", str(folder)]
    running = subprocess.Popen(
        command, cwd=process.PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert json.loads(running.stdout.readline())["pid"] == running.pid
    assert process.stop(folder)
    assert running.wait(timeout=10) == 0
    assert "is now: python -m sandbox" in running.stderr.read()


INSTALLED = "from sandbox import process; process.find_or_start(process.state_dir())"


def test_nothing_is_written_where_pip_installed_it(tmp_path: Path) -> None:
    """A checkout's state is in the checkout; an installation has no pyproject.toml."""
    site, home = tmp_path / "site-packages", tmp_path / "home"
    for package in ("iot_policy", "sandbox"):
        shutil.copytree(process.PROJECT / package, site / package)
    before = in_process.files(site)
    env = os.environ | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home)}
    for chosen, state in (
        ({}, home / ".local" / "state" / "iot-button-tutorial"),
        ({"XDG_STATE_HOME": str(tmp_path / "xdg")}, tmp_path / "xdg" / "iot-button-tutorial"),
    ):
        command = [sys.executable, "-P", "-c", INSTALLED]
        subprocess.run(command, cwd=tmp_path, env=env | chosen, check=True)
        assert process.stop(state)
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert in_process.files(site) == before


def test_the_state_of_a_checkout_is_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "not-here"))
    assert process.state_dir() == (process.PROJECT / ".sandbox").resolve()
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(tmp_path / "here"))
    assert process.state_dir() == tmp_path / "here"


def test_the_state_names_no_class_of_ours(aws: Account, state_dir: Path) -> None:
    """So a state that was written before our code moved is found again."""
    aws.iot.create_thing(thingName="a")
    aws.iot.create_keys_and_certificate(setAsActive=True)
    _, _, content = (state_dir / "registry").read_bytes().partition(b"\n")
    texts = {
        argument for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)
    }
    assert "moto.iot.models" in texts
    ours = {path.name for path in process.PROJECT.iterdir() if (path / "__init__.py").exists()}
    assert ours >= {"exercises", "helpers", "iot_policy", "sandbox"}
    assert not [text for text in texts if text.partition(".")[0] in ours]


def test_what_it_keeps_is_private(aws: Account, state_dir: Path) -> None:
    aws.iot.create_keys_and_certificate(setAsActive=True)
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
    for name in ("registry", "sandbox.json"):
        assert stat.S_IMODE((state_dir / name).stat().st_mode) == 0o600
    assert b"PRIVATE KEY" not in (state_dir / "registry").read_bytes()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match="Set IOT_TUTORIAL_STATE_DIR"):
        process.find_or_start(tmp_path / "file" / "state")


@pytest.mark.parametrize("option", ["--port", "--mqtt-port", "--wss-port"])
def test_a_port_that_is_named_and_taken_is_an_error(folder: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        running = serve(folder, option, port)
        said, problem = running.communicate(timeout=30)
    assert (running.returncode, said) == (1, "")
    assert problem == (
        f"Port {port} cannot be served: another program has it. Leave it out for any free one.\n"
    )


def test_it_can_be_strict(folder: Path) -> None:
    anybody = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-west-1"}
    for option, codes in (("--debug", [0, 0]), ("--strict", [0, 0x97])):
        running = serve(folder, option)
        about = json.loads(running.stdout.readline())
        iot = boto3.client("iot", endpoint_url=about["endpoint_url"], **anybody)
        pem, key = broker_support.self_signed()
        made = iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")
        document = policy.to_json(policy.document(policy.statement("iot:*", "*")))
        iot.create_policy(policyName=option[2:], policyDocument=document)
        iot.attach_policy(policyName=option[2:], target=made["certificateArn"])
        (folder / "device.pem").write_text(pem)
        (folder / "device.key").write_text(key)
        tls = client_context(Path(about["ca_file"]), folder / "device.pem", folder / "device.key")
        for code in codes:
            with RawClient(tls, about["mqtt_port"]) as client:
                assert client.connect("button", version=5)[1][1] == code
        running.terminate()
        assert running.wait(10) == 0
    assert "this sandbox is strict" in (folder / "sandbox.log").read_text()


def test_regions_are_apart(aws: Account) -> None:
    aws.iot.create_thing(thingName="mine")
    other = conftest.client(aws, region="us-east-1")
    assert other.list_things()["things"] == []


def test_a_reset_is_remembered(aws: Account, state_dir: Path) -> None:
    before = (state_dir / "registry").read_bytes()
    aws.iot.create_thing(thingName="mine")
    assert (state_dir / "registry").read_bytes() != before


def test_its_log_holds_no_line_for_a_request(aws: Account, state_dir: Path) -> None:
    before = (state_dir / "sandbox.log").read_text()
    aws.iot.list_things()
    with pytest.raises(aws.iot.exceptions.InvalidRequestException):
        aws.iot.create_thing(thingName="bad name")
    assert (state_dir / "sandbox.log").read_text() == before
