"""What the lesson's client does not do in a real account: change what is not the learner's."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from helpers.account.ledger import ISSUING, Ledger
from helpers.errors import LessonError

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

READS = "Describe|Get|List|TestAuthorization$"
"""How the names of the calls begin that change nothing."""
NAMED = (
    "CreateThing",
    "DeleteThing",
    "CreatePolicy",
    "CreatePolicyVersion",
    "DeletePolicy",
    "DeletePolicyVersion",
)
"""They change what has a name."""
CERTIFICATES = ("UpdateCertificate", "DeleteCertificate")
ATTACHING = ("AttachPolicy", "AttachThingPrincipal")
DETACHING = ("DetachPolicy", "DetachThingPrincipal")


def watch(iot: "IoTClient", ledger: Ledger, prefix: str) -> None:
    """Make *iot* refuse to change what is not the learner's, before anything is sent.

    Args:
        iot: A boto3 ``iot`` client.
        ledger: The learner's certificates.
        prefix: What the learner's names begin with.
    """

    def look(params: dict[str, Any], model: Any, **_: object) -> None:
        if not re.match(READS, model.name):
            _check(model.name, params, prefix, ledger.ids)

    iot.meta.events.register_first("provide-client-params.iot", look)


def _check(call: str, params: dict[str, Any], prefix: str, own: Callable[[], list[str]]) -> None:
    name = str(params.get("thingName") or params.get("policyName") or "")
    holder = params.get("certificateId") or params.get("target") or params.get("principal")
    certificate = str(holder).rsplit("/", 1)[-1]
    named = name.startswith(prefix)
    if call in ISSUING or (call in NAMED and named):
        return
    ours = certificate in own()
    if call in CERTIFICATES and ours:
        return
    if call in ATTACHING and named and ours:
        return
    if call in DETACHING and (named or ours):
        return
    raise LessonError(
        f"{call} was not sent: in a real account, the lesson changes only what it made for you. "
        f"Your names begin with {prefix}, your certificates are those that this client made."
    )
