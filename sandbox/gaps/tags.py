"""Tags of policies, thing types and thing groups, which moto does not keep."""

from moto.core.responses import ActionResult, EmptyResult
from moto.iot.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.iot.models import IoTBackend
from moto.iot.responses import IoTResponse

from sandbox.gaps.errors import LimitExceededException
from sandbox.gaps.operations import Answer, overriding

Tags = dict[str, str]

TAGS_PER_RESOURCE = 50
"""AWS's limit: https://docs.aws.amazon.com/iot/latest/developerguide/tagging-iot.html"""


@overriding("create_policy", "create_thing_type", "create_thing_group")
def created_with_tags(request: IoTResponse, moto: Answer) -> ActionResult:
    """Keep the tags that a resource is created with.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/tagging-iot.html
    """
    tags = _read(request)
    if len(tags) > TAGS_PER_RESOURCE:
        raise InvalidRequestException(f"A resource has {TAGS_PER_RESOURCE} tags at most")
    there = set(_taggable(request.iot_backend))
    result = moto()
    for made in set(_taggable(request.iot_backend)) - there:
        _all_tags(request.iot_backend)[made] = tags
    return result


@overriding("delete_policy", "delete_thing_type", "delete_thing_group")
def deleted_with_tags(request: IoTResponse, moto: Answer) -> ActionResult:
    """Delete a resource's tags with it."""
    result = moto()
    tags = _all_tags(request.iot_backend)
    for gone in set(tags) - set(_taggable(request.iot_backend)):
        del tags[gone]
    return result


def tag_resource(request: IoTResponse) -> ActionResult:
    """Add tags, or give them new values.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_TagResource.html
    """
    tags = _tags(request)
    both = tags | _read(request)
    if len(both) > TAGS_PER_RESOURCE:
        raise LimitExceededException(f"A resource has {TAGS_PER_RESOURCE} tags at most")
    tags.update(both)
    return EmptyResult()


def untag_resource(request: IoTResponse) -> ActionResult:
    """Remove tags by their keys.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UntagResource.html
    """
    tags = _tags(request)
    for key in request._get_param("tagKeys"):
        tags.pop(key, None)
    return EmptyResult()


def list_tags_for_resource(request: IoTResponse) -> ActionResult:
    """List the tags of a resource.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListTagsForResource.html
    """
    tags = _tags(request)
    return ActionResult({"tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]})


def _read(request: IoTResponse) -> Tags:
    return {tag["Key"]: tag.get("Value", "") for tag in request._get_param("tags") or []}


def _tags(request: IoTResponse) -> Tags:
    arn = request._get_param("resourceArn")
    if arn not in _taggable(request.iot_backend):
        raise ResourceNotFoundException(f"Resource {arn} does not exist or cannot be tagged")
    return _all_tags(request.iot_backend).setdefault(arn, {})


def _taggable(backend: IoTBackend) -> list[str]:
    policies = [policy.arn for policy in backend.policies.values()]
    return [*policies, *backend.thing_types, *backend.thing_groups]


def _all_tags(backend: IoTBackend) -> dict[str, Tags]:
    # On the backend itself, so that a reset drops the tags and a saved state keeps them.
    tags: dict[str, Tags] = vars(backend).setdefault("tags", {})
    return tags
