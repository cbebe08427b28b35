"""AWS's verdicts on several policies, side by side."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from prettytable import PrettyTable

from helpers.table import table

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

ActionType = Literal["CONNECT", "PUBLISH", "SUBSCRIBE", "RECEIVE"]


def verdicts(
    iot: "IoTClient",
    policy_names: Iterable[str],
    questions: Mapping[str, tuple[ActionType, str]],
    *,
    principal: str,
    client_id: str,
) -> PrettyTable:
    """Ask ``test_authorization`` each question of each policy by itself.

    Args:
        iot: A boto3 ``iot`` client.
        policy_names: Policies of the account, a column each.
        questions: In words, with the action type and the resource's ARN: a row each.
        principal: ARN of the certificate that asks. Its own policies are left out.
        client_id: Under which client id it asks.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_TestAuthorization.html
    """
    names = list(policy_names)
    asked = [{"actionType": kind, "resources": [arn]} for kind, arn in questions.values()]
    pages = iot.get_paginator("list_attached_policies").paginate(target=principal)
    own = [each["policyName"] for page in pages for each in page["policies"]]
    columns = []
    for name in names:
        answer = iot.test_authorization(
            authInfos=asked,  # type: ignore[arg-type]  # the stub wants its own TypedDict
            principal=principal,
            clientId=client_id,
            policyNamesToAdd=[name],
            policyNamesToSkip=[each for each in own if each != name],
        )
        columns.append([result["authDecision"] for result in answer["authResults"]])
    rows = [
        [question, *row]
        for question, row in zip(questions, zip(*columns, strict=True), strict=True)
    ]
    return table(["", *names], rows)
