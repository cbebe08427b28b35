"""AWS IoT without a socket: boto3's real client, and what answers the sandbox's calls."""

import functools
import gc
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import unquote, urlsplit

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from moto.iot.models import iot_backends

from helpers.account import Account, local, real
from sandbox import gaps
from sandbox.control import Application, ControlPlane
from sandbox.faults import LostAnswer
from sandbox.line import Sandbox
from sandbox.process import ACCOUNT, REGION

NOWHERE = "http://127.0.0.1:1"
HERE = Sandbox(NOWHERE, "localhost", 1, os.devnull, REGION, ACCOUNT, 0)
RETRIES = {"mode": "standard", "total_max_attempts": 3}


def signed(service: str, *, region: str = REGION, key: str = "in-process") -> str:
    """What the control plane reads of a signature: who asks, where, and for which service."""
    return f"AWS4-HMAC-SHA256 Credential={key}/20171001/{region}/{service}/aws4_request, x=y"


SIGNED = signed("iot")


class InsideLine:
    """The line to a control plane in this process: a call, in place of a socket."""

    def __init__(self, application: Application) -> None:
        """Set up the line to a WSGI application: a control plane, or what stands before it."""
        self._application = application

    def read(self, page: str) -> object:
        """Return what a page answers; ``None`` where there is no such page."""
        return self._ask("GET", page)

    def change(self, page: str) -> object:
        """Ask a page that changes something to do so; return its answer, or ``None``."""
        return self._ask("POST", page)

    def carry(self, client: BaseClient) -> None:
        """Make the requests of a boto3 client go this way."""
        # Nobody checks a signature, and making one takes a tenth of the time.
        client.meta.events.register("choose-signer", lambda **_: UNSIGNED)
        signature = signed(client.meta.service_model.signing_name)
        client.meta.events.register_last("before-send", functools.partial(self._send, signature))

    def _ask(self, method: str, page: str) -> object:
        status, _, body = call(self._application, method, f"{NOWHERE}/_sandbox/{page}")
        return json.loads(body) if status == 200 else None

    def _send(self, signature: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        assert request.method is not None
        body = request.body or b""
        try:
            status, headers, content = call(
                self._application,
                request.method,
                request.url,
                headers={
                    **{
                        name: value.decode() if isinstance(value, bytes) else str(value)
                        for name, value in request.headers.items()
                    },
                    "Authorization": signature,
                },
                body=body.encode() if isinstance(body, str) else body,
            )
        except LostAnswer as problem:
            raise ConnectionClosedError(endpoint_url=request.url) from problem
        return AWSResponse(request.url, status, headers, _Raw(content))


def call(
    application: Application,
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> tuple[int, dict[str, str], bytes]:
    """Call a WSGI application; return status, headers and body of its answer."""
    parts = urlsplit(url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path, "latin-1") or "/",
        "RAW_URI": url.removeprefix(f"{parts.scheme}://{parts.netloc}"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": parts.netloc,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    started: list[tuple[str, list[tuple[str, str]]]] = []
    answer = application(environ, lambda status, sent, *_: started.append((status, sent)))
    content = b"".join(answer)
    status, sent = started[-1]
    return int(status[:3]), dict(sent), content


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


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
