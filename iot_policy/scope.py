"""What a statement is about: the documented actions, and the types of resources, that it means."""

import re

from iot_policy.arns import misspelt, split_arn
from iot_policy.conditions import texts
from iot_policy.decision import Policy, Statement
from iot_policy.patterns import compile_pattern
from iot_policy.vocabulary import ACTIONS

_TYPES = frozenset(check.resource_type for check in ACTIONS.values())
_SHARE = re.compile(r"^\$share/[^/*?]*/")
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def written_actions(statement: Statement) -> list[str]:
    """List what stands in ``Action`` or ``NotAction``."""
    return texts(statement.source["NotAction" if statement.not_action else "Action"])


def documented_actions(action: str) -> list[str]:
    """List the documented actions that an action of a policy, maybe with wildcards, stands for."""
    pattern = compile_pattern(action.lower(), variables=False)
    return [name for name in ACTIONS if pattern.matches(name.lower(), {})]


def meant_actions(statement: Statement) -> list[tuple[str, list[str]]]:
    """List each action as it is written, with the documented ones that it stands for."""
    if not statement.not_action:
        return [(action, documented_actions(action)) for action in written_actions(statement)]
    rest = [name for name in ACTIONS if is_about(statement, name)]
    return [(f"Everything but {' and '.join(written_actions(statement))}", rest)]


def is_about(statement: Statement, action: str) -> bool:
    """Tell whether a statement is about an action."""
    named = any(pattern.matches(action.lower(), {}) for pattern in statement.actions)
    return named != statement.not_action


def allowing(policy: Policy, action: str) -> list[Statement]:
    """List the Allow statements about an action, whatever their resources."""
    return [each for each in policy.statements if each.allows and is_about(each, action)]


def is_sound(resource: str) -> bool:
    """Tell whether a resource has the form that its author means, most likely."""
    found = misspelt(resource)
    return found is None or found.severity == "note"


def types_of(resource: str) -> frozenset[str]:
    """Return the types of resources that a policy's resource may match: these, or fewer.

    >>> sorted(types_of("arn:aws:iot:eu-west-1:123456789012:topic*"))
    ['topic', 'topicfilter']
    """
    found = split_arn(resource)
    kind = found.resource_type if found else "*"
    if not set(kind) & set("*?"):
        return frozenset({kind})
    beginning, star, _ = kind.partition("*")
    fits = compile_pattern(beginning).matches
    most = len(beginning) if star else None
    return frozenset(each for each in _TYPES if fits(f"{each}/"[:most] if star else each, {}))


def types_in(statement: Statement) -> frozenset[str]:
    """Return the types that its resources may have; empty where that may be any."""
    sound = [types_of(pattern.text) for pattern in statement.resources if is_sound(pattern.text)]
    found = frozenset().union(*sound)
    return frozenset() if statement.not_resource or "*" in found else found


def suits(statement: Statement, action: str) -> bool:
    """Tell whether one of its resources may be of the type that the action is checked against."""
    kind = ACTIONS[action].resource_type
    return statement.not_resource or any(
        kind in types_of(pattern.text) and is_sound(pattern.text) for pattern in statement.resources
    )


def resource_name(resource: str) -> str:
    """Return type and name, without what precedes them in the ARN."""
    found = split_arn(resource)
    return found.resource if found else resource


def plain(text: str, instead: str = "") -> str:
    """Return a text with something else in place of each variable."""
    return _VARIABLE.sub(instead, text)


def topics_of(resource: str) -> str:
    """Return the topics of all filters that a resource holds: these, and maybe more."""
    name = _SHARE.sub("", plain(resource_name(resource), "*").removeprefix("topicfilter/"))
    if types_of(resource) != {"topicfilter"} or name.startswith("$share"):
        return "*"
    if name[:1] in "*?":  # it may stand for $share/<group>/ and more
        name = f"*{name.rpartition('/')[2]}"
    return name.replace("/#", "*").replace("#", "*").replace("+", "*")


def opens(resource: str, action: str, example: str) -> str:
    """Say what a resource opens to an action; empty where that is not everything of its type.

    Args:
        resource: As the policy has it.
        action: One of :data:`iot_policy.vocabulary.ACTIONS`.
        example: The beginning of a full ARN, up to the account: where the policy is used.

    >>> opens("arn:aws:iot:r:1:topicfilter/+/#", "iot:Subscribe", "arn:aws:iot:r:1:")
    'every topic at once'
    >>> opens("arn:aws:iot:r:1:topic/*/x", "iot:Publish", "arn:aws:iot:r:1:")
    ''
    """
    kind = ACTIONS[action].resource_type
    written = resource_name(resource)
    found = split_arn(resource)
    before = "" if found else example
    matches = compile_pattern(written).matches
    if all(
        matches(f"{before}{kind}/{name}", {"iot:ClientId": name} if kind == "client" else {})
        for name in _ANY_NAMES
    ):
        return _EVERYTHING.get(kind, "all there are")
    name = written.removeprefix(f"{kind}/")
    if kind in ("topic", "topicfilter") and re.match(r"\$aws/things/[*+](/|$)", name):
        return "what belongs to every Thing"
    if kind == "topicfilter" and _SHARE_OF_ANY.sub("", name) in ("#", "+/#"):
        return "every topic at once"
    return ""


_ANY_NAMES = ("q", "zz/7", "$aws/things/q/shadow/update")
"""What matches all of these matches whatever there is."""
_EVERYTHING = {
    "client": "any client id",
    "topic": "every topic, $aws/things/*/shadow/update included",
    "topicfilter": "every topic filter, # included",
}
_SHARE_OF_ANY = re.compile(r"^\$share/[^/]*/")
