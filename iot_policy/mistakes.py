"""The mistakes in a policy, one rule each: of the whole policy, or of one statement."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from iot_policy.arns import PARTITIONS, Severity, arn, misspelt, partition, split_arn
from iot_policy.comparison import Comparison, compare, in_words
from iot_policy.conditions import suggest
from iot_policy.decision import Policy, Statement, parse
from iot_policy.documents import VERSIONS, to_json
from iot_policy.documents import document as build
from iot_policy.patterns import Pattern, split_pattern
from iot_policy.scope import (
    allowing,
    documented_actions,
    is_about,
    is_sound,
    meant_actions,
    opens,
    plain,
    resource_name,
    suits,
    topics_of,
    types_in,
    types_of,
    written_actions,
)
from iot_policy.vocabulary import ACTIONS, KEYS, THING, canonical

Found = Iterator[tuple[Severity, str, str]]
"""Severity, message, and AWS's page: below AWS IoT's developer guide, or its whole address."""

_VARIABLES = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"
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


def old_version(policy: Policy) -> Found:
    """Variables in a policy of the version that has none."""
    newest, *_ = VERSIONS
    if policy.version != newest and any("${" in str(s.source) for s in policy.statements):
        message = f"Version {policy.version} takes ${{…}} as plain text: use {newest}."
        yield "warning", message, _VARIABLES


def lacking(policy: Policy) -> Found:
    """An action without which what it allows is of no use. Another policy may allow that one."""
    named = {action for action in ACTIONS if allowing(policy, action)}
    for action, without, consequence, page in _NEEDED:
        if action not in named and named & without:
            message = f"No statement allows {action}: unless another policy does, {consequence}."
            yield "note", message, page


def unknown_action(statement: Statement, _: Setting) -> Found:
    """An action that AWS IoT does not document."""
    for action in written_actions(statement):
        if documented_actions(action):
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
    kinds = types_in(statement)
    for action, names in meant_actions(statement):
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
    if not statement.allows:
        return
    kinds = types_in(statement)
    where = f"on a {' or a '.join(sorted(kinds))}"
    why = "that is checked against another type of resource"
    if statement.not_resource:
        where = (
            f"on everything but {' and '.join(resource_name(p.text) for p in statement.resources)}"
        )
        why = "NotResource takes out all of that type"
    alone = replace(setting, policy=replace(setting.policy, statements=(statement,)))
    place = _place(statement.resources[0].text, setting)

    def may_allow(name: str) -> bool:
        if statement.not_resource:
            return _compare(alone, [], place, [name]).verdict != "WITHIN"
        return not kinds or ACTIONS[name].resource_type in kinds

    def elsewhere(name: str) -> bool:
        others = allowing(setting.policy, name)
        return any(each is not statement and suits(each, name) for each in others)

    for action, names in meant_actions(statement):
        needed = [name for name in names if name in _BASIC] or names
        out = [ACTIONS[name] for name in needed if not may_allow(name) and not elsewhere(name)]
        if out and any(map(may_allow, names)):
            events = dict.fromkeys(f"{check.event} ({check.example})" for check in out)
            message = f"{action} {where} can never allow {' or '.join(events)}: {why}."
            yield "warning", message, "iot-action-resources.html"


def idle_resource(statement: Statement, _: Setting) -> Found:
    """A resource of a type that none of the statement's actions is checked against."""
    meant = [names for _, names in meant_actions(statement)]
    needed = {ACTIONS[name].resource_type for names in meant for name in names}
    if not all(meant) or not needed & types_in(statement):
        return
    sound = [types_of(pattern.text) for pattern in statement.resources if is_sound(pattern.text)]
    for kind in sorted({kind for kinds in sound if not kinds & needed for kind in kinds}):
        message = f"None of the actions is checked against a {kind}: it does nothing here."
        yield "warning", message, "iot-action-resources.html"


def subscribes_in_vain(statement: Statement, setting: Setting) -> Found:
    """Subscribe to what may not be received: the answer is yes, and nothing ever comes."""
    receiving = allowing(setting.policy, "iot:Receive")
    if not statement.allows or not is_about(statement, "iot:Subscribe"):
        return
    if receiving and not any(suits(each, "iot:Receive") for each in receiving):
        return  # another rule says so
    for pattern in statement.resources:
        if not suits(replace(statement, resources=(pattern,)), "iot:Subscribe"):
            continue
        topics = "*" if statement.not_resource else topics_of(pattern.text)
        if _may_receive(setting, topics, _place(pattern.text, setting)):
            continue
        if receiving:
            problem = f"{resource_name(pattern.text)}: no topic that matches it may be received."
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

    for action, names in meant_actions(statement):
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
    known = {f"{THING}IsAttached", "iot:ClientId"}  # who may connect is narrowed by a condition
    narrowed = any(c.key in known and "Not" not in c.operator for c in statement.conditions)
    for action, names in meant_actions(statement):
        narrow = [name for name in names if name not in _NEED_NOT_BE_NARROW]
        if not narrow or (narrow == ["iot:Connect"] and narrowed):
            continue
        for pattern in statement.resources:
            if too_much := _too_much(pattern.text, narrow, setting):
                severity: Severity = "note" if narrow == ["iot:Connect"] else "warning"
                message = f"{action} on {resource_name(pattern.text)} allows {too_much}."
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
    for text in [p.text for p in statement.resources if is_sound(p.text)]:
        # Of an ARN that ends in a wildcard early, the last field may go on.
        fields = [*text.split(":", 5)[:-1], *"*****"]
        _, written, service, region, account, *_ = fields
        if _differs(service, "iot"):
            yield "error", f"{text} is no resource of AWS IoT.", page
        if _differs(region, setting.region):
            yield "error", f"{text} is in {region}; this is {setting.region}.", page
        elif _differs(written, right := partition(_place(text, setting).region)):
            known = written in PARTITIONS.values() or not written.startswith("aws-")
            if known:
                yield "error", f"{text} is in partition {written}: write {right}.", page
        if _differs(account, setting.account):
            message = f"{text} is of account {account}; this is {setting.account}."
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
        name = resource_name(pattern.text)
        if name.startswith("topic/") and set(plain(name)) & set("+#"):
            message = (
                f"{name}: + and # are plain characters in a policy; its wildcards are * and ?."
            )
            yield "error", message, "pub-sub-policy.html"


def open_variable(statement: Statement, setting: Setting) -> Found:
    """A variable without its closing brace: the broker takes it as plain text."""
    if setting.policy.version != VERSIONS[0]:
        return
    values = [value for condition in statement.conditions for value in condition.values]
    for text in [*(resource_name(pattern.text) for pattern in statement.resources), *values]:
        if any(part.kind == "text" and "${" in part.text for part in split_pattern(text)):
            message = f"{text}: a variable ends in }}, and without it is plain text."
            yield "error", message, "iot-policy-variables.html"


def unknown_variable(statement: Statement, _: Setting) -> Found:
    """A variable that AWS IoT does not document: it never has a value."""
    keys = {condition.key for condition in statement.conditions}
    for name in _keys_asked_for(statement):
        if canonical(name) is None and name not in keys:
            message = f"AWS IoT documents no variable ${{{name}}}.{suggest(name, KEYS)}"
            yield "error", message, "iot-policy-variables.html"


def unknown_key(statement: Statement, _: Setting) -> Found:
    """A condition on a key that AWS IoT does not document: it is the same for all connections."""
    for condition in statement.conditions:
        if canonical(condition.key) is None:
            holds = "always" if condition.holds({}) else "never"
            yield (
                "error",
                f"AWS IoT documents no condition key {condition.key!r}, so it has no value, and "
                f"{condition.operator} on it {holds} holds.{suggest(condition.key, KEYS)}",
                "iot-policy-variables.html",
            )


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
    open_variable,
    unknown_variable,
    unknown_key,
)
"""Each looks at one statement."""


def _keys_asked_for(statement: Statement) -> list[str]:
    """The context keys that its variables and its conditions need, each once."""
    conditions = (name for condition in statement.conditions for name in condition.needs)
    return list(dict.fromkeys([*statement.variables, *conditions]))


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

    own = found[0].partition if found else "aws"
    region = next((f"{start}east-1" for start, name in PARTITIONS.items() if name == own), None)
    return _Place(
        choose(setting.region, [each.region for each in found], region or "us-east-1"),
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


def _too_much(resource: str, narrow: list[str], setting: Setting) -> str:
    """What actions allow on everything, and what to write instead; empty where it is not all."""
    possible = types_of(resource)
    if not is_sound(resource) or (
        len(possible) == 1 and ACTIONS[narrow[0]].resource_type not in possible
    ):
        return ""
    example = arn(*_place(resource, setting), "")
    found = next(filter(None, (opens(resource, name, example) for name in narrow)), "")
    if found and len(narrow) > 1:
        return "far more than one device needs: name the actions, and a resource for each"
    return found and f"{found}: name one, {ACTIONS[narrow[0]].example}"


def _differs(field: str, here: str | None) -> bool:
    return here is not None and field != here and not set(field) & set("*?$")
