"""The virtual button, and a second device that listens to it.

:func:`press` connects with the button's certificate, publishes one message and disconnects, as a
real button does; :func:`listen` collects messages. Below them is the MQTT connection that both use.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, Queue
from typing import Any, Literal

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.errors import LessonError
from helpers.key_files import KeyFiles, saved

Click = Literal["SINGLE", "DOUBLE", "LONG"]
PATIENCE = 5.0
"""Seconds: how long to wait for a connection, for an answer and, by default, for a message."""


class Refused(LessonError):
    """The broker refused a connection, a message or a subscription."""

    def __init__(self, message: str, explanation: str) -> None:
        super().__init__(message, entry="A press is refused")
        self.explanation = explanation
        """Why, statement by statement; empty on AWS, whose broker does not say."""


@dataclass(frozen=True)
class Device:
    """A device that can connect: its name, its account, and the files of its certificate."""

    account: Account
    name: str
    """The Thing's name, and the client id."""
    serial: str
    files: KeyFiles

    @property
    def topic(self) -> str:
        """The topic that the button with this serial number publishes on."""
        return f"iotbutton/{self.serial}"


@dataclass(frozen=True)
class Message:
    """A message that has arrived."""

    topic: str
    payload: dict[str, Any]
    """What is no JSON object stands under ``text``, as it came."""


def device(account: Account, thing_name: str) -> Device:
    """Return the device of a Thing, ready to connect with the files that are saved for it.

    Raises:
        LessonError: the Thing or its files are missing.
    """
    found = thing.get(account.iot, thing_name)
    files = saved(account.key_folder / thing_name)
    if files is None:
        raise LessonError(
            f"There are no key files for {thing_name!r}: "
            "issue its certificate first (notebook 03).",
            entry="The private key is lost",
        )
    return Device(account, thing_name, found.serial, files)


def make_listener(account: Account, serial: str, name: str) -> Device:
    """Make a device that may listen to one button, and to nothing else.

    What is there already stays as it is.

    Args:
        account: Where to make it.
        serial: The serial number of the button that it listens to.
        name: Its own Thing's name. Its policy has the same name with ``-policy`` after it.

    Returns:
        The device, ready to connect.
    """
    policy_name = f"{name}-policy"
    rights = policy.listener(account.region, account.number, serial, name)
    thing.register(account.iot, name)
    policy.put_in_force(account.iot, policy_name, rights)
    certificate.issue(account, name, policy_name)
    return device(account, name)


def payload(serial: str, click: Click) -> dict[str, str]:
    """Return what a real button sends.

    >>> payload("G030JF055364XVRB", "SINGLE")
    {'serialNumber': 'G030JF055364XVRB', 'batteryVoltage': '2000mV', 'clickType': 'SINGLE'}
    """
    return {"serialNumber": serial, "batteryVoltage": "2000mV", "clickType": click}


def press(button: Device, click: Click = "SINGLE") -> None:
    """Press the button: it publishes what a real one does; see :func:`publish`.

    Args:
        button: The button to press.
        click: ``SINGLE``, ``DOUBLE``, or ``LONG`` for more than 1.5 seconds.
    """
    publish(button, button.topic, payload(button.serial, click))


def publish(device: Device, topic: str, message: dict[str, Any]) -> None:
    """Connect, publish one message, wait for its acknowledgement, disconnect.

    Raises:
        Refused: the connection or the message was refused, or no answer came in 5 seconds.
        LessonError: the certificate's files are gone.
    """
    with _connected(device) as connection:
        connection.client.publish(topic, json.dumps(message), qos=1)
        connection.wait("published", f"publish on {topic}")


class Inbox:
    """The messages that have arrived, oldest first."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    @property
    def empty(self) -> bool:
        """Whether :meth:`next` would have to wait."""
        self._connection.link.catch_up(self._connection.client)
        return self._connection.messages.empty()

    def next(self, timeout: float = PATIENCE) -> Message:
        """Wait for the next message.

        Args:
            timeout: Seconds.

        Raises:
            LessonError: none has arrived in time.
            Refused: the broker has closed the connection.
        """
        try:
            connection = self._connection
            arrived = connection.link.take(connection.client, connection.messages, timeout)
        except Empty:
            within = f" in {timeout:g} seconds" if self._connection.link.waits else ""
            raise LessonError(
                f"No message{within}. Was the button pressed while you listened?",
                entry="A message is published, no error comes, and nothing arrives",
            ) from None
        if isinstance(arrived, str):
            raise self._connection.refused("stay connected", arrived)
        return arrived


@contextmanager
def listen(listener: Device, topic_filter: str) -> Iterator[Inbox]:
    """Subscribe, and collect what arrives until the ``with`` block ends.

    Args:
        listener: The device that listens; its policy must allow it.
        topic_filter: A topic, or a pattern with ``+`` and ``#``.

    Raises:
        Refused: the connection or the subscription was refused.
    """
    with _connected(listener) as connection:
        connection.client.subscribe(topic_filter, qos=1)
        connection.wait("subscribed", f"subscribe to {topic_filter}")
        yield Inbox(connection)


class _Connection:
    """One MQTT 5 connection. Any problem ends it: it never connects a second time."""

    def __init__(self, device: Device) -> None:
        self.messages: Queue[Message | str] = Queue()
        """What has arrived; at the end, the reason why the connection ended."""
        self._device = device
        self.link = device.account.link
        self._events: Queue[tuple[str, str]] = Queue()
        self._since = datetime.now(UTC)
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=device.name,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.connect_timeout = PATIENCE
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self._tell("connected", [reason])
        self.client.on_publish = lambda _c, _u, _m, reason, _p: self._tell("published", [reason])
        self.client.on_subscribe = lambda _c, _u, _m, reasons, _p: self._tell("subscribed", reasons)
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self._end(reason)
        self.client.on_message = lambda _c, _u, message: self._take(message)

    def open(self) -> None:
        account = self._device.account
        endpoint = account.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
        files = self._device.files.existing()
        try:
            self.link.open(
                self.client,
                endpoint,
                certificate=files.certificate,
                private_key=files.private_key,
                root_ca=files.root_ca,
            )
        except (OSError, ValueError) as problem:
            raise self.refused("connect", str(problem)) from problem
        self.wait("connected", "connect")

    def wait(self, event: str, doing: str) -> None:
        """Wait for the broker's answer; raise :class:`Refused` if it is a no, or does not come."""
        try:
            happened, reason = self.link.take(self.client, self._events, PATIENCE)
        except Empty:
            raise self.refused(doing, f"no answer in {PATIENCE:g} seconds") from None
        if happened != event:
            raise self.refused(doing, reason)

    def _tell(self, event: str, reasons: list[ReasonCode]) -> None:
        failure = next((str(reason) for reason in reasons if reason.is_failure), None)
        self._events.put(("refused", failure) if failure else (event, ""))

    def _take(self, message: MQTTMessage) -> None:
        try:
            self.messages.put(_read(message))
        except Exception as problem:  # it would end paho's thread, and nobody would know
            self.messages.put(f"{type(problem).__name__}: {problem}")

    def _end(self, reason: ReasonCode) -> None:
        self._events.put(("ended", str(reason)))
        self.messages.put(str(reason))

    def refused(self, doing: str, reason: str) -> Refused:
        """Return the error for what the broker refused, with its reasons where it gives them."""
        why = [
            each
            for each in self._device.account.refusals()
            if each.client_id == self._device.name and each.when >= self._since
        ]
        if not why:
            return Refused(f"{self._device.name} could not {doing}: {reason}.", "")
        told = f"{self._device.name} could not {doing}: {reason}. {why[-1].reason}"
        return Refused(told, why[-1].explanation)


@contextmanager
def _connected(device: Device) -> Iterator[_Connection]:
    connection = _Connection(device)
    try:
        connection.open()
        yield connection
    finally:
        connection.link.close(connection.client)


def _read(message: MQTTMessage) -> Message:
    # Anyone whom a policy allows may publish anything: text, a list, bytes that are no text.
    text = message.payload.decode(errors="replace")
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    return Message(message.topic, read if isinstance(read, dict) else {"text": text})
