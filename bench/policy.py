"""How long one decision takes: ``python -m bench.policy``.

Aims: linear in the number of statements, and under 10 µs a statement. Every statement is about
the action that is asked for, so that none is passed over early.
"""

import re
import statistics
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

from iot_policy import (
    AttachedThing,
    Policy,
    Request,
    arn,
    connection_context,
    decide,
    document,
    parse,
    to_json,
)
from iot_policy import statement as build

SIZES = (1, 10, 100)
ROUNDS = 7
SECONDS_A_ROUND = 0.1
HERE = ("eu-west-1", "123456789012")
THING = "iot:Connection.Thing."
CONTEXT = connection_context(
    "button", "127.0.0.1", "a1" * 32, [AttachedThing("button", None, {"x": "1"})]
)
REQUEST = Request("iot:Publish", arn(*HERE, "topic/button/9/state"), CONTEXT)


def plain(number: int) -> dict[str, Any]:
    """One name, no wildcard."""
    return build("iot:Publish", arn(*HERE, f"topic/some/name/{number}"))


def wildcards(number: int) -> dict[str, Any]:
    """Two wildcards, which take a regular expression."""
    return build("iot:Pub*", arn(*HERE, f"topic/*/{number}/*x"))


def worst(_: int) -> dict[str, Any]:
    """The worst realistic case: wildcards, a variable and conditions that must all be looked at."""
    return build(
        "iot:Publish",
        arn(*HERE, f"topic/${{{THING}ThingName}}/*/state"),
        condition={
            "Bool": {f"{THING}IsAttached": "true"},
            "StringEquals": {f"{THING}Attributes[x]": ["2", "3", "1"]},
            "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
        },
    )


def microseconds(call: Callable[[], object]) -> float:
    """The median of several rounds, each long enough to measure."""
    timer = timeit.Timer(call)
    once, took = timer.autorange()
    repeats = max(1, round(once * SECONDS_A_ROUND / took))
    rounds = timer.repeat(ROUNDS, repeats)
    return statistics.median(rounds) / repeats * 1e6


def parse_cold(texts: list[str]) -> None:
    """Parse as for the first time: neither the policies nor their expressions are remembered."""
    re.purge()
    for text in texts:
        parse.__wrapped__("P", text)


def main() -> None:
    """Print one line for each kind of statement and each size."""
    print(f"{'statements':<12}{'how many':>8}{'µs':>9}{'µs each':>9}{'to 1':>8}{'parse µs':>10}")
    for kind in (plain, wildcards, worst):
        first = 0.0
        for size in SIZES:
            texts = [to_json(document(kind(number))) for number in range(size)]
            # Put together by hand: AWS takes 2048 characters, which is about ten statements.
            parsed = [statement for text in texts for statement in parse("P", text).statements]
            policy = Policy("P", "2012-10-17", tuple(parsed))
            took = microseconds(partial(decide, [policy], REQUEST))
            first = first or took
            cold = microseconds(partial(parse_cold, texts))
            print(
                f"{kind.__name__:<12}{size:>8}{took:>9.1f}{took / size:>9.2f}"
                f"{took / first:>8.1f}{cold / size:>10.1f}"
            )


if __name__ == "__main__":
    main()
