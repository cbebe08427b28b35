"""AWS IoT without a socket: boto3's real client, and what answers the sandbox's calls."""

import functools
import gc
import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
from botocore.config import Config
from moto.iot.models import iot_backends

from helpers.account import Account, local, real
from sandbox import gaps
from sandbox.control import Application, ControlPlane
from sandbox.inside import NOWHERE, InsideLine, call, signed
from sandbox.line import Sandbox
from sandbox.process import ACCOUNT, REGION

HERE = Sandbox(NOWHERE, "localhost", 1, os.devnull, REGION, ACCOUNT, 0)
__all__ = ["NOWHERE", "InsideLine", "call", "signed"]

RETRIES = {"mode": "standard", "total_max_attempts": 3}


SIGNED = signed("iot")


@functools.cache
def plane() -> Application:
    """moto's AWS IoT with its gaps filled, which is done once in a process."""
    gaps.fill(Mock())
    # What is loaded by now stays, and a request makes thousands of objects that the collector
    # need not look for: a tenth of the time.
    gc.freeze()
    gc.set_threshold(50_000)
    return ControlPlane(
        readers={"about": lambda _: HERE.to_json(), "refusals": lambda _: []},
        changers={"passed": lambda _: True},
        changed=lambda: None,
    )


def empty() -> None:
    """Begin with an account that holds nothing."""
    plane()
    iot_backends[ACCOUNT][REGION].reset()


def client(application: Application) -> Any:
    """A boto3 client whose requests go to *application*, and never to a socket."""
    made = boto3.client(
        "iot",
        endpoint_url=NOWHERE,
        region_name=REGION,
        aws_access_key_id="in-process",
        aws_secret_access_key="in-process",
        config=Config(retries=RETRIES),
    )
    InsideLine(application).carry(made)
    return _without_overhead(made)


def _without_overhead(client: Any) -> Any:
    # What botocore works out again for each client and request, a third of its time.
    client.meta.events._alias_name_cache = _EVENT_NAMES
    client.meta.config._supplied_user_agent = "in-process"
    return client


_EVENT_NAMES: dict[str, str] = {}


def own_account(application: Application, here: Sandbox = HERE) -> Account:
    """An account as the sandbox gives it: nobody else works in it."""
    account = local.open_account(here, InsideLine(application))
    _without_overhead(account.iot)
    return account


def shared_account(application: Application, learner: str = "zoe") -> Account:
    """An account as AWS gives it: others may work in it, too."""
    return real.account(client(application), number=ACCOUNT, learner=learner, signed_in="user/zoe")


def holdings() -> dict[str, object]:
    """Tell everything that the account holds, and what is attached to what."""
    held = iot_backends[ACCOUNT][REGION]
    return {
        "things": sorted((each.thing_name, str(each.attributes)) for each in held.things.values()),
        "policies": {name: each.document for name, each in held.policies.items()},
        "certificates": {name: each.status for name, each in held.certificates.items()},
        "attached": sorted(map(str, [*held.principal_policies, *held.principal_things])),
    }


def files(folder: Path) -> list[Path]:
    """List the files under a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
