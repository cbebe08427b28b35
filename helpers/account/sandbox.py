"""The account of the local sandbox."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from helpers.account import ledger
from helpers.account.learner import checked
from helpers.account.model import Account
from helpers.errors import LessonError
from sandbox import process
from sandbox.errors import SandboxError
from sandbox.line import Sandbox

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

KEYS = Path("keys") / "sandbox"


def connect() -> Account:
    """Connect to the sandbox, started first if need be; in a class, to the class's own.

    Raises:
        LessonError: the learner's name cannot be used in AWS's names, or no sandbox answers.
    """
    learner = checked(os.environ.get("IOT_TUTORIAL_LEARNER") or "my", "IOT_TUTORIAL_LEARNER")
    url = os.environ.get("IOT_TUTORIAL_SANDBOX_URL")
    if url:
        return join(url, os.environ.get("IOT_TUTORIAL_ACCESS_KEY", ""), learner=learner)
    account = _account(_find_or_start(), "sandbox", learner)  # it takes any key
    account.iot.meta.events.register_first("needs-retry.iot", _bring_back)
    return account


def join(url: str, key: str, *, learner: str = "my") -> Account:
    """Connect to an account of a class's sandbox.

    Args:
        url: Where its AWS API answers.
        key: The access key id that opens the account.
        learner: What every name begins with.

    Raises:
        LessonError: no sandbox answers there, or none that knows the key.
    """
    sandbox = process.at(url, key=key)
    if sandbox is None:
        raise LessonError(
            f"The class's sandbox does not answer at {url}. "
            "Stop your server and start it again (File, Hub Control Panel), or ask your teacher."
        )
    return _account(sandbox, key, learner)


def _account(sandbox: Sandbox, key: str, learner: str) -> Account:
    return Account(
        iot=_client(sandbox, key),
        learner=learner,
        number=sandbox.account,
        region=sandbox.region,
        about=(
            f"Local sandbox: account {sandbox.account}, region {sandbox.region}. "
            "Nothing leaves this machine, nothing costs anything."
        ),
        root_ca=Path(sandbox.ca_file).read_text(),
        key_folder=KEYS,
        mqtt_port=sandbox.mqtt_port,
        sandbox=sandbox,
        key=key,
    )


def _find_or_start() -> Sandbox:
    server = os.environ.get("JPY_PARENT_PID")  # set by Jupyter in every kernel that it starts
    try:
        return process.find_or_start(process.state_dir(), owner=int(server) if server else None)
    except SandboxError as problem:
        raise LessonError(str(problem)) from problem


def _bring_back(caught_exception: Exception | None, **_: object) -> None:
    # A killed sandbox comes back with what it knew; botocore then tries the call again.
    if isinstance(caught_exception, EndpointConnectionError):
        _find_or_start()


def _client(sandbox: Sandbox, key: str) -> "IoTClient":
    # Nothing of the machine's own AWS set-up is read: no profile, no file, no endpoint, no proxy.
    nothing = (None, None, None, None)
    core = botocore.session.Session(
        session_vars={
            "profile": nothing,
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
            "ca_bundle": nothing,
        }
    )
    client = boto3.Session(
        aws_access_key_id=key,
        aws_secret_access_key="sandbox",  # noqa: S106  nobody checks the signature
        region_name=sandbox.region,
        botocore_session=core,
    ).client(
        "iot",
        endpoint_url=sandbox.endpoint_url,
        config=Config(
            proxies={},
            retries={"mode": "standard", "total_max_attempts": 3},
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
        ),
    )
    ledger.keep(client, KEYS)
    return client
