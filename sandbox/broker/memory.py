"""A link in memory: a device in the broker's own process, and the proof that it holds its key.

TLS proves that a client holds the private key of the certificate that it shows. Here the broker
asks for that: it sends a challenge, the device signs it, and the certificate checks the signature.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.broker.link import Accept, Peer
from sandbox.broker.refusals import NOT_REGISTERED, REGISTER_IT
from sandbox.mqtt import limits
from sandbox.mqtt.packets import ReasonCode, RefusedError
from sandbox.registry import UNREADABLE

ADDRESS = "127.0.0.1"
"""Where a device in this process comes from, to a policy that asks."""
CHALLENGE_BYTES = 32
Sign = Callable[[bytes], bytes]
"""Signs a challenge with the device's private key."""


class MemoryLink:
    """The broker's end of a link in memory; see :class:`sandbox.broker.link.Link`.

    What it sends waits until the device takes it.
    """

    def __init__(self, accept: Accept) -> None:
        self.closing = False
        self._to_peer = bytearray()
        self._stalled = False
        self._closed = False
        self._handler = accept(self)
        if self.closing:
            self.close()

    @property
    def writable(self) -> bool:
        """Whether the device takes what it is sent."""
        return not self.closing and not self._stalled

    def send(self, data: bytes) -> None:
        """Send *data*: it waits for the device."""
        if not self.closing:
            self._to_peer += data
            self._stalled = len(self._to_peer) >= limits.SEND_BUFFER_BYTES

    def hang_up(self) -> None:
        """Send no more; what waits can still be taken."""
        self.closing = True

    def abort(self) -> None:
        """Close at once; what waits is lost."""
        self.hang_up()
        self._to_peer.clear()

    def open(self, certificate: bytes, sign: Sign, server_name: str) -> None:
        """Begin with a device that proves whose certificate it shows.

        Args:
            certificate: What it shows, PEM.
            sign: Signs the challenge.
            server_name: The host that it asked for.

        Raises:
            ConnectionRefusedError: there is no room for it, it has no proof, or its certificate is
                not registered.
        """
        if self.closing:
            raise ConnectionRefusedError("the broker takes no more connections")
        try:
            peer = Peer(ADDRESS, proven(certificate, sign), server_name)
        except RefusedError as error:
            self._handler.failed(error)
            self.close()
            raise ConnectionRefusedError(error.reason) from error
        self._handler.opened(peer)
        if self.closing:
            self.close()
            raise ConnectionRefusedError(f"{NOT_REGISTERED}: {REGISTER_IT}")

    def receive(self, data: bytes) -> None:
        """Take bytes from the device; once the link is hung up nobody reads them."""
        if not self.closing:
            self._handler.received(data)

    @property
    def waiting(self) -> int:
        """How many bytes wait for the device."""
        return len(self._to_peer)

    def take(self, most: int) -> bytes:
        """Hand the device what waits for it, or as much as it asks for."""
        taken = bytes(self._to_peer[:most])
        del self._to_peer[:most]
        if self._stalled and len(self._to_peer) < limits.SEND_BUFFER_BYTES:
            self._stalled = False
            self._handler.caught_up()
        return taken

    def close(self) -> None:
        """End the link: the device is gone."""
        self.hang_up()
        if not self._closed:
            self._closed = True
            self._handler.closed()


def proven(certificate: bytes, sign: Sign) -> str:
    """Return the id of the certificate that a device has proven to hold, registered or not.

    Args:
        certificate: What the device shows, PEM.
        sign: Has the device sign the challenge.

    Raises:
        RefusedError: it is no certificate, it is not valid today, or the device has not its key.
    """
    try:
        shown = x509.load_pem_x509_certificate(certificate)
    except UNREADABLE as problem:
        raise _no("the client showed no certificate: give it the device's certificate") from problem
    if not shown.not_valid_before_utc <= datetime.now(UTC) <= shown.not_valid_after_utc:
        raise _no("the client's certificate is not valid today: give it a new one")
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    try:
        _verify(shown.public_key(), sign(challenge), challenge)
    except (InvalidSignature, *UNREADABLE) as problem:
        raise _no(
            "the client has not proven that it holds the private key of the certificate that it "
            "shows: give it the key that was made with that certificate"
        ) from problem
    return shown.fingerprint(hashes.SHA256()).hex()


def signer(private_key: bytes) -> Sign:
    """Return what signs a challenge with a private key.

    Args:
        private_key: PEM, without a password.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        key = load_pem_private_key(private_key, None)
    except (TypeError, UnsupportedAlgorithm) as problem:  # TypeError: it has a password
        raise ValueError(str(problem)) from problem
    if isinstance(key, rsa.RSAPrivateKey):
        return lambda challenge: key.sign(challenge, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return lambda challenge: key.sign(challenge, ec.ECDSA(hashes.SHA256()))
    raise ValueError(f"AWS IoT takes RSA and EC keys, not {type(key).__name__}")


def _verify(key: Any, signature: bytes, challenge: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, challenge, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, challenge, ec.ECDSA(hashes.SHA256()))
    else:
        raise UnsupportedAlgorithm(type(key).__name__)


def _no(reason: str) -> RefusedError:
    return RefusedError(ReasonCode.PROTOCOL_ERROR, reason, action="TLS")
