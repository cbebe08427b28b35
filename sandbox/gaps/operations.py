"""How moto's operations are replaced, and what AWS's API model rules out in all of them."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache, partial, wraps
from typing import Any

import botocore.session
import regex  # AWS's patterns are Java's: \p{L} and the like
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException
from moto.iot.responses import IoTResponse

Answer = Callable[[], ActionResult]
"""Returns moto's own answer to the request."""

Override = Callable[[IoTResponse, Answer], ActionResult]
"""Answers a request in moto's place; calls moto's answer, or does not."""

Method = Callable[[IoTResponse], ActionResult]

overrides: defaultdict[str, list[Override]] = defaultdict(list)
"""The overrides of each of moto's methods; the last one is called first."""


def overriding(*operations: str) -> Callable[[Override], Override]:
    """Call the decorated function in place of moto's methods *operations*, in snake case."""

    def register(override: Override) -> Override:
        for operation in operations:
            overrides[operation].append(override)
        return override

    return register


def wrap(override: Override, method: Method) -> Any:
    """Return a method that calls *override*, which may call *method*."""

    # A plain function, for moto finds an operation among the functions of the class.
    @wraps(method)
    def answer(request: IoTResponse) -> ActionResult:
        return override(request, partial(method, request))

    return answer


def constraints(request: IoTResponse, moto: Answer, *, operation: str) -> ActionResult:
    """Refuse names, values and lists that AWS's own API model rules out."""
    shape = iot_model().operation_model(operation).input_shape
    members = shape.members if shape else {}
    given = {name: request._get_param(name) for name in members}
    found = list(violations(shape, given)) if shape else []
    if found:
        raise InvalidRequestException(refusal(found))
    return moto()


@cache
def iot_model() -> ServiceModel:
    """Return AWS IoT's API as botocore describes it: operations, shapes, patterns, lengths."""
    return ServiceModel(botocore.session.Session().get_service_data("iot"), "iot")


def refusal(violations: list[str]) -> str:
    """Word the violations of one request as AWS words them.

    >>> refusal(["Value 'a b' at 'thingName' is not nice"])
    "1 validation error detected: Value 'a b' at 'thingName' is not nice"
    """
    errors = "error" if len(violations) == 1 else "errors"
    return f"{len(violations)} validation {errors} detected: " + "; ".join(violations)


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Find what in *value* breaks the constraints of *shape*.

    Args:
        shape: A shape of the API model.
        value: The parameter as it was parsed; ``None`` where it was not given.
        path: Where the value stands in the request, ``attributePayload.attributes``.

    Yields:
        One sentence per violation, in AWS's words.
    """
    if value is None:
        return
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            yield from violations(member, value.get(name), f"{path}.{name}" if path else name)
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, item in value.items():
            yield from violations(shape.key, key, path)
            yield from violations(shape.value, item, f"{path}.{key}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from violations(shape.member, item, f"{path}.{number}.member")
    elif isinstance(shape, StringShape) and isinstance(value, str):
        where = f"Value '{value}' at '{path}' failed to satisfy constraint"
        yield from (f"{where}: Member must {constraint}" for constraint in _broken(shape, value))


def _broken(shape: StringShape, value: str) -> Iterator[str]:
    limits = shape.metadata
    if "pattern" in limits and not regex.fullmatch(limits["pattern"], value):
        yield f"satisfy regular expression pattern: {limits['pattern']}"
    if len(value) > limits.get("max", len(value)):
        yield f"have length less than or equal to {limits['max']}"
    if len(value) < limits.get("min", 0):
        yield f"have length greater than or equal to {limits['min']}"
    if shape.enum and value not in shape.enum:
        yield f"satisfy enum value set: [{', '.join(shape.enum)}]"
