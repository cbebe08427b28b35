"""What the expressions of a topic rule's SQL reckon with: values, operators and functions.

Decimals are reckoned with AWS's 34 digits, and leave with double precision.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-data-types.html
https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-operators.html
https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-functions.html
"""

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import partial
from typing import Any, Final

from sandbox.mqtt import limits
from sandbox.shadows import same

UNDEFINED: Final[Any] = object()
"""AWS's name for no value: of a field that is not there, or an operation that cannot be done."""
_DIGITS = 34
_REACH = 999
"""The largest exponent of ten that AWS allows."""
_DECIMALS = Context(prec=_DIGITS, Emin=-_REACH, Emax=_REACH)
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?", re.ASCII | re.IGNORECASE)


class RuleError(Exception):
    """A rule cannot be applied to a message."""


@dataclass(frozen=True)
class Scope:
    """A message that a rule is applied to, and what its functions tell of it."""

    topic: str
    payload: bytes
    document: Any
    """What the payload says as JSON; :data:`UNDEFINED` where it is none."""
    client_id: str
    """Who has published it by MQTT; empty where nobody has."""
    account: str
    milliseconds: int
    """Since 1970."""


Expression = Callable[[Scope], Any]


def decimal(text: str, *, whole: bool) -> Decimal | int:
    """Read a decimal number; one with nothing behind its point is an integer if *whole*.

    Raises:
        ValueError: it is out of AWS's range.
    """
    value = _in_range(text)
    if value is None:
        raise ValueError(f"{text} is out of range")
    whole = whole and value.adjusted() < _DIGITS
    return int(value) if whole and value == value.to_integral_value() else value


def _in_range(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except ArithmeticError:  # an exponent beyond those that the library has
        return None
    return None if value and abs(value.adjusted()) > _REACH else value


def as_json(value: Any) -> bytes:
    """Write a value as JSON.

    Raises:
        RuleError: JSON cannot have it.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError as problem:
        raise RuleError(f"what it selects cannot be written as JSON: {problem}") from problem
    return text.encode(errors="backslashreplace")  # half a pair of surrogates: \udc00, as in JSON


def _plain(value: Decimal) -> int | float:
    # Such as 5 of '7' - '2': a decimal without a point.
    exponent = value.as_tuple().exponent
    return int(value) if isinstance(exponent, int) and 0 <= exponent < _DIGITS else float(value)


def as_text(value: Any) -> Any:
    """Convert a value to a text, or to UNDEFINED."""
    if value is UNDEFINED or value is None:
        return UNDEFINED
    if isinstance(value, bool):
        return str(value).lower()
    return as_json(value).decode() if isinstance(value, list | dict) else str(value)


def _number(value: Any) -> Any:
    """Convert a value to a number, or to UNDEFINED."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = _in_range(value)
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return value if is_number else UNDEFINED


def _boolean(value: Any) -> Any:
    """Convert a value to a Boolean, or to UNDEFINED."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value if isinstance(value, bool) else UNDEFINED


def _both(
    convert: Callable[[Any], Any], apply: Callable[[Any, Any], Any], left: Any, right: Any
) -> Any:
    """Apply an operator to two converted values; without both of them there is no result."""
    left, right = convert(left), convert(right)
    return UNDEFINED if left is UNDEFINED or right is UNDEFINED else apply(left, right)


def negated(value: Any) -> Any:
    """Return what NOT makes of a value."""
    truth = _boolean(value)
    return UNDEFINED if truth is UNDEFINED else not truth


def _joined(left: Any, right: Any) -> Any:
    if not isinstance(left, str) and not isinstance(right, str):
        return _added(left, right)
    joined = _both(as_text, operator.add, left, right)
    if joined is not UNDEFINED and len(joined) > limits.PAYLOAD_BYTES:
        raise RuleError("it makes a text that is longer than a message")
    return joined


def _reckoned(
    whole: Callable[[int, int], int], decimal: Callable[[Any, Any], Decimal], left: Any, right: Any
) -> Any:
    try:
        if isinstance(left, int) and isinstance(right, int):
            result = whole(left, right)
            return result if abs(result) < 10**_DIGITS else UNDEFINED
        return decimal(left, right)
    except ArithmeticError:  # AWS does not say what comes of a division by zero
        return UNDEFINED


def _quotient(left: int, right: int) -> int:
    # Towards zero, and so is the remainder: AWS does not say how.
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int:
    return left - right * _quotient(left, right)


def _arithmetic(
    whole: Callable[[int, int], int], decimal: Callable[[Any, Any], Decimal]
) -> Callable[[Any, Any], Any]:
    return partial(_both, _number, partial(_reckoned, whole, decimal))


def _level(scope: Scope, number: Any = UNDEFINED) -> Any:
    number = _number(number)
    levels = scope.topic.split("/")
    there = number is not UNDEFINED and 1 <= number <= len(levels)
    return levels[int(number) - 1] if there else UNDEFINED


def _cased(change: Callable[[str], str], _: Scope, value: Any) -> Any:
    text = as_text(value)
    return UNDEFINED if text is UNDEFINED else change(text)


_added = _arithmetic(operator.add, _DECIMALS.add)
ANDS = {"AND": partial(_both, _boolean, lambda left, right: left and right)}
ORS = {"OR": partial(_both, _boolean, lambda left, right: left or right)}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": partial(_both, lambda value: value, same),
    "<>": partial(_both, lambda value: value, lambda left, right: not same(left, right)),
    "<": partial(_both, _number, operator.lt),
    "<=": partial(_both, _number, operator.le),
    ">": partial(_both, _number, operator.gt),
    ">=": partial(_both, _number, operator.ge),
}
SUMS = {"+": _joined, "-": _arithmetic(operator.sub, _DECIMALS.subtract)}
PRODUCTS = {
    "*": _arithmetic(operator.mul, _DECIMALS.multiply),
    "/": _arithmetic(_quotient, _DECIMALS.divide),
    "%": _arithmetic(_remainder, _DECIMALS.remainder),
}
FUNCTIONS: dict[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "accountid": ((0,), lambda scope: scope.account),
    "clientid": ((0,), lambda scope: scope.client_id or "n/a"),
    "lower": ((1,), partial(_cased, str.lower)),
    "timestamp": ((0,), lambda scope: scope.milliseconds),
    "topic": ((0, 1), lambda scope, *number: _level(scope, *number) if number else scope.topic),
    "upper": ((1,), partial(_cased, str.upper)),
}
"""How many arguments each takes, and what it does."""
FUNCTIONS_ELSEWHERE = (
    "abs acos asin atan atan2 aws_lambda bitand bitnot bitor bitxor cast ceil chr concat cos cosh "
    "decode encode endswith exp floor get get_dynamodb get_mqtt_property get_or_default "
    "get_registry_data get_secret get_thing_shadow get_user_properties indexof isnull isundefined "
    "length ln log lpad ltrim machinelearning_predict md2 md5 mod nanvl newuuid numbytes "
    "parse_time power principal rand regexp_matches regexp_replace regexp_substr remainder replace "
    "round rpad rtrim sha1 sha224 sha256 sha384 sha512 sign sin sinh sourceip sql_version sqrt "
    "startswith substring tan tanh time_to_epoch traceid transform trim trunc"
)
"""Those that AWS IoT has, and the sandbox has not."""
