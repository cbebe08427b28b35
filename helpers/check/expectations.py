"""What a policy shall allow and shall not, decided as the broker decides."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import iot_policy
from iot_policy import AttachedThing, Policy, Request


class Wanted(NamedTuple):
    """One thing that a button asks for, and whether it shall have it."""

    words: str
    """What follows *the button may*."""
    action: str
    resource: str
    """Its full ARN."""
    allowed: bool


def unmet(
    document: Mapping[str, Any], thing: AttachedThing, wanted: Sequence[Wanted]
) -> Iterator[str]:
    """Say what of *wanted* a policy document does not meet.

    Yields:
        One sentence each; for a denial with the one change that would help most.
    """
    try:
        parsed = [iot_policy.parse("the policy", iot_policy.to_json(document))]
    except iot_policy.MalformedPolicy as problem:
        yield str(problem)
        return
    context = iot_policy.connection_context(thing.name, "127.0.0.1", "0" * 64, [thing])
    for each in wanted:
        request = Request(each.action, each.resource, context)
        if (iot_policy.decide(parsed, request).verdict == "ALLOWED") == each.allowed:
            continue
        if each.allowed:
            yield f"The button may not {each.words}. {iot_policy.explain(parsed, request).hint}"
        else:
            number = _allowing(parsed, request)
            yield f"The button may {each.words}, which it need not: narrow statement {number}."


def _allowing(policies: Sequence[Policy], request: Request) -> int:
    steps = iot_policy.explain(policies, request).steps
    return next(step.number for step in steps if step.kind == "matched")
