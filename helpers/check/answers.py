"""Notebook 02: write the policy that lets the button hear answers, and nothing more."""

from collections.abc import Mapping
from typing import Any

from helpers.account import Account
from helpers.check.expectations import Wanted, unmet
from helpers.check.result import Result, conclude
from helpers.thing import Thing
from iot_policy import AttachedThing


def answers(account: Account, button: Thing, document: Mapping[str, Any]) -> Result:
    """Check a policy: as least privilege, and it may receive ``iotbutton/<serial>/answer``."""
    wired = AttachedThing(button.name, None, button.attributes)
    topic = f"iotbutton/{button.serial}"
    client, answer, everything = account.arn("client", button.name), f"{topic}/answer", "#"
    wanted = [
        Wanted("connect under its name", "iot:Connect", client, True),
        Wanted("publish on its topic", "iot:Publish", account.arn("topic", topic), True),
        Wanted(f"subscribe to {answer}", "iot:Subscribe", account.arn("topicfilter", answer), True),
        Wanted(f"receive {answer}", "iot:Receive", account.arn("topic", answer), True),
        Wanted(
            "connect under another name", "iot:Connect", account.arn("client", "another"), False
        ),
        Wanted("publish on another topic", "iot:Publish", account.arn("topic", "another"), False),
        Wanted("publish its own answer", "iot:Publish", account.arn("topic", answer), False),
        Wanted(
            "subscribe to every topic",
            "iot:Subscribe",
            account.arn("topicfilter", everything),
            False,
        ),
        Wanted(
            "receive the answers to another button",
            "iot:Receive",
            account.arn("topic", "iotbutton/another/answer"),
            False,
        ),
    ]
    return conclude(account, "answers", unmet(document, wired, wanted))
