"""How moto's operations are replaced, and what AWS's API model rules out in all of them."""

import json
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
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


def parsed(request: BaseResponse, moto: Answer, *, operation: OperationModel) -> Any:
    """Read each parameter from where the API model has it; moto would take it from any place.

    Raises:
        InvalidRequestException: the request cannot be read.
    """
    shape = operation.input_shape
    try:
        body = {} if _is_raw(shape) or not request.body else json.loads(request.body)
        if not isinstance(body, dict):
            raise ValueError("its body is no JSON object")
        members = shape.members if shape else {}
        values = {name: _given(request, operation, name, body) for name in members}
    except (ValueError, RecursionError) as problem:
        raise InvalidRequestException(f"The request cannot be read: {problem}") from problem
    request.params = {name: value for name, value in values.items() if value is not None}
    request.automated_parameter_parsing = True  # so that moto's own methods read them
    return moto()


def _payload(shape: Shape | None) -> str | None:
    """Return the parameter that is the whole body."""
    return shape.serialization.get("payload") if shape else None


def _is_raw(shape: Shape | None) -> bool:
    """Return whether the body is a parameter as it comes, rather than JSON."""
    whole = _payload(shape)
    if not isinstance(shape, StructureShape) or whole is None:
        return False
    return not isinstance(shape.members[whole], StructureShape)


def _given(
    request: BaseResponse, operation: OperationModel, name: str, body: dict[str, Any]
) -> Any:
    assert operation.input_shape is not None
    shape = operation.input_shape.members[name]
    if name == _payload(operation.input_shape):
        return request.body or None if _is_raw(operation.input_shape) else body
    sources: dict[str | None, Mapping[str, Any]] = {
        None: body,
        "uri": request.uri_match,
        "header": request.headers,
        "querystring": request.normalized_request.args,
    }
    location = shape.serialization.get("location")
    value = sources[location].get(shape.serialization.get("name", name))
    if value is None or location is None:
        return value
    if is_json_value_header(shape):
        return json.loads(b64decode(value, validate=True))
    return value if isinstance(shape, StringShape) else json.loads(value)


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


def violations(
    shape: Shape, value: Any, path: str = "", *, required: bool = False
) -> Iterator[str]:
    """Find what in *value* breaks the constraints of *shape*.

    Args:
        shape: A shape of the API model.
        value: The parameter as it was parsed; ``None`` where it was not given.
        path: Where the value stands in the request, ``attributePayload.attributes``.
        required: Whether it must be given.

    Yields:
        One sentence per violation, in AWS's words.
    """
    if value is None and required:
        yield f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
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
            required = name in shape.required_members
            yield from violations(member, value.get(name), inner, required=required)
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from violations(shape.key, key, path)
            yield from violations(shape.value, item, f"{path}.{key}", required=True)
    else:
        yield from (f"{where}: Member must {broken}" for broken in _broken(shape, value))
        if isinstance(shape, ListShape):
            for number, item in enumerate(value, 1):
                where = f"{path}.{number}.member"
                yield from violations(shape.member, item, where, required=True)


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
