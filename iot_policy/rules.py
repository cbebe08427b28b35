"""The rules of lint: each looks at one statement."""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from iot_policy.actions import ACTIONS, resource_type
from iot_policy.conditions import suggest, texts
from iot_policy.keys import KEYS, THING, canonical
from iot_policy.model import Statement
from iot_policy.patterns import compile_pattern

Severity = Literal["error", "warning", "note"]
Found = Iterator[tuple[Severity, str, str]]
"""Severity, message, and AWS's page below :data:`GUIDE`."""

GUIDE = "https://docs.aws.amazon.com/iot/latest/developerguide/"

_ARN_FIELDS = 6
_EVERYTHING = ("*", "#", "$aws/things/*", "$aws/things/+")
_NEED_NOT_BE_NARROW = ("iot:Receive", "iot:ListRetainedMessages")


@dataclass(frozen=True, slots=True)
class Where:
    """Where the policy will be used; ``None`` for what is not known."""

    region: str | None
    account: str | None
    attached: bool | None


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
        fields = pattern.text.split(":", _ARN_FIELDS - 1)
        if len(fields) < _ARN_FIELDS:
            continue
        service, region, account = fields[2:5]
        if _differs(service, "iot"):
            yield "error", f"{pattern.text} is no resource of AWS IoT.", page
        if _differs(region, where.region):
            yield "error", f"{pattern.text} is in {region}; this is {where.region}.", page
        if _differs(account, where.account):
            yield "error", f"{pattern.text} is of account {account}; this is {where.account}.", page


def not_attached(statement: Statement, where: Where) -> Found:
    """Thing variables, where the certificate is not attached to a Thing."""
    if where.attached is not False:
        return
    asked = [
        *statement.variables,
        *(name for condition in statement.conditions for name in condition.needs),
    ]
    unattached_is_meant = any(
        condition.key == f"{THING}IsAttached" and "true" not in condition.values
        for condition in statement.conditions
    )
    names = [name for name in dict.fromkeys(asked) if name.startswith(THING)]
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
    asked = [
        *statement.variables,
        *(name for condition in statement.conditions for name in condition.needs),
    ]
    for name in dict.fromkeys(asked):
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


def _actions(statement: Statement) -> list[str]:
    return texts(statement.source["NotAction" if statement.not_action else "Action"])


def _documented(action: str) -> list[str]:
    """The documented actions that an action of a policy, maybe with wildcards, stands for."""
    pattern = compile_pattern(action.lower(), variables=False)
    return [name for name in ACTIONS if pattern.matches(name.lower(), {})]


def _name(resource: str) -> str:
    """Type and name, without what precedes them in the ARN."""
    fields = resource.split(":", _ARN_FIELDS - 1)
    return fields[-1] if len(fields) == _ARN_FIELDS else resource


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
