"""A client's half of MQTT over WebSocket: signatures made by hand, and frames of any kind."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from broker_support import REGION, DrivenLink, MemoryBroker
from broker_wire import RawClient, WireClient

from sandbox.broker.link import Link, Peer
from sandbox.broker.websocket import WebSocketLink
from sandbox.process import ACCOUNT

BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10


def signed(
    host: str = "localhost",
    *,
    key: str = "sandbox",
    secret: str = "sandbox",
    region: str = REGION,
    service: str = "iotdevicegateway",
    age: float = 0,
    more: dict[str, str] | None = None,
    after: str = "",
) -> str:
    """Path and query of a signed upgrade, as AWS's page on Signature Version 4 has it.

    Args:
        host: The host header, the one that is signed.
        key: The access key id.
        secret: The secret access key.
        region: In the scope.
        service: In the scope.
        age: How many seconds ago it is signed.
        more: Parameters that are signed, too; they replace others.
        after: What is added once all is signed.
    """
    at = (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    asked = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key}/{scope}",
        "X-Amz-Date": at,
        "X-Amz-SignedHeaders": "host",
    } | (more or {})
    query = "&".join(f"{name}={quote(asked[name], safe='-_.~')}" for name in sorted(asked))
    nothing = hashlib.sha256(b"").hexdigest()
    canonical = f"GET\n/mqtt\n{query}\nhost:{host}\n\nhost\n{nothing}"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret_of = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        secret_of = hmac.digest(secret_of, part.encode(), "sha256")
    return f"/mqtt?{query}&X-Amz-Signature={secret_of.hex()}{after}"


def upgrade(target: str, **headers: str | None) -> bytes:
    """The request that begins a WebSocket. A header whose value is None is left out."""
    sent = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "mqtt",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in sent.items() if value is not None]
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode()


def frame(
    data: bytes = b"", kind: int = BINARY, *, last: bool = True, masked: bool = True
) -> bytes:
    """A frame as a client sends it, or as it should not."""
    size = len(data)
    length, more = size, b""
    if size > 125:
        length, more = (
            (126, size.to_bytes(2, "big")) if size < 1 << 16 else (127, size.to_bytes(8, "big"))
        )
    head = bytes((last << 7 | kind, masked << 7 | length)) + more
    if not masked:
        return head + data
    mask = b"\x17\x2a\x8f\x01"
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


class Frames:
    """Takes apart what a server sends: the answer to the upgrade, then frames."""

    def __init__(self) -> None:
        self.answer = ""
        self.body = b""
        self.others: list[tuple[int, bytes]] = []
        """Frames that are not binary."""
        self._unread = b""

    def feed(self, data: bytes) -> bytes:
        """What the binary frames hold that are complete now."""
        self._unread += data
        if not self.answer and b"\r\n\r\n" in self._unread:
            head, _, self._unread = self._unread.partition(b"\r\n\r\n")
            self.answer = head.decode()
        if not self.answer.startswith("HTTP/1.1 101"):
            self.body = self._unread
            return b""
        found = b""
        while (one := self._cut()) is not None:
            if one[0] == BINARY:
                found += one[1]
            else:
                self.others.append(one)
        return found

    def _cut(self) -> tuple[int, bytes] | None:
        data = self._unread
        if len(data) < 2:
            return None
        assert data[0] & 0x70 == 0
        assert data[1] < 128, "a server's frames bear no mask"
        size, at = data[1], 2
        if size >= 126:
            at += 2 if size == 126 else 8
            size = int.from_bytes(data[2:at], "big")
        if len(data) < at + size:
            return None
        self._unread = data[at + size :]
        return data[0] & 15, data[at : at + size]


class WebSocketClient(WireClient):
    """Over a link in memory, where nothing is waited for."""

    def __init__(self, broker: MemoryBroker, request: bytes | None = None) -> None:
        super().__init__()
        self.frames = Frames()

        def accept(link: Link) -> WebSocketLink:
            return WebSocketLink(link, broker.services.accept, {"sandbox": ACCOUNT}.get)

        self._sweep = broker.services.sweep
        self.link = DrivenLink(accept)
        if not self.link.closing:
            self.link.handler.opened(Peer("127.0.0.1", None, "localhost"))
            self.link.receive(request or upgrade(signed()))
            self.flush()

    def send(self, data: bytes) -> None:
        self.link.receive(frame(data))

    def flush(self) -> bytes:
        """Take what is there."""
        return self.frames.feed(self.link.take(self.link.waiting))

    def receive(self) -> bytes:
        if not self.link.waiting and not self.link.closing:
            self._sweep()
        data = self.flush()
        assert data or self.link.closing, "nothing has come from the broker"
        return data

    def close(self) -> None:
        self.link.close()


class TlsWebSocketClient(RawClient):
    """Over TLS."""

    def __init__(self, context, port: int, request: bytes | None = None, **options) -> None:
        super().__init__(context, port, **options)
        self.frames = Frames()
        host = f"localhost:{port}"
        super().send(request or upgrade(signed(host), Host=host))
        while not self.frames.answer and (data := super().receive()):
            self.frames.feed(data)

    def send(self, data: bytes) -> None:
        super().send(frame(data))

    def receive(self) -> bytes:
        while (data := super().receive()) and not (found := self.frames.feed(data)):
            continue
        return found if data else b""
