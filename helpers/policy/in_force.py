"""Put a policy document in force in an account, and take it back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.marker import MARKER, not_ours
from helpers.patience import gone, until_gone
from helpers.policy.documents import to_json
from helpers.policy.grammar import check

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

TAGS: Any = [{"Key": MARKER[0], "Value": MARKER[1]}]
"""What each policy of the lesson is created with: who made it."""

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
        iot.create_policy(policyName=name, policyDocument=text, tags=TAGS)
    except iot.exceptions.ResourceAlreadyExistsException:
        there = find(iot, name)
        if there is None or not _ours(iot, there.arn):
            raise not_ours("policy", name) from None
        if there.text != text:
            _add_version(iot, name, text)


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


def made_here(iot: "IoTClient", *, prefix: str = "") -> list[AccountPolicy]:
    """List the policies that the lesson made, by their tag.

    Args:
        iot: A boto3 ``iot`` client.
        prefix: What their names begin with: in a shared account, the learner's.
    """
    pages = iot.get_paginator("list_policies").paginate()
    names = [each["policyName"] for page in pages for each in page["policies"]]
    found = [find(iot, name) for name in names if name.startswith(prefix)]
    return [each for each in found if each is not None and _ours(iot, each.arn)]


def remove(iot: "IoTClient", name: str) -> None:
    """Delete a policy: detached from everything and its other versions deleted first.

    A missing policy is no error.

    Raises:
        LessonError: the lesson did not make it, or it is still being detached after some minutes.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeletePolicy.html
    """
    found = find(iot, name)
    if found is None:
        return
    if not _ours(iot, found.arn):
        raise not_ours("policy", name)
    for page in iot.get_paginator("list_targets_for_policy").paginate(policyName=name):
        for target in page["targets"]:
            with gone():
                iot.detach_policy(policyName=name, target=target)
    for version in iot.list_policy_versions(policyName=name)["policyVersions"]:
        if not version["isDefaultVersion"]:
            _delete_version(iot, name, version["versionId"])
    until_gone(lambda: iot.delete_policy(policyName=name))


def _ours(iot: "IoTClient", arn: str) -> bool:
    return TAGS[0] in iot.list_tags_for_resource(resourceArn=arn)["tags"]


def _add_version(iot: "IoTClient", name: str, text: str) -> None:
    versions = iot.list_policy_versions(policyName=name)["policyVersions"]
    if len(versions) >= MOST_VERSIONS:
        spare = [version for version in versions if not version["isDefaultVersion"]]
        oldest = min(spare, key=lambda version: int(version["versionId"]))
        _delete_version(iot, name, oldest["versionId"])
    try:
        iot.create_policy_version(policyName=name, policyDocument=text, setAsDefault=True)
    except iot.exceptions.VersionsLimitExceededException:
        # The first try succeeded, its answer was lost, and this is what the second one met.
        now = find(iot, name)
        if now is None or now.text != text:
            raise


def _delete_version(iot: "IoTClient", name: str, version_id: str) -> None:
    with gone():
        iot.delete_policy_version(policyName=name, policyVersionId=version_id)
