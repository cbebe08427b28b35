"""A policy's findings and verdicts, as HTML."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import iot_policy
from helpers.account import Account
from helpers.thing import Thing
from iot_policy import AttachedThing, Explanation, Finding, MalformedPolicy, Request


def findings(document: str, account: Account, *, attached: bool) -> str:
    """Return what the linter finds, each finding with AWS's page."""
    found = iot_policy.lint(
        document, region=account.region, account=account.number, attached=attached
    )
    if not found:
        return '<p class="iot-hint">The checker has nothing to say.</p>'
    return f'<ul class="iot-findings">{"".join(map(_finding, found))}</ul>'


def verdicts(name: str, document: str, account: Account, button: Thing, *, attached: bool) -> str:
    """Return what the policy allows the button, decided here as the broker decides it.

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
    answers = {
        question: iot_policy.explain([parsed], request)
        for question, request in _questions(account, button, attached=attached).items()
    }
    return (
        '<table class="iot-verdicts"><thead><tr><th scope="col">May the button …</th>'
        '<th scope="col">Verdict</th><th scope="col">Why</th></tr></thead>'
        f"<tbody>{''.join(_rows(answers))}</tbody></table>"
    )


def _questions(account: Account, button: Thing, *, attached: bool) -> dict[str, Request]:
    things = [AttachedThing(button.name, None, button.attributes)] if attached else []
    itself = iot_policy.connection_context(button.name, None, "", things)
    another = iot_policy.connection_context("another", None, "", things)
    topic = f"iotbutton/{button.serial}"
    heating = "$aws/things/heating/shadow/update"
    return {
        "connect as itself": _request("Connect", account.arn("client", button.name), itself),
        "connect as another": _request("Connect", account.arn("client", "another"), another),
        "publish on its own topic": _request("Publish", account.arn("topic", topic), itself),
        "change the heating": _request("Publish", account.arn("topic", heating), itself),
    }


def _request(name: str, arn: str, context: Mapping[str, Any]) -> Request:
    return Request(f"iot:{name}", arn, context)


def _rows(answers: Mapping[str, Explanation]) -> Iterable[str]:
    for question, answer in answers.items():
        verdict = answer.decision.verdict
        why = answer.hint or _matched(answer)
        yield (
            f'<tr><th scope="row">{escape(question)}</th>'
            f'<td class="iot-{verdict.lower().replace("_", "-")}">{verdict}</td>'
            f"<td>{escape(why)}</td></tr>"
        )


def _matched(answer: Explanation) -> str:
    numbers = [str(step.number) for step in answer.steps if step.kind == "matched"]
    return f"Statement {' and '.join(numbers)} allows it."


def _finding(found: Finding) -> str:
    where = f", statement {found.statement}" if found.statement else ""
    return (
        f'<li><strong class="iot-{found.severity}">{found.severity}{where}:</strong> '
        f'{escape(found.message)} <a href="{escape(found.page)}" target="_blank" '
        f'rel="noopener">AWS on this</a></li>'
    )
