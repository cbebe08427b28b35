"""A policy's findings and verdicts, as HTML."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from html import escape
from typing import Any

import iot_policy
from helpers import policy, thing
from helpers.account import Account
from helpers.table import Judged, table
from helpers.thing import Thing
from iot_policy import AttachedThing, Explanation, Finding, MalformedPolicy, Request
from iot_policy.vocabulary import ACTIONS

HEATING = "$aws/things/heating/shadow/update"
NOTHING_MORE = "<p>Nothing more than the button needs.</p>"
MOST_STEPS = 3_000
"""For each action's comparison: it follows while somebody types."""


def findings(document: str, account: Account, *, attached: bool) -> str:
    """Return what the linter finds, each finding with AWS's page."""
    found = iot_policy.lint(
        document, region=account.region, account=account.number, attached=attached
    )
    if not found:
        return '<p class="iot-hint">The checker has nothing to say.</p>'
    return f'<ul class="iot-findings">{"".join(map(_finding, found))}</ul>'


def verdicts(name: str, document: str, account: Account, button: Thing, *, attached: bool) -> str:
    """Return what the policy allows the button, and whether that is as it should be.

    Decided here as the broker decides it.

    Args:
        name: The policy's name.
        document: The policy, JSON. One that AWS would refuse has no verdicts.
        account: Whose resources are meant.
        button: The Thing that connects under its own name.
        attached: Whether to decide as if the certificate were attached to the Thing.
    """
    try:
        parsed = iot_policy.parse(name, document)
    except MalformedPolicy:
        return '<p class="iot-hint">No verdicts: this is not a policy yet.</p>'
    rows = [
        _verdict(question, should, iot_policy.explain([parsed], request))
        for question, should, request in _questions(account, button, attached=attached)
    ]
    return _table(["May the button …", "Should it?", "Verdict", "Why"], rows)


def wrong(document: str, account: Account, button: Thing, *, attached: bool) -> str:
    """Say what the policy does not allow and should, or the reverse; empty where all is right.

    Args:
        document: The policy, JSON, as AWS stores it.
        account: Whose resources are meant.
        button: The Thing that connects under its own name.
        attached: Whether its certificate is attached to it.
    """
    try:
        parsed = iot_policy.parse("", document)
    except MalformedPolicy as problem:
        return f"the broker cannot read it: {problem.problem.rstrip('.')}"
    found = []
    for question, should, request in _questions(account, button, attached=attached):
        allowed = iot_policy.decide([parsed], request).verdict == "ALLOWED"
        if allowed != should:
            found.append(f"{'cannot' if should else 'may'} {question}")
    return f"with it the button {' and '.join(found)}" if found else ""


def beyond(document: str, account: Account, button: Thing, *, attached: bool) -> str:
    """Return what the policy allows and the button does not need: an example for each action.

    Args:
        document: The policy, JSON. For one that AWS would refuse there is nothing to show.
        account: Whose resources are meant.
        button: The Thing that connects under its own name.
        attached: Whether its certificate is attached to it.
    """
    try:
        given = iot_policy.parse("", document)
    except MalformedPolicy:
        return ""
    number, region = account.number, account.region
    needs = policy.least_privilege(region, number, serial(button), button.name)
    context = _context(button.name, button, attached=attached)
    del context["iot:CertificateId"]  # nobody knows it yet
    compare = partial(
        iot_policy.compare,
        [given],
        [iot_policy.parse("", iot_policy.to_json(needs))],
        region=region,
        account=number,
        context=context,
        most_steps=MOST_STEPS,
    )
    answers = {action: compare(actions=[action]) for action in ACTIONS}
    rows = [(action, found.example) for action, found in answers.items() if found.example]
    more = _table(["Action", "It may also, for example"], rows) if rows else NOTHING_MORE
    return f'<p class="iot-hint"><strong>What else does this allow?</strong></p>{more}'


def serial(button: Thing) -> str:
    """Return the button's serial number; of a Thing without one, that of AWS's examples."""
    return button.attributes.get(thing.SERIAL_ATTRIBUTE, thing.EXAMPLE_SERIAL)


def _questions(
    account: Account, button: Thing, *, attached: bool
) -> Iterator[tuple[str, bool, Request]]:
    itself = _context(button.name, button, attached=attached)
    another = _context("another", button, attached=attached)
    for question, should, action, kind, name, context in (
        ("connect as itself", True, "Connect", "client", button.name, itself),
        ("connect as another", False, "Connect", "client", "another", another),
        ("publish on its topic", True, "Publish", "topic", f"iotbutton/{serial(button)}", itself),
        ("change the heating", False, "Publish", "topic", HEATING, itself),
    ):
        yield question, should, Request(f"iot:{action}", account.arn(kind, name), context)


def _context(client_id: str, button: Thing, *, attached: bool) -> dict[str, Any]:
    things = [AttachedThing(button.name, None, button.attributes)] if attached else []
    return iot_policy.connection_context(client_id, None, "", things)


def _verdict(question: str, should: bool, answer: Explanation) -> tuple[object, ...]:
    """Return a row: advice only where the verdict is not as it should be."""
    verdict = answer.decision.verdict
    right = (verdict == "ALLOWED") == should
    if not right and should:
        why = answer.hint
    else:
        why = f"{_matched(answer)}{'' if right else ' Name there only what the button needs.'}"
    return question, "yes" if should else "no", Judged(verdict, right), why


def _matched(answer: Explanation) -> str:
    denied = answer.decision.verdict == "EXPLICIT_DENY"
    effect, does = ("Deny", "denies") if denied else ("Allow", "allows")
    found = [s.number for s in answer.steps if s.kind == "matched" and s.effect == effect]
    return f"Statement {found[0]} {does} it." if found else "No statement allows it."


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return f'<div class="iot-verdicts">{table(headers, rows).html}</div>'


def _finding(found: Finding) -> str:
    where = f", statement {found.statement}" if found.statement else ""
    return (
        f'<li><strong class="iot-{found.severity}">{found.severity}{where}:</strong> '
        f'{escape(found.message)} <a href="{escape(found.page)}" target="_blank" '
        f'rel="noopener">AWS on this</a></li>'
    )
