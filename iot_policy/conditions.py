"""The ``Condition`` block of a statement, by IAM's rules: operators, and what each compares."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any

from iot_policy.arns import split_arn
from iot_policy.errors import MalformedPolicy
from iot_policy.patterns import Context, Pattern, compile_pattern
from iot_policy.vocabulary import canonical

Prepare = Callable[[str, bool], Pattern]
"""Makes a policy's value ready; told whether variables are replaced. ValueError: not a value."""

_VALUES_KEPT = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _equals(text: str, variables: bool) -> Pattern:
    return compile_pattern(text, wildcards=False, variables=variables)


def _equals_ignore_case(text: str, variables: bool) -> Pattern:
    return compile_pattern(text, wildcards=False, variables=variables, ignore_case=True)


def _like(text: str, variables: bool) -> Pattern:
    return compile_pattern(text, variables=variables)


def _arn(text: str, variables: bool) -> Pattern:
    """An ARN's six fields, each matched on its own: no wildcard crosses into the next field."""
    arn = split_arn(text, variables=True)
    if arn is None:
        raise ValueError(f"{text!r} is not an ARN")
    fields = [_like(field, variables) for field in arn]

    def matches(value: str, context: Context) -> bool:
        found = split_arn(value)
        return found is not None and all(
            field.matches(part, context) for field, part in zip(fields, found, strict=True)
        )

    return Pattern(text, tuple(name for field in fields for name in field.variables), matches)


def _bool(text: str, _: bool) -> Pattern:
    wanted = text.lower()
    if wanted not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return Pattern(text, (), lambda value, _: value.lower() == wanted)


def _network(text: str, _: bool) -> Pattern:
    network = ip_network(text, strict=False)
    return _compared(text, ip_address, lambda address, _: address in network, network)


def _ordered(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Prepare:
    return lambda text, _: _compared(text, read, compare, read(text))


def _compared(
    text: str, read: Callable[[str], Any], compare: Callable[[Any, Any], bool], wanted: Any
) -> Pattern:
    @lru_cache(maxsize=_VALUES_KEPT)
    def holds(value: str) -> bool:
        try:
            return compare(read(value), wanted)
        except (ValueError, OverflowError):
            return False  # a Thing's attribute may hold any text: it equals no number

    return Pattern(text, (), lambda value, _: holds(value))


def _moment(text: str) -> datetime:
    """ISO 8601, or seconds since 1970. Without a zone it is UTC."""
    if text.isdigit():
        # Not fromtimestamp(): of a far year it raises OSError, from the system's C library.
        return _EPOCH + timedelta(seconds=int(text))
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _orders(kind: str, read: Callable[[str], Any]) -> Mapping[str, tuple[Prepare, bool]]:
    return {
        f"{kind}Equals": (_ordered(read, eq), False),
        f"{kind}NotEquals": (_ordered(read, eq), True),
        f"{kind}LessThan": (_ordered(read, lt), False),
        f"{kind}LessThanEquals": (_ordered(read, le), False),
        f"{kind}GreaterThan": (_ordered(read, gt), False),
        f"{kind}GreaterThanEquals": (_ordered(read, ge), False),
    }


OPERATORS: Mapping[str, tuple[Prepare, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignore_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignore_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnLike": (_arn, False),
    "ArnNotLike": (_arn, True),
    "Bool": (_bool, False),
    "IpAddress": (_network, False),
    "NotIpAddress": (_network, True),
    **_orders("Numeric", float),
    **_orders("Date", _moment),
}
"""Operator to how it prepares a value, and whether it is the negated form.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""


_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?")


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key."""

    operator: str
    key: str
    values: tuple[str, ...]
    """As the policy has them; one match is enough."""
    needs: tuple[str, ...]
    """Context keys without which the condition cannot hold as meant."""
    holds: Callable[[Context], bool]

    def __str__(self) -> str:
        """Read it aloud: ``Bool iot:Connection.Thing.IsAttached true``."""
        return f"{self.operator} {self.key} {' or '.join(self.values) or '(nothing)'}"


def compile_conditions(
    block: Mapping[str, Mapping[str, Any]], *, variables: bool = True
) -> Iterator[Condition]:
    """Make a ``Condition`` block ready; all of its conditions must hold.

    Args:
        block: Operator to key to value or values, checked for its shape.
        variables: Whether ``${…}`` is replaced in the values.

    Raises:
        MalformedPolicy: an operator or a value that cannot be understood.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    for operator, keys in block.items():
        for key, value in keys.items():
            # A key that AWS IoT does not document has no value, by IAM's rules for such a key.
            yield _condition(operator, canonical(key) or key, tuple(texts(value)), variables)


def read_operator(operator: str) -> tuple[str | None, str, bool]:
    """Split a condition operator into qualifier, name, and whether ``IfExists`` follows.

    Raises:
        MalformedPolicy: no such operator.

    >>> read_operator("ForAnyValue:StringLikeIfExists")
    ('ForAnyValue', 'StringLike', True)
    """
    found = _OPERATOR.fullmatch(operator)
    qualifier, name, if_exists = found.groups() if found else (None, operator, None)
    if name == "Null" and not qualifier and not if_exists:
        return None, name, False
    if name not in OPERATORS:
        hint = suggest(operator, [*OPERATORS, "Null"])
        raise MalformedPolicy(f"There is no condition operator {operator!r}.{hint}")
    return qualifier, name, bool(if_exists)


def texts(value: Any) -> list[str]:
    """One value or several, as texts: JSON's ``true`` and ``5`` are ``"true"`` and ``"5"``."""
    values = value if isinstance(value, list) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]


def suggest(word: str, known: Any) -> str:
    """`` Did you mean …?`` where something known is close, else nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _condition(operator: str, key: str, values: tuple[str, ...], variables: bool) -> Condition:
    qualifier, name, if_exists = read_operator(operator)
    if name == "Null":
        return Condition(operator, key, values, (), _null(key, values))
    prepare, negated = OPERATORS[name]
    try:
        patterns = tuple(prepare(value, variables) for value in values)
    except (ValueError, OverflowError) as error:
        raise MalformedPolicy(f"{operator} on {key} cannot compare with that: {error}.") from error
    own = () if qualifier or if_exists else (key,)
    needs = (*own, *(variable for pattern in patterns for variable in pattern.variables))
    absent = if_exists or (negated if qualifier is None else qualifier == "ForAllValues")
    every = qualifier == "ForAllValues" or (qualifier is None and negated)
    return Condition(operator, key, values, needs, _holds(key, patterns, negated, every, absent))


def _holds(
    key: str, patterns: tuple[Pattern, ...], negated: bool, every: bool, absent: bool
) -> Callable[[Context], bool]:
    """Build the test: what the values must do (*every* or any), what an *absent* key gives."""

    def any_of(value: str, context: Context) -> bool:
        for pattern in patterns:
            if pattern.matches(value, context):
                return not negated
        return negated

    one = patterns[0].matches if len(patterns) == 1 and not negated else any_of

    def holds(context: Context) -> bool:
        value = context.get(key, ())
        if isinstance(value, str):
            return one(value, context)
        if not value:
            return absent
        return (all if every else any)(one(each, context) for each in value)

    return holds


def _null(key: str, values: tuple[str, ...]) -> Callable[[Context], bool]:
    if not set(values) <= {"true", "false"}:
        raise MalformedPolicy(f"Null on {key} takes true (absent) or false (present).")
    return lambda context: ("false" if context.get(key) else "true") in values
