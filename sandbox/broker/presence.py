"""What an endpoint tells of its clients: who comes and goes, and what each subscribes to."""

import json
import time
from collections.abc import Callable
from typing import Any

from sandbox.broker.sessions import Session, Unsaved
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, Publish, ReasonCode, RefusedError


class Presence:
    """Counts the connections of each client, and publishes the lifecycle events.

    AWS says that such an event may come twice, or out of order, and not with which QoS: here with
    1, at least once.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html
    """

    def __init__(self, publish: Callable[[Publish], None]) -> None:
        self._publish = publish
        self._connections: dict[str, tuple[int, float]] = {}
        """By client id: how many it has had, and until when they count."""
        self._connects: dict[str, float] = {}
        """By client id: when a CONNECT was last taken."""

    def check_rate(self, client_id: str) -> None:
        """Raise RefusedError if the client id has connected within the last second.

        AWS does not say whether a CONNECT that it refuses counts too: here it does not.

        Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits
        """
        now = time.monotonic()
        if len(self._connects) >= limits.CONNECTIONS:
            self._connects = {each: when for each, when in self._connects.items() if when > now - 1}
        if self._connects.get(client_id, 0.0) > now - 1:
            raise RefusedError(
                ReasonCode.QUOTA_EXCEEDED,
                "this sandbox is strict: as AWS IoT, it takes one CONNECT a second from a client "
                "id; wait a second",
                action="iot:Connect",
                problem="CONNECT RATE",
            )
        self._connects[client_id] = now

    def count_in(self, session: Session) -> None:
        """Number the connection that a client begins."""
        count, until = self._connections.pop(session.client_id, (0, 0.0))
        session.connection_number = count if until > time.monotonic() else 0
        if len(self._connections) >= limits.SESSIONS:
            del self._connections[next(iter(self._connections))]
        self._connections[session.client_id] = session.connection_number + 1, float("inf")

    def count_out(self, session: Session) -> None:
        """Go on with the numbers if the client comes back while its session would last."""
        until = time.monotonic() + max(session.expiry_seconds, limits.SESSION_SECONDS)
        self._connections[session.client_id] = session.connection_number + 1, until

    def tell_connected(self, session: Session, address: str) -> None:
        """Publish that a client has connected, from an IP address."""
        number = session.connection_number
        self.tell(session, "presence/connected", ipAddress=address, versionNumber=number)

    def tell_disconnected(self, session: Session, reason: str) -> None:
        """Publish that a client's connection has ended, and why."""
        self.tell(
            session,
            "presence/disconnected",
            clientInitiatedDisconnect=reason == "CLIENT_INITIATED_DISCONNECT",
            disconnectReason=reason,
            versionNumber=session.connection_number,
        )

    def tell_failed(
        self, client_id: str, certificate_id: str, thing_name: str, address: str
    ) -> None:
        """Publish that a client was not authorized to connect: it has no session of its own."""
        nobody = Session(client_id, certificate_id, V5, "", Unsaved())
        nobody.thing_name = thing_name
        self.tell(
            nobody,
            "presence/connect_failed",
            connectFailureReason="AUTHORIZATION_FAILED",
            ipAddress=address,
        )

    def tell(self, session: Session, event: str, **more: Any) -> None:
        """Publish a lifecycle event of a client.

        Args:
            session: The client's.
            event: ``presence/connected`` and the like: a part of the topic.
            more: What the event has beside what each of them has.
        """
        client_id = session.client_id
        if "#" in client_id or "+" in client_id:
            return
        said = {
            "clientId": client_id,
            **({"thingName": session.thing_name} if session.thing_name else {}),
            "timestamp": int(time.time() * 1000),
            "eventType": event.partition("/")[2],
            "sessionIdentifier": session.identifier,
            "principalIdentifier": session.certificate_id,
            **more,
        }
        self._publish(Publish(f"$aws/events/{event}/{client_id}", json.dumps(said).encode(), 1))
