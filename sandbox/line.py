"""How a sandbox is asked, and what it says of itself. Loads neither moto nor boto3."""

import json
import urllib.request
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from botocore.client import BaseClient


@dataclass(frozen=True)
class Sandbox:
    """Where a running sandbox answers: what it prints when it is ready."""

    endpoint_url: str
    mqtt_host: str
    mqtt_port: int
    ca_file: str
    region: str
    account: str
    pid: int
    version: str = ""
    """Of the program that it runs, see :func:`sandbox.process.version`; empty before 2026-12."""
    wss_port: int = 0
    """Of MQTT over WebSocket, at *mqtt_host*; 0 where there is none, as before 2026-12."""

    @property
    def port(self) -> int:
        """Where the control plane listens."""
        return urlsplit(self.endpoint_url).port or 0

    def to_json(self) -> dict[str, Any]:
        """Return its fields as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, answer: object) -> Self | None:
        """Read what :meth:`to_json` returned; ``None`` where it is something else."""
        if not isinstance(answer, dict):
            return None
        named = {field.name: answer[field.name] for field in fields(cls) if field.name in answer}
        try:
            found = cls(**named)
            return found if found._is_sound() else None
        except (TypeError, ValueError):  # ValueError: a port that is none
            return None

    def _is_sound(self) -> bool:
        texts = self.endpoint_url, self.mqtt_host, self.ca_file, self.region, self.account
        if not all(isinstance(text, str) for text in (*texts, self.version)):
            return False
        return (
            urlsplit(self.endpoint_url).scheme in ("http", "https")
            and self.port > 0
            and type(self.mqtt_port) is type(self.wss_port) is type(self.pid) is int
            and 0 < self.mqtt_port < 2**16
            and 0 <= self.wss_port < 2**16
            and 0 <= self.pid < 2**31
        )


@dataclass(frozen=True)
class Refusal:
    """Something that a device asked for and did not get."""

    when: datetime
    """In UTC."""
    client_id: str
    certificate_id: str
    """Its first 8 digits."""
    action: str
    """Such as ``iot:Publish``; ``TLS`` or ``MQTT`` for a breach of those."""
    resource: str
    """The ARN that the action was checked against; empty where there is none."""
    verdict: str
    """``EXPLICIT_DENY`` or ``IMPLICIT_DENY``; ``REFUSED`` where no policy was asked."""
    reason: str
    """What is wrong and what to do about it, in one sentence."""
    explanation: str
    """The whole explanation, over several lines."""
    problem: str
    """The kind of refusal: ``resource`` where that did not match, or MQTT's reason, ``QUOTA_…``."""

    def __str__(self) -> str:
        who = f"client {self.client_id or '-'}, certificate {self.certificate_id or '-'}"
        what = " ".join(filter(None, (self.action, self.resource)))
        return f"refused ({self.verdict}): {what} for {who}: {self.reason}"

    def to_json(self) -> dict[str, str]:
        """Return its fields as values that JSON can hold."""
        return asdict(self) | {"when": self.when.isoformat()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Read what :meth:`to_json` returned."""
        return cls(**fields | {"when": datetime.fromisoformat(fields["when"])})


class Line(Protocol):
    """How requests reach a control plane: boto3's, and those for the sandbox's own pages.

    A page is what follows ``/_sandbox/`` in a path, such as ``refusals/123456789012``.
    """

    def read(self, page: str) -> object:
        """Return what a page answers; ``None`` where nothing answers."""

    def change(self, page: str) -> object:
        """Ask a page that changes something to do so; return its answer, or ``None``."""

    def carry(self, client: "BaseClient") -> None:
        """Make the requests of a boto3 client go this way."""


class HttpLine:
    """The line to a sandbox in a process of its own: HTTP on loopback."""

    def __init__(self, endpoint_url: str, access_key: str = "", *, timeout: float = 5) -> None:
        """Set up the line; nothing is sent yet.

        Args:
            endpoint_url: Where the sandbox answers; a boto3 client has it as ``endpoint_url``, too.
            access_key: The access key id to ask with; a class's sandbox answers none without.
            timeout: How long to wait for an answer, in seconds.
        """
        self.endpoint_url = endpoint_url
        self._access_key = access_key
        self._timeout = timeout

    def read(self, page: str) -> object:
        """Return what a page answers; ``None`` where nothing, or something else, answers."""
        return self._ask("GET", page)

    def change(self, page: str) -> object:
        """Ask a page that changes something to do so; return its answer, or ``None``."""
        return self._ask("POST", page)

    def carry(self, client: "BaseClient") -> None:
        """Do nothing: a client that was made with ``endpoint_url`` goes there by itself."""

    def _ask(self, method: str, page: str) -> object:
        # No proxy: whatever the environment says, this stays on the machine.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            request = urllib.request.Request(  # noqa: S310  a sandbox's address
                f"{self.endpoint_url}/_sandbox/{page}",
                headers={"Authorization": f"Credential={self._access_key}/"},
                method=method,
            )
            with direct.open(request, timeout=self._timeout) as answer:
                return json.load(answer)
        except (OSError, HTTPException, ValueError, RecursionError):
            return None  # no answer, or none of a sandbox: URLError and HTTPError are OSErrors
