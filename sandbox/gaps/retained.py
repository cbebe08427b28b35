"""What iot-data tells of retained messages, and how it ends a connection; moto has neither."""

import json
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.iot.exceptions import ResourceNotFoundException
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox.mqtt.packets import Property

if TYPE_CHECKING:
    from sandbox.broker.by_http import Publisher
    from sandbox.broker.endpoint import Endpoint, Retained


def get_retained_message(broker: "Publisher", request: IoTDataPlaneResponse) -> ActionResult:
    """Answer the retained message of a topic.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_GetRetainedMessage.html
    """
    found = _retained(broker, request).get(request._get_param("topic"))
    if found is None:
        raise ResourceNotFoundException()
    message = found.message
    answer = _summary(found) | {"payload": message.payload}
    pairs = message.properties.get(Property.USER_PROPERTY)
    if isinstance(pairs, list):
        answer["userProperties"] = json.dumps([{key: value} for key, value in pairs]).encode()
    return ActionResult(answer)


def list_retained_messages(broker: "Publisher", request: IoTDataPlaneResponse) -> ActionResult:
    """List the topics that have a retained message.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_ListRetainedMessages.html
    """
    found = _retained(broker, request).values()
    return ActionResult(
        {
            "retainedTopics": [
                _summary(each) | {"payloadSize": len(each.message.payload)} for each in found
            ]
        }
    )


def delete_connection(broker: "Publisher", request: IoTDataPlaneResponse) -> ActionResult:
    """End a client's connection, and its session and its will if that is asked for.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_DeleteConnection.html
    """

    def disconnect(endpoint: "Endpoint") -> bool:
        return endpoint.disconnect(
            request._get_param("clientId"),
            clean_session=request._get_param("cleanSession", False),
            prevent_will=request._get_param("preventWillMessage", False),
        )

    if not broker.ask(request.current_account, request.region, disconnect):
        raise ResourceNotFoundException()
    return ActionResult({})


def _retained(broker: "Publisher", request: IoTDataPlaneResponse) -> "dict[str, Retained]":
    return broker.ask(
        request.current_account,
        request.region,
        lambda endpoint: {
            topic: kept for topic, kept in endpoint.retained.items() if not kept.expired
        },
    )


def _summary(kept: "Retained") -> dict[str, Any]:
    return {
        "topic": kept.message.topic,
        "qos": kept.message.qos,
        "lastModifiedTime": int(kept.modified * 1000),
    }
