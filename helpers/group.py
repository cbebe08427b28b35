"""Thing groups: a policy attached to one counts for all of its Things. Find and delete them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient


@dataclass(frozen=True)
class ThingGroup:
    """A thing group with what is in it and what is attached to it."""

    name: str
    parents: tuple[str, ...]
    """The groups above it, the uppermost first; their policies count for its Things, too."""
    things: tuple[str, ...]
    policies: tuple[str, ...]


def among(iot: "IoTClient", things: set[str], policies: set[str]) -> list[ThingGroup]:
    """List the groups that hold some of these Things and policies, and no others; the lowest first.

    What the groups below one hold, it holds.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-groups.html
    """
    pages = iot.get_paginator("list_thing_groups").paginate().search("thingGroups[]")
    groups = [_read(iot, each["groupName"], each["groupArn"]) for each in pages]
    found = []
    for group in groups:
        held = [each for each in groups if group.name in (each.name, *each.parents)]
        its_things = {name for each in held for name in each.things}
        its_policies = {name for each in held for name in each.policies}
        if its_things | its_policies and its_things <= things and its_policies <= policies:
            found.append(group)
    return sorted(found, key=lambda each: -len(each.parents))


def _read(iot: "IoTClient", name: str, arn: str) -> ThingGroup:
    above = iot.describe_thing_group(thingGroupName=name)["thingGroupMetadata"]
    things = iot.get_paginator("list_things_in_thing_group").paginate(thingGroupName=name)
    policies = iot.get_paginator("list_attached_policies").paginate(target=arn)
    return ThingGroup(
        name,
        tuple(each["groupName"] for each in above.get("rootToParentThingGroups", [])),
        tuple(things.search("things[]")),
        tuple(policies.search("policies[].policyName")),
    )
