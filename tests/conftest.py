"""What every test needs: no AWS settings of this machine, and the slow ones only when asked for."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import boto3
import in_process
import lessons
import pytest
from hypothesis import settings

from helpers.account import Account, connect
from sandbox import process

pytest_plugins = [
    "split",  # longest modules first, and a table of seconds at the end
    "broker_support",  # brokers
    "machines",  # learners' machines
]


def pytest_configure(config: pytest.Config) -> None:
    """Clean the environment itself, for notebooks' kernels and commands inherit it."""
    # A busy machine is no reason to fail.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")
    config.addinivalue_line("markers", "long: takes over ten seconds; run with --long")
    for name in [name for name in os.environ if name.startswith(("AWS_", "IOT_TUTORIAL_"))]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--long``."""
    parser.addoption("--long", action="store_true", help="run the tests marked long as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without ``--long``, deselect the tests marked long."""
    if config.getoption("--long"):
        return
    slow = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the tests' own sandbox keeps what it knows; the sandbox ends with the tests."""
    folder = tmp_path_factory.mktemp("state")
    yield folder
    process.stop(folder)


@pytest.fixture
def aws(state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An empty account on a real sandbox, in a folder of its own for the key files."""
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(state_dir))
    monkeypatch.chdir(tmp_path)
    account = connect()
    reset(account)
    return account


def pid(account: Account) -> int:
    """The process of an account's sandbox."""
    about = account.line.read("about")
    assert isinstance(about, dict)
    return int(about["pid"])


def reset(account: Account) -> None:
    """Delete what an account of a sandbox holds, and what it has reached."""
    account.line.change(f"empty/{account.number}")
    account.line.change(f"forget/{account.number}")


def client(account: Account, service: str = "iot", *, region: str = "") -> Any:
    """A boto3 client of an account's sandbox, without any of the lesson's ways."""
    made = boto3.client(
        service,
        endpoint_url=account.iot.meta.endpoint_url,
        region_name=region or account.region,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    account.line.carry(made)
    return made


@pytest.fixture
def stranger(aws: Account) -> Any:
    """A client of someone else's, who works in the same account without the lesson."""
    return client(aws)


@pytest.fixture
def inside(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An empty account in this process, for tests whose subject is no process, socket or TLS."""
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX", "inside")
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(in_process.folder()))
    return in_process.own_account()


@pytest.fixture(params=["inside", "aws"], ids=["inside", "process"])
def both_ways(request: pytest.FixtureRequest) -> Account:
    """An empty account in this process, and one of a real sandbox process with TLS."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account in this process and an empty folder; waiting takes no time."""
    monkeypatch.chdir(tmp_path)
    # Nobody else uses the folder, and a lock takes a quarter of a request's time.
    monkeypatch.setattr(process, "serving", lambda *_, **__: nullcontext())
    # No power is lost either; to wait for the disk took a seventh of these tests' time.
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with lessons.few_keys(monkeypatch):
        in_process.empty()
        yield
