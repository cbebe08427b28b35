"""Where moto 5.2 falls short of AWS IoT: one small function per gap.

A correction of an operation that moto has stands behind ``@overriding("its_name")``, in the file of
its subject; an operation that moto lacks is listed in ``_ADDED``. Each has a test of its name in
``tests/test_gaps.py``; delete both once moto has closed the gap.
"""

from functools import cache, partial
from typing import TYPE_CHECKING

from botocore import xform_name
from moto.core import responses
from moto.core.config import default_user_config
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.core.utils import method_names_from_class
from moto.iot.models import IoTBackend
from moto.iot.responses import IoTResponse
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox.gaps import (  # importing a module registers its overrides
    authorization,
    certificates,
    endpoint,
    policies,
    things,
)
from sandbox.gaps.endpoint import MQTT_HOST
from sandbox.gaps.operations import Method, constraints, iot_model, overrides, wrap

__all__ = ["MQTT_HOST", "certificates", "endpoint", "fill", "policies", "things"]

if TYPE_CHECKING:
    from sandbox.broker import Broker

_ADDED: dict[str, Method] = {
    added.__name__: added
    for added in (
        authorization.get_effective_policies,
        authorization.test_authorization,
        policies.list_tags_for_resource,
        policies.tag_resource,
        policies.untag_resource,
    )
}
"""The operations that moto lacks."""


def fill(broker: "Broker") -> None:
    """Make moto answer as AWS IoT does, in this process and for good.

    Args:
        broker: Delivers the messages that are published by HTTP.
    """
    default_user_config["iot"] = {"use_valid_cert": True}  # certificate id: SHA-256 of the DER
    IoTBackend._generate_certificate_pem = certificates.issue  # type: ignore[method-assign,assignment]

    def publish(request: IoTDataPlaneResponse) -> str:
        return endpoint.publish(broker, request)

    IoTDataPlaneResponse.publish = publish  # type: ignore[method-assign,assignment]
    for operation in iot_model().operation_names:
        name = xform_name(operation)
        method = _ADDED.get(name) or getattr(IoTResponse, name, None) or _missing(operation)
        for override in overrides[name]:
            method = wrap(override, method)
        setattr(IoTResponse, name, wrap(partial(constraints, operation=operation), method))
    # moto would list a class's methods at each request; from here on they stay as they are.
    responses.method_names_from_class = cache(method_names_from_class)  # type: ignore[attr-defined]


def _missing(operation: str) -> Method:
    def answer(request: IoTResponse) -> ActionResult:
        # moto would answer 500, which every AWS client tries again and again; 501 it does not.
        error = JsonRESTError("NotImplementedException", f"The sandbox does not have {operation}.")
        error.code = 501
        raise error

    return answer
