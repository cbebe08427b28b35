"""The checks under *Your turn*: one a task, in the order of the notebooks.

They judge by what the account holds, by all that a policy allows, by what became of a certificate,
and by a real press. Each says what is wrong first, and how to put it right only when asked.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from exercises.result import NotYet, Result, exercise, expect, want
from exercises.working import (
    compare_exactly,
    enough,
    in_working_order,
    least_privilege,
    others_on,
    press_it,
    proved_id,
    read,
)
from helpers import certificate, closing, policy, thing
from helpers.account import Account
from helpers.account.ledger import Change
from helpers.certificate import Certificate
from helpers.key_files import KeyFiles, folders, saved
from helpers.thing import Thing
from iot_policy import arn, document, statement

__all__ = [
    "SECOND_SERIAL",
    "Result",
    "alive",
    "answers",
    "broken_policies",
    "half_wired_button",
    "old_certificate",
    "repairs",
    "rotation",
    "second_button",
]

SECOND_SERIAL = "G030JF053216F1BS"
"""The other serial number of AWS's own examples."""

_EXACTLY = "Compared over everything that a policy can allow: {} what is wanted, and nothing else."


# Notebook 01: register a second button.


@exercise(
    "second-button",
    "The registry tells the two buttons apart, and the clean-up will find the second.",
    "Next: notebook 02, what a button may do.",
)
def second_button(account: Account) -> None:
    """Check that the second button is registered, with its serial number and the marker."""
    name, first = account.name("second-button"), account.name(thing.BUTTON)
    wanted = thing.attributes(SECOND_SERIAL)
    cure = f"Call iot.create_thing with thingName={name!r} and the attributes {wanted}."
    things = account.iot.get_paginator("list_things").paginate().search("things[]")
    held = {each["thingName"]: each["attributes"] for each in things}
    same = [each for each in held if SECOND_SERIAL in held[each].values()]
    want(
        held.get(first, {}).get(thing.SERIAL_ATTRIBUTE) != SECOND_SERIAL,
        f"Your first button, {first}, has the second one's serial number. create_thing changes no "
        "Thing that is there: iot.delete_thing(thingName=name), then register both.",
        f"The first one's is {thing.EXAMPLE_SERIAL}. For the second: {cure}",
    )
    # Notebook 04's has that number too, and in a shared account other learners' have.
    own = {each for each in same if each.startswith(account.prefix)} - {account.name("dark-button")}
    there = f": the one with its serial number is named {min(own)}" if own else " yet"
    want(name in held, f"There is no Thing {name}{there}.", cure)
    for key, value in wanted.items():
        problem = _attribute_problem(held[name], key, value)
        why = "" if key == thing.SERIAL_ATTRIBUTE else ", so the clean-up would leave it"
        want(
            not problem,
            f"The Thing {name} {problem}{why}. create_thing changes no Thing that is there: "
            "iot.delete_thing(thingName=second), then register it again.",
            f"First iot.delete_thing(thingName={name!r}). Then: {cure}",
        )


def _attribute_problem(there: Mapping[str, str], key: str, value: str) -> str:
    """Return what is wrong with one attribute, in words; empty where it is right."""
    if there.get(key) == value:
        return ""
    if key in there:
        case = " (upper and lower case count)" if there[key].lower() == value.lower() else ""
        return f"carries {key} = {there[key]}, not {value}{case}"
    alike = [each for each in there if there[each] == value or each.lower() == key.lower()]
    return f"carries {alike[0]}, not {key}" if alike else f"carries no attribute {key}"


# Notebook 02: repair three policies, and write one.


def broken_policies(account: Account, button: Thing) -> dict[str, dict[str, Any]]:
    """Return three policies that look like least privilege, each with one mistake."""
    expect(button, Thing, "button")
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


@exercise("repairs", _EXACTLY.format("each of the three allows"), "Next: write one yourself.")
def repairs(account: Account, button: Thing, policies: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that each of the three policies does what least privilege does."""
    for name in broken_policies(account, button):
        there = isinstance(policies, Mapping) and name in policies
        want(there, f"The {name} policy has gone missing.", "Run the cell above once more.")
        try:
            given = [read(f"the {name} policy", policies[name])]
            compare_exactly(account, button, given, least_privilege(account, button))
        except NotYet as problem:
            raise NotYet(f"The {name} policy: {problem.args[0]}", problem.args[1]) from None


@exercise(
    "answers",
    _EXACTLY.format("it allows"),
    "Next: notebook 03, the certificate that holds a policy.",
)
def answers(account: Account, button: Thing, document: Mapping[str, Any]) -> None:
    """Check a policy: as least privilege, and it may receive ``iotbutton/<serial>/answer``."""
    expect(button, Thing, "button")
    answer, wanted = f"iotbutton/{button.serial}/answer", least_privilege(account, button)
    wanted["Statement"] += [
        statement("iot:Subscribe", account.arn("topicfilter", answer)),
        statement("iot:Receive", account.arn("topic", answer)),
    ]
    compare_exactly(account, button, [read("the policy", document)], wanted)


# Notebook 03: give the button a new certificate, and take the old one out of service.


def old_certificate(account: Account, thing_name: str, policy_name: str) -> KeyFiles:
    """Bring the exercise to where it begins: a Thing with one certificate, in working order.

    What works stays as it is. The other certificates of that Thing go, and their files, also if
    they are attached to it no more.

    Args:
        account: The account that holds all this.
        thing_name: The Thing whose certificate it is.
        policy_name: The policy that the certificate has; least privilege is put in force.

    Returns:
        The certificate's files.

    Raises:
        LessonError: there is no such Thing.
    """
    expect(thing_name, str, "button.name")
    button = thing.get(account.iot, thing_name)
    policy.put_in_force(account.iot, policy_name, least_privilege(account, button))
    certificate.retire(account, account.name("old-button"))  # the name that the answer needs
    files = certificate.issue(account, thing_name, policy_name)
    try:
        in_working_order(account, thing_name)
        ids, allow = (files.certificate_id, ""), enough(account, button)
        _, gap = _replay(account.ledger.changes(), thing_name, ids, allow)
        want(not gap, "In an attempt before, it was the one that was missing.", "A new one.")
    except NotYet:
        certificate.retire(account, thing_name)
        files = certificate.issue(account, thing_name, policy_name)
    for part in _strays(account, thing_name, files.certificate_id):
        closing.remove(account, part)
    for each in others_on(account, thing_name, files.certificate_id):
        account.iot.detach_thing_principal(thingName=thing_name, principal=each)
    return files


def _strays(account: Account, thing_name: str, kept: str) -> list[closing.Part]:
    """List the certificates that a Thing has or had, and their files, without *kept*."""
    found, wired = closing.inventory(account), f"Thing {thing_name}"
    others = {each.name for each in found.things} - {thing_name}
    had = {each.certificate_id for each in account.ledger.changes() if each.what == wired}
    had |= {each.certificate_id for each in found.certificates if thing_name in each.things}
    had -= {each.certificate_id for each in found.certificates if others.intersection(each.things)}
    had -= {each.known_id for each in found.keys if each.folder.name in others} | {kept}
    certificates = [each for each in found.certificates if each.certificate_id in had]
    return [*certificates, *(each for each in found.keys if each.known_id in had)]


@exercise(
    "rotation",
    "The new certificate works: a press went through, and its policy allows what is wanted and "
    "nothing else. The old one is gone, and at no moment was the button without a certificate that "
    "was active and had its Thing and a policy that, as it is now, allows enough.",
    "Next: notebook 04, a press that you see arrive.",
)
def rotation(account: Account, thing_name: str, old_id: str) -> None:
    """Check that a Thing has a new certificate in working order, and never was without one.

    Args:
        account: The account that holds both.
        thing_name: The Thing whose certificate it is.
        old_id: The id of the certificate before.
    """
    expect(thing_name, str, "button.name")
    no_name = f"{thing_name!r} is no Thing's name."
    want(not thing.name_problem(thing_name), no_name, "button.name is the one of your button.")
    folder = account.key_folder / thing_name
    want(
        not old_id or proved_id(saved(folder)) != old_id,
        f"{folder} still holds the old certificate.",
        "Make room with files.folder.rename(...), then issue a new one.",
    )
    new = in_working_order(account, thing_name)
    anew = "Run the cell with old_id again: it begins anew with the certificate that is there now."
    cure = "Make room, issue a new one, and only then retire the old one."
    changes, ids = account.ledger.changes(), (str(old_id), new.certificate_id)
    allow = enough(account, thing.get(account.iot, thing_name))
    has, gap = _replay(changes, thing_name, ids, allow)
    before = has[str(old_id)]
    known = f"The lesson has no record of a certificate {old_id!s:.8}…. {anew}"
    want("made" in before, known, cure)
    old = certificate.find(account.iot, old_id)
    if old:
        until = "" if old.status == "ACTIVE" else " as soon as somebody switches it on"
        raise NotYet(
            f"The old certificate still exists, and is {old.status}: whoever has its key can use "
            f"it{until}.",
            _delete(account, old.certificate_id),
        )
    now = {"made", new.status, f"Thing {thing_name}", *(f"policy {each}" for each in new.policies)}
    in_use = {"ACTIVE", f"Thing {thing_name}"} <= before
    recorded = not in_use and has[new.certificate_id] == now
    unknown = f"Another program has changed one of the two, so the order is not known. {anew}"
    want(recorded, unknown, cure)
    if gap:
        since, until = (f"{datetime.fromisoformat(at).astimezone():%H:%M:%S.%f}" for at in gap)
        without = f"From {since[:-3]} to {until[:-3]} the button had no certificate that works."
        had = {each.what for each in changes if each.certificate_id in ids}
        names = sorted(each.removeprefix("policy ") for each in had if each.startswith("policy "))
        gone = ", ".join(each for each in names if policy.find(account.iot, each) is None)
        deleted = f"What a policy allowed that is deleted is not known: {gone}. {anew}"
        want(not gone, deleted, cure)
        raise NotYet(f"{without} {anew}", cure)
    press_it(account, thing_name)


def _delete(account: Account, certificate_id: str) -> str:
    """Say how to delete a certificate: by the folder that holds it, or by its id."""
    for folder in folders(account.key_folder.parent):
        if KeyFiles(folder).known_id == certificate_id:
            name = os.path.relpath(folder, account.key_folder)
            return f"It is in {folder}: certificate.retire(aws, {name!r}) deletes it and its files."
    return (
        f"No folder in {account.key_folder.parent} holds it: certificate.remove(iot, old_id) "
        "deletes it. If you have moved its private key elsewhere, delete that, too."
    )


def _replay(
    changes: Sequence[Change],
    thing_name: str,
    ids: tuple[str, str],
    allow: Callable[[frozenset[str]], bool],
) -> tuple[dict[str, set[str]], tuple[str, str] | None]:
    """Find out what each certificate has in the end, and when the Thing had none that works.

    A time that the old one itself ended, before there was a new one, is no matter of these two.

    Args:
        changes: The oldest first.
        thing_name: The Thing.
        ids: The old certificate's and the new one's.
        allow: Tells whether policies of these names allow what the Thing needs.
    """

    def works(held: set[str]) -> bool:
        names = (each.removeprefix("policy ") for each in held if each.startswith("policy "))
        return {"ACTIVE", f"Thing {thing_name}"} <= held and allow(frozenset(names))

    old_id, new_id = ids
    has: dict[str, set[str]] = defaultdict(set)
    since = gap = None
    for each in changes:
        (has[each.certificate_id].add if each.on else has[each.certificate_id].discard)(each.what)
        if not any(map(works, has.values())):
            since = since or each.at
        elif since:
            if old_id in has and (new_id in has or not works(has[old_id])):
                gap = gap or (since, each.at)
            since = None
    return has, gap


# Notebook 04: bring a half-wired button to life.


def half_wired_button(account: Account) -> Certificate:
    """Make a button that has everything, and does not work; what is left of one before goes.

    Returns:
        Its certificate, switched off and not attached to its Thing; AWS's recommended policy is
        attached to it.
    """
    iot, name, rights = account.iot, account.name("dark-button"), account.name("dark-policy")
    certificate.retire(account, name)
    thing.remove(iot, name)
    thing.register(iot, name, serial=SECOND_SERIAL)
    policy.put_in_force(iot, rights, policy.recommended(account.region, account.number))
    files = certificate.create(account, name)
    arn = account.arn("cert", files.certificate_id)
    iot.attach_policy(policyName=rights, target=arn)
    return Certificate(files.certificate_id, arn, "INACTIVE", (rights,), ())


@exercise(
    "half-wired",
    "A press went through, and the policy allows what is wanted and nothing else.",
    "Next: tidy up, below.",
)
def alive(account: Account) -> None:
    """Check that the half-wired button works: certificate, Thing and policy, then a real press."""
    name = account.name("dark-button")
    made = thing.find(account.iot, name) and saved(account.key_folder / name)
    again = "Run the cell above once more: it makes the button anew."
    want(made, f"The button {name} is gone, or its certificate.", again)
    in_working_order(account, name, SECOND_SERIAL)
    press_it(account, name)
