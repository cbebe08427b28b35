"""The checks under *Your turn*: one a task, in the order of the notebooks.

They judge by what the account holds, by all that a policy allows, by what became of a certificate,
and by a real press. Each says what is wrong first, and how to put it right only when asked.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec

from cryptography import x509

import iot_policy
from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.account.ledger import Change
from helpers.button import device, press
from helpers.certificate import Certificate
from helpers.errors import LessonError
from helpers.key_files import KeyFiles, saved
from helpers.table import verdict_box
from helpers.thing import Thing
from iot_policy import AttachedThing, Policy, arn, document, statement

SECOND_SERIAL = "G030JF053216F1BS"
"""The other serial number of AWS's own examples."""

_EXACTLY = "Compared over everything that a policy can allow: {} what is wanted, and nothing else."


@dataclass(frozen=True)
class Result:
    """Whether an exercise is done: what was proved, or what is wrong first."""

    missing: str = ""
    """What is wrong; empty where the exercise is done."""
    cure: str = ""
    proved: str = ""
    next: str = ""

    @property
    def passed(self) -> bool:
        """Whether the exercise is done."""
        return not self.missing

    def __repr__(self) -> str:
        return " ".join(self._words())

    def _repr_html_(self) -> str:
        heading, *sentences = self._words()
        return verdict_box(self.passed, heading, sentences).html

    def _words(self) -> list[str]:
        if self.passed:
            return ["Well done.", self.proved, self.next]
        return ["Not yet.", self.missing, "For the cure, add .cure to this line."]


class _NotYet(Exception):
    """What is wrong, and how to put it right: the first two fields of a result."""


def _want(right: object, missing: str, cure: str) -> None:
    if not right:
        raise _NotYet(missing, cure)


_P = ParamSpec("_P")
_Look = Callable[Concatenate[Account, _P], None]
_Check = Callable[Concatenate[Account, _P], Result]


def _exercise(name: str, proved: str, then: str) -> Callable[[_Look[_P]], _Check[_P]]:
    """Make a check of a function that raises what is wrong; where nothing is, record it as done."""

    def decorate(look: _Look[_P]) -> _Check[_P]:
        def check(account: Account, /, *args: _P.args, **kwargs: _P.kwargs) -> Result:
            try:
                look(account, *args, **kwargs)
            except _NotYet as problem:
                return Result(*problem.args)
            account.passed(name)
            return Result(proved=proved, next=then)

        return wraps(look)(check)

    return decorate


# Notebook 01: register a second button.


@_exercise(
    "second-button",
    "The registry tells the two buttons apart, and the clean-up will find the second.",
    "Next: notebook 02, what a button may do.",
)
def second_button(account: Account) -> None:
    """Check that the second button is registered, with its serial number and the marker."""
    name, first = account.name("second-button"), account.name("button")
    wanted = thing.attributes(SECOND_SERIAL)
    cure = f"Call iot.create_thing with thingName={name!r} and the attributes {wanted}."
    things = account.iot.get_paginator("list_things").paginate().search("things[]")
    held = {each["thingName"]: each["attributes"] for each in things}
    same = [each for each in held if SECOND_SERIAL in held[each].values()]
    _want(
        first not in same,
        f"Your first button, {first}, has the second one's serial number. create_thing changes no "
        "Thing that is there: iot.delete_thing(thingName=name), then register both.",
        f"The first one's is {thing.EXAMPLE_SERIAL}. For the second: {cure}",
    )
    # Notebook 04's has that number too, and in a shared account other learners' have.
    own = {each for each in same if each.startswith(account.prefix)} - {account.name("dark-button")}
    there = f": the one with its serial number is named {min(own)}" if own else " yet"
    _want(name in held, f"There is no Thing {name}{there}.", cure)
    for key, value in wanted.items():
        problem = _attribute_problem(held[name], key, value)
        why = "" if key == thing.SERIAL_ATTRIBUTE else ", so the clean-up would leave it"
        _want(
            not problem,
            f"The Thing {name} {problem}{why}. create_thing changes no Thing that is there: "
            "iot.delete_thing(thingName=second), then register it again.",
            cure,
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


@_exercise("repairs", _EXACTLY.format("each of the three allows"), "Next: write one yourself.")
def repairs(account: Account, button: Thing, policies: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that each of the three policies does what least privilege does."""
    for name in broken_policies(account, button):
        there = isinstance(policies, Mapping) and name in policies
        _want(there, f"The {name} policy has gone missing.", "Run the cell above once more.")
        try:
            given = [_read("the policy", policies[name])]
            _compare(account, button, given, _least(account, button))
        except _NotYet as problem:
            raise _NotYet(f"The {name} policy: {problem.args[0]}", problem.args[1]) from None


@_exercise(
    "answers",
    _EXACTLY.format("it allows"),
    "Next: notebook 03, the certificate that holds a policy.",
)
def answers(account: Account, button: Thing, document: Mapping[str, Any]) -> None:
    """Check a policy: as least privilege, and it may receive ``iotbutton/<serial>/answer``."""
    answer, wanted = f"iotbutton/{button.serial}/answer", _least(account, button)
    wanted["Statement"] += [
        statement("iot:Subscribe", account.arn("topicfilter", answer)),
        statement("iot:Receive", account.arn("topic", answer)),
    ]
    _compare(account, button, [_read("the policy", document)], wanted)


def _least(account: Account, button: Thing) -> dict[str, Any]:
    return policy.least_privilege(account.region, account.number, button.serial, button.name)


def _read(name: str, document: Mapping[str, Any] | str) -> Policy:
    cure = "policy.document(...) builds one of statements, and policy.statement(...) builds those."
    try:
        text = document if isinstance(document, str) else iot_policy.to_json(document)
        return iot_policy.parse(name, text)
    except iot_policy.MalformedPolicy as problem:
        raise _NotYet(str(problem), cure) from None
    except (TypeError, ValueError):
        raise _NotYet(f"This is no policy document: {document!r:.60}.", cure) from None


def _compare(
    account: Account, button: Thing, given: Sequence[Policy], wanted: Mapping[str, Any]
) -> None:
    """Compare all that policies allow, attached to a button's certificate, with what is wanted."""
    right = [_read("what is wanted", wanted)]
    wired = AttachedThing(button.name, None, button.attributes)
    context = iot_policy.connection_context(button.name, None, "", [wired])
    del context["iot:CertificateId"]  # neither it nor an address is known: both may be any
    compare = partial(
        iot_policy.compare, region=account.region, account=account.number, context=context
    )
    lacking, more = compare(right, given), compare(given, right)
    if lacking.witness:
        hint = iot_policy.explain(given, lacking.witness).hint
        raise _NotYet(f"The button may not {iot_policy.in_words(lacking.witness)}.", hint)
    at_times = f"The button may at times lack what it needs. {lacking.reason}"
    _want(not lacking.reason, at_times, "Leave out the condition, or the Deny, that asks for it.")
    cure = "Name in full what the button needs, and nothing more."
    if more.witness:
        steps = iot_policy.explain(given, more.witness).steps
        by = next(each for each in steps if each.kind == "matched")
        cure = f"Statement {by.number} of {by.policy} allows it: narrow it, or take it out."
    _want(more.verdict == "WITHIN", f"{more} It need not.", cure)


# Notebook 03: give the button a new certificate, and take the old one out of service.


@_exercise(
    "rotation",
    "The new certificate works: a press went through, and its policy allows what is wanted and "
    "nothing else. The old one is gone, and at no moment was the button without.",
    "Next: notebook 04, a press that you see arrive.",
)
def rotation(account: Account, thing_name: str, old_id: str) -> None:
    """Check that a Thing has a new certificate in working order, and never was without one.

    Args:
        account: The account that holds both.
        thing_name: The Thing whose certificate it is.
        old_id: The id of the certificate before.
    """
    folder = account.key_folder / thing_name
    _want(
        _id(saved(folder)) != old_id,
        f"{folder} still holds the old certificate.",
        "Make room with files.folder.rename(...), then issue a new one.",
    )
    new = _in_working_order(account, thing_name)
    anew = "Run the cell with old_id again: it begins anew with the certificate that is there now."
    cure = f"{anew} Then make room, issue a new one, and only then retire the old one."
    has, gap = _replay(account.ledger.changes(), thing_name, str(old_id), new.certificate_id)
    before = has[str(old_id)]
    known = f"The lesson has no record of a certificate {old_id!r:.12}…. {anew}"
    _want("made" in before, known, cure)
    old = certificate.find(account.iot, old_id)
    if old:
        until = "" if old.status == "ACTIVE" else " as soon as somebody switches it on"
        raise _NotYet(
            f"The old certificate still exists, and is {old.status}: whoever has its key can use "
            f"it{until}.",
            "certificate.retire(aws, ...) takes the name of the folder that it is in now.",
        )
    now = {"made", new.status, f"Thing {thing_name}", *(f"policy {each}" for each in new.policies)}
    recorded = not _works(before, thing_name) and has[new.certificate_id] == now
    unknown = f"Another program has changed one of the two, so the order is not known. {anew}"
    _want(recorded, unknown, cure)
    if gap:
        since, until = (f"{datetime.fromisoformat(at).astimezone():%H:%M:%S.%f}" for at in gap)
        without = f"From {since[:-3]} to {until[:-3]} the button had no certificate that works."
        raise _NotYet(f"{without} {anew}", cure)
    _press(account, thing_name)


def _replay(
    changes: Sequence[Change], thing_name: str, old_id: str, new_id: str
) -> tuple[dict[str, set[str]], tuple[str, str] | None]:
    """Find out what each certificate has in the end, and when the Thing had none that works.

    A time that the old one itself ended, before there was a new one, is no matter of these two.
    """
    has: dict[str, set[str]] = defaultdict(set)
    since = gap = None
    for each in changes:
        (has[each.certificate_id].add if each.on else has[each.certificate_id].discard)(each.what)
        if not any(_works(held, thing_name) for held in has.values()):
            since = since or each.at
        elif since:
            if old_id in has and (new_id in has or not _works(has[old_id], thing_name)):
                gap = gap or (since, each.at)
            since = None
    return has, gap


def _works(held: set[str], thing_name: str) -> bool:
    attached = any(each.startswith("policy ") for each in held)
    return attached and {"ACTIVE", f"Thing {thing_name}"} <= held


def _id(files: KeyFiles | None) -> str:
    """Return a certificate's id; empty where it is damaged, or the private key is another's."""
    try:
        shown = files and x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except ValueError:
        return ""
    own = files and shown and shown.public_key() == files.computed_public_key()
    return files.certificate_id if files and own else ""


def _in_working_order(account: Account, name: str, serial: str = "") -> Certificate:
    """Return a Thing's saved certificate; raise what keeps it from its work, or goes beyond."""
    iot, folder = account.iot, account.key_folder / name
    button, its = thing.find(iot, name), f"The certificate in {folder}"
    if button is None:
        raise _NotYet(f"There is no Thing {name}.", f"thing.register(iot, {name!r}) makes it.")
    there = button.attributes.get(thing.SERIAL_ATTRIBUTE)
    _want(
        there and serial in ("", there),
        f"The Thing {name} carries the serial number {there}, not its own.",
        f"thing.remove(iot, {name!r}), then register it again.",
    )
    another = f"Move {folder} away if it is there, then certificate.issue(aws, ...)."
    files = saved(folder)
    _want(files, f"{folder} holds no certificate with its private key.", another)
    _want(_id(files), f"In {folder}, key and certificate do not belong together.", another)
    found = certificate.find(iot, _id(files))
    if found is None:
        raise _NotYet(f"{its} is not registered at AWS.", another)
    switch = 'iot.update_certificate(certificateId=..., newStatus="ACTIVE")'
    _want(found.status == "ACTIVE", f"{its} is {found.status}: nobody can connect.", switch)
    attach = f"iot.attach_thing_principal(thingName={name!r}, principal=...)"
    _want(name in found.things, f"{its} is not attached to the Thing {name}.", attach)
    detach = "iot.detach_thing_principal(...) takes it off."
    more = ", ".join(sorted({*found.things} - {name}))
    _want(not more, f"{its} is attached to another Thing as well: {more}.", detach)
    _want(found.policies, f"{its} has no policy: it may do nothing.", "iot.attach_policy(...)")
    attached = filter(None, (policy.find(iot, each) for each in found.policies))
    given = [_read(each.name, each.text) for each in attached]
    _compare(account, button, given, _least(account, button))
    return found


def _press(account: Account, name: str) -> None:
    pages = account.iot.get_paginator("list_thing_principals").paginate(thingName=name)
    detach = "iot.detach_thing_principal(...) takes one off that is not in the button's folder."
    alone = len(list(pages.search("principals[]"))) == 1
    _want(alone, f"The Thing {name} has another certificate as well.", detach)
    try:
        press(device(account, name))
    except (LessonError, OSError) as problem:
        cure = "The refusal says why: notebook 04 shows how to read one."
        raise _NotYet(f"A press is refused: {str(problem).rstrip('.')}.", cure) from None


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


@_exercise(
    "half-wired",
    "A press went through, and the policy allows what is wanted and nothing else.",
    "Next: tidy up, below.",
)
def alive(account: Account) -> None:
    """Check that the half-wired button works: certificate, Thing and policy, then a real press."""
    name = account.name("dark-button")
    made = thing.find(account.iot, name) and saved(account.key_folder / name)
    again = "Run the cell above once more: it makes the button anew."
    _want(made, f"The button {name} is gone, or its certificate.", again)
    _in_working_order(account, name, SECOND_SERIAL)
    _press(account, name)
