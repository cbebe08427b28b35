"""Tags, which moto's IoT does not keep: on a policy they say who made it."""

from moto.core.responses import ActionResult, EmptyResult
from moto.iot.exceptions import ResourceNotFoundException
from moto.iot.models import IoTBackend
from moto.iot.responses import IoTResponse

Tags = dict[str, str]


def tag_resource(request: IoTResponse) -> ActionResult:
    """Add tags, or give them new values.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_TagResource.html
    """
    add(request.iot_backend, request._get_param("resourceArn"), request._get_param("tags"))
    return EmptyResult()


def untag_resource(request: IoTResponse) -> ActionResult:
    """Take tags away by their keys.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UntagResource.html
    """
    tags = _of(request.iot_backend, request._get_param("resourceArn"))
    for key in request._get_param("tagKeys"):
        tags.pop(key, None)
    return EmptyResult()


def list_tags_for_resource(request: IoTResponse) -> ActionResult:
    """List the tags of a resource.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_ListTagsForResource.html
    """
    tags = _of(request.iot_backend, request._get_param("resourceArn"))
    return ActionResult({"tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]})


def add(backend: IoTBackend, arn: str, tags: list[dict[str, str]]) -> None:
    """Put *tags*, as AWS's API lists them, on the resource *arn*."""
    _of(backend, arn).update({tag["Key"]: tag.get("Value", "") for tag in tags})


def forget(backend: IoTBackend, arn: str) -> None:
    """Drop what is kept for a resource that is no more."""
    _all(backend).pop(arn, None)


def _of(backend: IoTBackend, arn: str) -> Tags:
    if arn not in {policy.arn for policy in backend.policies.values()}:
        raise ResourceNotFoundException(f"Resource {arn} does not exist or cannot be tagged")
    return _all(backend).setdefault(arn, {})


def _all(backend: IoTBackend) -> dict[str, Tags]:
    # On the backend itself, so that a reset and a saved state take the tags along.
    tags: dict[str, Tags] = vars(backend).setdefault("tags", {})
    return tags
