"""MQTT over WebSocket: a link on a link. wsproto has the protocol; this asks who may come.

What follows the upgrade is MQTT's stream of bytes, cut into binary frames as the client likes.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#mqtt-ws and section 6 of
https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html
"""

import json
from dataclasses import replace
from http import HTTPStatus

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    RejectData,
    Request,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError

from sandbox.broker.link import Accept, Link, Peer
from sandbox.broker.signature import AccountOf, signer_of
from sandbox.front_door import is_here
from sandbox.mqtt.packets import ReasonCode, RefusedError

PATH = "/mqtt"
SUBPROTOCOL = "mqtt"
_PLAIN = 0x82
"""The first byte of a frame that is a whole binary message."""
_ONLY = (
    "this port takes MQTT over WebSocket (GET /mqtt) alone; a device with a certificate goes to "
    "the MQTT port, and in place of HTTPS publish the sandbox has iot-data's Publish"
)


class WebSocketLink:
    """Carries MQTT in a WebSocket over another link; see :mod:`sandbox.broker.link`.

    To the link below it is the handler, and to the connection it is the link.
    """

    def __init__(self, below: Link, accept: Accept, account_of: AccountOf) -> None:
        self._below = below
        self._account_of = account_of
        self._socket = WSConnection(ConnectionType.SERVER)
        self._peer: Peer | None = None
        self._plain = False
        self._unread = bytearray()
        self._reading = False
        self._answers = b""
        # From here on it counts as a connection, and has its time like any other.
        self._handler = accept(self)

    @property
    def writable(self) -> bool:
        """Whether the peer keeps up with what it is sent."""
        return self._below.writable

    @property
    def closing(self) -> bool:
        """Whether the link is hung up."""
        return self._below.closing

    def send(self, data: bytes) -> None:
        """Send *data* in a frame, with all else that answers what is being received."""
        self._answers += data
        if not self._reading:
            self._flush()

    def hang_up(self) -> None:
        """Send what waits, then a Close frame, and hang up below."""
        self._close(CloseReason.NORMAL_CLOSURE)

    def abort(self) -> None:
        """Close at once; what waits is lost."""
        self._below.abort()

    def opened(self, peer: Peer) -> None:
        """Wait for the upgrade: it says who signs for *peer*."""
        self._peer = peer

    def failed(self, error: RefusedError) -> None:
        """Pass on why the link can be used no more."""
        self._handler.failed(error)

    def received(self, data: bytes) -> None:
        """Act on what comes: the upgrade first, then frames."""
        self._reading = True
        try:
            if self._plain:
                self._unread += data
                self._take_plain()
                if self._plain or self.closing:
                    return
                data = bytes(self._unread)
                self._unread.clear()
            self._socket.receive_data(data)
            for event in self._socket.events():
                self._act(event)
                if self.closing:
                    return
        except RefusedError as error:
            self._refuse(error)
        except (RemoteProtocolError, UnicodeError) as error:  # UnicodeError: of a header
            self._refuse(_breach(f"{error}: {_ONLY}"))
        finally:
            self._reading = False
            self._flush()

    def caught_up(self) -> None:
        """Pass on that the link is writable again."""
        self._handler.caught_up()

    def left(self) -> None:
        """Pass on that the peer has gone without a Close frame."""
        self._handler.left()

    def signed_off(self) -> None:
        """Pass on that the link below has said good-bye for the peer."""
        self._handler.signed_off()

    def closed(self) -> None:
        """Pass on that the link is gone."""
        self._handler.closed()

    def _flush(self) -> None:
        data, self._answers = self._answers, b""
        if not data or self._socket.state is not ConnectionState.OPEN:
            return  # the link is hung up, perhaps
        if len(data) < 126:
            self._below.send(bytes((_PLAIN, len(data))) + data)
        else:
            self._below.send(self._socket.send(BytesMessage(data)))

    def _take_plain(self) -> None:
        """Act on plain frames, each a whole binary message, up to the first that is another.

        A client of MQTT sends hardly anything else, and wsproto takes 15 µs for a frame: more than
        the broker for the message in it. From the first other frame on, wsproto has them all.
        """
        data, at, packets = self._unread, 0, b""
        while at + 2 <= len(data):
            long = data[at + 1] == 0xFE  # its size is in the next two bytes
            size = int.from_bytes(data[at + 2 : at + 4], "big") if long else data[at + 1] - 0x80
            if data[at] != _PLAIN or not (size >= 126 if long else 0 < size < 126):
                self._plain = False
                break
            start = at + (8 if long else 6)
            end = start + size
            if end > len(data):
                break
            mask = (data[start - 4 : start] * (size // 4 + 1))[:size]
            found = int.from_bytes(data[start:end], "big") ^ int.from_bytes(mask, "big")
            packets += found.to_bytes(size, "big")
            at = end
        del data[:at]
        if packets:
            self._handler.received(packets)

    def _act(self, event: Event) -> None:
        if isinstance(event, BytesMessage):
            if event.data:  # an empty frame is no sign of life
                self._handler.received(bytes(event.data))
        elif isinstance(event, Ping):
            self._below.send(self._socket.send(event.response()))
        elif isinstance(event, Request):
            self._upgrade(event)
        elif isinstance(event, CloseConnection):
            self._part(event)
        elif isinstance(event, Message):
            raise _breach("a text frame: MQTT comes in binary ones")

    def _upgrade(self, request: Request) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in request.extra_headers
        }
        headers["host"] = request.host
        origin = headers.get("origin")
        if origin is not None and not is_here(origin.partition("://")[2]):
            raise RefusedError(
                ReasonCode.NOT_AUTHORIZED,
                "the sandbox answers no web page of another host",
                action="WebSocket",
            )
        if request.target.partition("?")[0] != PATH:
            raise _breach(_ONLY)
        if SUBPROTOCOL not in request.subprotocols:
            raise _breach(f"the client asks for no subprotocol {SUBPROTOCOL}")
        assert self._peer
        signer = signer_of(request.target, headers, self._account_of)
        self._below.send(self._socket.send(AcceptConnection(subprotocol=SUBPROTOCOL)))
        self._plain = True
        self._handler.opened(replace(self._peer, signer=signer))

    def _part(self, event: CloseConnection) -> None:
        if self._socket.state is not ConnectionState.REMOTE_CLOSING:
            raise _breach(event.reason or "no WebSocket frame")
        self._handler.signed_off()
        self._close(CloseReason.NORMAL_CLOSURE)

    def _refuse(self, error: RefusedError) -> None:
        """Record a refusal, tell the peer, and hang up."""
        self._handler.failed(error)
        if self._socket.state is ConnectionState.CONNECTING:
            refused = error.code == ReasonCode.NOT_AUTHORIZED
            status = HTTPStatus.FORBIDDEN if refused else HTTPStatus.BAD_REQUEST
            body = json.dumps({"message": error.reason}).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            for part in (RejectConnection(status, headers, has_body=True), RejectData(body)):
                self._below.send(self._socket.send(part))
        self._close(CloseReason.PROTOCOL_ERROR)

    def _close(self, code: CloseReason) -> None:
        self._flush()
        if self._socket.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            self._below.send(self._socket.send(CloseConnection(code)))
        self._below.hang_up()


def _breach(reason: str) -> RefusedError:
    return RefusedError(ReasonCode.PROTOCOL_ERROR, reason, action="WebSocket")
