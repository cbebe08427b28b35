"""The pytest plugin, in pytest processes of their own that find it as an installed package's."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from clones import MARK
from test_account import HOSTILE
from test_repository import PROJECT
from test_sandbox_readme import block

from publish.notebooks import ROOT

pytest_plugins = ["pytester"]

ENTRY_POINTS = PROJECT["project"]["entry-points"]["pytest11"]


@pytest.fixture
def theirs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of somebody's, where this one is installed; all its processes have a mark.

    Of the plugins that are installed here only this one is loaded: some take a second.
    """
    about = pytester.path / "site" / "sandbox-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sandbox\nVersion: 1.0\n")
    lines = [f"{name} = {module}" for name, module in ENTRY_POINTS.items()]
    (about / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]))
    monkeypatch.setenv("PYTHONPATH", f"{about.parent}{os.pathsep}{ROOT}")
    monkeypatch.setenv(MARK, uuid.uuid4().hex)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p iot_sandbox -p no:cacheprovider")
    return pytester


def running() -> list[psutil.Process]:
    """What still runs of what was started since `theirs` was made, but for this process."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.environ().get(MARK) == os.environ[MARK] and each.pid != os.getpid():
                found.append(each)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def states(folder: Path) -> list[Path]:
    """The folders of the sandboxes of a session."""
    return sorted(path.parent for path in folder.rglob("serving.lock"))


def test_the_readmes_example_runs_as_it_stands(
    theirs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    theirs.makepyfile(test_lamp=block("In your tests"))
    theirs.runpytest_subprocess().assert_outcomes(passed=2)
    assert running() == []


@pytest.mark.long
def test_each_worker_of_xdist_has_a_sandbox(theirs: pytest.Pytester) -> None:
    theirs.makepyfile(test_lamp=block("In your tests"))
    several = theirs.runpytest_subprocess("-pxdist", "-n2", f"--basetemp={theirs.path / 'temp'}")
    several.assert_outcomes(passed=2)
    assert len(states(theirs.path / "temp")) == 2
    assert running() == []


def test_each_test_has_an_account_that_nobody_else_has(theirs: pytest.Pytester) -> None:
    theirs.makepyfile(
        """
        import boto3, pytest
        from botocore.exceptions import ClientError
        from sandbox.broker.signature import SECRET

        earlier = []

        @pytest.mark.parametrize("turn", range(3))
        def test_turn(iot_sandbox, turn):
            iot = boto3.client("iot")
            assert iot.list_things()["things"] == []
            arn = iot.create_thing(thingName="of-a-test")["thingArn"]
            assert arn.split(":")[3:5] == [iot_sandbox.region, iot_sandbox.account]
            assert boto3.client("sts").get_caller_identity()["Account"] == iot_sandbox.account
            boto3.client("iot-data").publish(topic="a", retain=True, payload=b"x")
            assert iot_sandbox.secret_key == SECRET
            assert iot_sandbox.account not in [other.account for other in earlier]
            earlier.append(iot_sandbox)

        def test_afterwards():
            assert len(earlier) == 3
            for each in earlier:
                with pytest.raises(ClientError, match="UnrecognizedClient"):
                    each.client().list_things()
        """
    )
    theirs.runpytest_subprocess(f"--basetemp={theirs.path / 'temp'}").assert_outcomes(passed=4)
    (state,) = states(theirs.path / "temp")
    assert b"of-a-test" in (state / "registry.before").read_bytes()
    assert b"of-a-test" not in (state / "registry").read_bytes()


@pytest.mark.long
def test_a_device_of_an_earlier_test_is_cut(theirs: pytest.Pytester) -> None:
    lamp = block("In your tests").replace("client.disconnect()", "left.append(client)")
    theirs.makepyfile(
        lamp.replace("client.loop_stop()", "")
        + """
left = []

def test_the_next(iot_sandbox):
    import time
    give_up = time.monotonic() + 10
    while any(client.is_connected() for client in left):
        assert time.monotonic() < give_up
    assert len(left) == 2
    assert iot_sandbox.refusals() == []
"""
    )
    theirs.runpytest_subprocess().assert_outcomes(passed=3)


def test_nothing_else_of_aws_is_reached(
    theirs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the machine's settings are, which a test that takes no account still has."""
    for name, text in HOSTILE.items():
        monkeypatch.setenv(name, text)
    (theirs.path / ".aws").mkdir()  # of the home that pytester makes
    (theirs.path / ".aws" / "config").write_text(
        "[default]\nignore_configured_endpoint_urls = true\n"
    )
    theirs.makepyfile(
        f"""
        import os, subprocess, boto3

        hostile = {HOSTILE!r}

        def test_by_itself(iot_sandbox):
            for iot in (boto3.client("iot"), boto3.Session().client("iot"), iot_sandbox.client()):
                assert iot.meta.endpoint_url == iot_sandbox.endpoint_url
                assert iot.list_things()["things"] == []
            cli = ["aws", "iot", "list-things"]
            assert "things" in subprocess.check_output(cli, text=True)

        def test_as_it_was():
            assert hostile.items() <= os.environ.items()
        """
    )
    theirs.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_failed_test_shows_what_was_refused(theirs: pytest.Pytester) -> None:
    theirs.makepyfile(block("In your tests").replace("assert not said.is_published()", "assert 0"))
    done = theirs.runpytest_subprocess()
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        ["*- Refused by the IoT sandbox -*", "*iot:Publish on topic/lamps/lamp/*, not on *other*"]
    )
    assert running() == []


def test_a_session_that_needs_no_account_starts_nothing(theirs: pytest.Pytester) -> None:
    theirs.makepyfile("def test_other_things(): pass")
    theirs.runpytest_subprocess(f"--basetemp={theirs.path / 'temp'}").assert_outcomes(passed=1)
    assert states(theirs.path) == []


STUCK = """
import pathlib, time, pytest

@pytest.fixture
def tidied(iot_sandbox):
    yield
    time.sleep(2)  # the sandbox is still there, though Ctrl-C goes to all that a terminal runs
    iot_sandbox.client().list_things()
    pathlib.Path("tidied").touch()

def test_stuck(tidied):
    pathlib.Path("begun").touch()
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "end", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.long)]
)
def test_an_interrupted_session_leaves_nothing_running(
    theirs: pytest.Pytester, end: signal.Signals
) -> None:
    theirs.makepyfile(STUCK)
    command = [sys.executable, "-m", "pytest"]
    session = subprocess.Popen(command, stdout=-3, start_new_session=True)
    give_up = time.monotonic() + 60
    while not (theirs.path / "begun").exists():
        assert time.monotonic() < give_up and session.poll() is None
        time.sleep(0.05)
    assert len(running()) == 2
    os.killpg(session.pid, end)
    session.wait(timeout=20)
    assert (theirs.path / "tidied").exists() == (end == signal.SIGINT)
    while running():
        assert time.monotonic() < give_up, running()
        time.sleep(0.05)


def test_a_sandbox_that_does_not_end_is_killed(theirs: pytest.Pytester) -> None:
    theirs.makepyfile(
        """
        import os, signal, pytest
        from sandbox import process

        process.STOPPING_TAKES_AT_MOST = 0.1

        @pytest.fixture(scope="session")
        def stuck(_iot_accounts):
            yield
            os.kill(_iot_accounts._process.pid, signal.SIGSTOP)

        def test_it(stuck, iot_sandbox): pass
        """
    )
    theirs.runpytest_subprocess().assert_outcomes(passed=1)
    assert running() == []


@pytest.mark.long
def test_two_sessions_at_once(theirs: pytest.Pytester) -> None:
    theirs.makepyfile(block("In your tests"))
    command = [sys.executable, "-m", "pytest"]
    both = [subprocess.Popen(command, stdout=-3) for _ in range(2)]
    assert [session.wait(timeout=60) for session in both] == [0, 0]


@pytest.mark.long
def test_a_sandbox_that_does_not_start_says_why(
    theirs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_FAULTS", "many")
    theirs.makepyfile("def test_it(iot_sandbox): pass")
    done = theirs.runpytest_subprocess()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*SandboxError: The sandbox did not start: *'many'*start.log)"])


@pytest.mark.long
def test_a_sandbox_that_dies_is_an_error_that_says_so(theirs: pytest.Pytester) -> None:
    theirs.makepyfile(
        """
        import os, signal

        def test_it(iot_sandbox):
            os.kill(iot_sandbox.pid, signal.SIGKILL)
            raise RuntimeError
        """
    )
    done = theirs.runpytest_subprocess()
    done.assert_outcomes(failed=1, errors=1)
    done.stdout.fnmatch_lines(
        [
            "*SandboxError: The sandbox has ended, or is stuck: *sandbox.log says more.",
            "The sandbox does not answer at *",
        ]
    )
