"""The broker's own certificate, and which device certificates it lets in."""

import hashlib
import ssl
from pathlib import Path
from weakref import WeakKeyDictionary

import trustme

from sandbox.registry import RegisteredCertificate, Registry

NAMES = ("localhost", "127.0.0.1", "::1")
_HANDSHAKES_REMEMBERED = 1000
"""TLS 1.2 keeps each handshake for a resumption, for as long as the context lives."""


class Trust:
    """Makes the TLS context for a handshake, from the registry as it stands.

    A certificate that AWS IoT issued has no chain a sandbox could check, so each registered one is
    its own trust anchor. Anchors cannot be removed from a context: after a change of the registry
    the next handshake gets a new one.
    """

    def __init__(self, registry: Registry, state_dir: Path) -> None:
        self._registry = registry
        self._chain = state_dir / "server.pem"
        self.ca_file = state_dir / "ca.pem"
        """The authority that clients check the broker against, in place of Amazon Root CA 1."""
        self._context: ssl.SSLContext | None = None
        self._revision = -1
        self._names: WeakKeyDictionary[ssl.SSLObject, str | None] = WeakKeyDictionary()
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        ca = _authority(self.ca_file, state_dir / "ca.key")
        _write(self._chain, ca.issue_cert(*NAMES).private_key_and_cert_chain_pem.bytes())

    def context(self) -> ssl.SSLContext:
        """The context for a handshake that begins now."""
        context = self._context
        if (
            context is None
            or self._revision != self._registry.revision
            or context.session_stats()["number"] > _HANDSHAKES_REMEMBERED
        ):
            # Read before the certificates: a change meanwhile makes the next handshake look again.
            self._revision = self._registry.revision
            context = self._context = self._build()
        return context

    def certificate(self, peer: ssl.SSLObject) -> RegisteredCertificate | None:
        """The registered certificate that the client at the other end has proven to hold."""
        der = peer.getpeercert(binary_form=True)
        return self._registry.certificate(hashlib.sha256(der).hexdigest()) if der else None

    def server_name(self, peer: ssl.SSLObject) -> str | None:
        """The host that the client asked for by SNI; ``None`` where it gave an address."""
        return self._names.get(peer)

    def _build(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._chain)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        # A resumed session would skip the look at the registry.
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 0
        context.sni_callback = lambda peer, name, _: self._names.update({peer: name})
        context.set_alpn_protocols(["x-amzn-mqtt-ca"])
        anchors = [found.pem for found in self._registry.certificates()]
        try:
            if anchors:
                context.load_verify_locations(cadata="\n".join(anchors))
        except ssl.SSLError:
            _load_each(context, anchors)
        return context


def _load_each(context: ssl.SSLContext, anchors: list[str]) -> None:
    for pem in anchors:
        try:
            context.load_verify_locations(cadata=pem)
        except ssl.SSLError:
            # moto registers any text as a certificate; that one just cannot connect.
            continue


def _authority(certificate: Path, key: Path) -> trustme.CA:
    """Take up the authority of the last run, so that files given to clients stay valid."""
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    ca = trustme.CA(organization_name="IoT button tutorial sandbox")
    _write(key, ca.private_key_pem.bytes())
    _write(certificate, ca.cert_pem.bytes())
    return ca


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, from its first byte on, and whole or not at all."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_bytes(content)
    part.replace(path)


def explain(error: ssl.SSLError) -> str:
    """Say in one sentence what went wrong in a handshake, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "the client's certificate is not one that is registered here, or it is not valid "
            f"({error.verify_message}): create one in this sandbox, or register it"
        )
    reason = error.reason or str(error)
    return _REASONS.get(reason, f"the TLS handshake failed: {reason.replace('_', ' ').lower()}")


_NOT_TLS = "this port speaks MQTT over TLS only: connect with TLS and the device's certificate"
_CA_UNKNOWN = "the client does not trust this broker: give it the sandbox's ca_file as root CA"
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (
        "the client showed no certificate: give it the device's certificate and private key"
    ),
    "HTTP_REQUEST": _NOT_TLS,
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "TLSV1_ALERT_UNKNOWN_CA": _CA_UNKNOWN,
    "SSLV3_ALERT_BAD_CERTIFICATE": _CA_UNKNOWN,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _CA_UNKNOWN,
    "UNSUPPORTED_PROTOCOL": "the client offers no TLS version that AWS IoT takes: 1.2 or 1.3",
}
