"""How moto's operations are replaced, and what AWS's API model rules out in all of them."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache, partial, wraps
from typing import Any

import botocore.session
import regex  # AWS's patterns are Java's: \p{L} and the like
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StringShape,
    StructureShape,
)
from botocore.utils import is_json_value_header
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, BaseResponse
from moto.iot.exceptions import InvalidRequestException

Answer = Callable[[], ActionResult]
"""Returns moto's own answer to the request."""

Override = Callable[[Any, Answer], Any]
"""Answers a request in moto's place; calls moto's answer, or does not."""

Method = Callable[[Any], Any]

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
    def answer(request: BaseResponse) -> Any:
        return override(request, partial(method, request))

    return answer


def action(request: BaseResponse) -> str:
    """Return the operation that a request's method and path lead to; moto heeds more than those.

    Raises:
        JsonRESTError: they lead nowhere.
    """
    operation = request._get_action_from_method_and_request_uri(request.normalized_request)
    if not operation:
        unknown = JsonRESTError("UnknownOperationException", "AWS IoT has no such operation.")
        unknown.code = 404
        raise unknown
    return operation


def parsed(request: BaseResponse, moto: Answer) -> Any:
    """Read the parameters as the API model has them; moto would find them in any place."""
    try:
        request.parse_parameters(request.normalized_request)
    except (ValueError, TypeError, AttributeError) as problem:
        raise InvalidRequestException(f"The request cannot be read: {problem}") from problem
    request.automated_parameter_parsing = True
    return moto()


def constraints(request: BaseResponse, moto: Answer, *, operation: OperationModel) -> Any:
    """Refuse names, values and lists that AWS's own API model rules out."""
    shape = operation.input_shape
    found = list(violations(shape, request.params)) if shape else []
    if found:
        raise InvalidRequestException(refusal(found))
    return moto()


@cache
def model(service: str) -> ServiceModel:
    """Return an API as botocore describes it: operations, shapes, patterns, lengths.

    Args:
        service: ``iot`` or ``iot-data``.
    """
    return ServiceModel(botocore.session.Session().get_service_data(service), service)


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
    if value is None or is_json_value_header(shape):
        return
    where = f"Value '{value}' at '{path}' failed to satisfy constraint"
    expected = _TYPES.get(shape.type_name, object)
    fits = isinstance(value, expected) and not (expected is int and isinstance(value, bool))
    if not fits:
        yield f"{where}: Member must be a {shape.type_name}"
    elif isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            inner = f"{path}.{name}" if path else name
            if name in shape.required_members and value.get(name) is None:
                yield (
                    f"Value null at '{inner}' failed to satisfy constraint: Member must not be null"
                )
            yield from violations(member, value.get(name), inner)
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from violations(shape.key, key, path)
            yield from violations(shape.value, item, f"{path}.{key}")
    else:
        yield from (f"{where}: Member must {broken}" for broken in _broken(shape, value))
        if isinstance(shape, ListShape):
            for number, item in enumerate(value, 1):
                yield from violations(shape.member, item, f"{path}.{number}.member")


_TYPES: dict[str, type] = {
    "boolean": bool,
    "integer": int,
    "list": list,
    "long": int,
    "map": dict,
    "string": str,
    "structure": dict,
}


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    limits = shape.metadata
    if isinstance(shape, StringShape):
        if "pattern" in limits and not regex.fullmatch(limits["pattern"], value):
            yield f"satisfy regular expression pattern: {limits['pattern']}"
        if shape.enum and value not in shape.enum:
            yield f"satisfy enum value set: [{', '.join(shape.enum)}]"
    measured = value if isinstance(value, int) else len(value)
    what = "value" if isinstance(value, int) else "length"
    if measured > limits.get("max", measured):
        yield f"have {what} less than or equal to {limits['max']}"
    if measured < limits.get("min", measured):
        yield f"have {what} greater than or equal to {limits['min']}"
