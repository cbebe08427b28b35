"""AWS IoT without a socket: boto3's real client, and what answers the sandbox's calls."""

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from moto.core import responses
from moto.iot.models import iot_backends
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from helpers.account import Account, ledger, real, sandbox
from sandbox import gaps
from sandbox.faults import Application, LostAnswer
from sandbox.line import Sandbox
from sandbox.process import ACCOUNT, REGION

NOWHERE = "http://127.0.0.1:1"
RETRIES = {"mode": "standard", "total_max_attempts": 3}


@functools.cache
def plane() -> Application:
    """moto's AWS IoT with its gaps filled, which is done once in a process."""
    gaps.fill(lambda *_, **__: None)
    # moto looks its own methods up anew at each request.
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)
    return create_backend_app("iot")


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
    made.meta.events.register_last("before-send.iot", functools.partial(_send, application))
    return made


def own_account(application: Application) -> Account:
    """An account as the sandbox gives it: nobody else works in it."""
    iot = client(application)
    ledger.keep(iot, sandbox.KEYS)
    return Account(
        iot=iot,
        learner="my",
        number=ACCOUNT,
        region=REGION,
        about="in process",
        root_ca="",
        key_folder=sandbox.KEYS,
        mqtt_port=1,
        sandbox=Sandbox(NOWHERE, "localhost", 1, "", REGION, ACCOUNT, 0),
    )


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


def _send(application: Application, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    headers = [
        (name, value.decode() if isinstance(value, bytes) else str(value))
        for name, value in request.headers.items()
    ]
    body = request.body or b""
    asked = EnvironBuilder(
        request.url.removeprefix(NOWHERE),
        NOWHERE,
        method=request.method,
        headers=headers,
        data=body.encode() if isinstance(body, str) else body,
    )
    try:
        content, status, answered = run_wsgi_app(application, asked.get_environ(), buffered=True)
    except LostAnswer as problem:
        raise ConnectionClosedError(endpoint_url=request.url) from problem
    return AWSResponse(request.url, int(status[:3]), dict(answered), _Raw(b"".join(content)))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
