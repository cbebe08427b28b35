"""Lists in pages, which most of moto's are not."""

import sys
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any

from botocore.model import OperationModel
from moto.core.responses import ActionResult, BaseResponse
from moto.iot.exceptions import InvalidRequestException

from sandbox.gaps.operations import Answer

SEARCH_MAX = 100
"""Source: https://docs.aws.amazon.com/iot/latest/apireference/API_SearchIndex.html (the words; the
API model has no maximum)"""


def paged(request: BaseResponse, moto: Answer, *, operation: OperationModel) -> ActionResult:
    """Answer one page of what moto lists, and a token for the next.

    A token names the last item of its page, so that what is deleted between two pages hides nothing
    else. Without a size a page has as many items as AWS allows.

    Raises:
        InvalidRequestException: the token is none, or the page would be too long.
    """
    assert operation.input_shape is not None
    members = operation.input_shape.members
    token = "marker" if "marker" in members else "nextToken"
    size = "maxResults" if "maxResults" in members else "pageSize"
    after = _read(request.params.pop(token, None))
    most = members[size].metadata.get("max", SEARCH_MAX)
    limit = request.params.pop(size, most)
    if limit > most:
        raise InvalidRequestException(f"{size} is at most {most}")
    request.params[size] = sys.maxsize  # some of moto's lists have pages of their own
    result: Any = moto().result
    (name,) = (name for name, value in result.items() if isinstance(value, list))
    descending = "ascendingOrder" in members and not request.params.get("ascendingOrder")
    items = sorted(result[name], key=_key, reverse=descending)
    if after is not None:
        items = [
            each for each in items if (_key(each) < after if descending else _key(each) > after)
        ]
    result[name] = items[:limit]
    result["nextMarker" if "marker" in members else "nextToken"] = (
        _write(_key(items[limit - 1])) if len(items) > limit else None
    )
    return ActionResult(result)


def has_pages(operation: OperationModel) -> bool:
    """Return whether an operation answers in pages."""
    return bool(
        operation.input_shape and {"maxResults", "pageSize"} & set(operation.input_shape.members)
    )


def _key(item: Any) -> str:
    """Return what an item is sorted by: when it was made, where moto knows that; then its name."""
    if isinstance(item, str):
        return item
    made = item.get("creationDate")
    when = made.isoformat(timespec="microseconds") if isinstance(made, datetime) else ""
    return f"{when} {next(iter(item.values()))}".lstrip()


def _write(key: str) -> str:
    return b64encode(key.encode()).decode()


def _read(token: str | None) -> str | None:
    try:
        return None if token is None else b64decode(token, validate=True).decode()
    except ValueError as problem:
        raise InvalidRequestException("The token is not one that a list has answered.") from problem
