"""The teacher's board: how far each learner is, what is refused most, and the clean-up."""

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import certificate, policy, thing
from helpers.account import Account, Refusal, join
from helpers.errors import LessonError
from helpers.table import Readable, table
from iot_policy import split_arn
from sandbox.accounts import Member
from sandbox.line import HttpLine
from sandbox.state import PRESSED
from workshop import register

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

Kind = tuple[str, str, str]
"""What kind of refusal it is: the action, the type of its resource, and what did not match."""


@dataclass(frozen=True)
class Class:
    """The class's sandbox, opened with the teacher's key."""

    url: str
    members: Path
    _open: dict[str, Account] = field(default_factory=dict, repr=False)

    @property
    def learners(self) -> list[Member]:
        """The learners who have signed in so far, sorted by name."""
        everyone = register.members(self.members)
        return sorted((each for each in everyone if not each.teacher), key=lambda each: each.name)

    @property
    def teacher(self) -> Member:
        """The member who looks at the board."""
        return next(each for each in register.members(self.members) if each.teacher)

    def account(self, learner: Member) -> Account:
        """Open a learner's account, and keep it: creating a boto3 client takes 0.1 s."""
        if learner.key not in self._open:
            self._open[learner.key] = join(self.url, learner.key)
        return self._open[learner.key]

    @property
    def line(self) -> HttpLine:
        """The line to the class's sandbox, with the teacher's key."""
        return HttpLine(self.url, self.teacher.key)


@dataclass(frozen=True)
class Progress:
    """How far a learner is: what their account holds now, and what has happened in it."""

    name: str
    thing: bool
    policy: bool
    active: bool
    """Whether a certificate is ACTIVE."""
    attached: bool
    """Whether one certificate, ACTIVE or not, has a policy and a Thing."""
    pressed: bool
    passed: tuple[str, ...]
    """The exercises that are done."""
    last_refusal: str


def open_class() -> Class:
    """Open the class of the hub that started this Lab.

    Raises:
        LessonError: this is not the teacher's Lab.
    """
    members, url = (
        os.environ.get("IOT_TUTORIAL_MEMBERS"),
        os.environ.get("IOT_TUTORIAL_SANDBOX_URL"),
    )
    if not (members and url):
        raise LessonError(
            "The board is for the teacher of a class: start one with ./tutorial workshop, and sign "
            "in as teacher."
        )
    return Class(url, Path(members))


def progress(room: Class) -> list[Progress]:
    """Return every learner's progress."""
    return [_progress(room, learner) for learner in room.learners]


def board(room: Class) -> Readable:
    """Return every learner's progress as a table."""
    rows = [
        (
            each.name,
            *(
                "yes" if done else ""
                for done in (each.thing, each.policy, each.active, each.attached, each.pressed)
            ),
            len(each.passed) or "",
            each.last_refusal,
        )
        for each in progress(room)
    ]
    return table(
        [
            *("Learner", "Thing", "Policy", "Certificate active", "Attached", "Pressed"),
            *("Exercises", "Refused last"),
        ],
        rows,
    )


def refusals(room: Class, most: int = 5) -> Readable:
    """Return what the broker refuses most often: how often, the newest example, and to whom."""
    alike: defaultdict[Kind, list[tuple[Refusal, str]]] = defaultdict(list)
    for learner in room.learners:
        for refusal in room.account(learner).refusals():
            alike[_kind(refusal)].append((refusal, learner.name))
    rows = [
        (
            len(found),
            max(found, key=lambda each: each[0].when)[0].reason,
            ", ".join(sorted({name for _, name in found})),
        )
        for found in sorted(alike.values(), key=len, reverse=True)[:most]
    ]
    return table(["Times", "Refused, for example", "Whom"], rows)


def clean_up(room: Class, name: str) -> int:
    """Delete everything in a learner's account, so that they can begin again.

    Their notebooks and their files stay: the lesson makes new ones where the account is empty.

    Returns:
        How many certificates, policies and Things were deleted.

    Raises:
        LessonError: nobody of that name has signed in.
    """
    learner = next((each for each in room.learners if each.name == name), None)
    if learner is None:
        names = ", ".join(each.name for each in room.learners) or "nobody yet"
        raise LessonError(f"There is no learner {name!r}. Signed in so far: {names}.")
    iot = room.account(learner).iot
    removed = 0
    for certificate_id in _certificate_ids(iot):
        certificate.remove(iot, certificate_id)
        removed += 1
    for policies in list(iot.get_paginator("list_policies").paginate()):
        for found in policies["policies"]:
            policy.remove(iot, found["policyName"])
            removed += 1
    for things in list(iot.get_paginator("list_things").paginate()):
        for each in things["things"]:
            thing.remove(iot, each["thingName"])
            removed += 1
    room.line.change(f"forget/{learner.account}")
    return removed


def clean_up_all(room: Class) -> dict[str, int]:
    """Clean up every learner's account; return how much was deleted, by name."""
    return {learner.name: clean_up(room, learner.name) for learner in room.learners}


def _progress(room: Class, learner: Member) -> Progress:
    account = room.account(learner)
    iot = account.iot
    certificates = [
        found
        for certificate_id in _certificate_ids(iot)
        if (found := certificate.find(iot, certificate_id)) is not None
    ]
    reached = room.line.read(f"milestones/{learner.account}")
    reached = set(reached) if isinstance(reached, dict) else set()
    refused = account.refusals()
    return Progress(
        learner.name,
        thing=bool(thing.made_here(iot)),
        policy=bool(policy.made_here(iot)),
        active=any(each.status == "ACTIVE" for each in certificates),
        attached=any(each.policies and each.things for each in certificates),
        pressed=PRESSED in reached,
        passed=tuple(sorted(reached - {PRESSED})),
        last_refusal=refused[-1].reason if refused else "",
    )


def _kind(refusal: Refusal) -> Kind:
    """Return what refusals of different learners have in common."""
    asked = split_arn(refusal.resource)
    return refusal.action, asked.resource_type if asked else "", refusal.problem


def _certificate_ids(iot: "IoTClient") -> list[str]:
    pages = iot.get_paginator("list_certificates").paginate()
    return [each["certificateId"] for page in pages for each in page["certificates"]]
