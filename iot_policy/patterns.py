"""Wildcards and variables: what the text that a policy holds matches.

``*`` is any run of characters, ``/`` included; ``?`` is exactly one. MQTT's ``+`` and ``#`` are
plain characters here. ``${*}``, ``${?}`` and ``${$}`` are the plain characters too.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Literal, NamedTuple

from iot_policy.vocabulary import canonical

Context = Mapping[str, str | tuple[str, ...]]

_VALUES_KEPT = 256
_MARK = re.compile(r"\$\{([^}]*)\}|([*?])")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text out of a policy, made ready for matching."""

    text: str
    """As the policy has it."""
    variables: tuple[str, ...]
    """Names of the variables in it. Where one has no value, the pattern matches nothing."""
    matches: Callable[[str, Context], bool]
    """Called with the request's text and its context."""


class Part(NamedTuple):
    """A piece of a pattern."""

    kind: Literal["text", "wildcard", "variable"]
    text: str


def compile_pattern(
    text: str,
    *,
    wildcards: bool = True,
    variables: bool = True,
    ignore_case: bool = False,
) -> Pattern:
    """Make *text* ready for matching, once, so that each match is cheap.

    A variable's value is compared as plain text: a client that calls itself ``*`` matches ``*``
    and nothing else.

    Args:
        text: What the policy holds.
        wildcards: Whether ``*`` and ``?`` are wildcards.
        variables: Whether ``${…}`` is replaced. Policies of version 2008-10-17 have no variables.
        ignore_case: Whether letters' case is ignored; then no wildcards are.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policy-variables.html

    >>> compile_pattern("a/*/${iot:ClientId}").matches("a/b/c/me", {"iot:ClientId": "me"})
    True
    """
    parts = tuple(split_pattern(text, wildcards=wildcards, variables=variables))
    names = tuple(dict.fromkeys(part.text for part in parts if part.kind == "variable"))
    if not names:
        test = _test(parts, ignore_case)
        return Pattern(text, names, lambda value, _: bool(test(value)))

    # A connection keeps its values, so the test for them is built once a connection.
    @lru_cache(maxsize=_VALUES_KEPT)
    def test_for(found: str | tuple[str, ...]) -> Callable[[str], object]:
        values = found if len(names) > 1 else (found,)
        if not all(isinstance(value, str) for value in values):
            return _never
        known = dict(zip(names, values, strict=True))
        filled = (Part("text", str(known[p.text])) if p.kind == "variable" else p for p in parts)
        return _test(tuple(filled), ignore_case)

    look_up = itemgetter(*names)  # one value, or a tuple of several

    def matches(value: str, context: Context) -> bool:
        try:
            found = look_up(context)
        except KeyError:
            return False
        return bool(test_for(found)(value))

    return Pattern(text, names, matches)


def unresolved(names: Iterable[str], context: Context) -> tuple[str, ...]:
    """Those of *names* that have no value in *context*."""
    return tuple([name for name in names if name not in context])


def split_pattern(text: str, *, wildcards: bool = True, variables: bool = True) -> Iterator[Part]:
    """Split *text* into plain texts, wildcards, and variables by their names.

    Args:
        text: What the policy holds.
        wildcards: As for :func:`compile_pattern`.
        variables: As for :func:`compile_pattern`.

    >>> [part.text for part in split_pattern("a/${*}/*/${iot:ClientId}") if part.text]
    ['a/', '*', '/', '*', '/', 'iot:ClientId']
    """
    end = 0
    for mark in _MARK.finditer(text):
        name, wildcard = mark.groups()
        if not (wildcards if wildcard else variables):
            continue
        yield Part("text", text[end : mark.start()])
        end = mark.end()
        if wildcard:
            yield Part("wildcard", wildcard)
        elif name in ("*", "?", "$"):
            yield Part("text", name)
        else:
            yield Part("variable", canonical(name) or name)
    yield Part("text", text[end:])


def _test(parts: tuple[Part, ...], ignore_case: bool) -> Callable[[str], object]:
    """The cheapest test that does it: most patterns are plain text, or end in one ``*``."""
    plain = "".join(part.text for part in parts if part.kind == "text")
    wild = [part.text for part in parts if part.kind == "wildcard"]
    if ignore_case:
        folded = plain.casefold()
        return lambda value: value.casefold() == folded
    if not wild:
        return plain.__eq__
    if wild == ["*"] and parts[-2:] == (Part("wildcard", "*"), Part("text", "")):
        return lambda value: value.startswith(plain)
    return re.compile(_expression(parts), re.DOTALL).fullmatch


def _expression(parts: tuple[Part, ...]) -> str:
    """A regular expression that never backtracks over more than one ``*``: time stays linear."""
    chunks = [""]
    for part in parts:
        if part == ("wildcard", "*"):
            chunks.append("")
        else:
            chunks[-1] += "." if part.kind == "wildcard" else re.escape(part.text)
    first, *rest = chunks
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{chunk})" for chunk in middle) + ".*" + last


def _never(_: str) -> bool:
    return False
