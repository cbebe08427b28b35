"""Where moto 5.2 falls short of AWS IoT: one small function per gap.

``served`` lists what the sandbox serves; all else it refuses by name. A correction of an operation
that moto has stands behind ``@overriding("its_name")``, in the file of its subject; an operation
that moto lacks is listed in ``_ADDED``. Each has a test of its name in ``tests/test_gaps.py``,
``tests/test_gaps_data.py`` for shadows, or ``tests/test_indexing.py``; delete both once moto has
closed the gap.
``tests/test_every_operation.py`` calls every operation.
"""

import inspect
from functools import cache, partial
from typing import TYPE_CHECKING

from botocore.model import OperationModel
from moto.core import responses
from moto.core.config import default_user_config
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.iot.models import IoTBackend
from moto.iot.responses import IoTResponse
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox.gaps import (  # importing a module registers its overrides
    attachments,
    authorization,
    certificates,
    endpoint,
    groups,
    indexing,
    policies,
    retained,
    rules,
    served,
    shadows,
    tags,
    things,
)
from sandbox.gaps.endpoint import MQTT_HOST
from sandbox.gaps.operations import (
    Method,
    constraints,
    model,
    overrides,
    parsed,
    wrap,
)
from sandbox.gaps.pages import has_pages, paged

__all__ = [
    "MQTT_HOST",
    "attachments",
    "certificates",
    "endpoint",
    "fill",
    "groups",
    "policies",
    "rules",
    "shadows",
    "things",
]

if TYPE_CHECKING:
    from sandbox.broker.by_http import Publisher

_ADDED: dict[str, Method] = {
    added.__name__: added
    for added in (
        authorization.get_effective_policies,
        authorization.test_authorization,
        indexing.describe_index,
        tags.list_tags_for_resource,
        tags.tag_resource,
        tags.untag_resource,
    )
}
"""The operations that moto lacks."""
_OF_THE_BROKER = (
    retained.delete_connection,
    retained.get_retained_message,
    retained.list_retained_messages,
)
"""Those of them that the broker answers."""


def fill(broker: "Publisher") -> None:
    """Make moto answer as AWS IoT does, in this process and for good.

    Args:
        broker: Delivers the messages that are published by HTTP and what changes there tell, and
            knows what it has retained.
    """
    default_user_config["iot"] = {"use_valid_cert": True}  # certificate id: SHA-256 of the DER
    IoTBackend._generate_certificate_pem = certificates.issue  # type: ignore[method-assign,assignment]

    def publish(request: IoTDataPlaneResponse) -> str:
        return endpoint.publish(broker, request)

    for name, method in {"publish": publish, **shadows.methods(broker)}.items():
        setattr(IoTDataPlaneResponse, name, method)
    added = _ADDED | {each.__name__: partial(each, broker) for each in _OF_THE_BROKER}
    for service, response in (("iot", IoTResponse), ("iot-data", IoTDataPlaneResponse)):
        response.use_raw_body = True
        for operation in model(service).operation_names:
            _replace(response, model(service).operation_model(operation), added)
    # moto would list a class's methods at each request; from here on they stay as they are.
    responses.method_names_from_class = cache(method_names_from_class)  # type: ignore[attr-defined]


def _replace(
    response: type[BaseResponse], operation: OperationModel, added: dict[str, Method]
) -> None:
    """Put in front of moto's method what the operation is checked for, and its overrides."""
    name = camelcase_to_underscores(operation.name)
    if operation.name not in served.SERVED:
        setattr(response, name, served.refuse(operation.name))
        return
    method = added.get(name) or inspect.unwrap(getattr(response, name))
    for override in overrides[name]:
        method = wrap(override, method)
    if has_pages(operation):
        method = wrap(partial(paged, operation=operation), method)
    for check in (served.parameters, constraints, parsed):
        method = wrap(partial(check, operation=operation), method)
    setattr(response, name, method)
