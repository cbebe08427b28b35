"""The names that resources can have, and which patterns fit one and the same name.

Patterns read a name together, character by character, as one automaton. Its state is an integer
with one bit for each place in a pattern that was reached, so one step takes a few operations for
all patterns together. Patterns as people write them have about as many states as characters; at
worst the states double with each ``?`` behind a ``*``. After :data:`MOST_STEPS` it gives up.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from string import ascii_letters, digits

from iot_policy.patterns import Part

MOST_STEPS = 50_000
"""Half a second or less. Ten policies full of plain names take a fifth of it."""

Glob = tuple[Part, ...]
"""A pattern, with the values of its variables where they are known."""

_ANY = r"[^\0\ud800-\udfff]"
_NAMES: Mapping[str, tuple[str, int]] = {
    "client": (_ANY, 128),
    "topic": (r"[^+#\0\ud800-\udfff]", 256),
    "topicfilter": (_ANY, 256),
    "thing": (r"[a-zA-Z0-9:_$/-]", 193),
    "rolealias": (r"[a-zA-Z0-9_=,@-]", 128),
    "*": (r"\*", 1),
}
"""By type of resource: the characters of a name, and how many bytes it has at most.

A Thing's name may be followed by a slash and a shadow's.

Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits
"""

_MOST_SLASHES = {"topic": 7, "topicfilter": 7, "thing": 1}
_PREFIX_SLASHES = 3
"""Those of ``$aws/rules/<rule>/`` and ``$share/<group>/`` do not count."""

_Form = tuple[int, str]
"""Of a name's beginning: its slashes; ``+``, ``#``, ``text`` or nothing after the last one."""
_START: _Form = (-_PREFIX_SLASHES - 1, "")
"""Like no other beginning."""


class TooManyNamesError(Exception):
    """The patterns tell more names apart than can be tried."""


def is_name(kind: str, name: str) -> bool:
    """Tell whether AWS IoT can see *name* in a request.

    Args:
        kind: The type of the resource: ``client``, ``topic``, …
        name: What follows the type in the ARN.

    >>> is_name("topic", "a/+"), is_name("topicfilter", "a/+"), is_name("topicfilter", "a+")
    (False, True, False)

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/topics.html
    """
    characters, most = _NAMES[kind]
    form: _Form | None = _START
    for char in name:
        form = form and _follow(kind, form, char)
    fits = re.fullmatch(f"{characters}+", name) and len(name.encode()) <= most
    return bool(fits) and form is not None


def _follow(kind: str, form: _Form, char: str) -> _Form | None:
    """Read one more character of a name; ``None`` where none goes on like this."""
    slashes, level = form
    if kind not in _MOST_SLASHES:
        return form
    if form == _START:
        slashes = -_PREFIX_SLASHES if char == "$" else 0
    if char == "/":
        return None if level == "#" or slashes == _MOST_SLASHES[kind] else (slashes + 1, "")
    if level in ("+", "#") or (level and char in "+#"):
        return None
    return slashes, char if char in "+#" else "text"


class Automaton:
    """Patterns that read together."""

    def __init__(self, kind: str, fixed: str, globs: Iterable[Glob]) -> None:
        """Make the patterns ready to read names.

        Args:
            kind: The type of the resources.
            fixed: What stands before the name in the ARN: the patterns have read it already.
            globs: The patterns. A variable in one stands for any text.
        """
        self._kind = kind
        self._stars = self._single = start = 0
        self._literals = dict.fromkeys("/$", 0)  # they count even where no pattern names them
        self._spans: dict[Glob, tuple[int, int]] = {}  # the bits of a glob's beginning and end
        bit = 1
        for glob in dict.fromkeys(globs):
            first = bit
            for part in glob:
                if part.kind == "variable" or part == ("wildcard", "*"):
                    self._stars |= bit
                    continue
                for char in part.text:
                    if part.kind == "wildcard":
                        self._single |= bit
                    else:
                        self._literals[char] = self._literals.get(char, 0) | bit
                    bit <<= 1
            start |= first
            self._spans[glob] = first, bit
            bit <<= 1
        self._start = self._read(fixed, start)
        legal = re.compile(_NAMES[kind][0]).match
        plain = chain("x", ascii_letters, digits, map(chr, range(0xC0, 0xD800)))
        self.other = next((c for c in plain if c not in self._literals and legal(c)), "")
        """A character for all those that no pattern names; empty where each is named."""
        self._letters = [*self.other, *sorted(filter(legal, self._literals))]
        self._ends = sum(end for _, end in self._spans.values())
        self._sets: dict[int, frozenset[Glob]] = {}

    def _read(self, text: str, state: int) -> int:
        for char in text:
            moved = state & (self._literals.get(char, 0) | self._single)
            state = moved << 1 | state & self._stars
        return state

    def fits(self, name: str) -> frozenset[Glob]:
        """Return the patterns that *name* fits."""
        return self._fitting(self._read(name, self._start))

    def _fitting(self, state: int) -> frozenset[Glob]:
        ends = state & self._ends
        if ends not in self._sets:
            spans = self._spans.items()
            self._sets[ends] = frozenset(glob for glob, (_, end) in spans if ends & end)
        return self._sets[ends]

    def names(
        self, wanted: Collection[Glob] | None, most_steps: int
    ) -> Iterator[tuple[str, frozenset[Glob]]]:
        """Yield a name for each way in which names can fit the patterns, shortest first.

        A set of patterns can come more than once.

        Args:
            wanted: Patterns of which it must fit at least one; ``None`` for names that fit none,
                too.
            most_steps: How many letters to read before it gives up.

        Raises:
            TooManyNamesError: there would be more.
        """
        spans = self._spans.items()
        alive = sum(2 * end - first for glob, (first, end) in spans if wanted and glob in wanted)
        always = {self.other, "/", "$"}
        steps, level = 0, {(self._start, _START): ""}
        seen = set(level)
        for _ in range(_NAMES[self._kind][1]):
            further: dict[tuple[int, _Form], str] = {}
            for (state, form), name in level.items():
                for letter in self._letters:
                    if self.other and letter not in always and not state & self._literals[letter]:
                        continue  # as good as any other character, here
                    steps += 1
                    if steps > most_steps:
                        raise TooManyNamesError
                    after_form = _follow(self._kind, form, letter)
                    after = self._read(letter, state)
                    if after_form is None or (after, after_form) in seen:
                        continue
                    if wanted is None or after & alive:
                        seen.add((after, after_form))
                        further[after, after_form] = name + letter
                        yield name + letter, self._fitting(after)
            level = further
