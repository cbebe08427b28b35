"""The link between a broker connection and its peer: who calls whom, and with what.

A link carries bytes, and knows who is at the other end; what the bytes mean is the connection's
matter. Each side knows the other by one of the two protocols here. The same style holds all the way
up: the link calls its connection, the connection its client, and a session its subscriber, by
methods of theirs that are named after what has happened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sandbox.mqtt.packets import RefusedError


@dataclass(frozen=True)
class Signer:
    """Whose credentials have signed a connection, and where it goes with them."""

    access_key: str
    """The access key id."""
    account: str
    region: str

    @property
    def principal_id(self) -> str:
        """What AWS IoT knows the peer by: without a certificate, its credentials."""
        return self.access_key


@dataclass(frozen=True)
class Peer:
    """What a link knows of the other end."""

    address: str
    """The IP address that it comes from."""
    certificate_id: str | None
    """The id of the certificate that it has proven to hold, registered or not."""
    server_name: str
    """The host that it asked for."""
    signer: Signer | None = None
    """Who has signed for it, where a signature is asked for in place of a certificate."""


class Link(Protocol):
    """Carries bytes between a connection and its peer: TLS over TCP, a WebSocket, or memory."""

    @property
    def writable(self) -> bool:
        """Whether the peer keeps up with what it is sent; false once the link is hung up."""

    @property
    def closing(self) -> bool:
        """Whether the link is hung up: from then on, what comes in is thrown away."""

    def send(self, data: bytes) -> None:
        """Send *data* soon; more may be sent before it leaves."""

    def hang_up(self) -> None:
        """Send what waits, then take leave of the peer. Calling it twice does no harm."""

    def abort(self) -> None:
        """Close at once; what waits is lost."""


class LinkHandler(Protocol):
    """What a link calls: first :meth:`opened` or :meth:`failed`, last :meth:`closed`.

    Whatever ends a link, one of :meth:`failed`, :meth:`left`, :meth:`signed_off` and :meth:`closed`
    says so at once.
    """

    def opened(self, peer: Peer) -> None:
        """Take note of who is at the other end."""

    def failed(self, error: RefusedError) -> None:
        """Record why the link can be used no more, and part with the peer; it hangs up next."""

    def received(self, data: bytes) -> None:
        """Act on bytes from the peer."""

    def caught_up(self) -> None:
        """Go on sending: the link is writable again."""

    def left(self) -> None:
        """Part with the peer: it has said good-bye, and the link hangs up next."""

    def signed_off(self) -> None:
        """Part with a peer that has disconnected by the link's own means; it hangs up next."""

    def closed(self) -> None:
        """Clean up: the link is gone."""


Accept = Callable[[Link], LinkHandler]
"""Makes the handler of a new link."""
