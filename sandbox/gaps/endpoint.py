"""The data endpoint: where it is, and the messages that are published there by HTTP."""

import hashlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException
from moto.iot.responses import IoTResponse
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox.gaps.errors import ThrottlingException
from sandbox.gaps.operations import Answer, overriding
from sandbox.gaps.served import NotImplementedException
from sandbox.mqtt.packets import Properties, Property, ReasonCode, RefusedError
from sandbox.mqtt.topics import check_topic

if TYPE_CHECKING:
    from sandbox.broker.by_http import Publisher

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


def publish(broker: "Publisher", request: IoTDataPlaneResponse) -> str:
    """Answer ``iot-data``'s Publish: the broker delivers the message, moto would only list it.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_Publish.html
    """
    try:
        broker.publish(
            request.current_account,
            request.region,
            request._get_param("topic"),
            request._get_param("payload") or b"",
            qos=request._get_param("qos", 0),
            retain=request._get_param("retain", False),
            properties=_properties(request),
        )
    except RefusedError as problem:
        if problem.problem == "UNANSWERED":
            raise NotImplementedException(
                "Publish's topic where another service listens"
            ) from problem
        if problem.code is ReasonCode.QUOTA_EXCEEDED:
            raise ThrottlingException(problem.reason) from problem
        raise InvalidRequestException(problem.reason) from problem
    return "{}"


_FORMATS = {None: None, "UNSPECIFIED_BYTES": 0, "UTF8_DATA": 1}


def _properties(request: IoTDataPlaneResponse) -> Properties:
    """Read the MQTT 5 properties of a message; the broker refuses what MQTT cannot carry."""
    given: dict[Property, Any] = {
        Property.PAYLOAD_FORMAT: _FORMATS[request._get_param("payloadFormatIndicator")],
        Property.MESSAGE_EXPIRY: request._get_param("messageExpiry"),
        Property.CONTENT_TYPE: request._get_param("contentType"),
        Property.RESPONSE_TOPIC: request._get_param("responseTopic"),
        Property.CORRELATION_DATA: _decoded(request._get_param("correlationData")),
        Property.USER_PROPERTY: _pairs(request._get_param("userProperties")),
    }
    properties = {name: value for name, value in given.items() if value is not None}
    if Property.RESPONSE_TOPIC in properties:
        check_topic(properties[Property.RESPONSE_TOPIC])
    return properties


def _decoded(text: str | None) -> bytes | None:
    try:
        return None if text is None else b64decode(text, validate=True)
    except ValueError as problem:
        raise InvalidRequestException("correlationData is Base64") from problem


def _pairs(listed: Any) -> list[tuple[str, str]] | None:
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise InvalidRequestException("userProperties is an array of objects")
    pairs = [pair for each in listed for pair in each.items()]
    if not all(isinstance(value, str) for _, value in pairs):
        raise InvalidRequestException("The values of userProperties are strings")
    return pairs
