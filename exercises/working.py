"""Whether policies allow what they should, and whether a certificate is in working order."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

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
    except (RecursionError, TypeError, ValueError):
        raise NotYet(f"This is no policy document: {reprlib.repr(document):.60}.", cure) from None


def _comparing(account: Account, button: Thing) -> Callable[..., iot_policy.Comparison]:
    """Return ``iot_policy.compare`` for policies that a button's certificate has."""
    wired = AttachedThing(button.name, None, button.attributes)
    context = iot_policy.connection_context(button.name, None, "", [wired])
    del context["iot:CertificateId"]  # neither it nor an address is known: both may be any
    return partial(
        iot_policy.compare, region=account.region, account=account.number, context=context
    )


def enough(account: Account, button: Thing) -> Callable[[frozenset[str]], bool]:
    """Return what tells of policies' names whether, as they are now, they allow what is needed."""
    needed = [read("what is needed", least_privilege(account, button))]
    compare = _comparing(account, button)

    @cache
    def allow(names: frozenset[str]) -> bool:
        there = filter(None, (policy.find(account.iot, each) for each in sorted(names)))
        given = [read(each.name, each.text) for each in there]
        return compare(needed, given).verdict == "WITHIN"

    return allow


def compare_exactly(
    account: Account, button: Thing, given: Sequence[Policy], wanted: Mapping[str, Any]
) -> None:
    """Compare all that policies allow, attached to a button's certificate, with what is wanted."""
    right = [read("what is wanted", wanted)]
    compare = _comparing(account, button)
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
        if len(given) > 1:
            cure += " Or detach the whole policy, if the others allow what the button needs."
    want(more.verdict == "WITHIN", f"{more} It need not.", cure)


def proved_id(files: KeyFiles | None) -> str:
    """Return a certificate's id; empty where it is damaged, or the private key is another's."""
    if files is None or not files.known_id:
        return ""
    try:
        shown = x509.load_pem_x509_certificate(files.certificate.read_bytes()).public_key()
    except (ValueError, UnsupportedAlgorithm):  # the certificate's own key is damaged
        return ""
    return files.known_id if shown == files.computed_public_key() else ""


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
    apart = "key and certificate do not belong together, or one of them cannot be read"
    want(proved_id(files), f"In {folder}, {apart}.", another)
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
    try:
        compare_exactly(account, button, given, least_privilege(account, button))
    except NotYet as problem:
        raise NotYet(problem.args[0], _leave(account, found, name) or problem.args[1]) from None
    return found


def _leave(account: Account, found: Certificate, name: str) -> str:
    """Say which policy of a certificate is another Thing's as well; empty where none is."""
    targets = account.iot.get_paginator("list_targets_for_policy")
    for each in found.policies:
        arns = map(iot_policy.split_arn, targets.paginate(policyName=each).search("targets[]"))
        ids = [arn.name for arn in arns if arn and arn.resource_type == "cert"]
        holders = filter(None, (certificate.find(account.iot, held) for held in ids))
        others = sorted({thing for holder in holders for thing in holder.things} - {name})
        if others:
            return (
                f"The policy {each} is {others[0]}'s as well, so leave it as it is: "
                f"iot.detach_policy(policyName={each!r}, target={found.arn!r}) takes it off this "
                f"certificate. {name} needs a policy of its own."
            )
    return ""


def others_on(account: Account, thing_name: str, certificate_id: str) -> list[str]:
    """List what is attached to a Thing besides a certificate, by ARN."""
    pages = account.iot.get_paginator("list_thing_principals").paginate(thingName=thing_name)
    own = account.arn("cert", certificate_id)
    return [each for each in pages.search("principals[]") if each != own]


def press_it(account: Account, name: str) -> None:
    """Press a button; raise NotYet where that is refused, or its Thing has other certificates."""
    for each in others_on(account, name, proved_id(saved(account.key_folder / name))):
        detach = f"iot.detach_thing_principal(thingName={name!r}, principal={each!r}) takes it off."
        raise NotYet(f"The Thing {name} has another certificate as well.", detach)
    try:
        press(device(account, name))
    except (LessonError, OSError) as problem:
        cure = "The refusal says why: notebook 04 shows how to read one."
        raise NotYet(f"A press is refused: {str(problem).rstrip('.')}.", cure) from None
