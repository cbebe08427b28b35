"""The topics that begin with $: AWS IoT keeps them for its services.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/reserved-topics.html
"""

import re
from functools import lru_cache
from typing import NamedTuple

from sandbox.mqtt.packets import ReasonCode, RefusedError

_RULE = "rules/[A-Za-z0-9_]{1,128}"
BASIC_INGEST = re.compile(rf"\A\$aws/{_RULE}/(?=.)", re.DOTALL)
"""How a topic begins that calls a rule; AWS's limits are those of what follows."""
LIFECYCLE = "lifecycle events"
"""The service that the broker itself is: it publishes them."""
_FORMAT = "(?:cbor|json)"
_THING = "things/[^/]+"
_PUBLISH = {
    "": rf"{_THING}/shadow(?:/name/[^/]+)?/(?:get|update|delete)|{_RULE}(?:/.*)?",
    "jobs": rf"{_THING}/jobs/(?:get|start-next|[^/]+/(?:get|update))",
    "Device Defender": rf"{_THING}/defender/metrics/{_FORMAT}",
    "file delivery": rf"{_THING}/streams/[^/]+/(?:get|describe)/{_FORMAT}",
    "fleet provisioning": (
        rf"certificates/create(?:-from-csr)?/{_FORMAT}"
        rf"|provisioning-templates/[^/]+/provision/{_FORMAT}"
    ),
    "device location": r"device_location/[^/]+/get_position_estimate",
    "commands": rf"commands/(?:things|clients)/[^/]+/executions/[^/]+/response(?:/{_FORMAT})?",
}
"""What a client may publish to, below ``$aws/``, by the service that it is for; ``""`` is here."""
_SUBSCRIBE = {
    "": rf"{_THING}/shadow/.+",
    "jobs": rf"{_THING}/jobs/.+",
    "Device Defender": rf"{_THING}/defender/metrics/.+",
    "file delivery": rf"{_THING}/streams/.+",
    "secure tunneling": rf"{_THING}/tunnels/.+",
    "fleet provisioning": r"(?:certificates|provisioning-templates)/.+",
    LIFECYCLE: r"events/(?:presence|subscriptions)/.+",
    "registry and job events": r"events/.+",
    "SiteWise": r"sitewise/.+",
    "device location": r"device_location/.+",
    "commands": r"commands/.+",
}
"""What a client may subscribe to: a filter that names the service, whatever its wildcards."""


_CALL = re.compile(r"\$aws/rules/([^/]+)/?(.*)", re.DOTALL)
_SHADOW = re.compile(r"(\$aws/things/([^/]+)/shadow(?:/name/([^/]+))?)/(get|update|delete)")


class ReservedTopicError(RefusedError):
    """A topic that AWS IoT keeps for itself; whoever asks for it is cut off."""


class ShadowRequest(NamedTuple):
    """What a topic asks of the shadow service."""

    prefix: str
    """What the topics of its answers begin with."""
    thing: str
    name: str | None
    """Of the shadow; ``None`` is the unnamed, classic one."""
    operation: str
    """``get``, ``update`` or ``delete``."""
    hops: int = 0
    """How many times rules have republished what led to it."""


def shadow_request(topic: str) -> ShadowRequest | None:
    """Return what a message on *topic* asks of the shadow service; ``None`` if nothing.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-mqtt.html
    """
    found = topic.startswith("$aws/things/") and _SHADOW.fullmatch(topic)
    return ShadowRequest(found[1], found[2], found[3], found[4]) if found else None


def rule_called(topic: str) -> tuple[str, str] | None:
    """Return the rule that *topic* calls by basic ingest, and the topic that it is told.

    >>> rule_called("$aws/rules/attic/lights/1"), rule_called("lights/1")
    (('attic', 'lights/1'), None)

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html
    """
    found = _CALL.fullmatch(topic) if topic.startswith("$aws/rules/") else None
    return (found[1], found[2]) if found else None


def shadow_topics(thing: str, name: str | None) -> str:
    """Return what the topics of a shadow begin with; ``None`` is the unnamed, classic one.

    >>> shadow_topics("lamp", None), shadow_topics("lamp", "colour")
    ('$aws/things/lamp/shadow', '$aws/things/lamp/shadow/name/colour')
    """
    return f"$aws/things/{thing}/shadow" + (f"/name/{name}" if name else "")


@lru_cache(maxsize=1024)
def service_published_to(topic: str) -> str:
    """Return which of AWS IoT's services takes what is published to *topic*, and is not here.

    Returns:
        Its name; empty for a topic of one's own, and for a service that the sandbox has.

    Raises:
        ReservedTopicError: the topic begins with $, and none takes it.
    """
    return _service(
        topic, _PUBLISH, ReasonCode.TOPIC_NAME_INVALID, "none of them takes messages on this one"
    )


def service_subscribed_to(topic_filter: str) -> str:
    """Return which of AWS IoT's services publishes to what *topic_filter* matches, and is not here.

    Returns:
        Its name; empty for topics of one's own, and for a service that the sandbox has.

    Raises:
        ReservedTopicError: the filter begins with $, and none does.
    """
    return _service(
        topic_filter, _SUBSCRIBE, ReasonCode.TOPIC_FILTER_INVALID, "this filter names none of them"
    )


def _service(topic: str, allowed: dict[str, str], code: ReasonCode, wrong: str) -> str:
    if not topic.startswith("$"):
        return ""
    for service, below in allowed.items():
        if re.fullmatch(rf"\$aws/(?:{below})", topic, re.DOTALL):
            return service
    raise ReservedTopicError(
        code,
        f"AWS IoT keeps the topics that begin with $ for its services, and {wrong}: "
        "choose a topic without the $",
    )
