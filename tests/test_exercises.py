"""The exercises: the folded answer passes its check, the stub does not, and mistakes are told."""

import asyncio
import re
from typing import Any, Literal

import nbformat
import pytest
from cells import run_notebook
from nbformat import NotebookNode

from helpers import certificate, check, policy, thing
from helpers.account import Account
from helpers.thing import Thing
from iot_policy import document, statement
from publish.notebooks import FOLDER, NOTEBOOKS

EXERCISES = {
    "01-thing": ["second-button"],
    "02-policy": ["repairs", "answers"],
    "03-certificate": ["rotation"],
    "04-closing": ["half-wired"],
}


def cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {cell.id: cell for cell in notebook.cells}


def answer(notebook: NotebookNode, exercise: str) -> str:
    """The one text of an answer: what the notebook folds away."""
    text = cells(notebook)[f"{exercise}-answer"].source
    found = re.fullmatch(r".*<summary>Answer</summary>\n\n```python\n(.*)```\n.*", text, re.DOTALL)
    assert found, text
    return found[1]


def test_every_notebook_has_its_exercises() -> None:
    assert list(EXERCISES) == list(NOTEBOOKS)
    for name, exercises in EXERCISES.items():
        ids = list(cells(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)))
        assert [each.removesuffix("-answer") for each in ids if each.endswith("-answer")] == [
            *exercises
        ]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_answer_in_the_place_of_the_stub_passes(name: str, aws: Account) -> None:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    for exercise in EXERCISES[name]:
        (committed,) = cells(notebook)[f"{exercise}-check"].outputs
        assert committed.data["text/plain"].startswith("Not yet. ")
        stub = cells(notebook)[exercise]
        assert stub.source.endswith("\n...")
        checks = cells(notebook)[f"{exercise}-check"].source
        imports = "".join(re.findall(r"from helpers import check\n", checks))
        stub.source = imports + stub.source.removesuffix("...") + answer(notebook, exercise)
    values = asyncio.run(run_notebook(notebook))
    for exercise in EXERCISES[name]:
        assert repr(values[f"{exercise}-check"]) == "Well done."


@pytest.fixture
def button(inside: Account) -> Thing:
    return thing.register(inside.iot, inside.name("button"))


@pytest.mark.parametrize(
    ("name", "attributes", "sentence"),
    [
        ("my-other", {"serialNumber": check.SECOND_SERIAL}, "is named my-other"),
        ("my-second-button", {}, "carries no attribute serialNumber"),
        ("my-second-button", {"serialNumber": thing.EXAMPLE_SERIAL}, "not G030JF053216F1BS"),
        ("my-second-button", {"serialNumber": check.SECOND_SERIAL}, "the clean-up would leave it"),
    ],
)
def test_mistakes_with_the_second_button(
    inside: Account, name: str, attributes: dict[str, str], sentence: str
) -> None:
    assert "There is no Thing my-second-button yet" in repr(check.second_button(inside))
    inside.iot.create_thing(thingName=name, attributePayload={"attributes": attributes})
    assert sentence in repr(check.second_button(inside))


ANSWER = f"iotbutton/{thing.EXAMPLE_SERIAL}/answer"
SUBSCRIBE, RECEIVE = ("iot:Subscribe", f"topicfilter/{ANSWER}"), ("iot:Receive", f"topic/{ANSWER}")
RIGHT = [SUBSCRIBE, RECEIVE]
ANOTHERS = "iotbutton/another/answer"
WRONG_ANSWERS: list[tuple[str, list[tuple[str, str]]]] = [
    (
        "Statement 3 of the policy allows iot:Subscribe on a topic",
        [("iot:Subscribe", f"topic/{ANSWER}"), RECEIVE],
    ),
    (f"may not receive what is published on {ANSWER}", [SUBSCRIBE]),
    (f"may not subscribe to {ANSWER}", [RECEIVE]),
    (f"may also subscribe to {ANOTHERS}", [("iot:Subscribe", "*"), RECEIVE]),
    (f"may also subscribe to {ANOTHERS}", [("iot:Subscribe", "topicfilter/iotbutton/*"), RECEIVE]),
    (f"may also subscribe to {ANOTHERS}", [("iot:Subscribe", "topicfilter/*/answer"), RECEIVE]),
    (
        "may also subscribe to iotbutton/+/answer",
        [SUBSCRIBE, RECEIVE, ("iot:Subscribe", "topicfilter/iotbutton/+/answer")],
    ),
    (f"may also receive what is published on {ANOTHERS}", [SUBSCRIBE, ("iot:Receive", "*")]),
    (
        f"may also receive what is published on {ANOTHERS}",
        [SUBSCRIBE, ("iot:Receive", "topic/iotbutton/*/answer")],
    ),
    (
        f"may also publish on {ANSWER}",
        [SUBSCRIBE, RECEIVE, ("iot:Publish", f"topic/{ANSWER}")],
    ),
    (
        f"may also publish a retained message on {ANSWER}",
        [SUBSCRIBE, RECEIVE, ("iot:RetainPublish", f"topic/{ANSWER}")],
    ),
    ("may also connect as another", [SUBSCRIBE, RECEIVE, ("iot:Connect", "*")]),
    (
        "may also change the shadow of another",
        [SUBSCRIBE, RECEIVE, ("iot:UpdateThingShadow", "*")],
    ),
]
"""What is said of it, and the statements that are added to least privilege."""


@pytest.mark.parametrize(("sentence", "added"), WRONG_ANSWERS)
def test_a_wrong_answer_is_told(
    inside: Account, button: Thing, sentence: str, added: list[tuple[str, str]]
) -> None:
    least = policy.least_privilege(inside.region, inside.number, button.serial, button.name)
    statements = [
        statement(action, name if name == "*" else inside.arn(*name.split("/", 1)))
        for action, name in added
    ]
    said = repr(check.answers(inside, button, document(*least["Statement"], *statements)))
    assert said.startswith("Not yet. ")
    assert sentence in said


def test_other_mistakes_with_the_answers(inside: Account, button: Thing) -> None:
    subscribe = statement("iot:Subscribe", inside.arn("topicfilter", ANSWER))
    receive = statement("iot:Receive", inside.arn("topic", ANSWER))
    told = {
        "may not connect as my-button": [subscribe, receive],
        "Effect must be Allow or Deny": [{**subscribe, "Effect": "Permit"}],
    }
    for sentence, statements in told.items():
        assert sentence in repr(check.answers(inside, button, document(*statements)))


@pytest.mark.parametrize(
    ("effect", "resource", "sentence"),
    [
        ("Allow", "topic/more", "Whether it may also publish on more depends on iot:DomainName."),
        ("Deny", f"topic/{ANSWER.removesuffix('/answer')}", "may at times lack what it needs."),
    ],
)
def test_an_answer_that_depends_on_something_unknown_does_not_pass(
    inside: Account, button: Thing, effect: Literal["Allow", "Deny"], resource: str, sentence: str
) -> None:
    least = policy.least_privilege(inside.region, inside.number, button.serial, button.name)
    at_times = {"StringLike": {"iot:DomainName": "a*"}}
    statements = [statement(action, inside.arn(*name.split("/", 1))) for action, name in RIGHT]
    name = inside.arn(*resource.split("/", 1))
    statements.append(statement("iot:Publish", name, effect=effect, condition=at_times))
    said = repr(check.answers(inside, button, document(*least["Statement"], *statements)))
    assert said.startswith("Not yet. ")
    assert sentence in said


def test_mistakes_with_the_repairs(inside: Account, button: Thing) -> None:
    broken = check.broken_policies(inside, button)
    assert "The first policy: The button may not connect" in repr(
        check.repairs(inside, button, broken)
    )
    right = policy.least_privilege(inside.region, inside.number, button.serial, button.name)
    assert "Statement 3 of the policy denies it" in repr(
        check.repairs(inside, button, broken | {"first": right})
    )
    assert "us-east-1" in repr(
        check.repairs(inside, button, dict.fromkeys(broken, right) | {"third": broken["third"]})
    )
    everything = document(statement("iot:*", "*"))
    assert "It may also connect as another" in repr(
        check.repairs(inside, button, broken | {"first": everything})
    )
    assert "has gone missing" in repr(check.repairs(inside, button, {}))


def test_mistakes_with_the_rotation(inside: Account, button: Thing) -> None:
    iot, rights = inside.iot, inside.name("rights")
    policy.put_in_force(iot, rights, policy.intended(inside.region, inside.number, button.serial))
    files = certificate.issue(inside, button.name, rights)
    old_id = files.certificate_id

    def result() -> str:
        return repr(check.rotation(inside, button.name, old_id))

    assert "still holds the old certificate" in result()
    files.folder.rename(files.folder.with_name("old"))
    assert "holds no certificate" in result()
    new = certificate.create(inside, button.name)
    arn = inside.arn("cert", new.certificate_id)
    assert "is INACTIVE: activate it" in result()
    iot.update_certificate(certificateId=new.certificate_id, newStatus="ACTIVE")
    assert "No policy is attached" in result()
    iot.attach_policy(policyName=rights, target=arn)
    assert "is not attached to the Thing" in result()
    iot.attach_thing_principal(thingName=button.name, principal=arn)
    assert "The old certificate still exists" in result()
    certificate.retire(inside, "old")
    assert result() == "Well done."
    certificate.remove(iot, new.certificate_id)
    assert "is not registered" in result()


def test_mistakes_with_the_half_wired_button(aws: Account) -> None:
    iot = aws.iot
    dark = check.half_wired_button(aws)
    assert check.half_wired_button(aws) == dark
    assert (dark.status, dark.things) == ("INACTIVE", ())
    assert "is INACTIVE" in repr(check.alive(aws))
    iot.update_certificate(certificateId=dark.certificate_id, newStatus="ACTIVE")
    assert "is not attached to the Thing my-dark-button" in repr(check.alive(aws))
    iot.attach_thing_principal(thingName="my-dark-button", principal=dark.arn)
    rights: Any = policy.as_posted(aws.region, aws.number, check.SECOND_SERIAL)
    policy.put_in_force(iot, "my-dark-policy", rights)
    assert "A press is still refused" in repr(check.alive(aws))
    policy.put_in_force(iot, "my-dark-policy", policy.recommended(aws.region, aws.number))
    assert repr(check.alive(aws)) == "Well done."
    iot.detach_policy(policyName="my-dark-policy", target=dark.arn)
    assert "No policy is attached" in repr(check.alive(aws))
    certificate.retire(aws, "my-dark-button")
    assert "is gone" in repr(check.alive(aws))
