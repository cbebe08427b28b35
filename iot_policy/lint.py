"""What is wrong with a policy before any device asks: findings, each with AWS's page.

Each rule, in :data:`RULES`, looks at one statement of a policy.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from iot_policy.arns import Severity, arn, misspelt, resource_type, split_arn
from iot_policy.comparison import Comparison, compare, in_words
from iot_policy.conditions import suggest, texts
from iot_policy.decision import Policy, Statement, parse
from iot_policy.documents import VERSIONS, to_json
from iot_policy.documents import document as build
from iot_policy.errors import MalformedPolicy
from iot_policy.patterns import Pattern, compile_pattern
from iot_policy.vocabulary import ACTIONS, KEYS, THING, canonical

Found = Iterator[tuple[Severity, str, str]]
"""Severity, message, and AWS's page below AWS IoT's developer guide."""

_CREATE = "https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html"
_VARIABLES = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"
_GUIDE = "https://docs.aws.amazon.com/iot/latest/developerguide/"

_SHARE = re.compile(r"^\$share/[^/*?]*/")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_EVERYTHING = ("*", "#", "$aws/things/*", "$aws/things/+")
_NEED_NOT_BE_NARROW = ("iot:Receive", "iot:ListRetainedMessages")
_BASIC = ("iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive")
_NEEDED = (
    (
        "iot:Connect",
        {"iot:Publish", "iot:RetainPublish", "iot:Subscribe", "iot:Receive"},
        "no device can connect",
        "connect-policy.html",
    ),
    ("iot:Publish", {"iot:RetainPublish"}, "nothing can be published", "pub-sub-policy.html"),
    ("iot:Subscribe", {"iot:Receive"}, "there is nothing to receive", "pub-sub-policy.html"),
)
"""An action, those that are of no use without it, what follows, and AWS's page."""

_MOST_STEPS = 5_000
"""For each question to :func:`iot_policy.compare`: it is asked while somebody types."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The whole policy, and where it will be used; ``None`` for what is not known."""

    policy: Policy
    region: str | None
    account: str | None
    attached: bool | None


class _Place(NamedTuple):
    """A region, and an account in it."""

    region: str
    account: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at."""

    severity: Severity
    """``error``: it cannot work as written. ``warning``: it allows too much, or less than it seems
    to. ``note``: be aware."""
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
    setting = Setting(policy, region, account, attached)
    return [*_old_version(policy), *_by_statement(setting), *_lacking(policy)]


def _by_statement(setting: Setting) -> Iterator[Finding]:
    for statement in setting.policy.statements:
        for rule in RULES:
            for severity, message, page in rule(statement, setting):
                yield Finding(severity, statement.number, message, _GUIDE + page)


def _old_version(policy: Policy) -> Iterator[Finding]:
    newest, *_ = VERSIONS
    if policy.version != newest and any("${" in str(s.source) for s in policy.statements):
        message = f"Version {policy.version} takes ${{…}} as plain text: use {newest}."
        yield Finding("warning", None, message, _VARIABLES)


def _lacking(policy: Policy) -> Iterator[Finding]:
    """An action without which what it allows is of no use. Another policy may allow that one."""
    named = {action for action in ACTIONS if _allowing(policy, action)}
    for action, without, consequence, page in _NEEDED:
        if action not in named and named & without:
            message = f"No statement allows {action}: unless another policy does, {consequence}."
            yield Finding("note", None, message, _GUIDE + page)


def unknown_action(statement: Statement, _: Setting) -> Found:
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


def wrong_resource_type(statement: Statement, _: Setting) -> Found:
    """An action on a type of resource that it is never checked against."""
    kinds = _kinds(statement)
    for action, names in _meant(statement):
        checks = [ACTIONS[name] for name in names]
        if checks and kinds and not any(check.resource_type in kinds for check in checks):
            yield (
                "error",
                f"{action} on a {' or a '.join(sorted(kinds))} can never match: {checks[0].event} "
                f"is checked against {checks[0].example}.",
                "iot-action-resources.html",
            )


def leaves_out(statement: Statement, setting: Setting) -> Found:
    """Several actions by one pattern, on types of resources that suit only some of them.

    What another statement allows is not missed. Of a pattern that holds what each device needs,
    only that is: few want shadows and jobs, too.
    """
    kinds = _kinds(statement) if statement.allows else frozenset()
    for action, names in _meant(statement):
        if not any(ACTIONS[name].resource_type in kinds for name in names):
            continue
        out = [
            ACTIONS[name]
            for name in [name for name in names if name in _BASIC] or names
            if ACTIONS[name].resource_type not in kinds
            and not any(_suits(each, name) for each in _allowing(setting.policy, name))
        ]
        if out:
            events = dict.fromkeys(f"{check.event} ({check.example})" for check in out)
            yield (
                "warning",
                f"{action} on a {' or a '.join(sorted(kinds))} can never allow "
                f"{' or '.join(events)}: that is checked against another type of resource.",
                "iot-action-resources.html",
            )


def idle_resource(statement: Statement, _: Setting) -> Found:
    """A resource of a type that none of the statement's actions is checked against."""
    meant = [names for _, names in _meant(statement)]
    needed = {ACTIONS[name].resource_type for names in meant for name in names}
    kinds = _kinds(statement)
    for kind in sorted(kinds - needed) if all(meant) and needed & kinds else ():
        message = f"None of the actions is checked against a {kind}: it does nothing here."
        yield "warning", message, "iot-action-resources.html"


def subscribes_in_vain(statement: Statement, setting: Setting) -> Found:
    """Subscribe to what may not be received: the answer is yes, and nothing ever comes."""
    receiving = _allowing(setting.policy, "iot:Receive")
    if not statement.allows or not _names(statement, "iot:Subscribe"):
        return
    if receiving and not any(_suits(each, "iot:Receive") for each in receiving):
        return  # another rule says so
    for pattern in statement.resources:
        if not _suits(replace(statement, resources=(pattern,)), "iot:Subscribe"):
            continue
        topics = "*" if statement.not_resource else _topics(pattern.text)
        if _may_receive(setting, topics, _place(pattern.text, setting)):
            continue
        if receiving:
            problem = f"{_name(pattern.text)}: no topic that matches it may be received."
        else:
            problem = "iot:Subscribe without iot:Receive: it succeeds, and nothing is delivered."
        message = f"{problem} Each message is checked against topic/<topic>."
        yield "warning", message, "pub-sub-policy.html"
        if not receiving:
            return


def overruled(statement: Statement, setting: Setting) -> Found:
    """An Allow of which Deny statements leave nothing: a Deny is stronger."""
    policy = setting.policy
    denies = [each for each in policy.statements if not each.allows]
    if not statement.allows or not denies:
        return
    place = _place(statement.resources[0].text, setting)

    def allows(names: list[str], *others: Statement) -> bool:
        alone = replace(setting, policy=replace(policy, statements=(statement, *others)))
        return any(_compare(alone, [], place, [name]).verdict != "WITHIN" for name in names)

    for action, names in _meant(statement):
        if not allows(names) or allows(names, *denies):
            continue
        enough = [each for each in denies if not allows(names, each)]
        which = f"Statement {enough[0].number} denies" if enough else "The Deny statements deny"
        message = f"{which} all that {action} allows here, and a Deny is stronger than any Allow."
        yield "warning", message, "iot-policies.html"


def too_broad(statement: Statement, setting: Setting) -> Found:
    """``*`` where AWS's own audit would want one name, with an example of what it opens."""
    if not statement.allows:
        return
    if statement.not_action or statement.not_resource:
        message = "Allow with NotAction or NotResource allows everything but what it names."
        example = _example(statement, statement.resources[0], setting, ACTIONS)
        yield "note", f"{message}{example}", "security-best-practices.html"
        return
    attached = any(condition.key == f"{THING}IsAttached" for condition in statement.conditions)
    for action, names in _meant(statement):
        narrow = [name for name in names if name not in _NEED_NOT_BE_NARROW]
        if not narrow or (narrow == ["iot:Connect"] and attached):
            continue
        check = ACTIONS[narrow[0]]
        for pattern in statement.resources:
            kind = resource_type(pattern.text)
            if not _is_sound(pattern.text) or kind not in ("*", check.resource_type):
                continue
            if _is_broad(pattern.text):
                severity: Severity = "note" if narrow == ["iot:Connect"] else "warning"
                message = f"{action} on {_name(pattern.text)} allows {_too_much(narrow)}."
                example = _example(statement, pattern, setting, narrow)
                yield severity, f"{message}{example}", "audit-chk-iot-policy-permissive.html"


def misspelt_arn(statement: Statement, _: Setting) -> Found:
    """A field twice, or one too few: an ARN that is none, or another than it seems."""
    for pattern in statement.resources:
        if found := misspelt(pattern.text):
            message = f"{pattern.text} {found.problem}: write {found.better}."
            yield found.severity, message, "iot-action-resources.html"


def elsewhere(statement: Statement, setting: Setting) -> Found:
    """A resource in another region or account, or of another service."""
    page = "iot-action-resources.html"
    for pattern in statement.resources:
        found = split_arn(pattern.text)
        if found is None or not _is_sound(pattern.text):
            continue
        if _differs(found.service, "iot"):
            yield "error", f"{pattern.text} is no resource of AWS IoT.", page
        if _differs(found.region, setting.region):
            yield "error", f"{pattern.text} is in {found.region}; this is {setting.region}.", page
        if _differs(found.account, setting.account):
            message = f"{pattern.text} is of account {found.account}; this is {setting.account}."
            yield "error", message, page


def not_attached(statement: Statement, setting: Setting) -> Found:
    """Thing variables, where the certificate is not attached to a Thing."""
    if setting.attached is not False:
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


def mqtt_wildcard(statement: Statement, _: Setting) -> Found:
    """``+`` or ``#`` in a topic, where a topic cannot hold one."""
    for pattern in statement.resources:
        name = _name(pattern.text)
        if name.startswith("topic/") and set(name) & set("+#"):
            message = (
                f"{name}: + and # are plain characters in a policy; its wildcards are * and ?."
            )
            yield "error", message, "pub-sub-policy.html"


def unknown_variable(statement: Statement, _: Setting) -> Found:
    """A variable that AWS IoT does not document: it never has a value."""
    for name in _keys_asked_for(statement):
        if canonical(name) is None:
            message = f"AWS IoT documents no variable ${{{name}}}.{suggest(name, KEYS)}"
            yield "error", message, "iot-policy-variables.html"


RULES: tuple[Callable[[Statement, Setting], Found], ...] = (
    unknown_action,
    wrong_resource_type,
    leaves_out,
    idle_resource,
    subscribes_in_vain,
    overruled,
    too_broad,
    misspelt_arn,
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


def _meant(statement: Statement) -> list[tuple[str, list[str]]]:
    """Each action as it is written, with the documented ones that it stands for."""
    if not statement.not_action:
        return [(action, _documented(action)) for action in _actions(statement)]
    rest = [name for name in ACTIONS if _names(statement, name)]
    return [(f"Everything but {' and '.join(_actions(statement))}", rest)]


def _names(statement: Statement, action: str) -> bool:
    named = any(pattern.matches(action.lower(), {}) for pattern in statement.actions)
    return named != statement.not_action


def _allowing(policy: Policy, action: str) -> list[Statement]:
    """The Allow statements about an action, whatever their resources."""
    return [each for each in policy.statements if each.allows and _names(each, action)]


def _kinds(statement: Statement) -> frozenset[str]:
    """The types of its resources; empty where it may be any."""
    sound = [pattern.text for pattern in statement.resources if _is_sound(pattern.text)]
    kinds = frozenset(map(resource_type, sound))
    return frozenset() if statement.not_resource or "*" in kinds else kinds


def _suits(statement: Statement, action: str) -> bool:
    """Tell whether one of its resources may be of the type that the action is checked against."""
    right = {"*", ACTIONS[action].resource_type}
    return statement.not_resource or any(
        resource_type(pattern.text) in right and _is_sound(pattern.text)
        for pattern in statement.resources
    )


def _is_sound(resource: str) -> bool:
    found = misspelt(resource)
    return found is None or found.severity == "note"


def _topics(resource: str) -> str:
    """The topics of all filters that a resource holds: these, and maybe more."""
    name = _SHARE.sub("", _VARIABLE.sub("*", _name(resource).removeprefix("topicfilter/")))
    if resource_type(resource) != "topicfilter" or name.startswith("$share"):
        return "*"
    if name[:1] in "*?":  # it may stand for $share/<group>/ and more
        name = f"*{name.rpartition('/')[2]}"
    return name.replace("/#", "*").replace("#", "*").replace("+", "*")


def _may_receive(setting: Setting, topics: str, place: _Place) -> bool:
    """Tell whether the policy may allow to receive one of these topics: more than all others."""
    resource = arn(place.region, place.account, f"topic/{topics}")
    others = {"Effect": "Allow", "Action": "iot:Receive", "NotResource": resource}
    reference = [parse("", to_json(build(others)))]
    return _compare(setting, reference, place, ["iot:Receive"]).verdict != "WITHIN"


def _compare(
    setting: Setting, reference: Sequence[Policy], place: _Place, actions: Iterable[str]
) -> Comparison:
    return compare(
        [setting.policy],
        reference,
        region=place.region,
        account=place.account,
        actions=actions,
        most_steps=_MOST_STEPS,
    )


def _place(resource: str, setting: Setting) -> _Place:
    """The region and the account to compare in: where it is, as far as that is known."""
    near = [resource, *(p.text for each in setting.policy.statements for p in each.resources)]
    found = [each for each in map(split_arn, near) if each]

    def choose(known: str | None, fields: list[str], otherwise: str) -> str:
        plain = [field for field in fields if field and not set(field) & set("*?$")]
        return known or (plain or [otherwise])[0]

    return _Place(
        choose(setting.region, [each.region for each in found], "us-east-1"),
        choose(setting.account, [each.account for each in found], "123456789012"),
    )


def _example(
    statement: Statement, pattern: Pattern, setting: Setting, actions: Iterable[str]
) -> str:
    """A request that the policy allows by this resource, as a sentence; empty without one.

    Rather one that it would not allow without this resource.
    """
    resources = tuple(each for each in statement.resources if each is not pattern)
    rest = [replace(statement, resources=resources)] if resources else []
    others = [each for each in setting.policy.statements if each is not statement]
    for kept in ([*others, *rest], []):
        without = replace(setting.policy, statements=tuple(kept))
        found = _compare(setting, [without], _place(pattern.text, setting), actions)
        if found.witness:
            return f" For example, it may {in_words(found.witness)}."
    return ""


def _name(resource: str) -> str:
    """Type and name, without what precedes them in the ARN."""
    found = split_arn(resource)
    return found.resource if found else resource


def _is_broad(resource: str) -> bool:
    kind, _, name = _name(resource).partition("/")
    open_kind = "*" in kind and (not name or split_arn(resource) is not None)
    return open_kind or name.startswith(_EVERYTHING) or name == "${iot:ClientId}"


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
