"""Where moto 5.2 falls short of AWS IoT: one small function a gap.

Each has a test of its name in ``tests/test_gaps.py``; delete both the day moto closes the gap.
"""

from functools import partial

from botocore import xform_name
from moto.core.config import default_user_config
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.iot.exceptions import InvalidRequestException
from moto.iot.models import IoTBackend
from moto.iot.responses import IoTResponse
from moto.iotdata.responses import IoTDataPlaneResponse

from sandbox.gaps import (  # each import of a subject registers its gaps
    authorization,
    certificates,
    endpoint,
    issuer,
    messages,
    policies,
    tags,
    things,
)
from sandbox.gaps.constraints import iot_model, refusal, violations
from sandbox.gaps.filling import Answer, Method, gaps, through

__all__ = ["certificates", "endpoint", "fill", "policies", "things"]

_ADDED: dict[str, Method] = {
    added.__name__: added
    for added in (
        authorization.get_effective_policies,
        authorization.test_authorization,
        tags.list_tags_for_resource,
        tags.tag_resource,
        tags.untag_resource,
    )
}


def fill(publish: messages.Publish) -> None:
    """Make moto answer as AWS IoT does, in this process and for good.

    Args:
        publish: Delivers a message that was published by HTTP.
    """
    default_user_config["iot"] = {"use_valid_cert": True}  # certificate id: SHA-256 of the DER
    IoTBackend._generate_certificate_pem = issuer.issue  # type: ignore[method-assign,assignment]
    IoTDataPlaneResponse.publish = messages.delivered(publish)  # type: ignore[method-assign,assignment]
    for operation in iot_model().operation_names:
        name = xform_name(operation)
        method = _ADDED.get(name) or getattr(IoTResponse, name, None) or _missing(operation)
        for gap in gaps[name]:
            method = through(gap, method)
        setattr(IoTResponse, name, through(partial(constraints, operation=operation), method))


def constraints(request: IoTResponse, moto: Answer, *, operation: str) -> ActionResult:
    """Names, values and lists that AWS's own API model rules out."""
    shape = iot_model().operation_model(operation).input_shape
    members = shape.members if shape else {}
    given = {name: request._get_param(name) for name in members}
    found = list(violations(shape, given)) if shape else []
    if found:
        raise InvalidRequestException(refusal(found))
    return moto()


def _missing(operation: str) -> Method:
    def answer(request: IoTResponse) -> ActionResult:
        # moto would answer 500, which every AWS client tries again and again; 501 it does not.
        error = JsonRESTError("NotImplementedException", f"The sandbox does not have {operation}.")
        error.code = 501
        raise error

    return answer
