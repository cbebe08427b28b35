"""Messages published by HTTP: moto puts them on a list, the broker delivers them."""

from collections.abc import Callable
from typing import Protocol
from urllib.parse import unquote

from moto.iot.exceptions import InvalidRequestException
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox.broker import RefusedError


class Publish(Protocol):
    """What the broker offers: see :meth:`sandbox.broker.Broker.publish`."""

    def __call__(
        self, account: str, region: str, topic: str, payload: bytes, *, qos: int, retain: bool
    ) -> None:
        """Deliver one message."""


def delivered(publish: Publish) -> Callable[[IoTDataPlaneResponse], str]:
    """Make the method that answers ``iot-data``'s Publish.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_Publish.html
    """

    def answer(request: IoTDataPlaneResponse) -> str:
        topic = unquote(request.path.split("/topics/", 1)[1])
        qos = int(request._get_param("qos", "0"))
        retain = request._get_param("retain", "false") == "true"
        try:
            publish(
                request.current_account,
                request.region,
                topic,
                request.body,
                qos=qos,
                retain=retain,
            )
        except RefusedError as problem:
            raise InvalidRequestException(problem.reason) from problem
        return "{}"

    return answer
