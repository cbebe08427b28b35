"""Records what was refused, to which client, and why."""

import logging
from collections import defaultdict, deque
from datetime import UTC, datetime

from sandbox.broker.link import Signer
from sandbox.line import Refusal
from sandbox.mqtt import limits
from sandbox.mqtt.packets import RefusedError
from sandbox.registry import RegisteredCertificate

NOT_REGISTERED = "the client's certificate is not one that is registered here"
REGISTER_IT = "create one in this sandbox, or register it"
_log = logging.getLogger("sandbox")


class Refusals:
    """Logs each refusal in one line, and keeps the last ones of each account."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, deque[Refusal]] = defaultdict(
            lambda: deque(maxlen=limits.REFUSALS)
        )

    def record(
        self,
        error: RefusedError,
        client_id: str,
        principal: RegisteredCertificate | Signer | None,
        account: str = "",
    ) -> None:
        """Log a refusal, and keep it if the account is known: the principal's, or *account*."""
        refusal = Refusal(
            datetime.now(UTC),
            client_id[: limits.CLIENT_ID_BYTES],
            principal.principal_id[:8] if isinstance(principal, RegisteredCertificate) else "",
            error.action,
            error.resource,
            error.verdict,
            error.reason,
            error.explanation,
            error.problem,
        )
        if account or principal:
            self._kept[principal.account if principal else account].append(refusal)
        _log.warning("%s", _one_line(str(refusal)))

    def of(self, account: str) -> list[Refusal]:
        """Return the last refusals of an account, the newest last."""
        # Called from other threads: get() never adds an account, list() copies in one step.
        return list(self._kept.get(account, ()))


def _one_line(text: str) -> str:
    """Escape line breaks and control characters, so that a device cannot forge lines of the log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
