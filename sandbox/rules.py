"""The SQL of topic rules: read, and applied to a message.

What AWS documents is here as far as it takes few lines: ``SELECT`` of ``*``, of fields, and of
expressions with ``AS``; ``FROM``; ``WHERE``; the operators but ``IN``; a few functions. The rest is
refused by name. Decimals are reckoned with AWS's 34 digits, and leave with double precision.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-reference.html
https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-operators.html
https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-functions.html
https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-data-types.html
"""

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache, partial
from typing import Any, Final, NoReturn

from sandbox.mqtt import limits
from sandbox.mqtt.packets import RefusedError
from sandbox.mqtt.reserved import LIFECYCLE, service_subscribed_to
from sandbox.mqtt.topics import check_filter
from sandbox.shadows import same

VERSIONS = ("2015-10-08", "2016-03-23")
"""Of AWS IoT's SQL. The first is what a rule has that names none."""
UNDEFINED: Final[Any] = object()
"""AWS's name for no value: of a field that is not there, or an operation that cannot be done."""
NESTING = 20
"""Parentheses and calls within each other. AWS documents no number."""
_DIGITS = 34
_REACH = 999
"""The largest exponent of ten that AWS allows."""
_DECIMALS = Context(prec=_DIGITS, Emin=-_REACH, Emax=_REACH)
_FUNCTIONS_ELSEWHERE = (
    "abs acos asin atan atan2 aws_lambda bitand bitnot bitor bitxor cast ceil chr concat cos cosh "
    "decode encode endswith exp floor get get_dynamodb get_mqtt_property get_or_default "
    "get_registry_data get_secret get_thing_shadow get_user_properties indexof isnull isundefined "
    "length ln log lpad ltrim machinelearning_predict md2 md5 mod nanvl newuuid numbytes "
    "parse_time power principal rand regexp_matches regexp_replace regexp_substr remainder replace "
    "round rpad rtrim sha1 sha224 sha256 sha384 sha512 sign sin sinh sourceip sql_version sqrt "
    "startswith substring tan tanh time_to_epoch traceid transform trim trunc"
)
_KEYWORDS = {"AND", "AS", "CASE", "FROM", "IN", "NOT", "OR", "SELECT", "SET", "WHERE"}
_LITERALS = {"TRUE": True, "FALSE": False, "NULL": None}
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<text>'[^']*'|"[^"]*")"""
    r"""|(?P<word>[a-z_]\w*)|(?P<sign><>|<=|>=|[-+*/%=<>(),.:@{}\[\]])""",
    re.ASCII | re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?", re.ASCII | re.IGNORECASE)


class SqlError(Exception):
    """A text is no SQL of AWS IoT's."""


class UnsupportedError(Exception):
    """AWS IoT's SQL has this, and the sandbox has not."""


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


def document(payload: bytes, version: str) -> Any:
    """Read a payload as a rule of an SQL version reads it; :data:`UNDEFINED` is no JSON.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-data-types.html
    """
    try:
        return json.loads(
            payload.decode(), parse_float=partial(_decimal, version), parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        return UNDEFINED


@dataclass(frozen=True)
class Statement:
    """What a rule selects, from which messages."""

    source: str | None
    """The topic filter; without one, only basic ingest calls the rule."""
    items: tuple[tuple[str, Expression | None], ...]
    """Names and what they stand for; ``None`` is everything: ``*``."""
    where: Expression | None

    def outcome(self, scope: Scope) -> bytes | None:
        """Return what the rule's actions are given, or ``None`` if they are not called.

        Raises:
            RuleError: it cannot be told of this message.

        Sources: https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-where.html
        https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-select.html
        https://docs.aws.amazon.com/iot/latest/developerguide/binary-payloads.html
        """
        if self.where and self.where(scope) is not True:
            return None
        if self.items == (("*", None),):
            found = scope.document
            return scope.payload if found is UNDEFINED else _written(found)
        selected: dict[str, Any] = {}
        for name, expression in self.items:
            if expression:
                selected[name] = expression(scope)
            elif isinstance(scope.document, dict):
                selected |= scope.document
            else:
                raise RuleError("* beside other items takes an object of JSON, and this is none")
        return _written({name: each for name, each in selected.items() if each is not UNDEFINED})


@dataclass(frozen=True)
class Template:
    """A text of which parts are expressions: ``device/${clientid()}``."""

    parts: tuple[str | Expression, ...]

    @property
    def fixed(self) -> str | None:
        """The text, if it is the same for every message."""
        return "".join(map(str, self.parts)) if not any(map(callable, self.parts)) else None

    def filled(self, scope: Scope) -> str:
        """Return the text for a message; what has no value leaves nothing.

        Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-substitution-templates.html
        """
        found = (each if isinstance(each, str) else _text(each(scope)) for each in self.parts)
        return "".join("" if each is UNDEFINED else each for each in found)


@lru_cache(maxsize=1000)
def statement(sql: str, version: str) -> Statement:
    """Read the SQL of a rule.

    Args:
        sql: ``SELECT … FROM '…' WHERE …``.
        version: One of :data:`VERSIONS`.

    Raises:
        SqlError: it is none.
        UnsupportedError: a part of it is not here.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-from.html
    """
    return _Parser(sql, version).statement()


@lru_cache(maxsize=1000)
def template(text: str, version: str) -> Template:
    """Read a text with substitution templates; see :func:`statement`."""
    parts = re.split(r"\$\{([^}]*)\}", text)
    if any("${" in each for each in parts[::2]):
        raise SqlError(f"${{ without }}: {text}")
    return Template(
        tuple(
            _Parser(each, version).whole_expression() if number % 2 else each
            for number, each in enumerate(parts)
        )
    )


class _Parser:
    """Reads one text, from left to right: a method for each level of precedence."""

    def __init__(self, text: str, version: str) -> None:
        self._version = version
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._nesting = 0
        end = 0
        for found in _TOKEN.finditer(text):
            kind = found.lastgroup
            if found.start() != end or kind is None:
                break
            if kind != "space":
                self._tokens.append((kind, found[0]))
            end = found.end()
        if end < len(text):
            raise SqlError(f"Unexpected {text[end]!r} at character {end + 1} of: {text}")

    def statement(self) -> Statement:
        if self._next_is("SET"):
            raise UnsupportedError("SQL's SET clause")
        self._expect("SELECT")
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        source = self._source() if self._take("FROM") else None
        where = self._expression() if self._take("WHERE") else None
        self._expect_end()
        return Statement(source, tuple(items), where)

    def whole_expression(self) -> Expression:
        found = self._expression()
        self._expect_end()
        return found

    def _item(self) -> tuple[str, Expression | None]:
        start = self._at
        if self._take("*"):
            if self._next_is("AS"):
                raise UnsupportedError("SQL's * AS")
            return "*", None
        follows = self._tokens[self._at + 1][:2] if self._at + 1 < len(self._tokens) else ("", "")
        if self._next_is("VALUE") and (
            follows[0] in ("number", "text")
            or follows[1] in ("(", "[", "{", "@")
            or (follows[0] == "word" and follows[1].upper() not in _KEYWORDS - {"CASE"})
        ):
            raise UnsupportedError("SQL's SELECT VALUE")
        found = self._expression()
        if self._take("AS"):
            name = self._word()
            if self._next_is("."):
                raise UnsupportedError("a dot in the name after SQL's AS")
            return name, found
        if self._at < len(self._tokens) and self._peek() not in (",", "FROM", "WHERE"):
            self._fail("AS, a comma, FROM or WHERE")
        kind, name = self._tokens[start]
        if self._at != start + 1 or kind != "word" or name.upper() in _LITERALS:
            raise UnsupportedError(
                "a name for what SQL selects without AS, unless it is a plain field, for AWS "
                "documents none (give it one with AS)"
            )
        return name, found

    def _source(self) -> str:
        kind, quoted = self._next()
        if kind != "text" or quoted[0] != "'":
            self._fail("a topic filter in single quotes", back=1)
        source = quoted[1:-1]
        try:
            check_filter(source)
            service = service_subscribed_to(source)
        except RefusedError as problem:
            raise SqlError(f"FROM {quoted}: {problem.reason}") from problem
        if service not in ("", LIFECYCLE):
            raise UnsupportedError(f"{service}, of which FROM {quoted} would tell")
        return source

    def _expression(self) -> Expression:
        self._nesting += 1
        if self._nesting > NESTING:
            raise SqlError(f"It is nested more than {NESTING} levels deep: {self._text}")
        found = self._chain(partial(self._chain, self._negation, {"AND": _and}), {"OR": _or})
        self._nesting -= 1
        return found

    def _negation(self) -> Expression:
        count = 0
        while self._take("NOT"):
            count += 1
        return _repeated(_not, count, self._comparison())

    def _comparison(self) -> Expression:
        sums = partial(self._chain, self._product, _SUMS)
        found = self._chain(sums, _COMPARISONS)
        if self._next_is("IN"):
            raise UnsupportedError("SQL's operator IN")
        return found

    def _product(self) -> Expression:
        return self._chain(self._signed, _PRODUCTS)

    def _signed(self) -> Expression:
        count = 0
        while self._take("-"):
            count += 1
        return _repeated(partial(_SUMS["-"], 0), count, self._operand())

    def _chain(
        self, inner: Callable[[], Expression], operators: dict[str, Callable[[Any, Any], Any]]
    ) -> Expression:
        first, rest = inner(), []
        while self._at < len(self._tokens) and (sign := self._peek()) in operators:
            self._at += 1
            rest.append((operators[sign], inner()))
        if not rest:
            return first

        # A loop, not one call within another: a sum may have thousands of terms.
        def value(scope: Scope) -> Any:
            found = first(scope)
            for apply, other in rest:
                found = apply(found, other(scope))
            return found

        return value

    def _operand(self) -> Expression:
        kind, text = self._next()
        if kind == "number":
            return _constant(self._literal(text))
        if kind == "text":
            if "\\" in text:
                raise UnsupportedError("a backslash in a text of SQL")
            return _constant(text[1:-1])
        if kind == "word":
            return self._named(text)
        if text == "(":
            if self._next_is("SELECT"):
                raise UnsupportedError("SQL's nested SELECT")
            found = self._expression()
            self._expect(")")
            return found
        for sign, what in (("[", "array literals"), ("{", "object literals"), ("@", "variables")):
            if text == sign:
                raise UnsupportedError(f"SQL's {what}")
        self._fail("a value", back=1)

    def _literal(self, text: str) -> Any:
        try:
            return int(text) if text.isdecimal() else _decimal(self._version, text)
        except ValueError as problem:
            raise SqlError(f"{text} is no number that AWS IoT knows") from problem

    def _named(self, word: str) -> Expression:
        if word.upper() == "CASE":
            raise UnsupportedError("SQL's CASE")
        if word.upper() in _KEYWORDS:
            self._fail("a value", back=1)
        if self._take("("):
            return self._call(word.lower())
        if word.upper() in _LITERALS:
            return _constant(_LITERALS[word.upper()])
        path = [word]
        while self._take("."):
            path.append(self._word())
        return partial(_field, path)

    def _call(self, name: str) -> Expression:
        if name in _FUNCTIONS_ELSEWHERE.split():
            raise UnsupportedError(f"SQL's function {name}()")
        if name not in _FUNCTIONS:
            raise SqlError(f"AWS IoT has no function {name}(): {self._text}")
        arguments: list[Expression] = []
        while not self._take(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._expression())
        numbers, function = _FUNCTIONS[name]
        if len(arguments) not in numbers:
            return _constant(UNDEFINED)
        return lambda scope: function(scope, *(each(scope) for each in arguments))

    def _word(self) -> str:
        kind, text = self._next()
        if kind != "word":
            self._fail("a name", back=1)
        return text

    def _peek(self) -> str:
        return self._tokens[self._at][1].upper()

    def _next_is(self, what: str) -> bool:
        return self._at < len(self._tokens) and self._peek() == what

    def _take(self, what: str) -> bool:
        found = self._next_is(what)
        self._at += found
        return found

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ("", "")

    def _expect(self, what: str) -> None:
        if not self._take(what):
            self._fail(what)

    def _expect_end(self) -> None:
        if self._at < len(self._tokens):
            self._fail("the end")

    def _fail(self, expected: str, *, back: int = 0) -> NoReturn:
        # AWS does not document how its SqlParseException is worded.
        at = self._at - back
        found = repr(self._tokens[at][1]) if at < len(self._tokens) else "the end"
        raise SqlError(f"Expected {expected}, found {found}, in: {self._text}")


def _constant(value: Any) -> Expression:
    return lambda _: value


def _repeated(apply: Callable[[Any], Any], count: int, inner: Expression) -> Expression:
    def value(scope: Scope) -> Any:
        found = inner(scope)
        for _ in range(count):
            found = apply(found)
        return found

    return value if count else inner


def _field(path: list[str], scope: Scope) -> Any:
    if scope.document is UNDEFINED:
        raise RuleError(f"it asks for {'.'.join(path)}, and the payload is no JSON")
    found = scope.document
    for name in path:
        found = found.get(name, UNDEFINED) if isinstance(found, dict) else UNDEFINED
    return found


def _decimal(version: str, text: str) -> Decimal | int:
    value = _in_range(text)
    if value is None:
        raise ValueError(f"{text} is out of range")
    whole = version != VERSIONS[0] and value.adjusted() < _DIGITS
    return int(value) if whole and value == value.to_integral_value() else value


def _in_range(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except ArithmeticError:  # an exponent beyond those that the library has
        return None
    return None if value and abs(value.adjusted()) > _REACH else value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _written(value: Any) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except (ValueError, RecursionError) as problem:
        raise RuleError(f"what it selects cannot be written as JSON: {problem}") from problem
    return text.encode(errors="backslashreplace")  # half a pair of surrogates: \udc00, as in JSON


def _plain(value: Decimal) -> int | float:
    # Such as 5 of '7' - '2': a decimal without a point.
    exponent = value.as_tuple().exponent
    return int(value) if isinstance(exponent, int) and 0 <= exponent < _DIGITS else float(value)


def _text(value: Any) -> Any:
    """Convert a value to a text, or to UNDEFINED."""
    if value is UNDEFINED or value is None:
        return UNDEFINED
    if isinstance(value, bool):
        return str(value).lower()
    return _written(value).decode() if isinstance(value, list | dict) else str(value)


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


def _not(value: Any) -> Any:
    truth = _boolean(value)
    return UNDEFINED if truth is UNDEFINED else not truth


def _joined(left: Any, right: Any) -> Any:
    if not isinstance(left, str) and not isinstance(right, str):
        return _added(left, right)
    joined = _both(_text, operator.add, left, right)
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
    text = _text(value)
    return UNDEFINED if text is UNDEFINED else change(text)


_added = _arithmetic(operator.add, _DECIMALS.add)
_and = partial(_both, _boolean, lambda left, right: left and right)
_or = partial(_both, _boolean, lambda left, right: left or right)
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": partial(_both, lambda value: value, same),
    "<>": partial(_both, lambda value: value, lambda left, right: not same(left, right)),
    "<": partial(_both, _number, operator.lt),
    "<=": partial(_both, _number, operator.le),
    ">": partial(_both, _number, operator.gt),
    ">=": partial(_both, _number, operator.ge),
}
_SUMS = {"+": _joined, "-": _arithmetic(operator.sub, _DECIMALS.subtract)}
_PRODUCTS = {
    "*": _arithmetic(operator.mul, _DECIMALS.multiply),
    "/": _arithmetic(_quotient, _DECIMALS.divide),
    "%": _arithmetic(_remainder, _DECIMALS.remainder),
}
_FUNCTIONS: dict[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "accountid": ((0,), lambda scope: scope.account),
    "clientid": ((0,), lambda scope: scope.client_id or "n/a"),
    "lower": ((1,), partial(_cased, str.lower)),
    "timestamp": ((0,), lambda scope: scope.milliseconds),
    "topic": ((0, 1), lambda scope, *number: _level(scope, *number) if number else scope.topic),
    "upper": ((1,), partial(_cased, str.upper)),
}
"""How many arguments each takes, and what it does."""
