"""Who is signed in to AWS on this machine, and where: each mistake of its set-up in a sentence."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from json import JSONDecodeError
from typing import Any

from botocore import exceptions as raised
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers.errors import LessonError, not_connected
from iot_policy import split_arn

NOT_KNOWN = ("InvalidClientTokenId", "UnrecognizedClientException")
"""What AWS answers to credentials that it does not know, or not in this region."""
ALWAYS_ENABLED = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""By partition: a region that each of its accounts has."""
_AGAIN = "then run this cell again"
_HALF = "Half a key pair: {} is missing{}. Give both halves, or neither."
_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{8}([0-9]{4})(?![0-9A-Za-z])")


def masked(text: str) -> str:
    """Leave of each account's number its last four digits.

    >>> masked("User: arn:aws:iam::123456789012:user/zoe is not authorized")
    'User: arn:aws:iam::········9012:user/zoe is not authorized'
    """
    return _NUMBER.sub(r"········\1", text)


def region(session: Any) -> str:
    """Return the region that is asked for: one in which botocore knows an AWS IoT.

    Args:
        session: A botocore session.

    Raises:
        LessonError: none is named, or it is not one of those.
    """
    named = (
        os.environ.get("IOT_TUTORIAL_REGION")
        or os.environ.get("AWS_REGION")
        or session.get_config_variable("region")  # AWS_DEFAULT_REGION, or the profile's
    )
    if not named:
        raise not_connected("Say in which region: set IOT_TUTORIAL_REGION, such as eu-west-1.")
    with_iot, with_sts = (_regions(session, service) for service in ("iot", "sts"))
    if named in with_iot:
        return str(named)
    if named in with_sts:
        raise not_connected(
            f"There is no AWS IoT in the region {named}: set IOT_TUTORIAL_REGION to another one."
        )
    near = get_close_matches(named.lower(), with_iot, n=1, cutoff=0.8)
    better = near[0] if near else "one that it has, such as eu-west-1"
    raise not_connected(f"AWS has no region {named!r}: set IOT_TUTORIAL_REGION to {better}.")


def _regions(session: Any, service: str) -> list[str]:
    partitions = session.get_available_partitions()
    return [each for name in partitions for each in session.get_available_regions(service, name)]


class SignedIn:
    """Who is signed in; AWS is asked again whenever the machine has other credentials."""

    def __init__(self, session: Any, region: str, config: Config, number: str) -> None:
        """Set up, without a call.

        Args:
            session: A botocore session.
            region: Where the lesson is.
            config: How AWS is asked.
            number: The account that was named: 12 digits.
        """
        self._session = session
        self._region = region
        self._config = config
        self._number = number
        self._key = self._name = ""

    def check(self) -> str:
        """Check that it is to the account that was named.

        Returns:
            Kind and name, without the account: ``user/zoe``, ``assumed-role/Student/zoe``.

        Raises:
            LessonError: it is another account, or its root user, or nobody is signed in.

        Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
        """
        with problems_told(self._session):
            credentials = self._session.get_credentials()
            if credentials is None:
                raise raised.NoCredentialsError
            key = credentials.get_frozen_credentials().access_key
            if key != self._key:
                self._name = self._allowed(self._identity(self._region))
                self._key = key
        return self._name

    def _allowed(self, identity: dict[str, str]) -> str:
        arn = split_arn(identity["Arn"])
        signed_in = arn.resource if arn else identity["Arn"]
        if identity["Account"] != self._number:
            raise not_connected(
                f"The credentials of this machine are for the account that ends in "
                f"{identity['Account'][-4:]}, and IOT_TUTORIAL_ACCOUNT ends in "
                f"{self._number[-4:]}. Nothing was done: sign in to the account that you named."
            )
        if signed_in == "root":
            raise not_connected(
                "The account's root user is signed in, and may do everything. Nothing was done: "
                "sign in as a user or role that has the lesson's own policy "
                "(workshop/student-policy.json)."
            )
        return signed_in

    def _identity(self, here: str) -> dict[str, str]:
        try:
            return self._ask(here)
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in NOT_KNOWN:
                raise
            partition = self._session.get_partition_for_region(here)
            if self._known_in(ALWAYS_ENABLED.get(partition, here), here):
                raise not_connected(
                    f"AWS knows you, but your account has not enabled the region {here}. Enable it "
                    "in AWS's console (Account, AWS Regions), or set IOT_TUTORIAL_REGION to one."
                ) from problem
            if self._known_in(ALWAYS_ENABLED["aws"], here):
                raise not_connected(
                    f"The region {here} is of another partition, {partition}, whose accounts are "
                    "not yours. Set IOT_TUTORIAL_REGION to a region of your own account."
                ) from problem
            raise

    def _known_in(self, region: str, here: str) -> bool:
        try:
            return region != here and bool(self._ask(region))
        except ClientError:
            return False

    def _ask(self, region: str) -> dict[str, str]:
        sts = self._session.create_client("sts", region_name=region, config=self._config)
        answer: dict[str, str] = sts.get_caller_identity()
        return answer


@contextmanager
def problems_told(session: Any) -> Iterator[None]:
    """Say in one sentence what is wrong with the machine's set-up, and what to do.

    Args:
        session: The botocore session that is set up.

    Raises:
        LessonError: for whatever else the block raises.
    """
    try:
        yield
    except LessonError:
        raise
    except Exception as problem:  # what gives credentials raises what it likes
        raise not_connected(masked(_in_words(problem, session))) from problem


def _in_words(problem: Exception, session: Any) -> str:
    said = " ".join(str(problem).split()).rstrip(".") or type(problem).__name__
    about = getattr(problem, "kwargs", {})
    match problem:
        case raised.ProfileNotFound():
            return (
                f"There is no profile {about['profile']!r}: set AWS_PROFILE to one that `aws "
                "configure list-profiles` names, or unset it."
            )
        case raised.ConfigParseError():
            return (
                f"AWS's file {about['path']} cannot be read: put it right, or move it away and "
                "run `aws configure`."
            )
        case raised.PartialCredentialsError():
            return _HALF.format(about["cred_var"], f" ({about['provider']})")
        case raised.NoCredentialsError():
            settings = session.get_scoped_config()
            if "AWS_SECRET_ACCESS_KEY" in os.environ or "aws_secret_access_key" in settings:
                return _HALF.format("aws_access_key_id", "")
            return f"Nobody is signed in to AWS on this machine. Sign in, {_AGAIN}."
        case raised.SSOError() | raised.TokenRetrievalError() | raised.LoginError():
            return f"Your sign-in to AWS has ended. Run `aws sso login`, {_AGAIN}. ({said}.)"
        case raised.HTTPClientError() | raised.ConnectionError():
            return f"AWS is not reached: {said}. Look at network and proxy, {_AGAIN}."
        case ClientError():
            return f"AWS does not say who is signed in: {said}. Sign in, {_AGAIN}."
        case raised.CredentialRetrievalError() | OSError() | RuntimeError() | JSONDecodeError():
            return (
                f"What gives credentials on this machine failed: {said}. Run `aws sts "
                f"get-caller-identity` in a terminal until it answers, {_AGAIN}."
            )
    return (
        f"A setting for AWS on this machine is not valid: {said}. Look at the AWS_ variables and "
        f"at ~/.aws/config, {_AGAIN}."
    )
