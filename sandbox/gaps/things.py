"""Where moto's Things and thing types differ from AWS IoT's."""

from collections.abc import Sized
from datetime import timedelta

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.iot.exceptions import (
    InvalidRequestException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
    VersionConflictException,
)
from moto.iot.models import FakeThing, FakeThingType
from moto.iot.responses import IoTResponse

from sandbox.gaps.operations import Answer, overriding

DEPRECATED_BEFORE_DELETION = timedelta(minutes=5)
"""Source: https://docs.aws.amazon.com/iot/latest/developerguide/delete-thing-types.html"""


@overriding("create_thing")
def create_thing_again(request: IoTResponse, moto: Answer) -> ActionResult:
    """Answer as at first where the same Thing is created again; with other settings, refuse it.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateThing.html
    """
    name = request._get_param("thingName")
    thing = next((t for t in request.iot_backend.things.values() if t.thing_name == name), None)
    if thing is None:
        return moto()
    wanted = (
        request._get_param("thingTypeName"),
        (request._get_param("attributePayload") or {}).get("attributes", {}),
    )
    there = (thing.thing_type.thing_type_name if thing.thing_type else None, thing.attributes)
    if wanted != there:
        raise ResourceAlreadyExistsException(
            f"Thing {name} already exists in account with different attributes", name, thing.arn
        )
    return ActionResult({"thingName": name, "thingArn": thing.arn, "thingId": thing.thing_id})


@overriding("create_thing")
def attributes_of_a_new_thing(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse more attributes than a Thing can have."""
    attributes = (request._get_param("attributePayload") or {}).get("attributes", {})
    _check_number(attributes, has_type=request._get_param("thingTypeName") is not None)
    return moto()


@overriding("update_thing")
def changed_attributes(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse more attributes than a Thing can have: a fourth, or the type that allowed it gone.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateThing.html
    """
    thing = request.iot_backend.describe_thing(request._get_param("thingName"))
    before = thing.thing_type, dict(thing.attributes)
    result = moto()
    try:
        _check_number(thing.attributes, has_type=thing.thing_type is not None)
    except InvalidRequestException:
        thing.thing_type, thing.attributes = before
        raise
    return result


@overriding("update_thing")
def next_version(request: IoTResponse, moto: Answer) -> ActionResult:
    """Count the versions of a Thing, which moto leaves at 1, and refuse another than the expected.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateThing.html
    """
    thing = request.iot_backend.describe_thing(request._get_param("thingName"))
    expect_version(request, thing.version, thing.thing_name)
    result = moto()
    thing.version += 1
    return result


@overriding("delete_thing")
def delete_missing_thing(request: IoTResponse, moto: Answer) -> ActionResult:
    """Succeed in deleting a Thing that is not there.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteThing.html
    """
    try:
        return moto()
    except ResourceNotFoundException:
        return EmptyResult()


@overriding("delete_thing")
def deleted_version(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse to delete another version of a Thing than the expected one."""
    for thing in _named(request):
        expect_version(request, thing.version, thing.thing_name)
    return moto()


@overriding("delete_thing")
def deleted_from_its_groups(request: IoTResponse, moto: Answer) -> ActionResult:
    """Remove a deleted Thing from its groups; moto would go on listing it there."""
    named = _named(request)
    result = moto()
    for thing in named:
        for group in request.iot_backend.thing_groups.values():
            group.things.pop(thing.arn, None)
    return result


@overriding("list_things")
def filtered_things(request: IoTResponse, _moto: Answer) -> ActionResult:
    """List Things by attribute, by the beginning of an attribute, by type.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListThings.html
    """
    name, value = request._get_param("attributeName"), request._get_param("attributeValue")
    begins = request._get_param("usePrefixAttributeValue", False)
    wanted_type = request._get_param("thingTypeName")
    if (name is None) != (value is None) or (begins and name is None):
        raise InvalidRequestException("attributeName and attributeValue are given together")
    found = []
    for each in (thing.to_dict() for thing in request.iot_backend.things.values()):
        if name is not None:
            there = each["attributes"].get(name)
            if there is None or not (there.startswith(value) if begins else there == value):
                continue
        if wanted_type in (None, each.get("thingTypeName")):
            found.append(each)
    return ActionResult({"things": found})


@overriding("create_thing_type")
def create_thing_type_again(request: IoTResponse, moto: Answer) -> ActionResult:
    """Answer as at first where the same thing type is created again; refuse it with other settings.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateThingType.html
    """
    name = request._get_param("thingTypeName")
    there = _thing_type(request)
    if there is None:
        moto()
        there = request.iot_backend.describe_thing_type(name)
    elif there.thing_type_properties != (request._get_param("thingTypeProperties") or {}):
        raise ResourceAlreadyExistsException(
            f"Thing type {name} already exists with different properties", name, there.arn
        )
    return ActionResult(there.to_dict())


@overriding("deprecate_thing_type")
def deprecation_date(request: IoTResponse, moto: Answer) -> ActionResult:
    """Record when a thing type was deprecated: it can be deleted five minutes later.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeprecateThingType.html
    """
    result = moto()
    there = _thing_type(request)
    assert there is not None
    there.metadata["deprecationDate"] = utcnow()
    if not there.metadata["deprecated"]:
        del there.metadata["deprecationDate"]
    return result


@overriding("delete_thing_type")
def thing_type_in_use(request: IoTResponse, moto: Answer) -> ActionResult:
    """Delete a thing type only if no Thing has it, five minutes after it was deprecated.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteThingType.html
    """
    there = _thing_type(request)
    if there is not None:
        since = there.metadata.get("deprecationDate")
        if since is None or utcnow() - since < DEPRECATED_BEFORE_DELETION:
            raise InvalidRequestException(
                f"Cannot delete thing type {there.thing_type_name}: deprecate it, then wait for "
                "five minutes"
            )
        if any(thing.thing_type is there for thing in request.iot_backend.things.values()):
            raise InvalidRequestException(
                f"Cannot delete thing type {there.thing_type_name}: there are things with it"
            )
    return moto()


def expect_version(request: IoTResponse, version: int, name: str) -> None:
    """Refuse a request that expects another version than the present one."""
    if request._get_param("expectedVersion") not in (None, version):
        raise VersionConflictException(name)


def _named(request: IoTResponse) -> list[FakeThing]:
    name = request._get_param("thingName")
    return [thing for thing in request.iot_backend.things.values() if thing.thing_name == name]


def _thing_type(request: IoTResponse) -> FakeThingType | None:
    types = request.iot_backend.thing_types.values()
    name = request._get_param("thingTypeName")
    return next((each for each in types if each.thing_type_name == name), None)


def _check_number(attributes: Sized, *, has_type: bool) -> None:
    """Refuse more attributes than a Thing can have.

    Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html
    """
    if len(attributes) > (50 if has_type else 3):
        raise InvalidRequestException(
            f"Thing with a thing type can have at most 50 attributes, not {len(attributes)}"
            if has_type
            else f"Thing without a thing type can have at most 3 attributes, not {len(attributes)}"
        )
