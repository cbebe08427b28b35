"""A pytest plugin for moto's own tests in server mode: where they reset moto, a new sandbox begins.

moto's tests empty the server by ``POST /moto-api/reset``, which the sandbox refuses to have. This
plugin is loaded into the run of moto's tests (``-p``), see ``moto_suite.py``; it is none of ours.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from moto.core.models import ServerModeMockAWS


class Renewed:
    """A sandbox on one port, which begins anew for each test that asks."""

    def __init__(self, port: str) -> None:
        """Remember the port; nothing is started yet."""
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def renew(self) -> None:
        """End the last sandbox, and return once an empty one answers."""
        self.end()
        self._folder = tempfile.TemporaryDirectory(prefix="outside-moto-")
        command = ["-m", "sandbox", "--state-dir", self._folder.name, "--port", self._port]
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self._process.stdout and self._process.stdout.readline().startswith("{")

    def end(self) -> None:
        """End the sandbox, if one runs, and delete what it has kept."""
        if self._process and self._folder:
            self._process.kill()
            self._process.wait()
            self._folder.cleanup()


def pytest_configure(config: pytest.Config) -> None:
    """Take the place of moto's reset."""
    sandbox = Renewed(os.environ["TEST_SERVER_MODE_ENDPOINT"].rpartition(":")[2])
    config.add_cleanup(sandbox.end)

    def reset(mock: Any) -> None:
        if mock.__class__._nested_count == 1:  # at a test's beginning; its end needs none
            sandbox.renew()

    ServerModeMockAWS.reset = reset  # type: ignore[method-assign]


VALID = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}],
}


@pytest.fixture(autouse=True)
def _valid_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a valid document in the place of one that AWS refuses, such as ``{}``.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html
    """
    call = BaseClient._make_api_call

    def changed(client: BaseClient, operation: str, given: dict[str, Any]) -> Any:
        if "Statement" not in given.get("policyDocument", "Statement"):
            given = given | {"policyDocument": json.dumps(VALID)}
        return call(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", changed)
