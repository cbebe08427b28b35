"""Device shadows over HTTP: moto keeps them, their rules are here.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-document.html
"""

import json
import time
from typing import Any

from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.iot.models import FakeThing
from moto.iotdata.exceptions import ConflictException
from moto.iotdata.models import FakeShadow
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox.gaps.errors import (
    RequestEntityTooLargeException,
    UnsupportedDocumentEncodingException,
)
from sandbox.gaps.operations import Answer, overriding

Json = dict[str, Any]

DOCUMENT_BYTES = 8 * 1024
LEVELS = 8
"""Of objects and lists in ``desired`` or ``reported``."""
TOKEN_BYTES = 64
SECTIONS = ("desired", "reported")


@overriding("update_thing_shadow")
def changed_shadow(request: IoTDataPlaneResponse, _moto: Answer) -> str:
    """Change a shadow, with AWS's errors; moto fails at some documents and accepts others.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-error-messages.html
    """
    thing, name = _named(request)
    asked = _read(request._get_param("payload"))
    before = thing.thing_shadows.get(name)
    version = before.version if before else 0
    if asked.get("version", version) != version:
        raise ConflictException("Version conflict")
    now = int(time.time())
    document: dict[str, Json] = {}
    stamps: dict[str, Json] = {}
    for section in SECTIONS:
        change = {} if asked["state"] is None else asked["state"].get(section, {})
        if asked["state"] is not None and change is not None:
            document[section], stamps[section] = _merged(
                getattr(before, section, None) or {},
                getattr(before, f"metadata_{section}", None) or {},
                change,
                now,
            )
    if len(_encoded(document)) > DOCUMENT_BYTES:
        raise RequestEntityTooLargeException
    shadow = FakeShadow(None, None, asked, version + 1)
    for section in document:
        setattr(shadow, section, document[section] or None)
        setattr(shadow, f"metadata_{section}", stamps[section] or None)
    thing.thing_shadows[name] = shadow
    return json.dumps(
        {
            "state": asked["state"],
            "metadata": _stamped(asked["state"] or {}, now),
            "version": shadow.version,
            "timestamp": now,
            **{key: asked[key] for key in asked if key == "clientToken"},
        }
    )


@overriding("get_thing_shadow")
def present_shadow(request: IoTDataPlaneResponse, _moto: Answer) -> str:
    """Answer a shadow's document: what is desired, what is reported, and the difference.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_GetThingShadow.html
    """
    shadow = _shadow(*_named(request))
    sections = {name: getattr(shadow, name) for name in SECTIONS if getattr(shadow, name)}
    delta = _delta(sections.get("desired", {}), sections.get("reported", {}))
    return json.dumps(
        {
            "state": {**sections, **({"delta": delta} if delta else {})},
            "metadata": {name: getattr(shadow, f"metadata_{name}") for name in sections},
            "version": shadow.version,
            "timestamp": shadow.timestamp,
        }
    )


@overriding("delete_thing_shadow")
def deleted_shadow(request: IoTDataPlaneResponse, moto: Answer) -> str:
    """Delete a shadow once; moto deletes it again and again.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_DeleteThingShadow.html
    """
    thing, name = _named(request)
    # What is left of it is its version, which goes on counting.
    gone = FakeShadow(None, None, None, _shadow(thing, name).version + 1, deleted=True)
    thing.thing_shadows[name] = gone
    return json.dumps({"version": gone.version, "timestamp": gone.timestamp})


@overriding("list_named_shadows_for_thing")
def named_shadows(request: IoTDataPlaneResponse, _moto: Answer) -> ActionResult:
    """List a Thing's named shadows; moto lists deleted ones too.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_ListNamedShadowsForThing.html
    """
    thing, _ = _named(request)
    names = [name for name, each in thing.thing_shadows.items() if name and not each.deleted]
    return ActionResult({"results": names, "timestamp": int(time.time())})


def _named(request: IoTDataPlaneResponse) -> tuple[FakeThing, str | None]:
    """Return the Thing, and the shadow's name: ``None`` is the unnamed shadow."""
    try:
        thing = request.iotdata_backend.iot_backend.describe_thing(request._get_param("thingName"))
    except ResourceNotFoundException as problem:
        raise ResourceNotFoundException("Thing not found") from problem
    return thing, request._get_param("shadowName")


def _shadow(thing: FakeThing, name: str | None) -> FakeShadow:
    shadow = thing.thing_shadows.get(name)
    if shadow is None or shadow.deleted:
        raise ResourceNotFoundException(f"No shadow exists with name: '{name or thing.thing_name}'")
    return shadow


def _read(payload: bytes) -> Json:
    """Read the document of an update, and refuse what AWS refuses."""
    if len(payload) > DOCUMENT_BYTES:
        raise RequestEntityTooLargeException
    try:
        asked = json.loads(payload.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as problem:
        raise UnsupportedDocumentEncodingException from problem
    except (ValueError, RecursionError) as problem:
        raise InvalidRequestException("Invalid JSON") from problem
    if not isinstance(asked, dict) or "state" not in asked:
        raise InvalidRequestException("Missing required node: state")
    state, version, token = asked["state"], asked.get("version", 0), asked.get("clientToken", "")
    if not isinstance(state, dict | None):
        raise InvalidRequestException("State node must be an object")
    for section, value in (state or {}).items():
        if section not in SECTIONS:
            raise InvalidRequestException(f"State contains an invalid node: '{section}'")
        if not isinstance(value, dict | None):
            raise InvalidRequestException(f"{section.capitalize()} node must be an object")
        if _deeper_than(LEVELS, value):
            raise InvalidRequestException(
                f"JSON contains too many levels of nesting; maximum is {LEVELS}"
            )
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise InvalidRequestException("Invalid version")
    if not isinstance(token, str) or len(_encoded(token)) - 2 > TOKEN_BYTES:
        raise InvalidRequestException("Invalid clientToken")
    return asked


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _deeper_than(levels: int, value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return not levels or any(_deeper_than(levels - 1, each) for each in inner)


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


def _merged(state: Json, stamps: Json, change: Json, now: int) -> tuple[Json, Json]:
    """Return state and time stamps after a change: ``null`` removes, objects are merged."""
    state, stamps = dict(state), dict(stamps)
    for key, value in change.items():
        if value is None:
            state.pop(key, None)
            stamps.pop(key, None)
        elif isinstance(value, dict):
            inner = state.get(key) if isinstance(state.get(key), dict) else None
            state[key], stamps[key] = _merged(inner or {}, stamps[key] if inner else {}, value, now)
        else:
            state[key], stamps[key] = value, _stamped(value, now)
    return state, stamps


def _stamped(value: Any, now: int) -> Any:
    """Put a time stamp in the place of each plain value."""
    if isinstance(value, dict):
        return {key: _stamped(inner, now) for key, inner in value.items()}
    if isinstance(value, list):
        return [_stamped(inner, now) for inner in value]
    return {"timestamp": now}


def _delta(desired: Json, reported: Json) -> Json:
    delta = {}
    for key, value in desired.items():
        there = reported.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            value = _delta(value, there)
            if not value:
                continue
        elif value == there:
            continue
        delta[key] = value
    return delta
