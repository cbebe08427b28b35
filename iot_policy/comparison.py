"""Is everything that A allows allowed by B? If not, one request that A allows and B does not.

Such a request is a *witness*. For each action, names of resources are tried, shortest first: every
one, or one that no pattern tells apart from it (:mod:`iot_policy.resources`). So the answer is
exact. A condition on the client id is one on the name, for a client that connects. Any other
condition, or a variable, whose value is not known is a *fact* that may be so or not: see
:func:`_differ`. *Within* is said only where no fact can change it.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, NamedTuple

from iot_policy.arns import arn
from iot_policy.conditions import Condition, read_operator
from iot_policy.decision import Policy, Request, decide
from iot_policy.documents import VERSIONS
from iot_policy.patterns import Context, Part, split_pattern
from iot_policy.resources import MOST_STEPS, Automaton, Glob, TooManyNamesError, is_name
from iot_policy.vocabulary import ACTIONS, NOUNS, THING, canonical

_TOO_MANY = "The resources for {} have too many wildcards, or too long names, to compare."
_ANOTHER = "another"
_CLIENT_ID, _NAME, _ATTACHED = "iot:ClientId", f"{THING}ThingName", f"{THING}IsAttached"

_Facts = frozenset[tuple[object, bool]]
"""Conditions, and patterns with a variable, that are not known: which hold, and which do not."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer; as text, one sentence."""

    verdict: Literal["WITHIN", "NOT_WITHIN", "NOT_SHOWN"]
    """``NOT_SHOWN``: it depends on what is not known, or would take too long. Not within, then."""
    witness: Request | None = None
    """Where it is ``NOT_WITHIN``: a request that A allows and B does not, by :func:`decide`."""
    reason: str = ""
    """Where it is ``NOT_SHOWN``: why, in one sentence."""

    @property
    def example(self) -> str:
        """What completes *It may also …*, or the reason; empty where it is within."""
        return in_words(self.witness) if self.witness else self.reason

    def __str__(self) -> str:
        if self.witness:
            return f"It may also {self.example}."
        return self.reason or "It allows nothing more."


def compare(
    policies: Sequence[Policy],
    reference: Sequence[Policy],
    *,
    region: str,
    account: str,
    context: Context = MappingProxyType({}),
    actions: Iterable[str] = ACTIONS,
    most_steps: int = MOST_STEPS,
) -> Comparison:
    """Find out whether everything that *policies* (A) allow is allowed by *reference* (B).

    Only requests that AWS IoT can see count: names that are well-formed and within its limits, and
    a client that connects under the name that it asks for. A certificate that the context says is
    attached to a Thing counts as attached to that one alone, whose name the client id must be: or
    not, where the two are known and differ. Then it is attached exclusively.

    Args:
        policies: A, as for :func:`iot_policy.decide`.
        reference: B, likewise.
        region: Where the resources are, such as ``eu-west-1``.
        account: Whose they are: 12 digits.
        context: What is known of the connection. A key that is not in there may have any value, or
            none; with the value ``()`` it has none.
        actions: Of :data:`iot_policy.vocabulary.ACTIONS`, in the order to look at them.
        most_steps: How far to look for each action before the answer is ``NOT_SHOWN``.

    Returns:
        The verdict, and a witness or a reason.

    >>> from iot_policy import document, parse, statement, to_json
    >>> def subscribe(topic_filter):
    ...     resource = arn("eu-west-1", "123456789012", f"topicfilter/{topic_filter}")
    ...     return [parse("P", to_json(document(statement("iot:Subscribe", resource))))]
    >>> where = {"region": "eu-west-1", "account": "123456789012"}
    >>> right = subscribe("iotbutton/G030JF055364XVRB/answer")
    >>> print(compare(right, subscribe("iotbutton/*"), **where))
    It allows nothing more.
    >>> found = compare(subscribe("iotbutton/*"), right, **where)
    >>> print(found)
    It may also subscribe to iotbutton/another/answer.
    >>> found.witness.action, found.witness.resource.rpartition(":")[2]
    ('iot:Subscribe', 'topicfilter/iotbutton/another/answer')
    >>> print(compare(subscribe("${iot:ClientId}/*"), right, **where))
    Whether it may also subscribe to another/another depends on iot:ClientId.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
    """
    unsure = None
    for action in actions:
        for case in _cases(action, context, region, account):
            found = _compare(policies, reference, case._replace(most_steps=most_steps))
            if found.witness:
                return found
            if found.reason:
                unsure = unsure or found
    return unsure or Comparison("WITHIN")


def in_words(request: Request) -> str:
    """Say what a request asks for, in words that complete *It may …*.

    >>> in_words(Request("iot:Connect", arn("eu-west-1", "123456789012", "client/my-button"), {}))
    'connect as my-button'
    """
    return _in_words(request.action, request.resource.partition("/")[2])


def _in_words(action: str, name: str) -> str:
    check = ACTIONS[action]
    return check.may.format(f"{name} {NOUNS[check.resource_type]}" if name == _ANOTHER else name)


class _Case(NamedTuple):
    """Requests for one action, by a connection of which the same is known."""

    action: str
    kind: str
    fixed: str
    """What stands before the name in a resource's ARN."""
    known: Context
    only: str = ""
    """The one name that is asked for; empty for all."""
    but: str = ""
    """A name that is not asked for."""
    most_steps: int = MOST_STEPS

    def request(self, name: str) -> Request:
        by = {_CLIENT_ID: name} if self.action == "iot:Connect" else {}
        return Request(self.action, self.fixed + name, {**self.known, **by})

    def has(self, name: str) -> bool:
        return is_name(self.kind, name) and name != self.but and self.only in ("", name)


def _cases(action: str, context: Context, region: str, account: str) -> Iterator[_Case]:
    """Yield one case, or for a connect two: under the client id that is known, and under others.

    Who connects names the client id, and so the Thing whose values the connection has. Where the
    known client id has a Thing, others have none.
    """
    kind = ACTIONS[action].resource_type
    if kind == "*":
        yield _Case(action, kind, "", context, only="*")
        return
    fixed = arn(region, account, f"{kind}/")
    if action != "iot:Connect":
        yield _Case(action, kind, fixed, context)
        return
    others = {k: v for k, v in context.items() if k != _CLIENT_ID and not k.startswith(THING)}
    own = context.get(_CLIENT_ID, context.get(_NAME))
    if not isinstance(own, str):
        yield _Case(action, kind, fixed, others)
        return
    yield _Case(action, kind, fixed, {**context, _CLIENT_ID: own}, only=own)
    if context.get(_NAME, own) != own:  # attached exclusively, whatever the client id is
        others |= {k: v for k, v in context.items() if k.startswith(THING)}
    elif any(key.startswith(THING) for key in context) and context.get(_ATTACHED) != "false":
        others[_ATTACHED] = "false"
    yield _Case(action, kind, fixed, others, but=own)


def _compare(policies: Sequence[Policy], reference: Sequence[Policy], case: _Case) -> Comparison:
    """Prove that no name is a witness, or find one, rather one that reads well."""
    question = _Question(policies, reference, case)
    try:
        first = question.shortest()
        if not first:
            return Comparison("WITHIN")
    except TooManyNamesError:
        first = ""

    def candidates() -> Iterator[str]:
        yield from question.suggest()
        yield from question.spell(first)
        # The client id aside, which the name is: now what is not known has no value.
        own = {_CLIENT_ID} if case.action == "iot:Connect" else set()
        if absent := dict.fromkeys(question.missing - own, ()):
            exact = _Question(policies, reference, case._replace(known={**case.known, **absent}))
            with suppress(TooManyNamesError):
                yield from exact.spell(exact.shortest())

    for name in filter(case.has, candidates()):
        request = case.request(name)
        allowed = decide(policies, request).verdict == "ALLOWED"
        if allowed and decide(reference, request).verdict != "ALLOWED":
            return Comparison("NOT_WITHIN", request)
    if not first:
        return Comparison("NOT_SHOWN", reason=_TOO_MANY.format(case.action))
    name = next(name for name in question.spell(first) if question.differs(name))
    may, keys = in_words(case.request(name)), " and ".join(question.depends_on(name))
    return Comparison("NOT_SHOWN", reason=f"Whether it may also {may} depends on {keys}.")


class _NameTest(NamedTuple):
    """A condition on the client id of a client that connects: that is the name itself."""

    globs: frozenset[Glob]
    negated: bool

    def holds(self, fits: Set[Glob]) -> bool:
        return self.globs.isdisjoint(fits) == self.negated


class _Rule(NamedTuple):
    """A statement about the action whose conditions hold, as far as they are known."""

    allows: bool
    globs: tuple[Glob, ...]
    not_resource: bool
    facts: _Facts
    """Its conditions that are not known."""
    missing: frozenset[str]
    """The context keys that it asks for and that are not known."""
    names: tuple[_NameTest, ...] = ()
    """Its conditions on the client id, where that is the name that is asked for."""

    def ways(self, fits: Set[Glob]) -> Iterator[_Facts]:
        """Yield each set of facts by which it applies to a name that fits these patterns."""
        if not all(test.holds(fits) for test in self.names):
            return
        globs = [glob for glob in self.globs if glob in fits]
        unsure = [glob for glob in globs if any(part.kind == "variable" for part in glob)]
        if self.not_resource:
            if globs == unsure:
                yield self.facts | {(glob, False) for glob in unsure}
        else:
            for glob in globs:
                yield self.facts | ({(glob, True)} if glob in unsure else set())


def _rules(policies: Sequence[Policy], case: _Case) -> Iterator[_Rule]:
    action, known = case.action, case.known
    detached = known.get(_ATTACHED) == "false"

    def unknown(keys: Iterable[str]) -> set[str]:
        asked = {k for k in keys if k not in known and canonical(k)}  # others have no value
        return {k for k in asked if not (detached and k.startswith(THING))}

    for policy in policies:
        substitute = policy.version == VERSIONS[0]
        for statement in policy.statements:
            named = any(pattern.matches(action.lower(), {}) for pattern in statement.actions)
            asked = [(c, unknown({c.key, *c.needs})) for c in statement.conditions]
            tests = [_name_test(c, n, substitute, case) for c, n in asked]
            needs = [each for each, test in zip(asked, tests, strict=True) if not test]
            if named == statement.not_action or not all(n or c.holds(known) for c, n in needs):
                continue
            missing = unknown(statement.variables)
            globs = (_fill_in(p.text, substitute, known, missing) for p in statement.resources)
            facts = {
                (c.operator, c.key, frozenset(c.values), frozenset(c.needs)) for c, n in needs if n
            }
            yield _Rule(
                allows=statement.allows,
                globs=tuple(glob for glob in globs if glob),
                not_resource=statement.not_resource,
                facts=frozenset((fact, True) for fact in facts),
                missing=frozenset(missing.union(*(n for _, n in needs))),
                names=tuple(test for test in tests if test),
            )


def _name_test(
    condition: Condition, missing: Set[str], substitute: bool, case: _Case
) -> _NameTest | None:
    """Make a condition one on the name; ``None`` where it is none, or compares what is unknown."""
    _, operator, _ = read_operator(condition.operator)
    like = operator in ("StringLike", "StringNotLike")
    plain = operator in ("StringEquals", "StringNotEquals")
    if case.action != "iot:Connect" or condition.key != _CLIENT_ID or not (like or plain):
        return None
    if not missing <= {_CLIENT_ID} or _CLIENT_ID in case.known:
        return None
    fixed = Part("text", case.fixed)
    filled = [
        _fill_in(value, substitute, case.known, missing, wildcards=like)
        for value in condition.values
    ]
    globs = frozenset((fixed, *parts) for parts in filled if parts)
    own = any(part.kind == "variable" for glob in globs for part in glob)
    return None if own else _NameTest(globs, "Not" in operator)


def _fill_in(
    text: str, substitute: bool, known: Context, missing: Set[str], *, wildcards: bool = True
) -> Glob:
    """Put the known values into a pattern; empty, as it matches nothing, where there is none."""
    parts = []
    for part in split_pattern(text, wildcards=wildcards, variables=substitute):
        if part.kind == "variable" and part.text not in missing:
            value = known.get(part.text)
            if not isinstance(value, str):
                return ()
            part = Part("text", value)
        parts.append(part)
    return tuple(parts)


def _differ(ours: Iterable[_Rule], theirs: Iterable[_Rule], fits: Set[Glob]) -> bool:
    """Look for facts by which A allows a name that fits these patterns, and B does not.

    Suppose that an Allow of A applies: then its facts hold. If by them a Deny of A applies too, A
    does not allow the name. B allows it if by them an Allow of B applies and no Deny of B can; and
    a Deny of B cannot, if a Deny of A would apply with it.
    """

    def ways(rules: Iterable[_Rule], allows: bool) -> list[_Facts]:
        return [way for rule in rules if rule.allows == allows for way in rule.ways(fits)]

    def apply(found: Iterable[_Facts], facts: _Facts) -> bool:
        return any(way <= facts for way in found)

    denied = ways(ours, allows=False)
    for facts in ways(ours, allows=True):
        if apply(denied, facts):
            continue
        if not apply(ways(theirs, allows=True), facts):
            return True
        for deny in ways(theirs, allows=False):
            contrary = any((fact, not holds) in facts for fact, holds in deny)
            if not contrary and not apply(denied, facts | deny):
                return True
    return False


class _Question:
    """Which names do A, ours, allow in a case where B, theirs, do not?"""

    def __init__(
        self, policies: Sequence[Policy], reference: Sequence[Policy], case: _Case
    ) -> None:
        self._case = case
        self._ours = tuple(_rules(policies, case))
        self._theirs = tuple(_rules(reference, case))
        self._rules = (*self._ours, *self._theirs)
        but: Glob = (Part("text", case.fixed + case.but),)
        globs = [glob for rule in self._rules for glob in rule.globs]
        globs += [glob for rule in self._rules for test in rule.names for glob in test.globs]
        self._automaton = Automaton(case.kind, case.fixed, [*globs, but])
        self._differ = cache(
            lambda fits: but not in fits and _differ(self._ours, self._theirs, fits)
        )
        self.missing = {key for rule in self._rules for key in rule.missing}
        """Context keys that the rules ask for and that are not known."""

    def differs(self, name: str) -> bool:
        """Tell whether A may allow *name* where B may not."""
        return self._differ(self._automaton.fits(name))

    def depends_on(self, name: str) -> list[str]:
        """Return the context keys that are not known and that decide about *name*."""
        fits = self._automaton.fits(name)
        rules = [rule for rule in self._rules if list(rule.ways(fits))]
        return sorted({key for rule in rules for key in rule.missing})

    def shortest(self) -> str:
        """Return the shortest name that differs; empty where none does."""
        case = self._case
        if case.only:
            return case.only if case.has(case.only) and self.differs(case.only) else ""
        allows = [rule for rule in self._ours if rule.allows]
        everywhere = any(rule.not_resource for rule in allows)
        wanted = None if everywhere else {glob for rule in allows for glob in rule.globs}
        for name, fits in self._automaton.names(wanted, case.most_steps):
            if self._differ(fits):
                if not case.has(name):  # with too many bytes: another may have fewer
                    raise TooManyNamesError
                return name
        return ""

    def spell(self, name: str) -> Iterator[str]:
        """Yield *name* with words where any would do, then as it is."""
        if name:
            levels = name.split("/")
            yield "/".join(x if x.strip(self._automaton.other) else _ANOTHER for x in levels)
            yield name

    def suggest(self) -> Iterator[str]:
        """Yield what a reader would think of: B's names with another word in them; A's names."""
        theirs = [name.split("/") for name in self._written(self._theirs)]
        near = {"/".join([*x[:i], _ANOTHER, *x[i + 1 :]]) for x in theirs for i in range(len(x))}
        yield from sorted(sorted(near), key=len)
        yield from sorted(self._written(self._ours), key=len)

    def _written(self, rules: Iterable[_Rule]) -> list[str]:
        """Return the names of the patterns, with a word for each wildcard."""
        texts = ["".join(map(_word, glob)) for rule in rules for glob in rule.globs]
        fixed = self._case.fixed
        return [text.removeprefix(fixed) for text in texts if text.startswith(fixed)]


def _word(part: Part) -> str:
    if part.kind == "text":
        return part.text
    return "x" if part.text == "?" else _ANOTHER
