"""The data endpoint: where it is, and the messages that are published there by HTTP."""

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import unquote

from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException
from moto.iot.responses import IoTResponse
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox.broker import RefusedError
from sandbox.gaps.operations import Answer, overriding

if TYPE_CHECKING:
    from sandbox.broker import Broker

MQTT_HOST = "localhost"
"""The name of the broker's host: the one in its certificate."""

_OTHERS = {"iot:CredentialProvider": "credentials", "iot:Jobs": "jobs"}


@overriding("describe_endpoint")
def stable_endpoint(request: IoTResponse, moto: Answer) -> ActionResult:
    """Return the same endpoint at every call; moto makes up another.

    The broker's host for data, a local name for the rest.

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


def publish(broker: "Broker", request: IoTDataPlaneResponse) -> str:
    """Answer ``iot-data``'s Publish: the broker delivers the message, moto would only list it.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_Publish.html
    """
    try:
        broker.publish(
            request.current_account,
            request.region,
            unquote(request.path.split("/topics/", 1)[1]),
            request.body,
            qos=int(request._get_param("qos", "0")),
            retain=request._get_param("retain", "false") == "true",
        )
    except RefusedError as problem:
        raise InvalidRequestException(problem.reason) from problem
    return "{}"
