"""Where moto's Things differ from AWS IoT's."""

from moto.core.responses import ActionResult, EmptyResult
from moto.iot.exceptions import (
    InvalidRequestException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from moto.iot.responses import IoTResponse

from sandbox.gaps.operations import Answer, overriding


@overriding("create_thing")
def create_thing_again(request: IoTResponse, moto: Answer) -> ActionResult:
    """Answer as at first where the same Thing is created again; with other settings, refuse it.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateThing.html
    """
    name = request._get_param("thingName")
    backend = request.iot_backend
    thing = next((thing for thing in backend.things.values() if thing.thing_name == name), None)
    if thing is None:
        return moto()
    wanted = (
        request._get_param("thingTypeName"),
        (request._get_param("attributePayload") or {}).get("attributes", {}),
        request._get_param("billingGroupName"),
    )
    there = (
        thing.thing_type.thing_type_name if thing.thing_type else None,
        thing.attributes,
        thing.billing_group_name,
    )
    if wanted != there:
        raise ResourceAlreadyExistsException(
            f"Thing {name} already exists in account with different attributes", name, thing.arn
        )
    return ActionResult({"thingName": name, "thingArn": thing.arn, "thingId": thing.thing_id})


@overriding("create_thing")
def three_attributes_without_a_type(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse a fourth attribute to a Thing without a thing type.

    Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html
    """
    attributes = (request._get_param("attributePayload") or {}).get("attributes", {})
    if not request._get_param("thingTypeName") and len(attributes) > 3:
        raise InvalidRequestException(
            f"Thing without a thing type can have at most 3 attributes, not {len(attributes)}"
        )
    return moto()


@overriding("delete_thing")
def delete_missing_thing(request: IoTResponse, moto: Answer) -> ActionResult:
    """Succeed in deleting a Thing that is not there.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteThing.html
    """
    try:
        return moto()
    except ResourceNotFoundException:
        return EmptyResult()
