"""What one connection may do: the policies of its certificate, as they stand now."""

from collections.abc import Callable, Sequence

import iot_policy as policy
from iot_policy.patterns import Context
from sandbox.mqtt import limits
from sandbox.mqtt.reasons import Reason, RefusedError
from sandbox.registry import RegisteredCertificate, Registry

ContextOf = Callable[[Sequence[policy.AttachedThing]], Context]
"""Gives the values of a connection's policy variables, given the Things of its certificate."""


class Authority:
    """Decides for one connection, and remembers each decision until the registry changes."""

    def __init__(
        self, registry: Registry, certificate: RegisteredCertificate, context_of: ContextOf
    ) -> None:
        self._registry = registry
        self._certificate = certificate
        self._context_of = context_of
        self._arn = certificate.arn.rpartition(":")[0]
        self._revision = -1
        self._decisions: dict[tuple[str, str], bool] = {}
        self._policies: list[policy.Policy] = []
        self._context: Context = {}
        self._unreadable = ""

    @property
    def certificate_id(self) -> str:
        """Of the certificate that it speaks for."""
        return self._certificate.certificate_id

    @property
    def active(self) -> bool:
        """Whether the certificate is still registered, and ACTIVE."""
        found = self._registry.certificate(self.certificate_id)
        return found is not None and found.status == "ACTIVE"

    def check_certificate(self) -> None:
        """Raise RefusedError unless the certificate is still registered, and ACTIVE."""
        found = self._registry.certificate(self._certificate.certificate_id)
        status = found.status if found else "deleted"
        if status != "ACTIVE":
            short = self._certificate.certificate_id[:8]
            raise self._refusal(
                "iot:Connect",
                "",
                f"certificate {short}… is {status}: only an ACTIVE one may connect",
                f"certificate {status}",
            )

    def allows(self, action: str, resource: str) -> bool:
        """Whether the policies allow *action*, such as ``iot:Publish``, on ``topic/…``."""
        if self._revision != self._registry.revision:
            self._look_again()
        key = action, resource
        allowed = self._decisions.get(key)
        if allowed is None:
            if len(self._decisions) >= limits.DECISIONS:
                self._decisions.clear()
            allowed = self._decisions[key] = self._decide(action, resource)
        return allowed

    def check(self, action: str, resource: str) -> None:
        """Raise RefusedError, with the explanation, unless the policies allow it."""
        if not self.allows(action, resource):
            raise self.explain(action, resource)

    def explain(self, action: str, resource: str) -> RefusedError:
        """Say why *action* on *resource* is denied."""
        if self._unreadable:
            return self._refusal(action, resource, self._unreadable, "unreadable policy")
        found = policy.explain(self._policies, self._request(action, resource))
        return RefusedError(
            Reason.NOT_AUTHORIZED,
            found.hint,
            action=action,
            resource=found.request.resource,
            verdict=found.decision.verdict,
            explanation=str(found),
            problem=found.problem,
        )

    def _refusal(self, action: str, resource: str, reason: str, problem: str) -> RefusedError:
        arn = f"{self._arn}:{resource}" if resource else self._certificate.arn
        return RefusedError(
            Reason.NOT_AUTHORIZED, reason, action=action, resource=arn, problem=problem
        )

    def _look_again(self) -> None:
        # The revision first: a change meanwhile makes the next decision look once more.
        self._revision = self._registry.revision
        self._decisions.clear()
        self._context = self._context_of(self._registry.things(self._certificate))
        self._policies, self._unreadable = [], ""
        try:
            for name, text in self._registry.policies(self._certificate):
                self._policies.append(policy.parse(name, text))
        except policy.MalformedPolicy as error:
            # What cannot be read might be a Deny.
            self._policies, self._unreadable = [], f"policy {name} cannot be read: {error}"

    def _decide(self, action: str, resource: str) -> bool:
        return policy.decide(self._policies, self._request(action, resource)).verdict == "ALLOWED"

    def _request(self, action: str, resource: str) -> policy.Request:
        return policy.Request(action, f"{self._arn}:{resource}", self._context)
