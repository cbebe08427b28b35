"""A pytest plugin: ``iot_sandbox`` gives each test an AWS IoT account of its own, on this machine.

One sandbox serves a session; under pytest-xdist, each worker has one. sandbox/README.md has an
example.
"""

import os
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from sandbox import accounts, process
from sandbox.errors import SandboxError
from sandbox.line import HttpLine, Refusal, Sandbox


@dataclass(frozen=True)
class IotSandbox(Sandbox):
    """The AWS IoT account of one test, and where it answers."""

    access_key: str = ""
    """The access key id: it opens this account alone."""
    secret_key: str = "sandbox"  # noqa: S105  it keeps nobody out
    """The secret access key: the broker's own, which is not imported, for it loads moto."""

    def client(self, service: str = "iot") -> Any:
        """Make a boto3 client of this account.

        Args:
            service: ``iot``, ``iot-data`` or ``sts``.
        """
        import boto3

        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def refusals(self) -> list[Refusal]:
        """List what this account's devices were refused, and why: the last hundred, oldest first.

        Raises:
            SandboxError: the sandbox does not answer.
        """
        told = HttpLine(self.endpoint_url, self.access_key).read("refusals")
        if not isinstance(told, list):
            raise SandboxError(f"The sandbox does not answer at {self.endpoint_url}.")
        return [Refusal.from_json(each) for each in told]

    def lead_here(self, patch: pytest.MonkeyPatch) -> None:
        """Let whatever asks for AWS without saying where ask here, and see no other AWS settings.

        Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
        """
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.setenv(name, self.region)
        patch.setenv("AWS_ACCESS_KEY_ID", self.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", self.secret_key)
        patch.setenv("AWS_ENDPOINT_URL", self.endpoint_url)
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1,localhost", prepend=",")
        patch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials of its first use


class _Accounts:
    """A sandbox process, and the accounts that it has just now."""

    def __init__(self, folder: Path) -> None:
        self._members = folder / "members.json"
        self._plugin = accounts.create("pytest", [], teacher=True)
        self._newest = self._plugin
        accounts.write(self._members, [self._plugin])
        self._process, self._here = accounts.start_with_members(folder, self._members)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(process.STOPPING_TAKES_AT_MOST)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def account(self, name: str) -> Iterator[IotSandbox]:
        """Open an account that nobody has had before; afterwards nothing opens it any more."""
        self._newest = accounts.create(name, [self._newest])
        accounts.write(self._members, [self._plugin, self._newest])
        own = {"account": self._newest.account, "access_key": self._newest.key}
        try:
            yield IotSandbox(**self._here.to_json() | own)
        finally:
            self._close()

    def _close(self) -> None:
        accounts.write(self._members, [self._plugin])  # first, so that nothing comes after
        line = HttpLine(self._here.endpoint_url, self._plugin.key)
        if line.change(f"empty/{self._newest.account}") is None:
            log = self._members.with_name("sandbox.log")
            raise SandboxError(f"The sandbox has ended, or is stuck: {log} says more.")


@pytest.fixture(scope="session")
def _iot_accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Accounts]:
    with _Accounts(tmp_path_factory.mktemp("iot-sandbox")) as running:
        yield running


@pytest.fixture
def iot_sandbox(
    _iot_accounts: _Accounts, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[IotSandbox]:
    """An empty account of AWS IoT on this machine; boto3 and the AWS CLI go there by themselves."""
    with _iot_accounts.account(request.node.name) as account:
        account.lead_here(monkeypatch)
        yield account


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show below a failed test what the sandbox refused its devices, and why."""
    report = yield
    account = getattr(item, "funcargs", {}).get("iot_sandbox")
    if report.when == "call" and report.failed and isinstance(account, IotSandbox):
        try:
            refused = "\n".join(map(str, account.refusals())) or "nothing"
        except SandboxError as problem:
            refused = str(problem)
        report.sections.append(("Refused by the IoT sandbox", refused))
    return report
