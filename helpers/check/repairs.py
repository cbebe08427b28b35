"""Notebook 02: find and repair three broken policies."""

from collections.abc import Iterator, Mapping
from typing import Any

from helpers.account import Account
from helpers.check.expectations import Wanted, unmet
from helpers.check.result import Result, conclude
from helpers.thing import Thing
from iot_policy import AttachedThing, arn, document, statement


def broken_policies(account: Account, button: Thing) -> dict[str, dict[str, Any]]:
    """Give three policies that look like least privilege, each with one mistake."""
    topic = f"iotbutton/{button.serial}"
    connect = statement("iot:Connect", account.arn("client", button.name))
    publish = statement("iot:Publish", account.arn("topic", topic))
    elsewhere = "us-east-1" if account.region != "us-east-1" else "eu-west-1"
    return {
        "first": document(statement("iot:Connect", account.arn("thing", button.name)), publish),
        "second": document(
            connect,
            publish,
            statement("iot:*", account.arn("topic", "iotbutton/*"), effect="Deny"),
        ),
        "third": document(
            connect, statement("iot:Publish", arn(elsewhere, account.number, f"topic/{topic}"))
        ),
    }


def repairs(account: Account, button: Thing, policies: Mapping[str, Mapping[str, Any]]) -> Result:
    """Check that each of the three policies does what least privilege does."""
    return conclude(account, "repairs", _missing(account, button, policies))


def _missing(
    account: Account, button: Thing, policies: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    topic = f"iotbutton/{button.serial}"
    wanted = [
        Wanted("connect", "iot:Connect", account.arn("client", button.name), True),
        Wanted("publish on its topic", "iot:Publish", account.arn("topic", topic), True),
        Wanted(
            "connect under another name", "iot:Connect", account.arn("client", "another"), False
        ),
        Wanted("publish on another topic", "iot:Publish", account.arn("topic", "another"), False),
    ]
    for name in broken_policies(account, button):
        if name not in policies:
            yield f"The {name} policy has gone missing."
            continue
        for problem in unmet(
            policies[name], AttachedThing(button.name, None, button.attributes), wanted
        ):
            yield f"The {name} policy: {problem}"
