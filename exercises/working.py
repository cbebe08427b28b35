"""Whether policies allow what they should, and whether a certificate is in working order."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cryptography import x509

import iot_policy
from exercises.result import NotYet, want
from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.button import device, press
from helpers.certificate import Certificate
from helpers.errors import LessonError
from helpers.key_files import KeyFiles, saved
from helpers.thing import Thing
from iot_policy import AttachedThing, Policy


def least_privilege(account: Account, button: Thing) -> dict[str, Any]:
    """Return what a button needs: to connect as itself, and to publish on its topic."""
    return policy.least_privilege(account.region, account.number, button.serial, button.name)


def read(name: str, document: Mapping[str, Any] | str) -> Policy:
    """Read a policy document of a learner's; raise NotYet where it is none."""
    cure = "policy.document(...) builds one of statements, and policy.statement(...) builds those."
    try:
        text = document if isinstance(document, str) else iot_policy.to_json(document)
        return iot_policy.parse(name, text)
    except iot_policy.MalformedPolicy as problem:
        raise NotYet(str(problem), cure) from None
    except (TypeError, ValueError):
        raise NotYet(f"This is no policy document: {document!r:.60}.", cure) from None


def compare_exactly(
    account: Account, button: Thing, given: Sequence[Policy], wanted: Mapping[str, Any]
) -> None:
    """Compare all that policies allow, attached to a button's certificate, with what is wanted."""
    right = [read("what is wanted", wanted)]
    wired = AttachedThing(button.name, None, button.attributes)
    context = iot_policy.connection_context(button.name, None, "", [wired])
    del context["iot:CertificateId"]  # neither it nor an address is known: both may be any
    compare = partial(
        iot_policy.compare, region=account.region, account=account.number, context=context
    )
    lacking, more = compare(right, given), compare(given, right)
    if lacking.witness:
        hint = iot_policy.explain(given, lacking.witness).hint
        raise NotYet(f"The button may not {iot_policy.in_words(lacking.witness)}.", hint)
    at_times = f"The button may at times lack what it needs. {lacking.reason}"
    want(not lacking.reason, at_times, "Leave out the condition, or the Deny, that asks for it.")
    cure = "Name in full what the button needs, and nothing more."
    if more.witness:
        steps = iot_policy.explain(given, more.witness).steps
        by = next(each for each in steps if each.kind == "matched")
        cure = f"Statement {by.number} of {by.policy} allows it: narrow it, or take it out."
    want(more.verdict == "WITHIN", f"{more} It need not.", cure)


def proved_id(files: KeyFiles | None) -> str:
    """Return a certificate's id; empty where it is damaged, or the private key is another's."""
    try:
        shown = files and x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except ValueError:
        return ""
    own = files and shown and shown.public_key() == files.computed_public_key()
    return files.certificate_id if files and own else ""


def in_working_order(account: Account, name: str, serial: str = "") -> Certificate:
    """Return a Thing's saved certificate; raise what keeps it from its work, or goes beyond."""
    iot, folder = account.iot, account.key_folder / name
    button, its = thing.find(iot, name), f"The certificate in {folder}"
    if button is None:
        raise NotYet(f"There is no Thing {name}.", f"thing.register(iot, {name!r}) makes it.")
    there = button.attributes.get(thing.SERIAL_ATTRIBUTE)
    carries = f"the serial number {there}, not its own" if there else "no serial number"
    want(
        there and serial in ("", there),
        f"The Thing {name} carries {carries}.",
        f"thing.remove(iot, {name!r}), then register it again.",
    )
    another = f"Move {folder} away if it is there, then certificate.issue(aws, ...)."
    files = saved(folder)
    want(files, f"{folder} holds no certificate with its private key.", another)
    want(proved_id(files), f"In {folder}, key and certificate do not belong together.", another)
    found = certificate.find(iot, proved_id(files))
    if found is None:
        raise NotYet(f"{its} is not registered at AWS.", another)
    switch = 'iot.update_certificate(certificateId=..., newStatus="ACTIVE")'
    want(found.status == "ACTIVE", f"{its} is {found.status}: nobody can connect.", switch)
    attach = f"iot.attach_thing_principal(thingName={name!r}, principal=...)"
    want(name in found.things, f"{its} is not attached to the Thing {name}.", attach)
    detach = "iot.detach_thing_principal(...) takes it off."
    more = ", ".join(sorted({*found.things} - {name}))
    want(not more, f"{its} is attached to another Thing as well: {more}.", detach)
    want(found.policies, f"{its} has no policy: it may do nothing.", "iot.attach_policy(...)")
    attached = filter(None, (policy.find(iot, each) for each in found.policies))
    given = [read(each.name, each.text) for each in attached]
    compare_exactly(account, button, given, least_privilege(account, button))
    return found


def press_it(account: Account, name: str) -> None:
    """Press a button; raise NotYet where that is refused, or its Thing has other certificates."""
    pages = account.iot.get_paginator("list_thing_principals").paginate(thingName=name)
    detach = "iot.detach_thing_principal(...) takes one off that is not in the button's folder."
    alone = len(list(pages.search("principals[]"))) == 1
    want(alone, f"The Thing {name} has another certificate as well.", detach)
    try:
        press(device(account, name))
    except (LessonError, OSError) as problem:
        cure = "The refusal says why: notebook 04 shows how to read one."
        raise NotYet(f"A press is refused: {str(problem).rstrip('.')}.", cure) from None
