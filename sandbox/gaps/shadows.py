"""Device shadows: moto keeps them, their rules are in ``sandbox/shadows.py``.

Who asks by HTTP is answered by moto's methods of :func:`methods`, who asks by MQTT by
:func:`answer`: the same shadows, and a change by either is published to both.
"""

import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.iot.exceptions import IoTClientError, ResourceNotFoundException
from moto.iot.models import FakeThing, IoTBackend, iot_backends
from moto.iot.responses import IoTResponse
from moto.iotdata.models import FakeShadow
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox import shadows
from sandbox.broker.services import messages
from sandbox.gaps.operations import Answer, Method, model, overriding, refusal, violations
from sandbox.mqtt.reserved import ShadowRequest, shadow_topics
from sandbox.shadows import SECTIONS, Answers, Shadow, ShadowError

if TYPE_CHECKING:
    from sandbox.broker.by_http import Publisher

_CODES = {
    400: "InvalidRequestException",
    404: "ResourceNotFoundException",
    409: "ConflictException",
    413: "RequestEntityTooLargeException",
    415: "UnsupportedDocumentEncodingException",
}
_log = logging.getLogger("sandbox")


def methods(broker: "Publisher") -> dict[str, Method]:
    """Return what answers the operations on one shadow, by their names in moto.

    A change is told to who has subscribed, as one by MQTT is; a refusal is not.

    Args:
        broker: Publishes what there is to tell, once the change is kept.

    Sources: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-rest-api.html
    https://docs.aws.amazon.com/iot/latest/developerguide/reserved-topics.html#reserved-topics-shadow
    https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-error-messages.html
    """

    def answered(request: IoTDataPlaneResponse, operation: str) -> str:
        thing, name = request._get_param("thingName"), request._get_param("shadowName")
        backend = iot_backends[request.current_account][request.region]
        asked = ShadowRequest(shadow_topics(thing, name), thing, name, operation)
        try:
            answers = _done(backend, asked, request._get_param("payload") or b"")
        except ShadowError as problem:
            refused = IoTClientError(_CODES[problem.code], problem.message)
            refused.code = problem.code
            raise refused from problem
        if operation != "get":
            for message in messages(asked, answers):
                broker.hold(request.current_account, request.region, message)
        return json.dumps(answers[f"{operation}/accepted"])

    return {
        "update_thing_shadow": lambda request: answered(request, "update"),
        "get_thing_shadow": lambda request: answered(request, "get"),
        "delete_thing_shadow": lambda request: answered(request, "delete"),
    }


def answer(
    account: str, region: str, asked: ShadowRequest, payload: bytes, *, save: Callable[[], None]
) -> Answers:
    """Answer a request that came by MQTT.

    Args:
        account: Whose Thing it is about.
        region: Of the endpoint.
        asked: What its topic says.
        payload: Its document.
        save: Called after a change; raises an error if it cannot be kept, and has then undone it.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-mqtt.html
    """
    try:
        answers = _done(iot_backends[account][region], asked, payload)
        if asked.operation != "get":
            save()
    except ShadowError as problem:
        return shadows.rejected(asked.operation, problem, payload, _now())
    except Exception as problem:  # who asks is told, and the log says why
        _log.error("%s/%s failed: %r", asked.prefix, asked.operation, problem)
        failure = ShadowError(500, "Internal service failure")
        return shadows.rejected(asked.operation, failure, payload, _now())
    return answers


@overriding("delete_thing")
def shadows_of_a_deleted_thing(request: IoTResponse, moto: Answer) -> ActionResult:
    """Keep a Thing's shadows when it is deleted; moto deletes them with it.

    The versions of shadows that are deleted already are forgotten here, within their two days.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-data-flow.html
    """
    backend, name = request.iot_backend, request._get_param("thingName")
    held = {
        shadow_name: shadow
        for thing in backend.things.values()
        if thing.thing_name == name
        for shadow_name, shadow in thing.thing_shadows.items()
        if not shadow.deleted
    }
    answer = moto()
    if held:
        _of_deleted(backend)[name] = held
    return answer


@overriding("create_thing")
def shadows_of_an_earlier_thing(request: IoTResponse, moto: Answer) -> ActionResult:
    """Give a new Thing the shadows of an earlier one with its name, which is what they go by."""
    backend, name = request.iot_backend, request._get_param("thingName")
    answer = moto()
    if left := _of_deleted(backend).pop(name, None):
        backend.describe_thing(name).thing_shadows = left
    return answer


def _of_deleted(backend: IoTBackend) -> dict[str, dict[str | None, FakeShadow]]:
    """Return the shadows whose Things are deleted, by the Things' names."""
    held: dict[str, Any] = vars(backend).setdefault("shadows_of_deleted_things", {})
    return held


@overriding("list_named_shadows_for_thing")
def named_shadows(request: IoTDataPlaneResponse, _moto: Answer) -> ActionResult:
    """List a Thing's named shadows; moto lists deleted ones too.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_ListNamedShadowsForThing.html
    """
    try:
        backend = iot_backends[request.current_account][request.region]
        thing = _thing(backend, request._get_param("thingName"))
    except ShadowError as problem:
        raise ResourceNotFoundException(problem.message) from problem
    names = [name for name, each in thing.thing_shadows.items() if name and not each.deleted]
    return ActionResult({"results": names, "timestamp": _now()})


def _done(backend: IoTBackend, asked: ShadowRequest, payload: bytes) -> Answers:
    """Do what is asked, and return what the service says of it; raise ShadowError if it refuses."""
    thing, now = _thing(backend, asked.thing), _now()
    _check_name(asked.name)
    before = _shadow(thing, asked.name)
    if asked.operation == "update":
        after, answers = shadows.update(before, payload, now)
    elif before.deleted:
        raise ShadowError(404, f"No shadow exists with name: '{asked.name or asked.thing}'")
    elif asked.operation == "get":
        return shadows.get(before, payload)
    else:
        after, answers = shadows.delete(before, payload, now)
    thing.thing_shadows[asked.name] = _kept(after)
    return answers


def _thing(backend: IoTBackend, name: str) -> FakeThing:
    try:
        return backend.describe_thing(name)
    except ResourceNotFoundException as problem:
        raise ShadowError(404, "Thing not found") from problem


def _check_name(name: str | None) -> None:
    # By HTTP it has been checked. By MQTT AWS does not say what comes of a wrong one.
    shape = model("iot-data").shape_for("ShadowName")
    if found := list(violations(shape, name, "shadowName")):
        raise ShadowError(400, refusal(found))


def _shadow(thing: FakeThing, name: str | None) -> Shadow:
    held = thing.thing_shadows.get(name)
    if held is None:
        return shadows.NOTHING
    state = {each: getattr(held, each) for each in SECTIONS if getattr(held, each)}
    stamps = {each: getattr(held, f"metadata_{each}") for each in state}
    return Shadow(state, stamps, held.version, held.timestamp, held.deleted)


def _kept(shadow: Shadow) -> FakeShadow:
    held = FakeShadow(None, None, None, shadow.version, shadow.deleted)
    held.timestamp = shadow.timestamp
    for section in shadow.state:
        setattr(held, section, shadow.state[section])
        setattr(held, f"metadata_{section}", shadow.stamps[section])
    return held


def _now() -> int:
    return int(time.time())
