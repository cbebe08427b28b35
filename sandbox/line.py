"""What a sandbox says of itself, and what its broker refused. Loads neither moto nor boto3."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self


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

    def to_json(self) -> dict[str, Any]:
        """Return its fields as values that JSON can hold."""
        return asdict(self)


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

    def __str__(self) -> str:
        who = f"client {self.client_id or '-'}, certificate {self.certificate_id or '-'}"
        what = " ".join(filter(None, (self.action, self.resource)))
        return f"refused ({self.verdict}): {what} for {who}: {self.reason}"

    def to_json(self) -> dict[str, str]:
        """Return its fields as values that JSON can hold."""
        return asdict(self) | {"when": self.when.isoformat()}

    @classmethod
    def from_json(cls, fields: dict[str, str]) -> Self:
        """Read what :meth:`to_json` returned."""
        return cls(**{**fields, "when": datetime.fromisoformat(fields["when"])})  # type: ignore[arg-type]
