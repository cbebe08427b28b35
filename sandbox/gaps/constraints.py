"""Refuse parameters as AWS IoT refuses them: by the patterns and lengths of its own API model."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import regex  # AWS's patterns are Java's: \p{L} and the like
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape


@cache
def iot_model() -> ServiceModel:
    """AWS IoT's API as botocore describes it: operations, shapes, patterns, lengths."""
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
        One sentence a violation, in AWS's words.
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
