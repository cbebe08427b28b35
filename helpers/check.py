"""The checks under *Your turn*: one a task, in the order of the notebooks.

They judge by what the account holds, by how a policy decides, and by a real press. Each says what
is missing first, and not how to put it right.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import iot_policy
from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.button import Refused, device, press
from helpers.certificate import Certificate
from helpers.key_files import saved
from helpers.marker import MARKER
from helpers.thing import Thing
from iot_policy import AttachedThing, arn, document, statement

SECOND_SERIAL = "G030JF053216F1BS"
"""The other serial number of AWS's own examples."""


@dataclass(frozen=True)
class Result:
    """Whether an exercise is done, and if not, what is missing first."""

    missing: str
    """One sentence; empty where the exercise is done."""

    @property
    def passed(self) -> bool:
        """Whether the exercise is done."""
        return not self.missing

    def __repr__(self) -> str:
        return "Well done." if self.passed else f"Not yet. {self.missing}"


def _conclude(account: Account, exercise: str, missing: Iterator[str]) -> Result:
    """Return the first thing that is missing; where there is none, record the exercise as done."""
    result = Result(next(missing, ""))
    if result.passed:
        account.passed(exercise)
    return result


# Notebook 01: register a second button.


def second_button(account: Account) -> Result:
    """Check that the second button is registered, with its serial number and the marker."""
    return _conclude(account, "second-button", _missing_of_second_button(account))


def _missing_of_second_button(account: Account) -> Iterator[str]:
    name = account.name("second-button")
    found = thing.find(account.iot, name)
    if found is None:
        others = [
            each["thingName"]
            for each in account.iot.get_paginator("list_things").paginate().search("things[]")
            if each["attributes"].get(thing.SERIAL_ATTRIBUTE) == SECOND_SERIAL
        ]
        there = f"; the one with its serial number is named {others[0]}" if others else " yet"
        yield f"There is no Thing {name}{there}."
        return
    serial = found.attributes.get(thing.SERIAL_ATTRIBUTE)
    if serial is None:
        yield f"The Thing {name} carries no attribute {thing.SERIAL_ATTRIBUTE}."
    elif serial != SECOND_SERIAL:
        yield f"The Thing {name} carries the serial number {serial}, not {SECOND_SERIAL}."
    if not found.made_here:
        yield (
            f"The Thing {name} does not carry {MARKER[0]} = {MARKER[1]}, "
            "so the clean-up would leave it."
        )


# Notebook 02: repair three policies, and write one.


def broken_policies(account: Account, button: Thing) -> dict[str, dict[str, Any]]:
    """Return three policies that look like least privilege, each with one mistake."""
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
    return _conclude(account, "repairs", _missing_of_repairs(account, button, policies))


def _missing_of_repairs(
    account: Account, button: Thing, policies: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    wanted = policy.least_privilege(account.region, account.number, button.serial, button.name)
    for name in broken_policies(account, button):
        if name not in policies:
            yield f"The {name} policy has gone missing."
            continue
        for problem in _unmet(account, button, policies[name], wanted):
            yield f"The {name} policy: {problem}"


def answers(account: Account, button: Thing, document: Mapping[str, Any]) -> Result:
    """Check a policy: as least privilege, and it may receive ``iotbutton/<serial>/answer``."""
    answer = f"iotbutton/{button.serial}/answer"
    wanted = policy.least_privilege(account.region, account.number, button.serial, button.name)
    wanted["Statement"] += [
        statement("iot:Subscribe", account.arn("topicfilter", answer)),
        statement("iot:Receive", account.arn("topic", answer)),
    ]
    return _conclude(account, "answers", _unmet(account, button, document, wanted))


def _unmet(
    account: Account, button: Thing, document: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[str]:
    """Compare all that a policy allows with what it should: no less, and no more.

    Args:
        account: Where the resources are.
        button: The Thing that asks. Its certificate is taken to be attached to it.
        document: The policy.
        wanted: A policy that allows what it should.

    Yields:
        One sentence each; for a denial with the one change that would help most.
    """
    try:
        given = [iot_policy.parse("the policy", iot_policy.to_json(document))]
    except iot_policy.MalformedPolicy as problem:
        yield str(problem)
        return
    right = [iot_policy.parse("what is wanted", iot_policy.to_json(wanted))]
    wired = AttachedThing(button.name, None, button.attributes)
    context = iot_policy.connection_context(button.name, "127.0.0.1", "0" * 64, [wired])
    compare = partial(
        iot_policy.compare, region=account.region, account=account.number, context=context
    )
    lacking = compare(right, given)
    if lacking.witness:
        hint = iot_policy.explain(given, lacking.witness).hint
        yield f"The button may not {iot_policy.in_words(lacking.witness)}. {hint}"
    elif lacking.reason:
        yield f"The button may at times lack what it needs. {lacking.reason}"
    more = compare(given, right)
    if more.verdict != "WITHIN":
        yield f"{more} It need not."


# Notebook 03: give the button a new certificate, and take the old one out of service.


def rotation(account: Account, thing_name: str, old_id: str) -> Result:
    """Check that a Thing has a new certificate in working order, and that the old one is gone.

    Args:
        account: The account that holds both.
        thing_name: The Thing whose certificate it is.
        old_id: The id of the certificate before.
    """
    return _conclude(account, "rotation", _missing_of_rotation(account, thing_name, old_id))


def _missing_of_rotation(account: Account, thing_name: str, old_id: str) -> Iterator[str]:
    files = saved(account.key_folder / thing_name)
    if files is None:
        yield f"{account.key_folder / thing_name} holds no certificate with its private key."
        return
    if files.certificate_id == old_id:
        yield f"{files.folder} still holds the old certificate: make room, then issue a new one."
        return
    new = certificate.find(account.iot, files.certificate_id)
    if new is None:
        yield "The saved certificate is not registered: issue one, and save what AWS answers."
        return
    if new.status != "ACTIVE":
        yield f"The new certificate is {new.status}: activate it."
    if not new.policies:
        yield "No policy is attached to the new certificate: it may do nothing."
    if thing_name not in new.things:
        yield f"The new certificate is not attached to the Thing {thing_name}."
    if certificate.find(account.iot, old_id) is not None:
        yield "The old certificate still exists: whoever has its key can still use it."


# Notebook 04: bring a half-wired button to life.


def half_wired_button(account: Account) -> Certificate:
    """Make a button that has everything, and does not work.

    Returns:
        Its certificate, switched off and not attached to its Thing; AWS's recommended policy is
        attached to it.
    """
    iot, name, rights = account.iot, account.name("dark-button"), account.name("dark-policy")
    thing.register(iot, name, serial=SECOND_SERIAL)
    policy.put_in_force(iot, rights, policy.recommended(account.region, account.number))
    files = certificate.create(account, name)
    arn = account.arn("cert", files.certificate_id)
    iot.update_certificate(certificateId=files.certificate_id, newStatus="INACTIVE")
    iot.attach_policy(policyName=rights, target=arn)
    found = certificate.find(iot, files.certificate_id)
    assert found is not None
    for attached in found.things:
        iot.detach_thing_principal(thingName=attached, principal=arn)
    return Certificate(found.certificate_id, arn, found.status, found.policies, ())


def alive(account: Account) -> Result:
    """Check that the half-wired button works: by its certificate, then by a real press."""
    return _conclude(account, "half-wired", _missing_of_half_wired(account))


def _missing_of_half_wired(account: Account) -> Iterator[str]:
    name = account.name("dark-button")
    files = saved(account.key_folder / name)
    found = files and certificate.find(account.iot, files.certificate_id)
    if not found:
        yield "Its certificate is gone: run the cell above once more."
        return
    if found.status != "ACTIVE":
        yield f"Its certificate is {found.status}: nobody can connect with it."
    if not found.policies:
        yield "No policy is attached to its certificate any more: run the cell above once more."
    if name not in found.things:
        yield (
            f"Its certificate is not attached to the Thing {name}, "
            "so the variables of its policy have no value."
        )
    try:
        press(device(account, name))
    except Refused as refused:
        yield f"A press is still refused: {refused}"
