"""STS, IoT and SSO of AWS for tests: a proxy for HTTPS leads whoever asks for AWS to it.

The lesson asks as it asks AWS, with files and variables of a learner's machine; nothing is patched.
"""

import datetime
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NUMBER, ANOTHER = "123456789012", "111122223333"
ZOE = f"arn:aws:iam::{NUMBER}:user/zoe"
KEYS = "[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n"
Answer = tuple[int, str]
"""Status and body."""


class PretendAws:
    """What AWS answers, by the name of the host; who is signed in, by the access key id."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        """The host and the operation or path of each request."""
        self.identities = {"AKIAEXAMPLE": ZOE}
        self.refuses: dict[str, tuple[str, str]] = {}
        """By a host, or an operation of STS: the code and the text of the answer."""
        self.things: Callable[[], Any] = dict
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name.from_rfc4514_string("CN=AWS for tests")
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self._certificate(None).public_bytes(serialization.Encoding.PEM))

    def answer(self, host: str, request: BaseHTTPRequestHandler, body: str) -> Answer:
        """Answer a request as AWS does."""
        action = dict(part.split("=", 1) for part in body.split("&") if "=" in part).get("Action")
        self.asked.append(f"{host} {action or request.path.partition('?')[0]}")
        for place, (code, text) in self.refuses.items():
            if place in (host, action):
                return _error_of_sts(code, text) if action else _error_of_iot(code, text)
        if host.startswith("portal.sso."):
            return 200, json.dumps({"roleCredentials": _keys_for(minutes=5)})
        if action == "GetCallerIdentity":
            key = request.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
            arn = self.identities.get(key)
            if arn is None:
                return _error_of_sts("InvalidClientTokenId", "The security token is invalid.")
            return 200, _identity(arn)
        return 200, json.dumps(self.things())

    def context(self, host: str) -> ssl.SSLContext:
        """Return a server's TLS for a host that is asked for."""
        file = self._folder / f"{host}.pem"
        if not file.exists():
            key = self._key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            made = self._certificate(host).public_bytes(serialization.Encoding.PEM)
            file.write_bytes(key + made)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _certificate(self, host: str | None) -> x509.Certificate:
        today = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name.from_rfc4514_string("CN=host") if host else self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - datetime.timedelta(days=1))
            .not_valid_after(today + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


@contextmanager
def serve(aws: PretendAws) -> Iterator[str]:
    """Serve it; yield the address of the proxy that leads to it."""

    class Inside(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        host = ""

        def log_message(self, *_: object) -> None: ...

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            status, text = aws.answer(self.host, self, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            if status >= 400 and text.startswith("{"):
                self.send_header("x-amzn-ErrorType", json.loads(text)["code"])
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = _answer  # noqa: N815  the library's names

    class Proxy(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_CONNECT(self) -> None:
            host = self.path.rpartition(":")[0]
            self.send_response(200)
            self.end_headers()
            with aws.context(host).wrap_socket(self.connection, server_side=True) as inside:
                type("Handler", (Inside,), {"host": host})(inside, self.client_address, self.server)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _keys_for(*, minutes: float) -> Mapping[str, object]:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    return {
        "accessKeyId": "AKIAEXAMPLE",
        "secretAccessKey": "example",
        "sessionToken": "example",
        "expiration": int(until.timestamp() * 1000),
    }


def _identity(arn: str) -> str:
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AIDAEXAMPLE</UserId>"
        f"<Account>{arn.split(':')[4]}</Account></GetCallerIdentityResult>"
        "</GetCallerIdentityResponse>"
    )


def _error_of_sts(code: str, text: str) -> Answer:
    return 403, (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"
    )


def _error_of_iot(code: str, text: str) -> Answer:
    return 403, json.dumps({"code": code, "message": text})
