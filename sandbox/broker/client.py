"""A connected client: what each of its packets does."""

import asyncio
from typing import TYPE_CHECKING

from sandbox.broker.admission import check_message, check_subscribe
from sandbox.broker.authority import Authority
from sandbox.broker.endpoint import Endpoint
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.packets import (
    V5,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from sandbox.mqtt.properties import Properties, Property, Value, number
from sandbox.mqtt.reasons import Reason, RefusedError
from sandbox.mqtt.topics import check_filter, check_topic

if TYPE_CHECKING:
    from sandbox.broker.connection import Connection


_REFUSED_BY_PUBACK = (Reason.NOT_AUTHORIZED, Reason.TOPIC_NAME_INVALID, Reason.QUOTA_EXCEEDED)
"""Refusals of a QoS 1 message after which an MQTT 5 client stays connected."""
WHY_LENGTH = 400
"""The most characters that a client is told of why."""
_WHY_PACKET = 2048
"""A client whose packets are smaller is not told why in words."""


class Client:
    """What the broker knows of a connected client, and does for it."""

    def __init__(
        self, connection: "Connection", packet: Connect, endpoint: Endpoint, authority: Authority
    ) -> None:
        asked = packet.properties
        self.version = packet.version
        self.authority = authority
        self.receive_maximum = min(
            number(asked, Property.RECEIVE_MAXIMUM, limits.UNACKNOWLEDGED), limits.UNACKNOWLEDGED
        )
        self.packet_limit = number(asked, Property.MAXIMUM_PACKET_SIZE, limits.PACKET_BYTES)
        self._wants_why = number(asked, Property.REQUEST_PROBLEM_INFORMATION, 1)
        self._connection = connection
        self.send, self.note, self.cut = connection.send, connection.note, connection.cut
        self._endpoint = endpoint
        self._aliases: dict[int, str] = {}
        self._will = packet.will
        self._keep_alive = min(
            packet.keep_alive or limits.KEEP_ALIVE_SECONDS, limits.KEEP_ALIVE_SECONDS
        )
        endpoint.take_over(packet.client_id)
        self.session, present = endpoint.session(
            packet.client_id, authority.certificate_id, clean=packet.clean_start
        )
        self.session.lasts = _session_seconds(packet)
        self.send(
            encoder.connack(self.version, session_present=present, granted=self._granted(packet))
        )
        endpoint.connected[packet.client_id] = self
        self.session.attach(self)

    @property
    def writable(self) -> bool:
        """Whether the client keeps up with what it is sent."""
        return self._connection.writable and not self._connection.closing

    def taken_over(self) -> None:
        """Another connection has come with this client id."""
        self._connection.end(
            RefusedError(Reason.SESSION_TAKEN_OVER, "another connection has this client id now")
        )

    def why(self, error: RefusedError) -> str:
        """The words to send along with a reason code; none to a client that wants none."""
        if not self._wants_why or self.packet_limit < _WHY_PACKET:
            return ""
        return error.reason[:WHY_LENGTH]

    def check(self, silent: float) -> None:
        """Raise RefusedError if the client has said nothing for too long, or may not stay."""
        if silent > 1.5 * self._keep_alive:
            raise RefusedError(
                Reason.KEEP_ALIVE_TIMEOUT,
                f"nothing heard for {silent:.0f} seconds; the keep-alive is {self._keep_alive}",
            )
        self.authority.check_certificate()

    def handle(self, packet: Packet) -> None:
        """Do what *packet* asks, or raise RefusedError."""
        match packet:
            case Publish():
                self._publish(packet)
            case Puback():
                self.session.acknowledge(packet.packet_id)
            case Pingreq():
                self.send(encoder.PINGRESP)
            case Subscribe():
                self._subscribe(packet)
            case Unsubscribe():
                gone = [self._endpoint.unsubscribe(self.session, each) for each in packet.filters]
                codes = [
                    Reason.SUCCESS if each else Reason.NO_SUBSCRIPTION_EXISTED for each in gone
                ]
                self.send(encoder.unsuback(self.version, packet.packet_id, codes))
            case Disconnect():
                self._disconnect(packet)
            case Connect():
                raise RefusedError(Reason.PROTOCOL_ERROR, "a second CONNECT")

    def leave(self) -> None:
        """The connection is over: keep the session or end it, and publish the will."""
        if self.session.link is not self:
            return
        self.session.detach()
        del self._endpoint.connected[self.session.client_id]
        if self._will:
            delay = number(self._will.properties, Property.WILL_DELAY, 0)
            if delay and self.session.lasts:
                later = asyncio.get_running_loop().call_later
                self.session.will = later(min(delay, self.session.lasts), self._publish_will)
            else:
                self._publish_will()
        if not self.session.lasts:
            self._endpoint.end(self.session)

    def _publish(self, packet: Publish) -> None:
        try:
            if packet.properties:
                self._resolve_alias(packet)
            check_message(packet, self.authority)
            self._endpoint.publish(packet, self.session)
        except RefusedError as error:
            if self.version != V5 or packet.qos != 1 or error.code not in _REFUSED_BY_PUBACK:
                raise
            self.note(error)
            why = self.why(error)
            self.send(encoder.puback(self.version, packet.packet_id, error.code, why))
        else:
            if packet.qos:
                self.send(encoder.puback(self.version, packet.packet_id))

    def _resolve_alias(self, packet: Publish) -> None:
        alias = number(packet.properties, Property.TOPIC_ALIAS, 0)
        if not alias:
            return
        if alias > limits.TOPIC_ALIASES:
            raise RefusedError(
                Reason.TOPIC_ALIAS_INVALID, f"topic aliases go up to {limits.TOPIC_ALIASES}"
            )
        if packet.topic:
            check_topic(packet.topic)
            self._aliases[alias] = packet.topic
        elif alias in self._aliases:
            packet.topic = self._aliases[alias]
        else:
            raise RefusedError(Reason.PROTOCOL_ERROR, f"topic alias {alias} stands for no topic")

    def _publish_will(self) -> None:
        will = self._will
        if will is None or not self.authority.active:
            return
        try:
            check_message(will, self.authority)
            self._endpoint.publish(will, self.session)
        except RefusedError as error:
            self.note(error)

    def _subscribe(self, packet: Subscribe) -> None:
        check_subscribe(packet)
        codes: list[int] = []
        granted: list[Subscription] = []
        why = ""
        for subscription in packet.subscriptions:
            try:
                check_filter(subscription.filter)
                self.authority.check("iot:Subscribe", f"topicfilter/{subscription.filter}")
                known = self._endpoint.subscribe(self.session, subscription)
            except RefusedError as error:
                self.note(error)
                codes.append(error.code)
                why = why or self.why(error)
            else:
                codes.append(subscription.qos)
                if subscription.retain_handling == 0 or (
                    subscription.retain_handling == 1 and not known
                ):
                    granted.append(subscription)
        self.send(encoder.suback(self.version, packet.packet_id, codes, why))
        for subscription in granted:
            self._endpoint.send_retained(self.session, subscription)

    def _disconnect(self, packet: Disconnect) -> None:
        if packet.reason != Reason.DISCONNECT_WITH_WILL:
            self._will = None
        lasts = number(packet.properties, Property.SESSION_EXPIRY, self.session.lasts)
        if lasts and not self.session.lasts:
            raise RefusedError(Reason.PROTOCOL_ERROR, "a session that ends now cannot be prolonged")
        self.session.lasts = min(lasts, limits.SESSION_SECONDS_MAX)
        self.leave()
        self._connection.hang_up()

    def _granted(self, packet: Connect) -> Properties:
        granted: dict[Property, Value] = {}
        if packet.assigned:
            granted[Property.ASSIGNED_CLIENT_ID] = packet.client_id
        if packet.keep_alive != self._keep_alive:
            granted[Property.SERVER_KEEP_ALIVE] = self._keep_alive
        if number(packet.properties, Property.SESSION_EXPIRY, 0) != self.session.lasts:
            granted[Property.SESSION_EXPIRY] = self.session.lasts
        return granted


def _session_seconds(packet: Connect) -> int:
    if packet.version != V5:
        return 0 if packet.clean_start else limits.SESSION_SECONDS
    asked = number(packet.properties, Property.SESSION_EXPIRY, 0)
    return min(asked, limits.SESSION_SECONDS_MAX)
