"""A real AWS account: only the one that is named, and only what the lesson makes there."""

import hashlib
import os
import re
import ssl
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import certifi
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from helpers.account import guard
from helpers.account.learner import who
from helpers.account.ledger import record_certificates
from helpers.account.model import Account
from helpers.errors import LessonError, not_connected
from iot_policy import split_arn
from sandbox.device import TlsLink

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_iot import IoTClient

COSTS = "https://aws.amazon.com/iot-core/pricing/"
EXPIRED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
)
"""What AWS answers when credentials are not valid any more, or never were."""
ROOT_CA_FINGERPRINT = "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e"
"""SHA-256 of Amazon Root CA 1, DER."""


class AwsLine:
    """The line to AWS: boto3's own way, and no pages that the lesson could ask."""

    def read(self, _page: str) -> None:
        """Return nothing: AWS does not tell what its broker refused."""

    def change(self, _page: str) -> None:
        """Do nothing: no teacher's board looks at AWS."""

    def carry(self, _client: "BaseClient") -> None:
        """Do nothing: a boto3 client goes to AWS by itself."""


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
        raise not_connected("Say in which region: set IOT_TUTORIAL_REGION, such as eu-west-1.")
    learner = who()
    config = Config(
        region_name=region,
        # 'aws' means AWS: no endpoint of another make, set for other work.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lack it
        retries={"mode": "adaptive", "total_max_attempts": 8},
    )
    sts, iot = session.client("sts", config=config), session.client("iot", config=config)
    data = cache(partial(session.client, "iot-data", config=config))
    return account(iot, data, number=number, learner=learner, signed_in=caller(sts, number))


def caller(sts: Any, number: str) -> str:
    """Find out who is signed in, and check that it is to the account that was named.

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
        raise not_connected(
            f"AWS does not say who is signed in: {problem}. Sign in, then run this cell again."
        ) from problem
    arn = split_arn(identity["Arn"])
    signed_in = arn.resource if arn else identity["Arn"]
    if identity["Account"] != number:
        raise not_connected(
            f"The credentials of this machine are for the account that ends in "
            f"{identity['Account'][-4:]}, and IOT_TUTORIAL_ACCOUNT ends in {number[-4:]}. "
            "Nothing was done: sign in to the account that you named."
        )
    if signed_in == "root":
        raise not_connected(
            "The account's root user is signed in, and may do everything. Nothing was done: sign "
            "in as a user or role that has the lesson's own policy (workshop/student-policy.json)."
        )
    return signed_in


def account(iot: "IoTClient", data: Any, *, number: str, learner: str, signed_in: str) -> Account:
    """Build the account that a client answers for, with the guard rails of a real one.

    Args:
        iot: A boto3 ``iot`` client of that account.
        data: Makes an ``iot-data`` client of it.
        number: 12 digits.
        learner: Whose lesson it is: what every name begins with.
        signed_in: Kind and name, as :func:`caller` gives them.
    """
    region = iot.meta.region_name
    # The folder's name is shown, so the account's number is not in it.
    digest = hashlib.sha256(number.encode()).hexdigest()[:8]
    keys = Path("keys") / f"aws-{digest}-{region}-{learner}"
    guard.confine(iot, record_certificates(iot, keys), f"{learner}-")
    iot.meta.events.register("after-call.iot", _still_signed_in)
    return Account(
        iot=iot,
        data=data,
        line=AwsLine(),
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
        link=TlsLink(8883, alpn_port=443),
        shared=True,
    )


def _number() -> str:
    number = os.environ.get("IOT_TUTORIAL_ACCOUNT", "")
    if not re.fullmatch("[0-9]{12}", number):
        raise not_connected(
            "Say which AWS account: set IOT_TUTORIAL_ACCOUNT to its 12 digits. "
            "Without IOT_TUTORIAL_TARGET the local sandbox answers, and you need none."
        )
    return number


def _still_signed_in(parsed: dict[str, Any], **_: object) -> None:
    if parsed.get("Error", {}).get("Code") in EXPIRED:
        raise not_connected(
            "Your AWS credentials are not valid any more. Sign in again, run the notebook's first "
            "cell, then this one: what is done stays done."
        )


def amazon_root_ca(bundle: str | None = None) -> str:
    """Return Amazon Root CA 1, PEM, known by its fingerprint.

    Args:
        bundle: Text with certificates in PEM; certifi's where not given.

    Raises:
        LessonError: it is not among them.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/server-authentication.html
    """
    text = Path(certifi.where()).read_text("ascii", "ignore") if bundle is None else bundle
    for pem in re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.S):
        if hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == ROOT_CA_FINGERPRINT:
            return f"{pem}\n"
    raise LessonError(
        "Amazon Root CA 1 is not in the package certifi. Install that again: without it, "
        "nothing tells AWS's endpoint from another's.",
        entry="The endpoint or the root certificate is not the right one",
    )
