"""What each condition operator compares: text, numbers, dates, addresses, ARNs."""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from iot_policy.patterns import Context, Pattern, compile_pattern

Prepare = Callable[[str, bool], Pattern]
"""Makes a policy's value ready; told whether variables are replaced. ValueError: not a value."""

_ARN_FIELDS = 6
_COLON = re.compile(r":(?![^{}]*\})")  # not one inside ${…}
_VALUES_KEPT = 64


def _equals(text: str, variables: bool) -> Pattern:
    return compile_pattern(text, wildcards=False, variables=variables)


def _equals_ignore_case(text: str, variables: bool) -> Pattern:
    return compile_pattern(text, wildcards=False, variables=variables, ignore_case=True)


def _like(text: str, variables: bool) -> Pattern:
    return compile_pattern(text, variables=variables)


def _arn(text: str, variables: bool) -> Pattern:
    """An ARN's six fields, each matched on its own: no wildcard crosses into the next field."""
    fields = [_like(field, variables) for field in _COLON.split(text, _ARN_FIELDS - 1)]
    if len(fields) != _ARN_FIELDS:
        raise ValueError(f"{text!r} is not an ARN")

    def matches(value: str, context: Context) -> bool:
        found = value.split(":", _ARN_FIELDS - 1)
        return len(found) == _ARN_FIELDS and all(
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
        except (
            ValueError,
            OverflowError,
        ):  # a Thing's attribute may hold any text: it equals no number
            return False

    return Pattern(text, (), lambda value, _: holds(value))


def _moment(text: str) -> datetime:
    """ISO 8601, or seconds since 1970. Without a zone it is UTC."""
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _orders(kind: str, read: Callable[[str], Any]) -> Mapping[str, tuple[Prepare, bool]]:
    return {
        f"{kind}Equals": (_ordered(read, operator.eq), False),
        f"{kind}NotEquals": (_ordered(read, operator.eq), True),
        f"{kind}LessThan": (_ordered(read, operator.lt), False),
        f"{kind}LessThanEquals": (_ordered(read, operator.le), False),
        f"{kind}GreaterThan": (_ordered(read, operator.gt), False),
        f"{kind}GreaterThanEquals": (_ordered(read, operator.ge), False),
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
