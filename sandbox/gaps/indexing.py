"""Fleet indexing, as far as it is about the registry: the index ``AWS_Things`` and its search.

Moto keeps the setting. Its search is not used: it makes up who is connected, and reads a query as
regular expressions. The index here is the registry itself: AWS builds it for a minute, here a
change is found at once.
"""

import re
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

from moto.core.responses import ActionResult
from moto.iot.exceptions import (
    InvalidRequestException,
    IoTClientError,
    ResourceNotFoundException,
)
from moto.iot.models import IoTBackend
from moto.iot.responses import IoTResponse

from sandbox.gaps.operations import Answer, overriding
from sandbox.gaps.served import NotImplementedException

INDEX = "AWS_Things"
QUERY_VERSION = "2017-09-30"
"""Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateDynamicThingGroup.html"""
TERMS_PER_QUERY = 12
LENGTH_WITH_LEADING_WILDCARD = 100

_EVERYTHING = "*"
_TERM = re.compile(r"(thingName|thingTypeName|attributes\.[\w.-]+):([\w.*?][\w.*?-]*)", re.ASCII)
_UNSUPPORTED = set("`@#%/';,")
"""AWS names the backslash too, and as the sign that escapes: here it is what is not there."""
_MANAGED_FIELDS = {
    "thingId": "String",
    "thingName": "String",
    "registry.version": "Number",
    "registry.thingTypeName": "String",
    "registry.thingGroupNames": "String",
}


class InvalidQueryException(IoTClientError):
    """A query cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidQueryException", message)


@overriding("update_indexing_configuration")
def registry_alone(request: IoTResponse, moto: Answer) -> ActionResult:
    """Switch the index of the registry on or off; refuse to index shadows too.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateIndexingConfiguration.html
    """
    mode = (request._get_param("thingIndexingConfiguration") or {}).get("thingIndexingMode")
    if mode == "REGISTRY_AND_SHADOW":
        raise NotImplementedException(
            f"UpdateIndexingConfiguration's thingIndexingConfiguration.thingIndexingMode {mode}"
        )
    return moto()


@overriding("get_indexing_configuration")
def managed_fields(request: IoTResponse, _moto: Answer) -> ActionResult:
    """Return what is indexed: the fields of the registry, and nothing else.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/managing-fleet-index.html
    """
    off = ("thingConnectivityIndexingMode", "deviceDefenderIndexingMode", "namedShadowIndexingMode")
    things = {"thingIndexingMode": _mode(request.iot_backend), **dict.fromkeys(off, "OFF")}
    fields = [{"name": name, "type": kind} for name, kind in _MANAGED_FIELDS.items()]
    return ActionResult(
        {
            "thingIndexingConfiguration": things
            | ({"managedFields": fields} if _mode(request.iot_backend) != "OFF" else {}),
            "thingGroupIndexingConfiguration": {"thingGroupIndexingMode": "OFF"},
        }
    )


def describe_index(request: IoTResponse) -> ActionResult:
    """Return the status of the index.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DescribeIndex.html
    """
    name = request._get_param("indexName")
    _check_index(request.iot_backend, name)
    return ActionResult({"indexName": name, "indexStatus": "ACTIVE", "schema": "REGISTRY"})


@overriding("search_index")
def registry_search(request: IoTResponse, _moto: Answer) -> ActionResult:
    """Find Things by name, type and attributes.

    The groups of a Thing are those that it is in itself: whether AWS lists their parents too, its
    pages do not say, and a query by group is refused by name.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_SearchIndex.html
    """
    backend = request.iot_backend
    _check_index(backend, request._get_param("indexName") or INDEX)
    if request._get_param("queryVersion") not in (None, QUERY_VERSION):
        raise InvalidRequestException(f"queryVersion is {QUERY_VERSION}")
    terms = _terms(request._get_param("queryString"))
    found = [
        thing.to_dict(include_thing_id=True, include_thing_group_names=True)
        for thing in backend.things.values()
        if all(_matches(thing.to_dict(), field, pattern) for field, pattern in terms)
    ]
    return ActionResult({"things": found})


def _mode(backend: IoTBackend) -> str:
    return backend.indexing_configuration.configuration.thingIndexingConfiguration.thingIndexingMode


def _check_index(backend: IoTBackend, name: str) -> None:
    """Refuse access to an index that there is not: another one, or indexing is off.

    IndexNotReadyException is for one that is being built; the words are those of reports.

    Sources: https://docs.aws.amazon.com/iot/latest/developerguide/managing-index.html
    https://github.com/csuermann/virtual-smart-home/issues/1
    """
    if name != INDEX or _mode(backend) == "OFF":
        raise ResourceNotFoundException(
            f"Index {name} does not exist. Please enable index by calling "
            "UpdateIndexingConfiguration"
        )


def _terms(query: str) -> list[tuple[str, str]]:
    """Read a query: terms, all of which are to match, each a field and a pattern.

    Sources: https://docs.aws.amazon.com/iot/latest/developerguide/query-syntax.html
    https://docs.aws.amazon.com/iot/latest/developerguide/example-queries.html

    Raises:
        InvalidQueryException: AWS does not support it.
        NotImplementedException: the sandbox does not have it.
    """
    words = re.findall(r"\S+", query, re.ASCII)
    terms = []
    for word in words:
        if unsupported := sorted(_UNSUPPORTED & set(word)):
            raise InvalidQueryException(f"Special characters are not supported: {unsupported[0]}")
        term = _TERM.fullmatch(f"thingName:{word}" if word == _EVERYTHING else word)
        if term:
            terms.append((term[1], term[2]))
        elif word != "AND":
            raise NotImplementedException(f"SearchIndex's queryString with {word}")
    if not terms or "AND" in (words[0], words[-1]) or ("AND", "AND") in pairwise(words):
        raise InvalidQueryException("A query has terms, and AND stands between two of them")
    if len(terms) > TERMS_PER_QUERY:
        raise InvalidQueryException(f"A query has {TERMS_PER_QUERY} terms at most")
    leading = [pattern for _, pattern in terms if pattern[0] in "*?" and pattern != _EVERYTHING]
    if len(leading) > 1 or (leading and len(query) > LENGTH_WITH_LEADING_WILDCARD):
        raise InvalidQueryException(
            "One term of a query may begin with a wildcard, in a query of "
            f"{LENGTH_WITH_LEADING_WILDCARD} characters at most"
        )
    return terms


def _matches(thing: dict[str, Any], field: str, pattern: str) -> bool:
    """Return whether a field is there and is as the pattern has it, in upper or lower case."""
    name, _, attribute = field.partition(".")
    value = thing["attributes"].get(attribute) if attribute else thing.get(name)
    return value is not None and fnmatchcase(value.lower(), pattern.lower())
