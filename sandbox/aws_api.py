"""AWS's API, as moto answers it: one request in, one answer out, in AWS's form whatever happens."""

import json
import logging
from functools import partial
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.iot.models import iot_backends
from moto.iot.responses import IoTResponse
from moto.iotdata.responses import IoTDataPlaneResponse
from moto.sts.responses import TokenResponse
from werkzeug.wrappers import Response

from sandbox.errors import AwsError
from sandbox.process import ACCOUNT

ACCOUNT_HEADER = "HTTP_X_MOTO_ACCOUNT_ID"
"""Where moto looks for the account. The front door sets it, whatever the client sent."""
SERVICES: dict[str, type[BaseResponse]] = {
    "iot": IoTResponse,
    "iotdata": IoTDataPlaneResponse,
    "iotdevicegateway": IoTDataPlaneResponse,  # as AWS's guide has it where no SDK signs
    "sts": TokenResponse,
}
"""By the name in a request's signature."""

_log = logging.getLogger("sandbox")


class Signature(NamedTuple):
    """What a request's signature says. Nobody checks it: what it names is what counts."""

    access_key: str
    region: str
    service: str

    @classmethod
    def read(cls, authorization: str) -> "Signature":
        """Read an ``Authorization`` header; what it does not say is empty.

        >>> Signature.read("AWS4-HMAC-SHA256 Credential=ME/20171001/eu-west-1/iot/aws4_request, …")
        Signature(access_key='ME', region='eu-west-1', service='iot')

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
        """
        parts = authorization.partition("Credential=")[2].split("/")
        access_key, _, region, service, *_ = [*parts, "", "", ""]
        return cls(access_key, region, service)


class _Request(Request):
    from_wsgi_server = True  # the server sets the date


def answer(environ: dict[str, Any]) -> Response:
    """Answer a request to AWS's API.

    Args:
        environ: The request, as WSGI has it.

    Raises:
        AwsError: the request cannot be answered: AWS would not, or moto failed.
    """
    # moto tells an encoded slash from another by this name for what waitress calls REQUEST_URI.
    environ.setdefault("RAW_URI", environ.get("REQUEST_URI", ""))
    signature = Signature.read(environ.get("HTTP_AUTHORIZATION", ""))
    _check(signature)
    moto = SERVICES[signature.service]()
    if signature.service != "sts":
        # AWS takes a body as it is sent; moto would unpack forms and gzip, at whatever size.
        for name in ("CONTENT_TYPE", "HTTP_CONTENT_ENCODING"):
            environ.pop(name, None)
    request = _Request(environ)
    try:
        _read(moto, request, signature)
        status, headers, body = moto.call_action()
    except AwsError:
        raise
    except Exception as problem:
        what = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        raise failure(what, problem) from problem
    # moto says that Amazon's server answers, which it does not; waitress then names itself, too.
    sent = {name: value for name, value in headers.items() if name.lower() != "server"}
    return Response(body, status, sent, mimetype="application/json")


def failure(what: str, problem: Exception) -> AwsError:
    """Log what nobody foresaw, and return the error that says so: it is the sandbox's fault."""
    _log.error("%s failed: %r", what, problem, exc_info=_log.isEnabledFor(logging.DEBUG))
    return AwsError(
        500, "InternalFailureException", f"The sandbox failed at {what}; its log says more."
    )


def refusal(problem: AwsError, environ: dict[str, Any]) -> Response:
    """Return the answer that refuses a request in AWS's form: JSON, of STS XML."""
    headers = {"X-Amzn-ErrorType": problem.code}
    if Signature.read(environ.get("HTTP_AUTHORIZATION", "")).service == "sts":
        said = f"<Code>{problem.code}</Code><Message>{escape(problem.message)}</Message>"
        body, kind = f"<ErrorResponse><Error>{said}</Error></ErrorResponse>", "text/xml"
    else:
        body, kind = json.dumps({"message": problem.message}), "application/json"
    return Response(body, problem.status, headers, mimetype=kind)


def _check(signature: Signature) -> None:
    region, service = signature.region, signature.service
    if service not in SERVICES:
        served = ", ".join(SERVICES)
        raise AwsError(
            403,
            "AccessDeniedException",
            f"The sandbox serves {served}; the request is signed for {service or 'nothing'}.",
        )
    if region not in iot_backends[ACCOUNT].regions:
        raise AwsError(
            403,
            "InvalidSignatureException",
            f"Credential should be scoped to a valid Region, not {region!r}.",
        )


def _read(moto: BaseResponse, request: Request, signature: Signature) -> None:
    """Hand *moto* the request, and refuse what is for none of the operations."""
    if signature.service == "sts":
        if request.values.get("Action") != "GetCallerIdentity":
            raise AwsError(
                403, "AccessDeniedException", "Of STS the sandbox serves GetCallerIdentity alone."
            )
    else:
        # AWS goes by method and path; moto by a parameter or a header named Action, too.
        moto._get_action = partial(  # type: ignore[method-assign]
            moto._get_action_from_method_and_request_uri, request
        )
        if not moto._get_action():
            raise AwsError(
                404, "UnknownOperationException", f"AWS has no {request.method} {request.path}."
            )
    # moto takes the Region from the first of AWS's names that it finds in the URL.
    query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
    url = f"https://{signature.service}.{signature.region}.amazonaws.com{request.raw_path}{query}"
    moto.setup_class(request, url, request.headers)
