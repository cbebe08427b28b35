"""Where moto's thing groups differ from AWS IoT's.

Their policies are attached in :mod:`sandbox.gaps.attachments`.
"""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iot.exceptions import (
    InvalidRequestException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from moto.iot.models import FakeThing, FakeThingGroup, IoTBackend
from moto.iot.responses import IoTResponse

from sandbox.gaps.operations import Answer, overriding
from sandbox.gaps.things import expect_version
from sandbox.registry import parents

GROUPS_PER_THING = 10
LEVELS = 7
"""Of parents and children, the first one included."""


@overriding("create_thing_group")
def create_group_again(request: IoTResponse, moto: Answer) -> ActionResult:
    """Answer as at first where the same group is created again; with other settings, refuse it.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateThingGroup.html
    """
    name = request._get_param("thingGroupName")
    group = _group(request.iot_backend, name)
    if group is None:
        return moto()
    wanted = request._get_param("parentGroupName"), request._get_param("thingGroupProperties") or {}
    if wanted != (group.parent_group_name, group.thing_group_properties):
        raise ResourceAlreadyExistsException(
            f"Thing Group {name} already exists in current account with different properties",
            group.thing_group_id,
            group.arn,
        )
    return ActionResult(group.to_dict())


@overriding("create_thing_group")
def parent_group(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse a parent that is not there, and an eighth level of groups.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-groups.html
    """
    name = request._get_param("parentGroupName")
    if name is not None:
        parent = _group(request.iot_backend, name)
        if parent is None:
            raise InvalidRequestException(f"Parent thing group {name} does not exist")
        if len(_ancestors(parent)) + 2 > LEVELS:
            raise InvalidRequestException(f"Thing groups have {LEVELS} levels at most")
    return moto()


@overriding("update_thing_group")
def changed_group(request: IoTResponse, _moto: Answer) -> ActionResult:
    """Change description and attributes; moto never removes an attribute.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateThingGroup.html
    """
    name = request._get_param("thingGroupName")
    group = request.iot_backend.describe_thing_group(name)
    expect_version(request, group.version, name)
    properties = dict(request._get_param("thingGroupProperties"))
    payload = properties.pop("attributePayload", {})
    if "attributes" in payload:
        there: dict[str, Any] = group.thing_group_properties
        before = there.get("attributePayload", {}).get("attributes", {})
        both = {**(before if payload.get("merge") else {}), **payload["attributes"]}
        # An empty value removes an attribute.
        kept = {key: value for key, value in both.items() if value}
        properties["attributePayload"] = {"attributes": kept}
    group.thing_group_properties.update(properties)
    group.version += 1
    return ActionResult({"version": group.version})


@overriding("delete_thing_group")
def deleted_group_version(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse to delete another version of a group than the expected one.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteThingGroup.html
    """
    group = _group(request.iot_backend, request._get_param("thingGroupName"))
    if group is not None:
        expect_version(request, group.version, group.thing_group_name)
    return moto()


@overriding("delete_thing_group")
def detached_from_deleted_group(request: IoTResponse, moto: Answer) -> ActionResult:
    """Detach a deleted group's policies, which AWS deletes it with; moto would never let them go.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-groups.html
    """
    result = moto()
    backend = request.iot_backend
    for target, name in list(backend.principal_policies):
        if ":thinggroup/" in target and target not in backend.thing_groups:
            del backend.principal_policies[target, name]
    return result


@overriding("add_thing_to_thing_group")
def one_more_group(request: IoTResponse, moto: Answer) -> ActionResult:
    """Refuse an eleventh group, and a second one under the same first parent.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-groups.html
    """
    backend = request.iot_backend
    group = backend._identify_thing_group(
        request._get_param("thingGroupName"), request._get_param("thingGroupArn")
    )
    thing = backend._identify_thing(request._get_param("thingName"), request._get_param("thingArn"))
    _check_groups(backend, thing, [*_groups_of(backend, thing), group])
    return moto()


@overriding("update_thing_groups_for_thing")
def moved_between_groups(request: IoTResponse, _moto: Answer) -> ActionResult:
    """Move a Thing between groups, or refuse it and change nothing.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateThingGroupsForThing.html
    """
    backend = request.iot_backend
    thing = backend._identify_thing(request._get_param("thingName"), None)
    added, removed = (
        [backend.describe_thing_group(name) for name in request._get_param(parameter) or []]
        for parameter in ("thingGroupsToAdd", "thingGroupsToRemove")
    )
    stays = [each for each in _groups_of(backend, thing) if each not in removed]
    _check_groups(backend, thing, [*stays, *added])
    for group in removed:
        group.things.pop(thing.arn, None)
    for group in added:
        group.things[thing.arn] = thing
    return EmptyResult()


@overriding("list_things_in_thing_group")
def things_of_children(request: IoTResponse, _moto: Answer) -> ActionResult:
    """List the Things of a group and, if asked for, of the groups below it.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListThingsInThingGroup.html
    """
    name = request._get_param("thingGroupName")
    backend = request.iot_backend
    groups = [backend.describe_thing_group(name)]
    if request._get_param("recursive"):
        groups += [each for each in backend.thing_groups.values() if name in _ancestors(each)]
    names = {thing.thing_name for group in groups for thing in group.things.values()}
    return ActionResult({"things": list(names)})


def _group(backend: IoTBackend, name: str) -> FakeThingGroup | None:
    try:
        return backend.describe_thing_group(name)
    except ResourceNotFoundException:
        return None


def _groups_of(backend: IoTBackend, thing: FakeThing) -> list[FakeThingGroup]:
    return [group for group in backend.thing_groups.values() if thing.arn in group.things]


def _ancestors(group: FakeThingGroup) -> list[str]:
    return list(parents(group).values())


def _check_groups(backend: IoTBackend, thing: FakeThing, groups: list[FakeThingGroup]) -> None:
    names = {group.thing_group_name: group for group in groups}
    if len(names) > GROUPS_PER_THING:
        raise InvalidRequestException(
            f"Thing {thing.thing_name} can be in at most {GROUPS_PER_THING} groups"
        )
    roots = {[name, *_ancestors(group)][-1] for name, group in names.items()}
    if len(roots) < len(names):
        raise InvalidRequestException(
            f"Thing {thing.thing_name} cannot be in two groups of the same hierarchy"
        )
