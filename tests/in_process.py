"""AWS IoT without a socket: the sandbox in this process, and ways to look at what it holds."""

import functools
import gc
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from moto.iot.models import iot_backends

from helpers.account import Account, local, real
from sandbox import inside
from sandbox.broker.endpoint import Endpoint
from sandbox.broker.sessions import Unsaved
from sandbox.control import Application
from sandbox.inside import NOWHERE, Inside, InsideLine
from sandbox.process import ACCOUNT, REGION

RETRIES = {"mode": "standard", "total_max_attempts": 3}


@functools.cache
def _place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="iot-")


@functools.cache
def sandbox() -> Inside:
    """The product's own, but for the disk: a request takes half as long when nothing is written."""
    with patch.object(inside, "State", _Unwritten), patch.object(inside, "Store", _Unwritten):
        opened = inside.opened(folder())
    # What is loaded by now stays, and a request makes thousands of objects that the collector
    # need not look for: a tenth of the time.
    gc.freeze()
    gc.set_threshold(50_000)
    return opened


def folder() -> Path:
    """Where ``connect()`` finds it; deleted when the process ends."""
    return Path(_place().name, "state").resolve()


class _Unwritten:
    """What :class:`sandbox.state.State` and the broker's store do, without their files."""

    def __init__(self, *_: object) -> None: ...

    def save(self) -> None: ...

    def settle(self) -> None: ...

    def forget(self) -> None: ...

    def refresh(self) -> bool:
        return False


def empty() -> None:
    """Begin with an account that holds nothing."""
    sandbox().line.change(f"forget/{ACCOUNT}")
    iot_backends[ACCOUNT][REGION].reset()
    nothing = Endpoint("", Unsaved())
    sandbox().ask(ACCOUNT, REGION, lambda endpoint: endpoint.adopt(nothing))


def client(application: Application | None = None, service: str = "iot") -> Any:
    """A boto3 client whose requests go to *application*, and never to a socket."""
    made = boto3.client(
        service,
        endpoint_url=NOWHERE,
        region_name=REGION,
        aws_access_key_id="in-process",
        aws_secret_access_key="in-process",
        config=Config(retries=RETRIES),
    )
    InsideLine(application or sandbox()).carry(made)
    return _without_overhead(made)


def _without_overhead(client: Any) -> Any:
    # What botocore works out again for each client and request, a third of its time.
    client.meta.events._alias_name_cache = _EVENT_NAMES
    client.meta.config._supplied_user_agent = "in-process"
    return client


_EVENT_NAMES: dict[str, str] = {}


def own_account(application: Application | None = None) -> Account:
    """An account as the sandbox gives it: nobody else works in it."""
    here, line = sandbox(), InsideLine(application or sandbox())
    account = local.open_account(here.about, line, link=here.link)
    _without_overhead(account.iot)
    return account


def shared_account(application: Application | None = None, learner: str = "zoe") -> Account:
    """An account as AWS gives it: others may work in it, too."""
    iot, data = client(application), functools.cache(lambda: client(application, "iot-data"))
    return real.account(iot, data, number=ACCOUNT, learner=learner, signed_in="user/zoe")


def holdings() -> dict[str, object]:
    """Tell everything that the account holds, and what is attached to what."""
    held = iot_backends[ACCOUNT][REGION]
    return {
        "things": sorted((each.thing_name, str(each.attributes)) for each in held.things.values()),
        "policies": {name: each.document for name, each in held.policies.items()},
        "certificates": {name: each.status for name, each in held.certificates.items()},
        "attached": sorted(map(str, [*held.principal_policies, *held.principal_things])),
    }


def orphaned_shadows() -> list[str]:
    """List the Things that are deleted and have left a shadow behind."""
    held = vars(iot_backends[ACCOUNT][REGION])
    return list(held.get("shadows_of_deleted_things", {}))


def files(folder: Path) -> list[Path]:
    """List the files under a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
