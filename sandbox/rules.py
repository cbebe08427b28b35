"""The SQL of topic rules: read, and applied to a message.

What AWS documents is here as far as it takes few lines: ``SELECT`` of ``*``, of fields, and of
expressions with ``AS``; ``FROM``; ``WHERE``; the operators but ``IN``; a few functions. The rest is
refused by name. What values, operators and functions do is in ``rule_values.py``.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-reference.html
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NoReturn

from sandbox.mqtt.packets import RefusedError
from sandbox.mqtt.reserved import LIFECYCLE, service_subscribed_to
from sandbox.mqtt.topics import check_filter
from sandbox.rule_values import (
    ANDS,
    COMPARISONS,
    FUNCTIONS,
    FUNCTIONS_ELSEWHERE,
    ORS,
    PRODUCTS,
    SUMS,
    UNDEFINED,
    Expression,
    RuleError,
    Scope,
    as_json,
    as_text,
    decimal,
    negated,
)

VERSIONS = ("2015-10-08", "2016-03-23")
"""Of AWS IoT's SQL. The first is what a rule has that names none."""
NESTING = 20
"""Parentheses and calls within each other. AWS documents no number."""
_KEYWORDS = {"AND", "AS", "CASE", "FROM", "IN", "NOT", "OR", "SELECT", "SET", "WHERE"}
_LITERALS = {"TRUE": True, "FALSE": False, "NULL": None}
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<text>'[^']*'|"[^"]*")"""
    r"""|(?P<word>[a-z_]\w*)|(?P<sign><>|<=|>=|[-+*/%=<>(),.:@{}\[\]])""",
    re.ASCII | re.IGNORECASE,
)


class SqlError(Exception):
    """A text is no SQL of AWS IoT's."""


class UnsupportedError(Exception):
    """AWS IoT's SQL has this, and the sandbox has not."""


def document(payload: bytes, version: str) -> Any:
    """Read a payload as a rule of an SQL version reads it; :data:`UNDEFINED` is no JSON.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-data-types.html
    """
    try:
        return json.loads(
            payload.decode(),
            parse_float=partial(decimal, whole=version != VERSIONS[0]),
            parse_constant=_no_constant,
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
            return scope.payload if found is UNDEFINED else as_json(found)
        selected: dict[str, Any] = {}
        for name, expression in self.items:
            if expression:
                selected[name] = expression(scope)
            elif isinstance(scope.document, dict):
                selected |= scope.document
            else:
                raise RuleError("* beside other items takes an object of JSON, and this is none")
        return as_json({name: each for name, each in selected.items() if each is not UNDEFINED})


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
        found = (each if isinstance(each, str) else as_text(each(scope)) for each in self.parts)
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
        self._whole = version != VERSIONS[0]
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
        found = self._chain(partial(self._chain, self._negation, ANDS), ORS)
        self._nesting -= 1
        return found

    def _negation(self) -> Expression:
        count = 0
        while self._take("NOT"):
            count += 1
        return _repeated(negated, count, self._comparison())

    def _comparison(self) -> Expression:
        sums = partial(self._chain, self._product, SUMS)
        found = self._chain(sums, COMPARISONS)
        if self._next_is("IN"):
            raise UnsupportedError("SQL's operator IN")
        return found

    def _product(self) -> Expression:
        return self._chain(self._signed, PRODUCTS)

    def _signed(self) -> Expression:
        count = 0
        while self._take("-"):
            count += 1
        return _repeated(partial(SUMS["-"], 0), count, self._operand())

    def _chain(
        self, inner: Callable[[], Expression], operators: Mapping[str, Callable[[Any, Any], Any]]
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
            return int(text) if text.isdecimal() else decimal(text, whole=self._whole)
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
        if name in FUNCTIONS_ELSEWHERE.split():
            raise UnsupportedError(f"SQL's function {name}()")
        if name not in FUNCTIONS:
            raise SqlError(f"AWS IoT has no function {name}(): {self._text}")
        arguments: list[Expression] = []
        while not self._take(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._expression())
        numbers, function = FUNCTIONS[name]
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


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
