"""Topic rules at work: what they say of each message is done, or recorded as what they cannot do.

A rule's message is the rules engine's, not a device's: no certificate's policy is asked, and
nothing is asked of the role that the action names, for that is AWS IAM's.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/iot-rules.html
https://docs.aws.amazon.com/iot/latest/developerguide/republish-rule-action.html
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.iot.models import FakeRule

from iot_policy import arn
from sandbox import rules
from sandbox.broker.by_http import checked
from sandbox.broker.refusals import Refusals
from sandbox.mqtt import limits
from sandbox.mqtt.packets import NO_PROPERTIES, Publish, ReasonCode, RefusedError
from sandbox.mqtt.reserved import rule_called
from sandbox.mqtt.topics import Tree
from sandbox.registry import Registry
from sandbox.rule_values import RuleError, Scope


@dataclass
class _InForce:
    """The rules of one account and Region, as they stood at a revision of the registry."""

    revision: int
    rules: dict[str, FakeRule]
    by_topic: Tree[str, FakeRule] = field(default_factory=Tree)
    recorded: set[str] = field(default_factory=set)
    """The rules of which it is recorded that they fail: once is enough until they change."""


class RuleService:
    """Applies the rules of each account to its messages."""

    def __init__(self, registry: Registry, refusals: Refusals) -> None:
        """Set up the service.

        Args:
            registry: Holds the rules.
            refusals: Told of rules that cannot be applied.
        """
        self._registry = registry
        self._refusals = refusals
        self._in_force: dict[tuple[str, str], _InForce] = {}
        self._waiting: deque[tuple[Publish, str]] | None = None
        """What rules have republished, to which rules are to be applied; ``None`` when at rest."""

    def apply(
        self,
        account: str,
        region: str,
        publish: Callable[[Publish], None],
        message: Publish,
        client_id: str,
    ) -> None:
        """Do what the rules say of a message, and of the messages that come of it.

        AWS does not say whether it ends rules that call each other for ever; here they end.

        Args:
            account: Whose rules count.
            region: Of the endpoint.
            publish: Publishes a message there.
            message: What was published.
            client_id: Who has published it by MQTT; empty where nobody has.
        """
        found = self._of(account, region)
        if not found.rules and not rule_called(message.topic):
            return
        if self._waiting is not None:
            self._waiting.append((message, client_id))
            return
        self._waiting, left = deque([(message, client_id)]), limits.RULE_MESSAGES
        try:
            while self._waiting:
                each, publisher = self._waiting.popleft()
                for name, made in self._outcomes(account, region, found, each, publisher):
                    left -= 1
                    try:
                        if left < 0 or each.hops >= limits.RULE_HOPS:
                            raise RuleError("it feeds itself, or others that do: no more of it")
                        publish(made)
                    except (RuleError, RefusedError) as problem:
                        self._record(account, region, found, name, str(problem))
        finally:
            self._waiting = None

    def _of(self, account: str, region: str) -> _InForce:
        place, revision = (account, region), self._registry.revision
        found = self._in_force.get(place)
        if found is None or found.revision != revision:
            there = {rule.rule_name: rule for rule in self._registry.rules(account, region)}
            found = self._in_force[place] = _InForce(revision, there)
            for name, rule in there.items():
                if rule.topic_pattern is not None:
                    found.by_topic.add(rule.topic_pattern, name, rule)
        return found

    def _outcomes(
        self, account: str, region: str, found: _InForce, message: Publish, client_id: str
    ) -> list[tuple[str, Publish]]:
        """Return the messages that come of one, each with the name of its rule."""
        topic, called = message.topic, found.by_topic.match(message.topic)
        if by_name := rule_called(topic):
            name, topic = by_name
            # AWS does not say that FROM is asked of a message that names its rule.
            called = [(name, found.rules[name])] if name in found.rules else []
            if not called:
                self._record(account, region, found, name, "no rule of this name is in force")
        outcomes: list[tuple[str, Publish]] = []
        for name, rule in called:
            try:
                outcomes += [
                    (name, made) for made in _made(rule, account, topic, message, client_id)
                ]
            except (RuleError, RefusedError, RecursionError) as problem:
                self._record(account, region, found, name, str(problem))
        return outcomes

    def _record(self, account: str, region: str, found: _InForce, name: str, reason: str) -> None:
        if name in found.recorded or len(found.recorded) >= limits.DECISIONS:
            return
        found.recorded.add(name)
        error = RefusedError(
            ReasonCode.SUCCESS,
            reason,
            action="rule",
            resource=arn(region, account, f"rule/{name}"),
            problem="RULE",
        )
        self._refusals.record(error, "", None, account)


def _made(
    rule: FakeRule, account: str, topic: str, message: Publish, client_id: str
) -> list[Publish]:
    """Return the messages that a rule makes of one.

    Raises:
        RuleError: the rule cannot be applied to it.
        RefusedError: a message is one that AWS IoT does not take.
    """
    version = rule.aws_iot_sql_version
    scope = Scope(
        topic,
        message.payload,
        rules.document(message.payload, version),
        client_id,
        account,
        int(time.time() * 1000),
    )
    payload = rules.statement(rule.sql, version).outcome(scope)
    if payload is None:
        return []
    made = []
    for action in rule.actions:
        republish: dict[str, Any] = action["republish"]
        filled = target(republish["topic"], version).filled(scope)
        found = checked(Publish(filled, payload, republish.get("qos", 0)), NO_PROPERTIES)
        found.hops = message.hops + 1
        made.append(found)
    return made


def target(topic: str, version: str) -> rules.Template:
    """Read the topic of a republish action: ``$$`` at its front stands for ``$``.

    Raises:
        SqlError: an expression in it is none.
        UnsupportedError: a part of one is not here.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/republish-rule-action.html
    """
    return rules.template(topic[1:] if topic.startswith("$$") else topic, version)
