"""The account of a local sandbox: the one on this machine, or the class's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.exceptions import EndpointConnectionError
from botocore.loaders import Loader

from helpers.account.learner import checked
from helpers.account.model import Account
from helpers.errors import not_connected
from sandbox import process
from sandbox.errors import SandboxError
from sandbox.line import HttpLine, Line, Sandbox

if TYPE_CHECKING:
    from sandbox.device import DeviceLink

_api_descriptions = cache(Loader)
"""AWS's APIs as botocore reads them from JSON: 0.1 s for each session that does not share them."""
_NOTHING_OF_THE_MACHINES = {
    name: (None, None, default, read_as)
    for name, (_, _, default, read_as) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
} | dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
"""botocore's settings without the machine's own: no variable, no profile, no file."""
KEYS = Path("keys") / "sandbox"
ANY_KEY = "sandbox"
"""The access key id for a sandbox without a class, which takes any."""


def connect() -> Account:
    """Connect to the sandbox, started first if need be; in a class, to the class's own.

    Raises:
        LessonError: the learner's name cannot be used in AWS's names, or no sandbox answers.
    """
    learner = checked(os.environ.get("IOT_TUTORIAL_LEARNER") or "my", "IOT_TUTORIAL_LEARNER")
    if url := os.environ.get("IOT_TUTORIAL_SANDBOX_URL"):
        return join(url, os.environ.get("IOT_TUTORIAL_ACCESS_KEY", ""), learner=learner)
    with _problems_told():
        if process.inside_is_chosen():
            from sandbox import inside  # moto loads here, in place of a process of its own

            here = inside.opened(process.state_dir())
            return open_account(here.about, here.line, link=here.link, learner=learner)
    sandbox = _find_or_start()
    account = open_account(sandbox, HttpLine(sandbox.endpoint_url, ANY_KEY), learner=learner)
    account.iot.meta.events.register_first("needs-retry.iot", _bring_back)
    return account


def join(url: str, access_key: str, *, learner: str = "my") -> Account:
    """Connect to an account of a class's sandbox.

    Args:
        url: Where its AWS API answers.
        access_key: The access key id that opens the account.
        learner: What every name begins with.

    Raises:
        LessonError: no sandbox answers there, or none that knows the key.
    """
    starting = HttpLine(url, access_key, timeout=process.STARTING_TAKES_AT_MOST)
    sandbox = Sandbox.from_json(starting.read("about"))
    if sandbox is None:
        raise not_connected(
            f"The class's sandbox does not answer at {url}. "
            "Stop your server and start it again (File, Hub Control Panel), or ask your teacher."
        )
    line = HttpLine(sandbox.endpoint_url, access_key)
    return open_account(sandbox, line, access_key=access_key, learner=learner)


def open_account(
    sandbox: Sandbox,
    line: Line,
    *,
    link: "DeviceLink | None" = None,
    access_key: str = ANY_KEY,
    learner: str = "my",
) -> Account:
    """Open the account of a sandbox.

    Args:
        sandbox: What it says of itself.
        line: How requests reach it.
        link: How devices reach its broker: by TLS where not given.
        access_key: The access key id that opens the account.
        learner: What every name begins with.
    """
    from helpers.account.ledger import record_certificates  # loads with the first connection
    from sandbox.device import TlsLink

    iot = _client(sandbox, line, access_key, "iot")
    record_certificates(iot, KEYS)
    return Account(
        iot=iot,
        data=cache(partial(_client, sandbox, line, access_key, "iot-data")),
        line=line,
        learner=learner,
        number=sandbox.account,
        region=sandbox.region,
        about=(
            f"Local sandbox: account {sandbox.account}, region {sandbox.region}. "
            "Nothing leaves this machine, nothing costs anything."
        ),
        root_ca=Path(sandbox.ca_file).read_text(),
        key_folder=KEYS,
        link=link or TlsLink(sandbox.mqtt_port),
        shared=False,
    )


@contextmanager
def _problems_told() -> Iterator[None]:
    try:
        yield
    except SandboxError as problem:
        raise not_connected(str(problem)) from problem


@_problems_told()
def _find_or_start() -> Sandbox:
    return process.find_or_start(process.state_dir(), owner=process.notebook_server())


def _bring_back(caught_exception: Exception | None, **_: object) -> None:
    # A killed sandbox comes back with what it knew; botocore then tries the call again.
    if isinstance(caught_exception, EndpointConnectionError):
        _find_or_start()


def _client(sandbox: Sandbox, line: Line, access_key: str, service: Any) -> Any:
    core = botocore.session.Session(session_vars=_NOTHING_OF_THE_MACHINES)
    core.register_component("data_loader", _api_descriptions())
    client = boto3.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key="sandbox",  # noqa: S106  nobody checks the signature
        region_name=sandbox.region,
        botocore_session=core,
    ).client(
        service,
        endpoint_url=sandbox.endpoint_url,
        config=Config(
            proxies={},
            retries={"mode": "standard", "total_max_attempts": 3},
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
        ),
    )
    line.carry(client)
    return client
