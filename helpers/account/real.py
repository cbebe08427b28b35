"""A real AWS account: only the one that is named, and only what the lesson makes there."""

import hashlib
import os
import re
import ssl
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import botocore.session
import certifi
from botocore.config import Config

from helpers.account import guard, sign_in
from helpers.account.learner import who
from helpers.account.ledger import record_certificates
from helpers.account.model import Account
from helpers.errors import LessonError, not_connected
from sandbox.device import TlsLink

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_iot import IoTClient

COSTS = "https://aws.amazon.com/iot-core/pricing/"
EXPIRED = ("ExpiredToken", "ExpiredTokenException", *sign_in.NOT_KNOWN)
"""What AWS answers when credentials are not valid any more."""
ROOT_CAS = {
    "Amazon Root CA 1": "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "Amazon Root CA 3": "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
}
"""SHA-256 of each, DER."""


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
        LessonError: no account or region is named, AWS IoT is not in that region, or the
            credentials of this machine are for another account, for the root user, or of no use.
    """
    number = _number()
    learner = who()
    session = botocore.session.Session()  # reads nothing yet
    with sign_in.problems_told(session):
        region = sign_in.region(session)
    config = Config(
        region_name=region,
        # 'aws' means AWS: no endpoint of another make, set for other work.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lack it
        retries={"mode": "adaptive", "total_max_attempts": 8},
    )
    signed_in = sign_in.SignedIn(session, region, config, number)
    name = signed_in.check()

    def about_to_sign(**_: object) -> None:
        signed_in.check()

    def client(service: str) -> Any:
        with sign_in.problems_told(session):
            made = session.create_client(service, config=config)
        made.meta.events.register_first(f"before-sign.{service}", about_to_sign)
        return made

    data = partial(client, "iot-data")
    return account(client("iot"), data, number=number, learner=learner, signed_in=name)


def account(iot: "IoTClient", data: Any, *, number: str, learner: str, signed_in: str) -> Account:
    """Build the account that a client answers for, with the guard rails of a real one.

    Args:
        iot: A boto3 ``iot`` client of that account.
        data: Makes an ``iot-data`` client of it.
        number: 12 digits.
        learner: Whose lesson it is: what every name begins with.
        signed_in: Kind and name, as :meth:`helpers.account.sign_in.SignedIn.check` gives them.
    """
    region = iot.meta.region_name
    # The folder's name is shown, so the account's number is not in it.
    digest = hashlib.sha256(number.encode()).hexdigest()[:8]
    keys = Path("keys") / f"aws-{digest}-{region}-{learner}"
    ledger = record_certificates(iot, keys)

    def confined(client: Any) -> Any:
        guard.confine(client, ledger, f"{learner}-")
        client.meta.events.register("after-call", _heard)
        return client

    return Account(
        iot=confined(iot),
        data=cache(lambda: confined(data())),
        line=AwsLine(),
        learner=learner,
        number=number,
        region=region,
        about=(
            f"AWS account ········{number[-4:]}, region {region}, signed in as {signed_in}.\n"
            f"The lesson makes Things, policies and certificates there; their names begin with "
            f"{learner}-, and notebook 04 removes them.\n"
            f"What AWS charges for: {COSTS}{_about_proxy(region)}"
        ),
        root_ca=amazon_root_cas(),
        key_folder=keys,
        link=TlsLink(8883, alpn_port=443),
        shared=True,
    )


def _about_proxy(region: str) -> str:
    """Say what a proxy for HTTPS means; nothing where there is none."""
    if "https" not in getproxies() or proxy_bypass(f"iot.{region}.amazonaws.com"):
        return ""
    return (
        "\nHTTPS goes through a proxy here. A press is MQTT, which no such proxy passes on: it "
        "needs a way to AWS of its own, by port 8883 or 443."
    )


def _number() -> str:
    number = os.environ.get("IOT_TUTORIAL_ACCOUNT", "")
    if not re.fullmatch("[0-9]{12}", number):
        raise not_connected(
            "Say which AWS account: set IOT_TUTORIAL_ACCOUNT to its 12 digits. "
            "Without IOT_TUTORIAL_TARGET the local sandbox answers, and you need none."
        )
    return number


def _heard(parsed: dict[str, Any], **_: object) -> None:
    """Mask what AWS says of an error, before anyone can quote it; end a lesson that it ended."""
    error = parsed.get("Error", {})
    if error.get("Code") in EXPIRED:
        raise not_connected(
            "Your AWS credentials are not valid any more. Sign in again, run the notebook's first "
            "cell, then this one: what is done stays done."
        )
    if "Message" in error:
        error["Message"] = sign_in.masked(error["Message"])


def amazon_root_cas(bundle: str | None = None) -> str:
    """Return Amazon Root CA 1 and 3, PEM, each known by its fingerprint.

    An endpoint's certificate is signed by the one with RSA keys, or by that with elliptic ones.

    Args:
        bundle: Text with certificates in PEM; certifi's where not given.

    Raises:
        LessonError: one is not among them.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/server-authentication.html
    """
    text = Path(certifi.where()).read_text("ascii", "ignore") if bundle is None else bundle
    pems = re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.S)
    found = {hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest(): pem for pem in pems}
    if missing := [name for name, each in ROOT_CAS.items() if each not in found]:
        raise LessonError(
            f"{missing[0]} is not in the package certifi. Install that again: without it, "
            "nothing tells AWS's endpoint from another's.",
            entry="The endpoint or the root certificate is not the right one",
        )
    return "".join(f"{found[each]}\n" for each in ROOT_CAS.values())
