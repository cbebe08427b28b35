"""What the lesson's client does not do in a real account: change what is not the learner's."""

from collections.abc import Callable
from typing import Any

from helpers.account.ledger import ISSUING, Ledger, certificate_id
from helpers.errors import LessonError

NAMED = (
    "CreateThing",
    "DeleteThing",
    "CreatePolicy",
    "CreatePolicyVersion",
    "DeletePolicy",
    "DeletePolicyVersion",
    "DeleteThingShadow",
)
"""They change what has a name."""
CERTIFICATES = ("UpdateCertificate", "DeleteCertificate")
ATTACHING = ("AttachPolicy", "AttachThingPrincipal")
DETACHING = ("DetachPolicy", "DetachThingPrincipal")


def changes_nothing(operation: str) -> bool:
    """Decide by its name whether an operation of AWS's API only reads.

    >>> changes_nothing("ListThings"), changes_nothing("DetachPolicy")
    (True, False)
    """
    return operation.startswith(("Describe", "Get", "List")) or operation == "TestAuthorization"


def confine(client: Any, ledger: Ledger, prefix: str) -> None:
    """Make a client refuse to change what is not the learner's, before anything is sent.

    Args:
        client: A boto3 client, ``iot`` or ``iot-data``.
        ledger: The learner's certificates.
        prefix: What the learner's names begin with.
    """

    def about_to_send(params: dict[str, Any], model: Any, **_: object) -> None:
        if not changes_nothing(model.name):
            _check(model.name, params, prefix, ledger.ids)

    service = client.meta.service_model.service_name
    client.meta.events.register_first(f"provide-client-params.{service}", about_to_send)


def _check(
    operation: str, params: dict[str, Any], prefix: str, own: Callable[[], list[str]]
) -> None:
    name = str(params.get("thingName") or params.get("policyName") or "")
    named = name.startswith(prefix)
    if operation in ISSUING or (operation in NAMED and named):
        return
    ours = certificate_id(params) in own()
    if operation in CERTIFICATES and ours:
        return
    if operation in ATTACHING and named and ours:
        return
    if operation in DETACHING and (named or ours):
        return
    raise LessonError(
        f"{operation} was not sent: in a real account, the lesson changes only what it made for "
        f"you. Your names begin with {prefix}, your certificates are those that this client made.",
        entry="The lesson did not make it",
    )
