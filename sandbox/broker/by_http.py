"""Messages that are published by HTTP: who delivers them, and what AWS IoT does not take."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from sandbox.broker.authority import check_form
from sandbox.broker.endpoint import Endpoint
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.decoder import decode, frames
from sandbox.mqtt.packets import (
    NO_PROPERTIES,
    V5,
    MalformedError,
    Properties,
    Publish,
    ReasonCode,
    RefusedError,
)
from sandbox.mqtt.reserved import service_published_to

Answer = TypeVar("Answer")


class Publisher(ABC):
    """What delivers the messages that come by HTTP: a broker."""

    def __init__(self) -> None:
        self._held: list[tuple[str, str, Publish]] = []

    def hold(self, account: str, region: str, message: Publish) -> None:
        """Hold a message that tells of a change, until it is known whether the change is kept."""
        self._held.append((account, region, message))

    def release(self, *, kept: bool) -> None:
        """Deliver what is held, or forget it: what is not kept has not happened."""
        held, self._held = self._held, []
        for each in held if kept else ():
            self.deliver(*each)

    def publish(
        self,
        account: str,
        region: str,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> None:
        """Deliver a message that came by HTTP.

        Args:
            account: Whose subscribers get it, as far as their iot:Receive allows.
            region: Of the endpoint.
            topic: At most 256 bytes and 7 slashes, without wildcards; none of AWS IoT's own.
            payload: At most 128 KB.
            qos: 0 or 1.
            retain: Whether to keep it for later subscribers.
            properties: Of MQTT 5; at most 8 KB.

        Raises:
            RefusedError: AWS IoT takes no such message, or it is for a service of AWS IoT's that
                the sandbox has not; then its problem is ``UNANSWERED``.

        Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_Publish.html
        """
        message = checked(Publish(topic, payload, qos, retain), properties or NO_PROPERTIES)
        self.deliver(account, region, message)

    def deliver(self, account: str, region: str, message: Publish) -> None:
        """Deliver a message that has been checked.

        Raises:
            RefusedError: it is to be retained, and there is no room.
        """
        self.ask(account, region, lambda endpoint: endpoint.publish(message))

    @abstractmethod
    def ask(self, account: str, region: str, question: Callable[[Endpoint], Answer]) -> Answer:
        """Call *question* with an endpoint, where the broker runs, and return its answer."""


def checked(message: Publish, properties: Properties) -> Publish:
    """Return *message* with its properties as a device's PUBLISH has them.

    By HTTP come text and numbers that MQTT cannot carry: a null character, a text of 64 KB.

    Raises:
        RefusedError: as :meth:`Publisher.publish` has it.
    """
    check_form(message)
    if service := service_published_to(message.topic):
        raise RefusedError(
            ReasonCode.SUCCESS,
            f"the sandbox has no {service}",
            action="iot:Publish",
            problem="UNANSWERED",
        )
    try:
        packet = encoder.publish(
            V5,
            message.topic,
            message.payload,
            packet_id=message.qos,
            retain=message.retain,
            carried=properties,
        )
    except (OverflowError, UnicodeEncodeError) as problem:
        raise MalformedError("a property that MQTT cannot carry") from problem
    ((first, body),) = frames(bytearray(packet), limits.PACKET_BYTES)
    read = decode(first, body, V5)
    assert isinstance(read, Publish)
    return read
