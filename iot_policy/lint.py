"""What is wrong with a policy before any device asks: findings, each with AWS's page.

Each rule, in :data:`RULES`, looks at one statement.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iot_policy.arns import resource_type, split_arn
from iot_policy.conditions import suggest, texts
from iot_policy.decision import Policy, Statement, parse
from iot_policy.documents import VERSIONS, to_json
from iot_policy.errors import MalformedPolicy
from iot_policy.patterns import compile_pattern
from iot_policy.vocabulary import ACTIONS, KEYS, THING, canonical

Severity = Literal["error", "warning", "note"]
Found = Iterator[tuple[Severity, str, str]]
"""Severity, message, and AWS's page below AWS IoT's developer guide."""

_CREATE = "https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html"
_VARIABLES = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"
_GUIDE = "https://docs.aws.amazon.com/iot/latest/developerguide/"

_EVERYTHING = ("*", "#", "$aws/things/*", "$aws/things/+")
_NEED_NOT_BE_NARROW = ("iot:Receive", "iot:ListRetainedMessages")


@dataclass(frozen=True, slots=True)
class Where:
    """Where the policy will be used; ``None`` for what is not known."""

    region: str | None
    account: str | None
    attached: bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at."""

    severity: Severity
    """``error``: it cannot work as written. ``warning``: it allows too much. ``note``: be aware."""
    statement: int | None
    """The statement's number, from 1; ``None`` for the whole document."""
    message: str
    page: str
    """AWS's page about it."""

    def __str__(self) -> str:
        where = f", statement {self.statement}" if self.statement else ""
        return f"{self.severity}{where}: {self.message}"


def lint(
    document: Mapping[str, Any] | str,
    *,
    region: str | None = None,
    account: str | None = None,
    attached: bool | None = None,
) -> list[Finding]:
    """Find what is wrong with a policy.

    Args:
        document: The policy, as JSON text or as built by :func:`iot_policy.document`.
        region: Where it will be used; resources in another region are errors then.
        account: 12 digits; resources of another account are errors then.
        attached: Whether the certificate is attached to a Thing; ``None`` if that is not known.

    Returns:
        The findings, statement by statement; empty where nothing is.

    >>> for finding in lint('{"Version": "2012-10-17"}'):
    ...     print(finding)
    error: Statement must hold at least one statement.
    """
    text = document if isinstance(document, str) else to_json(document)
    try:
        policy = parse("", text)
    except MalformedPolicy as error:
        return [Finding("error", error.statement, error.problem, _CREATE)]
    where = Where(region, account, attached)
    return [*_old_version(policy), *_by_statement(policy, where)]


def _by_statement(policy: Policy, where: Where) -> Iterator[Finding]:
    for statement in policy.statements:
        for rule in RULES:
            for severity, message, page in rule(statement, where):
                yield Finding(severity, statement.number, message, _GUIDE + page)


def _old_version(policy: Policy) -> Iterator[Finding]:
    newest, *_ = VERSIONS
    if policy.version != newest and any("${" in str(s.source) for s in policy.statements):
        message = f"Version {policy.version} takes ${{…}} as plain text: use {newest}."
        yield Finding("warning", None, message, _VARIABLES)


def unknown_action(statement: Statement, _: Where) -> Found:
    """An action that AWS IoT does not document."""
    for action in _actions(statement):
        if _documented(action):
            continue
        if not action.lower().startswith("iot:"):
            yield "note", f"{action} is no action of AWS IoT Core.", "iot-policy-actions.html"
            continue
        close = difflib.get_close_matches(action, ACTIONS, n=1, cutoff=0.8)
        hint = f" Did you mean {close[0]}?" if close else ""
        severity: Severity = "error" if close else "warning"
        yield severity, f"AWS IoT documents no action {action}.{hint}", "iot-policy-actions.html"


def wrong_resource_type(statement: Statement, _: Where) -> Found:
    """An action on a type of resource that it is never checked against."""
    if statement.not_action or statement.not_resource:
        return
    kinds = {resource_type(pattern.text) for pattern in statement.resources}
    for action in _actions(statement):
        checks = [ACTIONS[name] for name in _documented(action)]
        needed = {check.resource_type for check in checks}
        if checks and not needed & kinds and "*" not in needed | kinds:
            yield (
                "error",
                f"{action} on a {' or a '.join(sorted(kinds))} can never match: {checks[0].event} "
                f"is checked against {checks[0].example}.",
                "iot-action-resources.html",
            )


def too_broad(statement: Statement, _: Where) -> Found:
    """``*`` where AWS's own audit would want one name."""
    if not statement.allows:
        return
    if statement.not_action or statement.not_resource:
        message = "Allow with NotAction or NotResource allows everything but what it names."
        yield "note", message, "security-best-practices.html"
        return
    attached = any(condition.key == f"{THING}IsAttached" for condition in statement.conditions)
    for action in _actions(statement):
        narrow = [name for name in _documented(action) if name not in _NEED_NOT_BE_NARROW]
        if not narrow or (narrow == ["iot:Connect"] and attached):
            continue
        check = ACTIONS[narrow[0]]
        for pattern in statement.resources:
            if resource_type(pattern.text) in ("*", check.resource_type) and _is_broad(
                pattern.text
            ):
                severity: Severity = "note" if narrow == ["iot:Connect"] else "warning"
                message = f"{action} on {_name(pattern.text)} allows {_too_much(narrow)}."
                yield severity, message, "audit-chk-iot-policy-permissive.html"


def elsewhere(statement: Statement, where: Where) -> Found:
    """A resource in another region or account, or of another service."""
    page = "iot-action-resources.html"
    for pattern in statement.resources:
        arn = split_arn(pattern.text)
        if arn is None:
            continue
        if _differs(arn.service, "iot"):
            yield "error", f"{pattern.text} is no resource of AWS IoT.", page
        if _differs(arn.region, where.region):
            yield "error", f"{pattern.text} is in {arn.region}; this is {where.region}.", page
        if _differs(arn.account, where.account):
            message = f"{pattern.text} is of account {arn.account}; this is {where.account}."
            yield "error", message, page


def not_attached(statement: Statement, where: Where) -> Found:
    """Thing variables, where the certificate is not attached to a Thing."""
    if where.attached is not False:
        return
    unattached_is_meant = any(
        condition.key == f"{THING}IsAttached" and "true" not in condition.values
        for condition in statement.conditions
    )
    names = [name for name in _keys_asked_for(statement) if name.startswith(THING)]
    if names and not unattached_is_meant:
        yield (
            "error",
            f"{' and '.join(names)} can only match once the certificate is attached to a Thing "
            "whose name is the client id: attach_thing_principal does it.",
            "thing-policy-variables.html",
        )


def mqtt_wildcard(statement: Statement, _: Where) -> Found:
    """``+`` or ``#`` in a topic, where a topic cannot hold one."""
    for pattern in statement.resources:
        name = _name(pattern.text)
        if name.startswith("topic/") and set(name) & set("+#"):
            message = (
                f"{name}: + and # are plain characters in a policy; its wildcards are * and ?."
            )
            yield "error", message, "pub-sub-policy.html"


def unknown_variable(statement: Statement, _: Where) -> Found:
    """A variable that AWS IoT does not document: it never has a value."""
    for name in _keys_asked_for(statement):
        if canonical(name) is None:
            message = f"AWS IoT documents no variable ${{{name}}}.{suggest(name, KEYS)}"
            yield "error", message, "iot-policy-variables.html"


RULES: tuple[Callable[[Statement, Where], Found], ...] = (
    unknown_action,
    wrong_resource_type,
    too_broad,
    elsewhere,
    not_attached,
    mqtt_wildcard,
    unknown_variable,
)


def _keys_asked_for(statement: Statement) -> list[str]:
    """The context keys that its variables and its conditions need, each once."""
    conditions = (name for condition in statement.conditions for name in condition.needs)
    return list(dict.fromkeys([*statement.variables, *conditions]))


def _actions(statement: Statement) -> list[str]:
    return texts(statement.source["NotAction" if statement.not_action else "Action"])


def _documented(action: str) -> list[str]:
    """The documented actions that an action of a policy, maybe with wildcards, stands for."""
    pattern = compile_pattern(action.lower(), variables=False)
    return [name for name in ACTIONS if pattern.matches(name.lower(), {})]


def _name(resource: str) -> str:
    """Type and name, without what precedes them in the ARN."""
    arn = split_arn(resource)
    return arn.resource if arn else resource


def _is_broad(resource: str) -> bool:
    kind, _, name = _name(resource).partition("/")
    return "*" in kind or name.startswith(_EVERYTHING) or name == "${iot:ClientId}"


def _too_much(actions: list[str]) -> str:
    """What an action allows on everything, and what to write instead."""
    if len(actions) > 1:
        return "far more than one device needs: name the actions, and a resource for each"
    check = ACTIONS[actions[0]]
    words = {
        "client": "any client id",
        "topic": "every topic, $aws/things/*/shadow/update included",
        "topicfilter": "every topic filter, # included",
    }
    return f"{words.get(check.resource_type, 'all there are')}: name one, {check.example}"


def _differs(field: str, here: str | None) -> bool:
    return here is not None and field != here and not set(field) & set("*?$")
