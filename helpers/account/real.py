"""A real AWS account: only the one that is named, and only what the lesson makes there."""

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from helpers.account import guard, ledger
from helpers.account.learner import who
from helpers.account.model import Account
from helpers.account.root_ca import amazon_root_ca
from helpers.errors import LessonError

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

COSTS = "https://aws.amazon.com/iot-core/pricing/"
EXPIRED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
)
"""What AWS answers when credentials are not valid any more, or never were."""


def connect() -> Account:
    """Connect to the account that ``IOT_TUTORIAL_ACCOUNT`` names.

    Raises:
        LessonError: no account or region is named, or the credentials of this machine are for
            another account, for the root user, or expired.
    """
    number = _number()
    session = boto3.Session()
    region = (
        os.environ.get("IOT_TUTORIAL_REGION")
        or os.environ.get("AWS_REGION")
        or session.region_name  # AWS_DEFAULT_REGION, or the profile's
    )
    if not region:
        raise LessonError("Say in which region: set IOT_TUTORIAL_REGION, such as eu-west-1.")
    learner = who()
    config = Config(
        region_name=region,
        # 'aws' means AWS: no endpoint of another make, set for other work.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lack it
        retries={"mode": "adaptive", "total_max_attempts": 8},
    )
    sts, iot = session.client("sts", config=config), session.client("iot", config=config)
    return account(iot, number=number, learner=learner, signed_in=caller(sts, number))


def caller(sts: Any, number: str) -> str:
    """Find out who is signed in, and see that it is to the account that was named.

    Args:
        sts: A boto3 ``sts`` client.
        number: The account that was named: 12 digits.

    Returns:
        Kind and name, without the account: ``user/zoe``, ``assumed-role/Student/zoe``.

    Raises:
        LessonError: it is another account, or its root user, or nobody is signed in.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    try:
        identity = sts.get_caller_identity()
    except (ClientError, BotoCoreError) as problem:
        raise LessonError(
            f"AWS does not say who is signed in: {problem}. Sign in, then run this cell again."
        ) from problem
    who_is_it: str = identity["Arn"].split(":", 5)[5]
    if identity["Account"] != number:
        raise LessonError(
            f"The credentials of this machine are for the account that ends in "
            f"{identity['Account'][-4:]}, and IOT_TUTORIAL_ACCOUNT ends in {number[-4:]}. "
            "Nothing was done: sign in to the account that you named."
        )
    if who_is_it == "root":
        raise LessonError(
            "The account's root user is signed in, and may do everything. Nothing was done: sign "
            "in as a user or role that has the lesson's own policy (workshop/student-policy.json)."
        )
    return who_is_it


def account(iot: "IoTClient", *, number: str, learner: str, signed_in: str) -> Account:
    """Put together the account that a client answers for, with what keeps it safe.

    Args:
        iot: A boto3 ``iot`` client of that account.
        number: 12 digits.
        learner: Whose lesson it is: what every name begins with.
        signed_in: Kind and name, as :func:`caller` gives them.
    """
    region = iot.meta.region_name
    # The folder's name is shown, so the account's number is not in it.
    digest = hashlib.sha256(number.encode()).hexdigest()[:8]
    keys = Path("keys") / f"aws-{digest}-{region}-{learner}"
    own = ledger.keep(iot, keys)
    guard.watch(iot, own, f"{learner}-")
    iot.meta.events.register("after-call.iot", _still_signed_in)
    return Account(
        iot=iot,
        learner=learner,
        number=number,
        region=region,
        about=(
            f"AWS account ········{number[-4:]}, region {region}, signed in as {signed_in}.\n"
            f"The lesson makes Things, policies and certificates there; their names begin with "
            f"{learner}-, and notebook 04 removes them.\n"
            f"What AWS charges for: {COSTS}"
        ),
        root_ca=amazon_root_ca(),
        key_folder=keys,
        mqtt_port=8883,
        alpn_port=443,
    )


def _number() -> str:
    number = os.environ.get("IOT_TUTORIAL_ACCOUNT", "")
    if not re.fullmatch("[0-9]{12}", number):
        raise LessonError(
            "Say which AWS account: set IOT_TUTORIAL_ACCOUNT to its 12 digits. "
            "Without IOT_TUTORIAL_TARGET the local sandbox answers, and you need none."
        )
    return number


def _still_signed_in(parsed: dict[str, Any], **_: object) -> None:
    if parsed.get("Error", {}).get("Code") in EXPIRED:
        raise LessonError(
            "Your AWS credentials are not valid any more. Sign in again, run the notebook's first "
            "cell, then this one: what is done stays done."
        )
