"""Signature Version 4 in a query string: whose credentials have signed a WebSocket's upgrade.

botocore signs the request anew, and the two signatures have to be the same. AWS IoT leaves the
security token out of what is signed; its clients add it afterwards.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html (which port asks for
it) and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
"""

import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from botocore.auth import SIGV4_TIMESTAMP, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from moto.iot.models import iot_backends

from sandbox.broker.link import Signer
from sandbox.mqtt.packets import ReasonCode, RefusedError

SECRET = "sandbox"  # noqa: S105  README names it: who may come is told apart by the access key id
"""The secret access key that belongs to each access key id."""
SERVICE = "iotdevicegateway"
SECONDS = 300
"""How far the date of a signature may be from now.

AWS asks for five minutes of a request, and for 1 to 604800 seconds in ``X-Amz-Expires``; which of
the two counts is not documented for AWS IoT. Users report that a URL for two days lasts minutes:
https://github.com/aws/aws-sdk-js/issues/2254
"""
_EXPIRES_MAX = 604_800
_NEEDED = "Algorithm", "Credential", "Date", "SignedHeaders", "Signature"
_NOT_SIGNED = "X-Amz-Signature", "X-Amz-Security-Token"

AccountOf = Callable[[str], str | None]
"""Returns the account that an access key id opens; ``None`` where it opens none."""


class _Signer(SigV4QueryAuth):
    """Signs the headers that the client has signed: AWS's device SDK signs ``connection``, too."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        headers: HTTPHeaders = request.headers
        return headers


def signer_of(target: str, headers: Mapping[str, str], account_of: AccountOf) -> Signer:
    """Return whose credentials have signed a GET request.

    Args:
        target: Its path and query.
        headers: By their names in lower case.
        account_of: Knows the access keys.

    Raises:
        RefusedError: nobody's have, or not now.
    """
    path, _, query = target.partition("?")
    asked = parse_qsl(query, keep_blank_values=True)
    said = dict(asked)
    missing = [f"X-Amz-{each}" for each in _NEEDED if f"X-Amz-{each}" not in said]
    if missing:
        raise _no(f"the URL is not signed, it has no {missing[0]}: sign it with SigV4 in the query")
    if len(said) < len(asked):
        raise _no("a parameter of the query is there twice: sign each once")
    access_key, region = _scope(said)
    account = account_of(access_key)
    if account is None:
        raise _no("the access key id is nobody's here: take the one that you were given")
    if region not in iot_backends[account].regions:
        raise _no(f"AWS IoT is not in the Region of the signature, {region!r}")
    _check_time(said)
    signed = said["X-Amz-SignedHeaders"].split(";")
    if "host" not in signed or not headers.keys() >= set(signed):
        raise _no("the signature has to cover the host header, and none that is not sent")
    request = AWSRequest(
        "GET",
        f"https://localhost{path}",
        {name: headers[name] for name in signed},
        params={name: said[name] for name in said if name not in _NOT_SIGNED},
    )
    request.context["timestamp"] = said["X-Amz-Date"]
    botocores = _Signer(Credentials(access_key, SECRET), SERVICE, region)
    text = botocores.string_to_sign(request, botocores.canonical_request(request))
    expected = botocores.signature(text, request)
    if not hmac.compare_digest(expected.encode(), said["X-Amz-Signature"].encode()):
        raise _no(
            f"the signature does not match: sign with the secret access key {SECRET}, for the host "
            f"as it is sent ({headers['host']}), and add a security token after that"
        )
    return Signer(access_key, account, region)


def _scope(said: Mapping[str, str]) -> tuple[str, str]:
    """Return access key id and Region."""
    access_key, _, scope = said["X-Amz-Credential"].partition("/")
    date, _, rest = scope.partition("/")
    region, _, rest = rest.partition("/")
    wanted = f"{SERVICE}/aws4_request"
    if said["X-Amz-Algorithm"] != "AWS4-HMAC-SHA256":
        raise _no("AWS IoT takes the algorithm AWS4-HMAC-SHA256")
    if rest != wanted or date != said["X-Amz-Date"][:8]:
        raise _no(f"the scope of the signature is {scope!r}: it has to be DATE/REGION/{wanted}")
    return access_key, region


def _check_time(said: Mapping[str, str]) -> None:
    try:
        date = datetime.strptime(said["X-Amz-Date"], SIGV4_TIMESTAMP).replace(tzinfo=UTC)
        expires = int(said.get("X-Amz-Expires", SECONDS))
    except ValueError as problem:
        raise _no(f"the time of the signature cannot be read: {problem}") from problem
    if not 1 <= expires <= _EXPIRES_MAX:
        raise _no(f"X-Amz-Expires is {expires}: it has to be 1 to {_EXPIRES_MAX} seconds")
    age = datetime.now(UTC) - date
    if age > timedelta(seconds=min(expires, SECONDS)) or age < -timedelta(seconds=SECONDS):
        raise _no(
            f"the signature is of {said['X-Amz-Date']}, and it is now {datetime.now(UTC):%H:%M:%S} "
            f"UTC: it counts for {min(expires, SECONDS)} seconds; sign again, by the right clock"
        )


def _no(reason: str) -> RefusedError:
    return RefusedError(ReasonCode.NOT_AUTHORIZED, reason, action="WebSocket")
