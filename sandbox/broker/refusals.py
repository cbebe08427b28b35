"""What was refused, to whom, and why: one line of log each, and the last ones kept."""

import logging
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.mqtt import limits
from sandbox.mqtt.reasons import RefusedError
from sandbox.registry import RegisteredCertificate

_log = logging.getLogger("sandbox")


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


class Refusals:
    """Keeps the last refusals of each account."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, deque[Refusal]] = defaultdict(
            lambda: deque(maxlen=limits.REFUSALS)
        )

    def record(
        self, error: RefusedError, client_id: str, certificate: RegisteredCertificate | None
    ) -> None:
        """Log a refusal, and keep it where the account is known."""
        refusal = Refusal(
            datetime.now(UTC),
            client_id[: limits.CLIENT_ID_BYTES],
            certificate.certificate_id[:8] if certificate else "",
            error.action,
            error.resource,
            error.verdict,
            error.reason,
            error.explanation,
        )
        if certificate:
            self._kept[certificate.account].append(refusal)
        _log.warning("%s", _one_line(str(refusal)))

    def of(self, account: str) -> list[Refusal]:
        """The last refusals of an account, the newest last."""
        # Asked from other threads: get() never adds an account, list() copies in one step.
        return list(self._kept.get(account, ()))


def _one_line(text: str) -> str:
    """Make what a device sent harmless in a log: no line breaks, no control characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
