"""Policies: first the lesson's documents, then those of an account, then what a policy means.

The policy language itself, which decides and explains, is the package :mod:`iot_policy`; here its
answers become what a notebook shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Literal, cast

import iot_policy
from helpers.errors import LessonError
from helpers.marker import MARKER, not_ours
from helpers.table import Judged, Readable, table
from helpers.waiting import delete_when_detached, ignore_missing
from iot_policy import Policy, arn
from iot_policy import Request as Request
from iot_policy import document as document
from iot_policy import statement as statement
from iot_policy import to_json as to_json
from iot_policy.vocabulary import ACTIONS

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

TAGS: Any = [{"Key": MARKER[0], "Value": MARKER[1]}]
"""The tag of every policy that the lesson makes: who made it."""

MOST_VERSIONS = 5
"""How many versions of a policy AWS keeps."""

ActionType = Literal["CONNECT", "PUBLISH", "SUBSCRIBE", "RECEIVE"]


def as_posted(region: str, account: str, serial: str) -> dict[str, Any]:
    """Return the post's own JSON. It grants the reverse of what the post's prose says.

    Args:
        region: The account's region.
        account: 12 digits.
        serial: The button's serial number (DSN), 16 characters.
    """
    return document(
        statement("iot:Connect", arn(region, account, f"topic/iotbutton/{serial}")),
        statement("iot:Publish", "*"),
    )


def intended(region: str, account: str, serial: str) -> dict[str, Any]:
    """Return what the post's prose says: anyone may connect, the button publishes on its topic."""
    return document(
        statement("iot:Connect", "*"),
        statement("iot:Publish", arn(region, account, f"topic/iotbutton/{serial}")),
    )


def least_privilege(region: str, account: str, serial: str, client_id: str) -> dict[str, Any]:
    """Allow just this client id and just this topic, without asking the registry."""
    return document(
        statement("iot:Connect", arn(region, account, f"client/{client_id}")),
        statement("iot:Publish", arn(region, account, f"topic/iotbutton/{serial}")),
    )


def recommended(region: str, account: str) -> dict[str, Any]:
    """Return what AWS recommends: one policy for all buttons; the registry fills in which one.

    The certificate must be attached to a Thing, the client id must be the Thing's name, and the
    Thing's attribute ``serialNumber`` must be the button's serial number.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/thing-policy-variables.html
    """
    thing = "iot:Connection.Thing"
    return document(
        statement(
            "iot:Connect",
            arn(region, account, f"client/${{{thing}.ThingName}}"),
            condition={"Bool": {f"{thing}.IsAttached": ["true"]}},
        ),
        statement(
            "iot:Publish",
            arn(region, account, f"topic/iotbutton/${{{thing}.Attributes[serialNumber]}}"),
        ),
    )


def listener(region: str, account: str, serial: str, client_id: str) -> dict[str, Any]:
    """Let a device receive what one button publishes, and nothing else."""
    topic = f"iotbutton/{serial}"
    return document(
        statement("iot:Connect", arn(region, account, f"client/{client_id}")),
        statement("iot:Subscribe", arn(region, account, f"topicfilter/{topic}")),
        statement("iot:Receive", arn(region, account, f"topic/{topic}")),
    )


@dataclass(frozen=True)
class AccountPolicy:
    """A policy of an account, with its default version: the one that counts."""

    name: str
    arn: str
    text: str
    """The policy document, JSON."""


def put_in_force(iot: "IoTClient", name: str, document: dict[str, Any]) -> None:
    """Create the policy *name*, or make *document* the default version of the one that is there.

    Nothing happens if that document is in force already. If AWS's limit of five versions is
    reached, the oldest one is deleted.

    Args:
        iot: A boto3 ``iot`` client.
        name: 1-128 of letters, digits and ``_+=,.@-``.
        document: A policy document.

    Raises:
        LessonError: the document is not a policy, or the lesson did not make the policy that is
            there; nothing is changed.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicyVersion.html
    """
    text = _text(document)
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
    """Look a policy up by its name; return ``None`` where there is none.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_GetPolicy.html
    """
    with ignore_missing():
        found = iot.get_policy(policyName=name)
        return AccountPolicy(found["policyName"], found["policyArn"], found["policyDocument"])
    return None


def made_here(iot: "IoTClient", *, prefix: str = "") -> list[AccountPolicy]:
    """List the policies that the lesson made, by their tag.

    Args:
        iot: A boto3 ``iot`` client.
        prefix: What their names begin with: in a shared account, the learner's.
    """
    names = iot.get_paginator("list_policies").paginate().search("policies[].policyName")
    found = [find(iot, name) for name in sorted(names) if name.startswith(prefix)]
    return [each for each in found if each is not None and _ours(iot, each.arn)]


def remove(iot: "IoTClient", name: str) -> None:
    """Detach a policy from everything, then delete its versions and the policy itself.

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
    pages = iot.get_paginator("list_targets_for_policy").paginate(policyName=name)
    for target in pages.search("targets[]"):
        with ignore_missing():
            iot.detach_policy(policyName=name, target=target)
    for version in iot.list_policy_versions(policyName=name)["policyVersions"]:
        if not version["isDefaultVersion"]:
            _delete_version(iot, name, version["versionId"])
    delete_when_detached(lambda: iot.delete_policy(policyName=name))


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
        # The first try succeeded and its answer was lost; this answers boto3's second try.
        now = find(iot, name)
        if now is None or now.text != text:
            raise


def _delete_version(iot: "IoTClient", name: str, version_id: str) -> None:
    with ignore_missing():
        iot.delete_policy_version(policyName=name, policyVersionId=version_id)


def _malformed(problem: object) -> LessonError:
    return LessonError(str(problem), entry="The policy document is malformed")


def _text(document: object) -> str:
    """Return a document's JSON text; raise LessonError where it cannot be written as JSON."""
    try:
        return document if isinstance(document, str) else to_json(cast(Any, document))
    except (TypeError, ValueError, RecursionError) as problem:
        raise _malformed(f"This is no policy document: {problem}.") from problem


def check(text: str) -> dict[str, Any]:
    """Read a policy document; raise LessonError where AWS would refuse to store it."""
    try:
        return iot_policy.check(_text(text))
    except iot_policy.MalformedPolicy as problem:
        raise _malformed(problem) from problem


def parse(name: str, text: str) -> Policy:
    """Read a policy document, ready for decisions.

    Args:
        name: The policy's name, as decisions report it.
        text: The JSON document.

    Raises:
        LessonError: AWS would refuse to store it.
    """
    try:
        return iot_policy.parse(name, _text(text))
    except iot_policy.MalformedPolicy as problem:
        raise _malformed(problem) from problem


def explain(policies: Sequence[Policy], request: Request) -> Readable:
    """Show why *policies* allow or deny *request*, statement by statement.

    Args:
        policies: The default version of each policy attached to the certificate.
        request: What the device asks for.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
    """
    found = iot_policy.explain(policies, request)
    rows = [(step.policy, step.number, step.effect, step.reason) for step in found.steps]
    steps = table(["Policy", "Statement", "Effect", "Why"], rows)
    tail = f"<p>To change it: {escape(found.hint)}</p>" if found.hint else ""
    return Readable(str(found), f"<p>{escape(found.headline)}</p>{steps.html}{tail}")


def lint(
    document: Mapping[str, Any] | str,
    *,
    region: str | None = None,
    account: str | None = None,
    attached: bool | None = None,
) -> Readable:
    """Show what is wrong with a policy, before any device asks: a table of findings.

    Args: as for :func:`iot_policy.lint`.

    Raises:
        LessonError: it cannot be written as JSON.
    """
    found = iot_policy.lint(_text(document), region=region, account=account, attached=attached)
    if not found:
        return Readable("Nothing to say.", "<p>Nothing to say.</p>")
    rows = [(each.severity, each.statement or "all", each.message) for each in found]
    return table(["Severity", "Statement", "Finding"], rows)


def verdicts(
    iot: "IoTClient",
    policy_names: Iterable[str],
    questions: Mapping[str, tuple[ActionType, str, bool]],
    *,
    principal: str,
    client_id: str,
) -> Readable:
    """Show what each policy by itself answers, and whether that is as it should be.

    Args:
        iot: A boto3 ``iot`` client: its ``test_authorization`` is asked.
        policy_names: Policies of the account: one column each.
        questions: What follows *May the button …*, with the action type, the resource's ARN and
            whether it should be allowed: one row each.
        principal: ARN of the certificate that asks. The policies attached to it are left out.
        client_id: The client id under which it asks.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_TestAuthorization.html
    """
    names, wanted = list(dict.fromkeys(policy_names)), list(questions.values())
    asked = [{"actionType": kind, "resources": [arn]} for kind, arn, _ in wanted]
    rows: list[list[object]] = [
        [question, "yes" if should else "no"] for question, (*_, should) in questions.items()
    ]
    pages = iot.get_paginator("list_attached_policies").paginate(target=principal)
    own = list(pages.search("policies[].policyName"))
    for name in names:
        answer = iot.test_authorization(
            authInfos=asked,  # type: ignore[arg-type]  # the stub wants its own TypedDict
            principal=principal,
            clientId=client_id,
            policyNamesToAdd=[name],
            policyNamesToSkip=[each for each in own if each != name],
        )
        for row, (*_, should), result in zip(rows, wanted, answer["authResults"], strict=True):
            verdict = result["authDecision"]
            row.append(Judged(verdict, (verdict == "ALLOWED") == should))
    return table(["May the button …", "Should it?", *names], rows)


def beyond(
    document: Mapping[str, Any], wanted: Mapping[str, Any], *, region: str, account: str
) -> Readable:
    """Show what one policy allows that another does not: an example for each action.

    Args:
        document: The policy, as built by :func:`iot_policy.document`.
        wanted: The other one: it allows what it should.
        region: Where the resources are.
        account: Whose they are: 12 digits.
    """
    given, right = (parse("", _text(each)) for each in (document, wanted))
    compare = partial(iot_policy.compare, [given], [right], region=region, account=account)
    answers = {action: compare(actions=[action]) for action in ACTIONS}
    rows = [(action, found.example) for action, found in answers.items() if found.example]
    if not rows:
        return Readable("Nothing more.", "<p>Nothing more.</p>")
    return table(["Action", "It may also, for example"], rows)
