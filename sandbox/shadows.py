"""Device shadows: the rules of their documents, whoever asks and by which protocol.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-document.html
and https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-error-messages.html
"""

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Answers = dict[str, Json]
"""What the service publishes, by the end of its topic: ``update/accepted``, ``update/delta``, …"""

DOCUMENT_BYTES = 8 * 1024
LEVELS = 8
"""Of objects and lists in ``desired`` or ``reported``: AWS's quota. Its error messages say 6."""
TOKEN_BYTES = 64
SECTIONS = ("desired", "reported")
VERSION_SECONDS = 48 * 3600
"""How long the version of a deleted shadow is remembered."""


class ShadowError(Exception):
    """The shadow service refuses a request, with a code of HTTP's by either protocol."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Shadow:
    """A shadow as it stands. Of a deleted one its version is left, which goes on counting."""

    state: dict[str, Json] = field(default_factory=dict)
    """``desired`` and ``reported``, each only where it holds something."""
    stamps: dict[str, Json] = field(default_factory=dict)
    """When each value of them was set."""
    version: int = 0
    timestamp: int = 0
    deleted: bool = False

    @property
    def delta(self) -> Json:
        """What is desired, and not reported so."""
        return _delta(self.state.get("desired", {}), self.state.get("reported", {}))


NOTHING = Shadow(deleted=True)
"""Before there was one."""


def update(before: Shadow, payload: bytes, now: int) -> tuple[Shadow, Answers]:
    """Change a shadow, or make it.

    Args:
        before: What there is.
        payload: The request's document.
        now: Seconds since 1970.

    Returns:
        The shadow as it is then, and what the service publishes.

    Raises:
        ShadowError: AWS would refuse the request.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-data-flow.html
    """
    asked = _read(payload)
    version = before.version
    if before.deleted and now - before.timestamp > VERSION_SECONDS:
        version = 0
    if asked.get("version", version) != version:
        raise ShadowError(409, "Version conflict")
    after = _changed(before, asked["state"], version + 1, now)
    token = {key: asked[key] for key in asked if key == "clientToken"}
    told = {"timestamp": now, **token}
    answers = {
        "update/accepted": {
            "state": asked["state"],
            "metadata": _stamped(asked["state"], now),
            "version": after.version,
            **told,
        },
        "update/documents": {"previous": _snapshot(before), "current": _snapshot(after), **told},
    }
    if after.delta:
        stamps = _stamps_of(after.delta, after.stamps["desired"])
        answers["update/delta"] = {
            "state": after.delta,
            "metadata": stamps,
            "version": after.version,
            **told,
        }
    return after, answers


def get(shadow: Shadow, payload: bytes = b"") -> Answers:
    """Answer a shadow's document: what is desired, what is reported, and the difference.

    Args:
        shadow: As it stands, and not deleted.
        payload: The request's: nothing, or a client token.

    Raises:
        ShadowError: the client token is not one.
    """
    state = {**shadow.state, **({"delta": shadow.delta} if shadow.delta else {})}
    told = {"timestamp": shadow.timestamp, **_checked_token(payload)}
    document = {"state": state, "metadata": shadow.stamps, "version": shadow.version, **told}
    return {"get/accepted": document}


def delete(before: Shadow, payload: bytes, now: int) -> tuple[Shadow, Answers]:
    """Delete a shadow; see :func:`update` and :func:`get`."""
    told = {"version": before.version + 1, "timestamp": now, **_checked_token(payload)}
    gone = Shadow(version=before.version + 1, timestamp=now, deleted=True)
    return gone, {"delete/accepted": told}


def rejected(operation: str, error: ShadowError, payload: bytes, now: int) -> Answers:
    """Return what the service publishes where it refuses a request.

    Args:
        operation: ``get``, ``update`` or ``delete``.
        error: Why.
        payload: The request's.
        now: Seconds since 1970.
    """
    told = {"code": error.code, "message": error.message, "timestamp": now}
    token = {key: value for key, value in _token(payload).items() if isinstance(value, str)}
    return {f"{operation}/rejected": told | token}


def _changed(before: Shadow, asked: Json | None, version: int, now: int) -> Shadow:
    state: dict[str, Json] = {}
    stamps: dict[str, Json] = {}
    for section in SECTIONS:
        change = {} if asked is None else asked.get(section, {})
        if asked is not None and change is not None:
            state[section], stamps[section] = _merged(
                before.state.get(section, {}), before.stamps.get(section, {}), change, now
            )
    if len(_encoded(state)) > DOCUMENT_BYTES:
        raise ShadowError(413, "The payload exceeds the maximum size allowed")
    held = [section for section in state if state[section]]
    return Shadow(
        {section: state[section] for section in held},
        {section: stamps[section] for section in held},
        version,
        now,
    )


def _snapshot(shadow: Shadow) -> Json:
    return {"state": shadow.state, "metadata": shadow.stamps, "version": shadow.version}


def _read(payload: bytes) -> Json:
    """Read the document of an update, and refuse what AWS refuses."""
    if len(payload) > DOCUMENT_BYTES:
        raise ShadowError(413, "The payload exceeds the maximum size allowed")
    try:
        asked = json.loads(payload.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as problem:
        raise ShadowError(
            415, "Unsupported documented encoding; supported encoding is UTF-8"
        ) from problem
    except (ValueError, RecursionError) as problem:
        raise ShadowError(400, "Invalid JSON") from problem
    if not isinstance(asked, dict) or "state" not in asked:
        raise ShadowError(400, "Missing required node: state")
    state, version = asked["state"], asked.get("version", 0)
    if not isinstance(state, dict | None):
        raise ShadowError(400, "State node must be an object")
    for section, value in (state or {}).items():
        if section not in SECTIONS:
            raise ShadowError(400, f"State contains an invalid node: '{section}'")
        if not isinstance(value, dict | None):
            raise ShadowError(400, f"{section.capitalize()} node must be an object")
        if _deeper_than(LEVELS, value):
            raise ShadowError(400, f"JSON contains too many levels of nesting; maximum is {LEVELS}")
        if _has_null_in_list(value):  # AWS refuses it, and does not say with which message
            raise ShadowError(400, "Invalid JSON")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise ShadowError(400, "Invalid version")
    if "clientToken" in asked:
        _check_token(asked["clientToken"])
    return asked


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _token(payload: bytes) -> Json:
    """Return the client token of a request, if one can be read in it."""
    try:
        asked = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    there = isinstance(asked, dict) and "clientToken" in asked
    return {"clientToken": asked["clientToken"]} if there else {}


def _checked_token(payload: bytes) -> Json:
    # What AWS's SDKs send along with get and delete; anything else in it is ignored.
    token = _token(payload)
    if token:
        _check_token(token["clientToken"])
    return token


def _check_token(token: Any) -> None:
    if not isinstance(token, str) or len(_encoded(token)) - 2 > TOKEN_BYTES:
        raise ShadowError(400, "Invalid clientToken")


def _deeper_than(levels: int, value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    return not levels or any(_deeper_than(levels - 1, each) for each in _inner(value))


def _has_null_in_list(value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    wrong = isinstance(value, list) and None in value
    return wrong or any(map(_has_null_in_list, _inner(value)))


def _inner(value: Json | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


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


def _stamps_of(values: Json, stamps: Json) -> Json:
    """Of *stamps*, keep those of *values*."""
    return {
        key: _stamps_of(value, stamps[key]) if isinstance(value, dict) else stamps[key]
        for key, value in values.items()
    }


def _delta(desired: Json, reported: Json) -> Json:
    delta = {}
    for key, value in desired.items():
        there = reported.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            value = _delta(value, there)
            if not value:
                continue
        elif same(value, there):
            continue
        delta[key] = value
    return delta


def same(one: Any, other: Any) -> bool:
    """Compare values of JSON: to Python, ``true`` and 1 are the same."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
