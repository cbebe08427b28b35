"""Put a policy document in force in an account, and take it back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.errors import LessonError
from helpers.marker import MARKER
from helpers.policy.documents import to_json
from helpers.policy.grammar import check

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

MOST_VERSIONS = 5
"""AWS keeps so many versions of a policy."""


@dataclass(frozen=True)
class AccountPolicy:
    """A policy of the account, as its default version has it."""

    name: str
    arn: str
    text: str
    """The policy document, JSON."""


def put_in_force(iot: "IoTClient", name: str, document: dict[str, Any]) -> None:
    """Create the policy *name*, or make *document* the default version of the one that is there.

    A document that is in force already is left alone. Where AWS's limit of five versions is
    reached, the oldest one gives way.

    Args:
        iot: A boto3 ``iot`` client.
        name: 1-128 of letters, digits and ``_+=,.@-``.
        document: A policy document.

    Raises:
        MalformedPolicy: the document is not one; nothing is changed.
        LessonError: a policy of that name is there, and the lesson did not make it.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicyVersion.html
    """
    text = to_json(document)
    check(text)
    try:
        iot.create_policy(policyName=name, policyDocument=text, tags=[_TAG])
    except iot.exceptions.ResourceAlreadyExistsException:
        there = find(iot, name)
        if there is None or not _ours(iot, there.arn):
            raise LessonError(
                f"The account has a policy {name!r} that the lesson did not make. It is left as "
                "it is: give yours another name."
            ) from None
        if there.text != text:
            _make_room(iot, name)
            iot.create_policy_version(policyName=name, policyDocument=text, setAsDefault=True)


def find(iot: "IoTClient", name: str) -> AccountPolicy | None:
    """Look a policy up by its name.

    Returns:
        The policy; ``None`` where there is none of that name.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_GetPolicy.html
    """
    try:
        found = iot.get_policy(policyName=name)
    except iot.exceptions.ResourceNotFoundException:
        return None
    return AccountPolicy(found["policyName"], found["policyArn"], found["policyDocument"])


def made_here(iot: "IoTClient") -> list[AccountPolicy]:
    """List the policies that the lesson made, by their tag."""
    ours = []
    for page in iot.get_paginator("list_policies").paginate():
        for listed in page["policies"]:
            found = find(iot, listed["policyName"])
            if found is not None and _ours(iot, found.arn):
                ours.append(found)
    return ours


def remove(iot: "IoTClient", name: str) -> None:
    """Delete a policy: detached from everything and its other versions deleted first.

    A missing policy is no error.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeletePolicy.html
    """
    if find(iot, name) is None:
        return
    for page in iot.get_paginator("list_targets_for_policy").paginate(policyName=name):
        for target in page["targets"]:
            iot.detach_policy(policyName=name, target=target)
    for version in iot.list_policy_versions(policyName=name)["policyVersions"]:
        if not version["isDefaultVersion"]:
            iot.delete_policy_version(policyName=name, policyVersionId=version["versionId"])
    iot.delete_policy(policyName=name)


_TAG: Any = {"Key": MARKER[0], "Value": MARKER[1]}


def _ours(iot: "IoTClient", arn: str) -> bool:
    return _TAG in iot.list_tags_for_resource(resourceArn=arn)["tags"]


def _make_room(iot: "IoTClient", name: str) -> None:
    versions = iot.list_policy_versions(policyName=name)["policyVersions"]
    if len(versions) < MOST_VERSIONS:
        return
    spare = [version for version in versions if not version["isDefaultVersion"]]
    oldest = min(spare, key=lambda version: int(version["versionId"]))
    iot.delete_policy_version(policyName=name, policyVersionId=oldest["versionId"])
