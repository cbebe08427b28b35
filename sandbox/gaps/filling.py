"""How a gap is filled: a function stands before moto's own method and calls it, or does not."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from moto.core.responses import ActionResult
from moto.iot.responses import IoTResponse

Answer = Callable[[], ActionResult]
"""Moto's own answer to the request: a function to call, or not."""

Gap = Callable[[IoTResponse, Answer], ActionResult]

Method = Callable[[IoTResponse], ActionResult]

gaps: defaultdict[str, list[Gap]] = defaultdict(list)
"""What stands before each of moto's methods; the last one is asked first."""


def fills(*operations: str) -> Callable[[Gap], Gap]:
    """Put the decorated function before moto's answer to *operations*, in snake case."""

    def register(gap: Gap) -> Gap:
        for operation in operations:
            gaps[operation].append(gap)
        return gap

    return register


def through(gap: Gap, method: Method) -> Any:
    """Make a method that asks *gap* first."""

    # A plain function, for moto finds an operation among the functions of the class.
    @wraps(method)
    def answer(request: IoTResponse) -> ActionResult:
        return gap(request, partial(method, request))

    return answer
