"""Connect to AWS IoT: the local sandbox, unless a real account is asked for in so many words."""

import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from helpers import policy
from helpers.errors import LessonError
from helpers.sandbox import process
from helpers.sandbox.process import Sandbox

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient


@dataclass(frozen=True)
class Refusal:
    """Something that a device asked for and did not get, as the sandbox's broker keeps it."""

    when: datetime
    client_id: str
    action: str
    resource: str
    """The ARN that the action was checked against; empty where no policy was asked."""
    reason: str
    """What would change it, in a sentence."""
    explanation: str
    """Each statement, and why it did not help."""


@dataclass(frozen=True)
class Account:
    """The AWS IoT that answers, and how the lesson names and keeps what it makes there."""

    iot: "IoTClient" = field(repr=False)
    """A boto3 ``iot`` client."""
    learner: str
    """Whose lesson this is: every name begins with it."""
    sandbox: Sandbox
    key: str = field(default="sandbox", repr=False)
    """The AWS access key id; in a class it is what opens the learner's account."""

    def __repr__(self) -> str:
        return (
            f"Local sandbox: account {self.number}, region {self.region}. "
            "Nothing leaves this machine, nothing costs anything."
        )

    @property
    def number(self) -> str:
        """12 digits."""
        return self.sandbox.account

    @property
    def region(self) -> str:
        """Such as ``eu-west-1``."""
        return self.sandbox.region

    @property
    def mqtt_port(self) -> int:
        """Where the data endpoint takes MQTT over TLS: 8883 on AWS."""
        return self.sandbox.mqtt_port

    @property
    def root_ca(self) -> str:
        """The root certificate that the data endpoint is checked against, PEM."""
        return Path(self.sandbox.ca_file).read_text()

    @property
    def keys(self) -> Path:
        """The folder of the certificates' files; git ignores it."""
        return Path("keys") / "sandbox"

    def name(self, what: str) -> str:
        """Name something that the lesson makes: the learner first, then what it is."""
        return f"{self.learner}-{what}"

    def arn(self, kind: str, name: str) -> str:
        """Write the ARN of an IoT resource of this account.

        Args:
            kind: ``client``, ``topic``, ``topicfilter``, ``thing``, ``policy`` or ``cert``.
            name: What follows: the client id, the topic, …

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html
        """
        return policy.arn(self.region, self.number, f"{kind}/{name}")

    def refusals(self) -> list[Refusal]:
        """List what the broker refused last, the newest at the end."""
        kept: Any = process.ask(self.sandbox, f"refusals/{self.number}", key=self.key) or []
        return [
            Refusal(
                datetime.fromisoformat(each["when"]),
                *(
                    each[key]
                    for key in ("client_id", "action", "resource", "reason", "explanation")
                ),
            )
            for each in kept
        ]

    def passed(self, exercise: str) -> None:
        """Take down that an exercise is done: in a class, the teacher's board shows it.

        Args:
            exercise: Its name: 1 to 64 letters, digits, ``.``, ``_`` and ``-``.
        """
        process.ask(self.sandbox, f"passed/{self.number}/{exercise}", key=self.key)


def connect(*, target: str | None = None) -> Account:
    """Connect to AWS IoT.

    The sandbox answers whatever credentials, profiles and ``AWS_*`` variables the machine holds. It
    is started if it is not running. In a class the one at ``IOT_TUTORIAL_SANDBOX_URL`` answers,
    with the account that the access key id in ``IOT_TUTORIAL_ACCESS_KEY`` opens.

    Args:
        target: ``sandbox``, or ``aws`` for a real account; ``IOT_TUTORIAL_TARGET`` where not given,
            the sandbox where that is not set either.

    Raises:
        LessonError: a real account is asked for, the learner's name cannot be used in AWS's names,
            or the sandbox does not start.
    """
    target = target or os.environ.get("IOT_TUTORIAL_TARGET") or "sandbox"
    if target == "aws":
        raise LessonError(
            "The lesson does not run on a real account yet. "
            "Leave the target out, and unset IOT_TUTORIAL_TARGET: the local sandbox answers."
        )
    if target != "sandbox":
        raise LessonError(f"There is no target {target!r}: 'sandbox' is the one to ask for.")
    learner = _learner()
    url = os.environ.get("IOT_TUTORIAL_SANDBOX_URL")
    if url:
        return join(url, os.environ.get("IOT_TUTORIAL_ACCESS_KEY", ""), learner=learner)
    sandbox = _sandbox()
    iot = _client(sandbox, "sandbox")  # it takes any key
    iot.meta.events.register_first("needs-retry.iot", _bring_back)
    return Account(iot, learner, sandbox)


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
    return Account(_client(sandbox, key), learner, sandbox, key)


def _sandbox() -> Sandbox:
    server = os.environ.get("JPY_PARENT_PID")  # set by Jupyter in every kernel that it starts
    return process.find_or_start(process.state_dir(), owner=int(server) if server else None)


def _bring_back(caught_exception: Exception | None, **_: object) -> None:
    # A killed sandbox comes back with what it knew; botocore then tries the call again.
    if isinstance(caught_exception, EndpointConnectionError):
        _sandbox()


def _learner() -> str:
    learner = os.environ.get("IOT_TUTORIAL_LEARNER") or "my"
    if not re.fullmatch("[a-zA-Z0-9_-]{1,32}", learner):
        raise LessonError(
            f"IOT_TUTORIAL_LEARNER is {learner!r}, and AWS's names cannot hold that: "
            "use 1 to 32 letters, digits, '_' and '-'."
        )
    return learner


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
    return boto3.Session(
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
