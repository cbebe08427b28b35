"""Where the data endpoint is: moto makes up another host at each call."""

import hashlib

from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException
from moto.iot.responses import IoTResponse

from sandbox.gaps.filling import Answer, fills

MQTT_HOST = "localhost"
"""The name of the broker's host, which its certificate holds."""

_OTHERS = {"iot:CredentialProvider": "credentials", "iot:Jobs": "jobs"}


@fills("describe_endpoint")
def stable_endpoint(request: IoTResponse, moto: Answer) -> ActionResult:
    """The same endpoint at every call: the broker's host for data, a local name for the rest.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DescribeEndpoint.html
    """
    kind = request._get_param("endpointType") or "iot:Data"
    if kind in ("iot:Data", "iot:Data-ATS"):
        return ActionResult({"endpointAddress": MQTT_HOST})
    if kind not in _OTHERS:
        raise InvalidRequestException(f"Endpoint type {kind} not recognized.")
    owner = f"{request.current_account}/{request.region}"
    prefix = hashlib.sha256(owner.encode()).hexdigest()[:14]
    # Names under .localhost never leave the machine (RFC 6761).
    return ActionResult({"endpointAddress": f"{prefix}.{_OTHERS[kind]}.iot.localhost"})
