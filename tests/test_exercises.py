"""The exercises: the folded answer passes its check, the stub does not, and mistakes are told."""

import asyncio
import re
import reprlib
import shutil
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import in_process
import nbformat
import pytest
from botocore.exceptions import ClientError
from cells import run_notebook, with_answers
from cryptography.hazmat.primitives import serialization
from nbformat import NotebookNode

from exercises import check, working
from helpers import button as buttons
from helpers import certificate, closing, policy, table, thing
from helpers.account import Account
from helpers.errors import LessonError
from helpers.key_files import KeyFiles
from helpers.thing import Thing
from iot_policy import document, statement, to_json
from publish.notebooks import FOLDER, NOTEBOOKS

EXERCISES = {
    "01-thing": ["second-button"],
    "02-policy": ["repairs", "answers"],
    "03-certificate": ["rotation"],
    "04-closing": ["half-wired"],
}


def cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {cell.id: cell for cell in notebook.cells}


def test_every_notebook_has_its_exercises() -> None:
    assert list(EXERCISES) == list(NOTEBOOKS)
    for name, exercises in EXERCISES.items():
        ids = list(cells(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)))
        assert [each.removesuffix("-answer") for each in ids if each.endswith("-answer")] == [
            *exercises
        ]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_answer_in_the_place_of_the_stub_passes(name: str, inside: Account) -> None:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    for exercise in EXERCISES[name]:
        (committed,) = cells(notebook)[f"{exercise}-check"].outputs
        assert committed.data["text/plain"].startswith("Not yet. ")
    values = asyncio.run(run_notebook(with_answers(notebook)))
    for exercise in EXERCISES[name]:
        result = values[f"{exercise}-check"]
        assert result.passed, result
        assert re.fullmatch(r"Well done\. .+\. Next: .+\.", repr(result))


def first(number: int, cases: Iterable[Any]) -> list[Any]:
    """The first of them; what comes after those are tests marked long."""
    listed = list(cases)
    later = [case if isinstance(case, tuple) else (case,) for case in listed[number:]]
    return listed[:number] + [pytest.param(*case, marks=pytest.mark.long) for case in later]


ASK = "For the cure, run the check with .cure at its end."


def told(result: check.Result, sentence: str) -> None:
    """A wrong answer: what is wrong is said at once, and the cure only to who asks for it."""
    said = repr(result)
    assert not result.passed
    assert re.fullmatch(rf"Not yet\. .+\. {re.escape(ASK)}", said), said
    assert sentence in result.missing
    assert result.remedy
    assert result.remedy not in said
    assert repr(result.cure) == f"{result.missing} {result.remedy}"
    assert (result.proved, result.next) == ("", "")


def test_well_done_looks_like_one() -> None:
    right = check.Result(proved="It allows <all>.", next="Next: more.")
    wrong = check.Result("It allows <all>.", "Narrow it.")
    assert repr(right) == "Well done. It allows <all>. Next: more."
    assert repr(wrong) == f"Not yet. It allows <all>. {ASK}"
    assert str(wrong.cure) == "It allows <all>. Narrow it."
    assert wrong.cure.html == table.verdict_box(False, "It allows <all>.", ["Narrow it."]).html
    assert str(right.cure) == "Nothing is wrong."
    assert right.cure.html == table.verdict_box(True, "Nothing is wrong.").html
    assert (
        right._repr_html_()
        == table.verdict_box(True, "Well done.", ["It allows <all>.", "Next: more."])._repr_html_()
    )
    assert "Narrow" not in wrong._repr_html_()
    assert (
        wrong._repr_html_()
        == table.verdict_box(False, "Not yet.", ["It allows <all>.", ASK])._repr_html_()
    )


# Notebook 01: the second button.

SECOND, FIRST, SERIAL = "my-second-button", thing.EXAMPLE_SERIAL, check.SECOND_SERIAL
OURS = {"madeBy": "iot-button-tutorial"}
RIGHT_ONE = {"serialNumber": SERIAL, **OURS}
WRONG_BUTTONS: list[tuple[str, dict[str, str], str]] = [
    ("my-other", RIGHT_ONE, "no Thing my-second-button: the one with its serial number is named"),
    (SECOND, {}, "carries no attribute serialNumber"),
    (SECOND, {"serialNumber": FIRST, **OURS}, f"serialNumber = {FIRST}, not {SERIAL}"),
    (SECOND, {"serialnumber": SERIAL, **OURS}, "carries serialnumber, not serialNumber"),
    (SECOND, {"serialNumber": SERIAL.lower(), **OURS}, "upper and lower case count"),
    (SECOND, {"serialNumber": SERIAL}, "carries no attribute madeBy, so the clean-up would leave"),
    (SECOND, {"serialNumber": SERIAL, "madeBy": "me"}, "carries madeBy = me, not iot-button-tut"),
    ("My-Second-Button", RIGHT_ONE, "is named My-Second-Button"),
    ("second-button", RIGHT_ONE, "is named second-button"),
    ("my-other", {"serialnumber": SERIAL}, "is named my-other"),
    ("my-other", OURS, "There is no Thing my-second-button yet"),
    (SECOND, OURS, "carries no attribute serialNumber"),
    (SECOND, {"SerialNumber": SERIAL, **OURS}, "carries SerialNumber, not serialNumber"),
    (SECOND, {"serialNUmber": FIRST, **OURS}, "carries serialNUmber, not serialNumber"),
    (SECOND, {"serial": SERIAL, **OURS}, "carries serial, not serialNumber"),
    (SECOND, {"serialNumber": "GO30JF053216F1BS", **OURS}, "GO30JF053216F1BS, not G030JF"),
    (SECOND, {"serialNumber": SERIAL[:-1], **OURS}, "G030JF053216F1B, not G030JF053216F1BS"),
    (
        SECOND,
        {"serialNumber": SERIAL, "madeBy": "IoT-Button-Tutorial"},
        "case count), so the clean",
    ),
    (SECOND, {"serialNumber": SERIAL, "made-by": "iot-button-tutorial"}, "made-by, not madeBy"),
    (SECOND, {"serialNumber": SERIAL, "madeby": "iot-button-tutorial"}, "madeby, not madeBy"),
]
"""The name, the attributes, and what is said of it."""


@pytest.mark.parametrize(("name", "attributes", "sentence"), first(8, WRONG_BUTTONS))
def test_a_wrong_second_button_is_told_and_can_be_put_right(
    inside: Account, name: str, attributes: dict[str, str], sentence: str
) -> None:
    iot = inside.iot
    told(check.second_button(inside), "There is no Thing my-second-button yet")
    iot.create_thing(thingName=name, attributePayload={"attributes": attributes})
    result = check.second_button(inside)
    told(result, sentence)
    if name == SECOND:
        assert "iot.delete_thing(thingName=second), then register it again" in result.missing
        iot.delete_thing(thingName=SECOND)
    assert f"thingName={SECOND!r} and the attributes {RIGHT_ONE}" in result.remedy
    iot.create_thing(thingName=SECOND, attributePayload={"attributes": RIGHT_ONE})
    assert check.second_button(inside).passed


def test_a_serial_number_with_a_space_is_refused_by_aws(inside: Account) -> None:
    for attributes in ({"serialNumber": f"{SERIAL} "}, {"serial number": SERIAL}):
        with pytest.raises(ClientError, match="InvalidRequest"):
            inside.iot.create_thing(thingName=SECOND, attributePayload={"attributes": attributes})
    told(check.second_button(inside), "There is no Thing my-second-button yet")


def problem(inside: Account, attributes: dict[str, str]) -> str:
    inside.iot.create_thing(thingName=SECOND, attributePayload={"attributes": attributes})
    return check.second_button(inside).missing


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({**OURS, "serialNumber": FIRST}, f"carries serialNumber = {FIRST}, not {SERIAL}."),
        ({**OURS, "serialNumber": SERIAL.lower()}, f"{SERIAL} (upper and lower case count)."),
        ({**OURS, "serial": SERIAL}, "carries serial, not serialNumber."),
        ({**OURS, "serialnumber": FIRST}, "carries serialnumber, not serialNumber."),
        ({**OURS, "colour": "white"}, "carries no attribute serialNumber."),
        ({"serialNumber": SERIAL, "madeBy": "me"}, "so the clean-up would leave it."),
    ],
)
def test_no_more_is_said_than_is_so(inside: Account, attributes: dict[str, str], said: str) -> None:
    assert f"{said} create_thing changes no Thing" in problem(inside, attributes)


def test_the_first_ones_serial_number_is_what_that_attribute_says(inside: Account) -> None:
    thing.register(inside.iot, "my-button")
    inside.iot.update_thing(
        thingName="my-button",
        attributePayload={"attributes": {"note": SERIAL}, "merge": True},
    )
    thing.register(inside.iot, SECOND, serial=SERIAL)
    assert check.second_button(inside).passed


@pytest.mark.parametrize("both", [True, False])
def test_the_first_button_must_stay_as_it_was(inside: Account, both: bool) -> None:
    thing.register(inside.iot, "my-button")
    inside.iot.update_thing(thingName="my-button", attributePayload={"attributes": RIGHT_ONE})
    if both:
        thing.register(inside.iot, SECOND, serial=SERIAL)
    result = check.second_button(inside)
    told(result, "Your first button, my-button, has the second one's serial number")
    assert "iot.delete_thing(thingName=name), then register both" in result.missing


@pytest.mark.parametrize("more", [{}, {"colour": "white"}, {"serial": SERIAL}])
def test_a_right_second_button(inside: Account, more: dict[str, str]) -> None:
    attributes = {**RIGHT_ONE, **more}
    thing.register(inside.iot, "my-button")
    inside.iot.create_thing(thingName=SECOND, attributePayload={"attributes": attributes})
    check.half_wired_button(inside)  # has that serial number, too
    assert check.second_button(inside).passed
    assert check.second_button(inside).passed


def test_notebook_04s_button_and_other_learners_are_not_named(nowhere: None) -> None:
    zoe = in_process.shared_account()
    check.half_wired_button(zoe)
    stranger = in_process.client()
    stranger.create_thing(thingName="ada-x", attributePayload={"attributes": RIGHT_ONE})
    told(check.second_button(zoe), "There is no Thing zoe-second-button yet.")


# Notebook 02: three to repair, and one to write.


@pytest.fixture
def button(inside: Account) -> Thing:
    return thing.register(inside.iot, inside.name("button"))


def least(account: Account, button: Thing) -> dict[str, Any]:
    return policy.least_privilege(account.region, account.number, button.serial, button.name)


def resource(account: Account, name: str) -> str:
    return name if name == "*" else account.arn(*name.split("/", 1))


TOPIC = f"iotbutton/{FIRST}"
REGIONAL = f"arn:aws:iot:eu-west-1:123456789012:topic/{TOPIC}"
ANSWER = f"iotbutton/{thing.EXAMPLE_SERIAL}/answer"
SUBSCRIBE, RECEIVE = ("iot:Subscribe", f"topicfilter/{ANSWER}"), ("iot:Receive", f"topic/{ANSWER}")
RIGHT = [SUBSCRIBE, RECEIVE]
ANOTHERS = "iotbutton/another/answer"
WRONG_ANSWERS: list[tuple[str, list[tuple[str, str]]]] = [
    (
        f"may not subscribe to {ANSWER}",
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


@pytest.mark.parametrize(("sentence", "added"), first(10, WRONG_ANSWERS))
def test_a_wrong_answer_is_told(
    inside: Account, button: Thing, sentence: str, added: list[tuple[str, str]]
) -> None:
    statements = [statement(action, resource(inside, name)) for action, name in added]
    given = document(*least(inside, button)["Statement"], *statements)
    told(check.answers(inside, button, given), sentence)


DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]
NO_DOCUMENTS: list[tuple[Any, str]] = [
    (DEEP, "This is no policy document: [[[[[[[...]]]]]]]"),
    ("[" * 2000, "olicy document"),
    (..., "This is no policy document: Ellipsis"),
    ({"Statement": {1, 2}}, "This is no policy document: {'Statement': {1, 2}}"),
    (None, "It must be a JSON object"),
    ([], "It must be a JSON object"),
    (["iot:Connect"], "It must be a JSON object"),
    ("", "It is not JSON"),
    ("my-button-policy", "It is not JSON"),
    ({}, "Version must be"),
    ({"Version": "2012-10-17", "Statement": []}, "must hold at least one statement"),
    (document(statement("iot:Connect", "*", effect="Permit")), "Effect must be Allow or Deny"),
    (document(statement("iot:Conect", "my-button")), "a resource is an ARN"),
    (document({"Effect": "Allow", "Action": "iot:Connect"}), "Resource"),
]
"""What a learner may have in the variable, and what is said of it."""


@pytest.mark.parametrize(
    ("given", "sentence"), first(3, NO_DOCUMENTS), ids=lambda each: reprlib.repr(each)
)
def test_what_is_no_policy_is_told(
    inside: Account, button: Thing, given: Any, sentence: str
) -> None:
    told(check.answers(inside, button, given), sentence)
    broken = check.broken_policies(inside, button)
    told(check.repairs(inside, button, broken | {"first": given}), "The first policy: ")
    told(check.repairs(inside, button, broken | {"first": given}), sentence)


@pytest.mark.parametrize("given", ["my-button", None, {"name": "my-button"}])
def test_a_button_that_was_overwritten_is_told(inside: Account, button: Thing, given: Any) -> None:
    broken, match = check.broken_policies(inside, button), "button should be a Thing, and is "
    with pytest.raises(LessonError, match=match):
        check.answers(inside, given, least(inside, button))
    with pytest.raises(LessonError, match=match):
        check.repairs(inside, given, broken)
    nothing: Any = None
    with pytest.raises(LessonError, match="aws should be a Account, and is None"):
        check.answers(nothing, button, least(inside, button))


def test_the_answer_alone_lacks_the_rest(inside: Account, button: Thing) -> None:
    alone = [statement(action, resource(inside, name)) for action, name in RIGHT]
    told(check.answers(inside, button, document(*alone)), "may not connect as my-button")


@pytest.mark.parametrize(
    ("effect", "name", "key", "sentence"),
    [
        ("Allow", "topic/more", "iot:DomainName", "publish on more depends on iot:DomainName"),
        ("Allow", "topic/more", "iot:CertificateId", "publish on more depends on iot:Certificate"),
        ("Deny", f"topic/{TOPIC}", "iot:DomainName", "may at times lack what it needs."),
    ],
)
def test_an_answer_that_depends_on_something_unknown_does_not_pass(
    inside: Account,
    button: Thing,
    effect: Literal["Allow", "Deny"],
    name: str,
    key: str,
    sentence: str,
) -> None:
    at_times = {"StringLike": {key: "a*"}}
    statements = [statement(action, resource(inside, name)) for action, name in RIGHT]
    more = statement("iot:Publish", resource(inside, name), effect=effect, condition=at_times)
    given = document(*least(inside, button)["Statement"], *statements, more)
    told(check.answers(inside, button, given), sentence)


def test_an_answer_from_one_address_only_does_not_pass(inside: Account, button: Thing) -> None:
    """The button's own address is not known, wherever the check runs."""
    statements = [statement(action, resource(inside, name)) for action, name in RIGHT]
    given = document(*least(inside, button)["Statement"], *statements)
    here = {"IpAddress": {"aws:SourceIp": "127.0.0.1"}}
    given["Statement"] = [{**each, "Condition": here} for each in given["Statement"]]
    result = check.answers(inside, button, given)
    told(result, "The button may not connect as my-button.")
    assert "only where IpAddress aws:SourceIp" in result.remedy


def reverse(given: dict[str, Any]) -> dict[str, Any]:
    return document(*reversed(given["Statement"]))


def as_lists(given: dict[str, Any]) -> dict[str, Any]:
    """Each action and resource in a list, and one list of all that is published and received."""
    listed = {"Action", "Resource"}
    return document(
        *({k: [v] if k in listed else v for k, v in s.items()} for s in given["Statement"])
    )


def in_other_letters(given: dict[str, Any]) -> dict[str, Any]:
    """The case of an action does not count."""
    return document(*({**each, "Action": each["Action"].lower()} for each in given["Statement"]))


def with_a_deny(given: dict[str, Any]) -> dict[str, Any]:
    """What is not allowed anyway may be denied as well."""
    deny = statement(
        "iot:Publish", "arn:aws:iot:eu-west-1:123456789012:topic/$aws/*", effect="Deny"
    )
    return document(*given["Statement"], deny)


def with_wildcards(given: dict[str, Any]) -> dict[str, Any]:
    """A star that can stand for nothing else: each type of resource has few actions."""
    actions = {"iot:Connect": "iot:Conn*", "iot:Subscribe": "iot:Subscribe*"}
    changed = ({**s, "Action": actions.get(s["Action"], s["Action"])} for s in given["Statement"])
    return document(*changed)


def by_variable(given: dict[str, Any]) -> dict[str, Any]:
    """The Thing's own name is what the variable stands for."""
    name = "${iot:Connection.Thing.ThingName}"
    first, *rest = given["Statement"]
    return document({**first, "Resource": first["Resource"].replace("my-button", name)}, *rest)


def twice(given: dict[str, Any]) -> dict[str, Any]:
    return document(*given["Statement"], *given["Statement"])


VARIANTS = [
    *(reverse, as_lists, in_other_letters, with_a_deny, with_wildcards, by_variable, twice),
    to_json,
]


@pytest.mark.parametrize("variant", first(4, VARIANTS))
def test_a_right_policy_passes_in_any_form(
    inside: Account, button: Thing, variant: Callable[[dict[str, Any]], Any]
) -> None:
    right = least(inside, button)
    statements = [statement(action, resource(inside, name)) for action, name in RIGHT]
    heard = document(*right["Statement"], *statements)
    assert check.answers(inside, button, variant(heard)).passed
    broken = dict.fromkeys(check.broken_policies(inside, button), variant(right))
    result = check.repairs(inside, button, broken)
    assert result.passed
    assert "Compared over everything that a policy can allow" in result.proved


def replace(which: str, change: Callable[[list[dict[str, Any]]], object]) -> Any:
    def repair(broken: dict[str, Any], right: dict[str, Any]) -> object:
        broken |= {name: right for name in broken if name != which}
        return change(broken[which]["Statement"])

    return repair


def narrow(statements: list[dict[str, Any]], name: str) -> None:
    statements[2]["Resource"] = statements[2]["Resource"].replace("iotbutton/*", name)


def point(each: dict[str, Any], old: str, new: str) -> None:
    each["Resource"] = each["Resource"].replace(old, new)


WRONG_REPAIRS: dict[str, tuple[str, Any]] = {
    "nothing": ("The first policy: The button may not connect as my-button", replace("first", len)),
    "only the first": (
        f"The second policy: The button may not publish on {TOPIC}",
        lambda broken, right: broken.update(first=right),
    ),
    "all but the third": (
        f"The third policy: The button may not publish on {TOPIC}",
        replace("third", len),
    ),
    "any client": (
        "The first policy: It may also connect as another",
        replace("first", lambda s: s[0].update(Resource="*")),
    ),
    "clients that begin so": (
        "The first policy: It may also connect as my-button",
        replace("first", lambda s: point(s[0], "thing/my-button", "client/my-button*")),
    ),
    "a topic to connect": (
        "The first policy: The button may not connect",
        replace("first", lambda s: point(s[0], "thing/my-button", f"topic/{TOPIC}")),
    ),
    "another client": (
        "The first policy: The button may not connect as my-button",
        replace("first", lambda s: point(s[0], "thing/my-button", "client/my-second-button")),
    ),
    "the connect out": (
        "The first policy: The button may not connect",
        replace("first", lambda s: s.pop(0)),
    ),
    "the deny narrowed to its own": (
        f"The second policy: The button may not publish on {TOPIC}",
        replace("second", lambda s: narrow(s, TOPIC)),
    ),
    "the deny made an allow": (
        "The second policy: It may also publish on iotbutton/",
        replace("second", lambda s: s[2].update(Effect="Allow")),
    ),
    "the deny and the publish out": (
        f"The second policy: The button may not publish on {TOPIC}",
        replace("second", lambda s: s.__delitem__(slice(1, 3))),
    ),
    "the deny on a retained message": (
        "The second policy: The button may not",
        replace("second", lambda s: s[2].update(Action="iot:Publish")),
    ),
    "any region": (
        "third policy: ",
        replace("third", lambda s: point(s[1], "us-east-1", "eu-central-1")),
    ),
    "any topic": (
        "The third policy: It may also publish on ",
        replace("third", lambda s: s[1].update(Resource="*")),
    ),
    "topics that begin so": (
        "The third policy: It may also publish on iotbutton/another",
        replace("third", lambda s: s[1].update(Resource=REGIONAL.replace(FIRST, "*"))),
    ),
    "any action on the topic": (
        "The third policy: It may also ",
        replace("third", lambda s: s[1].update(Resource=REGIONAL, Action="iot:*")),
    ),
    "another's topic": (
        f"The third policy: The button may not publish on {TOPIC}",
        replace("third", lambda s: s[1].update(Resource=REGIONAL.replace(FIRST, SERIAL))),
    ),
    "all allowed": (
        "The first policy: It may also connect as another",
        lambda broken, _: broken.update(first=document(statement("iot:*", "*"))),
    ),
    "one left out": (
        "The third policy has gone missing",
        lambda broken, right: [broken.update(first=right, second=right), broken.pop("third")],
    ),
}
"""What is said of it, and what is done to the three."""


@pytest.mark.parametrize("name", first(8, WRONG_REPAIRS))
def test_a_wrong_repair_is_told(inside: Account, button: Thing, name: str) -> None:
    sentence, repair = WRONG_REPAIRS[name]
    broken = check.broken_policies(inside, button)
    repair(broken, least(inside, button))
    told(check.repairs(inside, button, broken), sentence)


@pytest.mark.parametrize("given", first(2, [{}, ..., None, [], "first", [document()] * 3]), ids=str)
def test_what_are_no_three_policies_is_told(inside: Account, button: Thing, given: Any) -> None:
    told(check.repairs(inside, button, given), "The first policy has gone missing")


def test_a_cure_names_the_statement(inside: Account, button: Thing) -> None:
    wrong = statement("iot:Subscribe", inside.arn("topic", ANSWER))
    given = document(*least(inside, button)["Statement"], wrong)
    assert "Statement 3 of the policy allows iot:Subscribe on a topic" in (
        check.answers(inside, button, given).remedy
    )
    broken = check.broken_policies(inside, button)
    right = least(inside, button)
    assert f"Make its Resource {inside.arn('client', 'my-button')}." in (
        check.repairs(inside, button, broken).remedy
    )
    broken["first"] = right
    denies = "Statement 3 of the second policy denies it"
    assert denies in check.repairs(inside, button, broken).remedy
    broken["second"] = document(*right["Statement"], statement("iot:Publish", "*"))
    assert check.repairs(inside, button, broken).remedy == (
        "Statement 3 of the second policy allows it: narrow it, or take it out."
    )
    broken["second"] = right
    assert "us-east-1" in check.repairs(inside, button, broken).remedy


# Notebook 03: a new certificate, and the old one out of service.


@pytest.fixture
def presses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was pressed; each press goes through, without a broker."""
    pressed: list[str] = []
    monkeypatch.setattr(working, "press", lambda device: pressed.append(device.name))
    return pressed


@dataclass
class Rotation:
    """The button as notebook 03 leaves it, and what a learner does then."""

    account: Account
    files: KeyFiles
    old_id: str
    old_folder: str = "my-old-button"

    @property
    def iot(self) -> Any:
        return self.account.iot

    @property
    def new(self) -> str:
        """The new certificate's ARN."""
        return self.account.arn("cert", self.files.certificate_id)

    @property
    def old(self) -> str:
        return self.account.arn("cert", self.old_id)

    def room(self) -> None:
        self.files.folder.rename(self.files.folder.with_name(self.old_folder))

    def create(self) -> None:
        certificate.create(self.account, "my-button")

    def issue(self) -> None:
        certificate.issue(self.account, "my-button", "my-rights")

    def retire(self) -> None:
        certificate.retire(self.account, self.old_folder)

    def switch(self, certificate_arn: str, status: Any) -> None:
        about = certificate_arn.rpartition("/")[2]
        self.iot.update_certificate(certificateId=about, newStatus=status)

    def attach(self, policy_name: str = "my-rights") -> None:
        self.iot.attach_policy(policyName=policy_name, target=self.new)

    def wire(self, thing_name: str = "my-button") -> None:
        self.iot.attach_thing_principal(thingName=thing_name, principal=self.new)

    def unwire(self, thing_name: str = "my-button") -> None:
        self.iot.detach_thing_principal(thingName=thing_name, principal=self.new)

    def by_hand(self, *, policy_name: str = "my-rights", active: bool = False) -> None:
        answer = self.iot.create_keys_and_certificate(setAsActive=active)
        certificate.save_issued(self.account, answer, "my-button")
        if not active:
            self.switch(self.new, "ACTIVE")
        self.attach(policy_name)
        self.wire()

    def rights(self, document: Any, name: str = "my-rights") -> None:
        policy.put_in_force(self.iot, name, document)

    def do(self, *steps: str) -> None:
        for step in steps:
            getattr(self, step)()

    def check(self) -> check.Result:
        return check.rotation(self.account, "my-button", self.old_id)


def begin(account: Account) -> Rotation:
    button = thing.register(account.iot, "my-button")
    thing.register(account.iot, "my-other", serial=SERIAL)
    policy.put_in_force(account.iot, "my-rights", least(account, button))
    files = certificate.issue(account, "my-button", "my-rights")
    arn = account.arn("cert", files.certificate_id)
    # As notebook 03 does, to show what the recommended policy says then.
    account.iot.detach_thing_principal(thingName="my-button", principal=arn)
    account.iot.attach_thing_principal(thingName="my-button", principal=arn)
    return Rotation(account, files, files.certificate_id)


@pytest.fixture
def rotation(inside: Account, presses: list[str]) -> Rotation:
    return begin(inside)


WITHOUT = r"From \d\d:\d\d:\d\d\.\d{3} to \d\d:\d\d:\d\d\.\d{3} the button had no certificate"
FIRST_BUTTON = Thing("my-button", "", {"serialNumber": FIRST})
BROAD = document(statement("iot:*", "*"))


def elsewhere(r: Rotation) -> None:
    """Issued under another folder's name; the button's own holds the old files."""
    files = certificate.create(r.account, "my-new-button")
    arn = r.account.arn("cert", files.certificate_id)
    r.switch(arn, "ACTIVE")
    r.iot.attach_policy(policyName="my-rights", target=arn)
    r.iot.attach_thing_principal(thingName="my-button", principal=arn)


def elsewhere_and_retired(r: Rotation) -> None:
    elsewhere(r)
    certificate.retire(r.account, "my-button")


def copied(r: Rotation) -> None:
    r.room()
    shutil.copytree(r.files.folder.with_name(r.old_folder), r.files.folder)


def with_the_old_key(r: Rotation) -> None:
    old = r.files.private_key.read_bytes()
    r.do("room", "issue", "retire")
    r.files.private_key.write_bytes(old)


def damaged(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    r.files.certificate.write_text("gone")


def half(*more: str) -> Callable[[Rotation], None]:
    """Made, and then only some of the steps; the old one stays."""
    return lambda r: r.do("room", "create", *more)


def switched_to(status: str) -> Callable[[Rotation], None]:
    def do(r: Rotation) -> None:
        r.do("room", "issue")
        r.switch(r.old, status)

    return do


def new_one_is(status: str) -> Callable[[Rotation], None]:
    def do(r: Rotation) -> None:
        r.do("room", "issue", "retire")
        r.switch(r.new, status)

    return do


def not_wired(r: Rotation) -> None:
    r.do("room", "create", "attach", "retire")
    r.switch(r.new, "ACTIVE")


def wired_to_another(r: Rotation) -> None:
    not_wired(r)
    r.wire("my-other")


def wired_to_two(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    r.wire("my-other")


def no_rights(r: Rotation) -> None:
    r.do("room", "create", "wire", "retire")
    r.switch(r.new, "ACTIVE")


def widened(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    r.rights(policy.intended(r.account.region, r.account.number, FIRST))


def one_more_policy(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    r.rights(BROAD, "my-broad")
    r.attach("my-broad")


def too_narrow(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    r.rights(
        document(least(r.account, Thing("my-button", "", {"serialNumber": FIRST}))["Statement"][0])
    )


def anothers_rights(r: Rotation) -> None:
    r.do("room", "create", "wire", "retire")
    r.switch(r.new, "ACTIVE")
    r.rights(least(r.account, Thing("my-other", "", {"serialNumber": SERIAL})), "my-others")
    r.attach("my-others")


def off_then_issue(r: Rotation) -> None:
    r.switch(r.old, "INACTIVE")
    r.do("room", "issue", "retire")


def detached_then_issue(r: Rotation) -> None:
    r.iot.detach_policy(policyName="my-rights", target=r.old)
    r.do("room", "issue", "retire")


def retire_then_issue(r: Rotation) -> None:
    certificate.retire(r.account, "my-button")
    r.issue()


def retire_too_early(step: str) -> Callable[[Rotation], None]:
    """The new one is complete but for one step, which comes after the old one went."""

    def do(r: Rotation) -> None:
        r.do("room", "create")
        steps: dict[str, Callable[[], None]] = {
            "activate": lambda: r.switch(r.new, "ACTIVE"),
            "attach": r.attach,
            "wire": r.wire,
        }
        last = steps.pop(step)
        for each in steps.values():
            each()
        r.retire()
        last()

    return do


def off_for_a_moment(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    r.switch(r.new, "INACTIVE")
    r.switch(r.new, "ACTIVE")


def old_back_and_off(r: Rotation) -> None:
    """The old one is switched off before the new one works, and on again when that is noticed."""
    r.do("room", "create", "attach", "wire")
    r.switch(r.old, "INACTIVE")
    r.switch(r.old, "ACTIVE")
    r.switch(r.new, "ACTIVE")
    r.retire()


def twice_in_the_wrong_order(r: Rotation) -> None:
    """A second time in the right order, and the first certificate's id is still asked about."""
    retire_then_issue(r)
    r.do("room", "issue", "retire")


def by_another_program(r: Rotation) -> None:
    r.do("room", "issue")
    certificate.remove(in_process.client(), r.old_id)


def made_by_another_program(r: Rotation) -> None:
    r.do("room", "create", "attach", "wire")
    about = r.new.rpartition("/")[2]
    stranger = in_process.client()
    stranger.update_certificate(certificateId=about, newStatus="ACTIVE")
    r.retire()


def one_too_many(r: Rotation) -> None:
    """A third one stays in service, in a folder of its own."""
    r.do("room", "issue")
    r.files.folder.rename(r.files.folder.with_name("my-spare"))
    r.do("issue", "retire")


def deleted_again(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    certificate.remove(r.iot, r.new.rpartition("/")[2])


def without_its_thing(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    thing.remove(r.iot, "my-button")


def thing_anew(attributes: dict[str, str]) -> Callable[[Rotation], None]:
    def do(r: Rotation) -> None:
        r.do("room", "issue", "retire")
        thing.remove(r.iot, "my-button")
        r.iot.create_thing(thingName="my-button", attributePayload={"attributes": attributes})
        r.wire()

    return do


def with_a_useless_policy(r: Rotation) -> None:
    """Something is attached to the new one all the time, and what it needs comes too late."""
    r.rights(document(statement("iot:Publish", r.account.arn("topic", "nowhere"))), "my-useless")
    r.do("room", "create", "wire")
    r.switch(r.new, "ACTIVE")
    r.attach("my-useless")
    r.do("retire", "attach")
    r.iot.detach_policy(policyName="my-useless", target=r.new)


def half_of_its_rights(r: Rotation) -> None:
    """Two policies are right together, and the second one comes too late."""
    first_one, second_one = least(r.account, FIRST_BUTTON)["Statement"]
    r.rights(document(first_one), "my-one")
    r.rights(document(second_one), "my-two")
    r.do("room", "create", "wire")
    r.switch(r.new, "ACTIVE")
    r.attach("my-one")
    r.retire()
    r.attach("my-two")


def bridged_by_a_useless_one(r: Rotation) -> None:
    """A third certificate that may do nothing is no bridge."""
    r.rights(document(statement("iot:Publish", r.account.arn("topic", "nowhere"))), "my-useless")
    r.room()
    r.by_hand(policy_name="my-useless")
    r.retire()
    r.files.folder.rename(r.files.folder.with_name("my-bridge"))
    r.issue()
    certificate.retire(r.account, "my-bridge")


def its_policy_deleted(r: Rotation) -> None:
    """What the old one might do until then, nobody can tell any more."""
    r.rights(least(r.account, FIRST_BUTTON), "my-right")
    r.room()
    r.by_hand(policy_name="my-right")
    r.retire()
    policy.remove(r.iot, "my-rights")


WRONG_ROTATIONS: list[tuple[Callable[[Rotation], None], str]] = [
    (lambda r: None, "keys/sandbox/my-button still holds the old certificate"),
    (retire_then_issue, WITHOUT),
    (with_a_useless_policy, WITHOUT),
    (half_of_its_rights, WITHOUT),
    (its_policy_deleted, "What a policy allowed that is deleted is not known: my-rights."),
    (bridged_by_a_useless_one, WITHOUT),
    (off_then_issue, WITHOUT),
    (old_back_and_off, WITHOUT),
    (twice_in_the_wrong_order, WITHOUT),
    (retire_too_early("wire"), WITHOUT),
    (widened, "It may also connect as another client. It need not."),
    (one_more_policy, "It may also "),
    (with_the_old_key, "key and certificate do not belong together"),
    (wired_to_two, "is attached to another Thing as well: my-other"),
    (by_another_program, "Another program has changed one of the two"),
    (made_by_another_program, "Another program has changed one of the two"),
    (one_too_many, "The Thing my-button has another certificate as well"),
    (lambda r: r.do("room", "issue"), "The old certificate still exists, and is ACTIVE"),
    (elsewhere, "still holds the old certificate"),
    (copied, "still holds the old certificate"),
    (half(), "The certificate in keys/sandbox/my-button is INACTIVE"),
    (lambda r: r.room(), "holds no certificate with its private key"),
    (elsewhere_and_retired, "holds no certificate with its private key"),
    (damaged, "key and certificate do not belong together"),
    (half("attach", "wire"), "is INACTIVE: nobody can connect"),
    (new_one_is("INACTIVE"), "is INACTIVE: nobody can connect"),
    (new_one_is("REVOKED"), "is REVOKED: nobody can connect"),
    (not_wired, "is not attached to the Thing my-button"),
    (wired_to_another, "is not attached to the Thing my-button"),
    (no_rights, "has no policy: it may do nothing"),
    (too_narrow, f"The button may not publish on {TOPIC}"),
    (anothers_rights, "The button may not connect as my-button"),
    (switched_to("INACTIVE"), "exists, and is INACTIVE: whoever has its key can use it as soon"),
    (switched_to("REVOKED"), "The old certificate still exists, and is REVOKED"),
    (detached_then_issue, WITHOUT),
    (retire_too_early("activate"), WITHOUT),
    (retire_too_early("attach"), WITHOUT),
    (off_for_a_moment, WITHOUT),
    (deleted_again, "is not registered at AWS"),
    (without_its_thing, "There is no Thing my-button"),
    (thing_anew(OURS), "carries no serial number"),
    (thing_anew(RIGHT_ONE), "The button may not publish on iotbutton/G030JF053216F1BS"),
]


@pytest.mark.parametrize(("wrong", "sentence"), first(17, WRONG_ROTATIONS))
def test_a_wrong_rotation_is_told(
    rotation: Rotation, presses: list[str], wrong: Callable[[Rotation], None], sentence: str
) -> None:
    wrong(rotation)
    result = rotation.check()
    if sentence == WITHOUT:
        assert re.match(WITHOUT, result.missing), result
        assert "Run the cell with old_id again: it begins anew" in result.missing
        sentence = "the button had no certificate that works"
    told(result, sentence)
    assert presses == []


@pytest.mark.parametrize("status", first(1, ["ACTIVE", "INACTIVE", "REVOKED"]))
def test_an_old_certificate_that_is_only_taken_off_is_told(rotation: Rotation, status: str) -> None:
    """Off the Thing, the policy and the service: whoever may switch it on has a button's key."""
    rotation.do("room", "issue")
    rotation.switch(rotation.old, status)
    rotation.iot.detach_thing_principal(thingName="my-button", principal=rotation.old)
    until = "it." if status == "ACTIVE" else "it as soon as somebody switches it on."
    told(rotation.check(), f"still exists, and is {status}: whoever has its key can use {until}")


@pytest.mark.parametrize("old_id", first(2, ["0" * 64, None, ..., [], "", "my-button", 7]), ids=str)
def test_an_old_certificate_that_never_was_is_told(rotation: Rotation, old_id: Any) -> None:
    rotation.do("room", "issue", "retire")
    result = check.rotation(rotation.account, "my-button", old_id)
    told(result, "The lesson has no record of a certificate ")


def test_a_wrong_order_can_be_put_right(rotation: Rotation, presses: list[str]) -> None:
    """The stub's cell begins anew, with the certificate that is there now."""
    retire_then_issue(rotation)
    assert not rotation.check().passed
    rotation.old_id = rotation.files.certificate_id
    told(rotation.check(), "still holds the old certificate")
    rotation.do("room", "issue", "retire")
    assert rotation.check().passed
    assert presses == ["my-button"]


BEGIN_ANEW = sorted(
    WRONG_ROTATIONS, key=lambda each: each[0] not in (old_back_and_off, one_too_many)
)
"""All of them: first one that leaves a gap in the history, and one that leaves a third one."""


@pytest.mark.parametrize(("wrong", "_sentence"), first(2, BEGIN_ANEW))
def test_the_exercise_begins_anew_from_any_state(
    rotation: Rotation, wrong: Callable[[Rotation], None], _sentence: str
) -> None:
    account = rotation.account
    check.half_wired_button(account)
    other = certificate.create(account, "my-other").certificate_id
    rotation.iot.attach_thing_principal(thingName="my-other", principal=account.arn("cert", other))
    wrong(rotation)
    if thing.find(rotation.iot, "my-button") is None:
        thing.register(rotation.iot, "my-button")
    if "serialNumber" not in rotation.iot.describe_thing(thingName="my-button")["attributes"]:
        return  # as the check says: it is to be registered again
    for name in ("my-old-button", "my-older-button"):
        rotation.files = check.old_certificate(account, "my-button", "my-rights")
        rotation.old_id, rotation.old_folder = rotation.files.certificate_id, name
        told(rotation.check(), "still holds the old certificate")
        on_it = rotation.iot.list_thing_principals(thingName="my-button")["principals"]
        assert on_it == [rotation.old]
        folders = sorted(each.name for each in account.key_folder.iterdir())
        assert folders == [".certificates", "my-button", "my-dark-button", "my-other"]
        rotation.do("room", "issue", "retire")
        assert rotation.check().passed, rotation.check()
    assert certificate.find(rotation.iot, other)


def test_what_is_in_working_order_stays_at_the_beginning(rotation: Rotation) -> None:
    before = in_process.holdings()
    for _ in range(2):
        files = check.old_certificate(rotation.account, "my-button", "my-rights")
        assert files.certificate_id == rotation.old_id
    assert in_process.holdings() == before


def test_what_others_attached_is_only_taken_off_at_the_beginning(rotation: Rotation) -> None:
    dark = check.half_wired_button(rotation.account)
    stranger = in_process.client().create_keys_and_certificate()
    both = certificate.create(rotation.account, "my-spare").certificate_id
    spare = rotation.account.arn("cert", both)
    rotation.iot.attach_thing_principal(thingName="my-other", principal=spare)
    for arn in (dark.arn, spare, stranger["certificateArn"]):
        rotation.iot.attach_thing_principal(thingName="my-button", principal=arn)
    rotation.rights(BROAD, "their-own")
    rotation.iot.attach_policy(policyName="their-own", target=stranger["certificateArn"])
    in_process.client().untag_resource(
        resourceArn=rotation.account.arn("policy", "their-own"), tagKeys=["madeBy"]
    )
    check.old_certificate(rotation.account, "my-button", "my-rights")
    on_it = rotation.iot.list_thing_principals(thingName="my-button")["principals"]
    assert on_it == [rotation.old]
    assert certificate.find(rotation.iot, dark.certificate_id) == dark
    assert certificate.find(rotation.iot, both)
    assert certificate.find(rotation.iot, stranger["certificateId"])


@pytest.mark.parametrize(
    ("place", "sentence"),
    first(
        2,
        [
            (
                "my-old-button",
                "keys/sandbox/my-old-button: certificate.retire(aws, 'my-old-button') d",
            ),
            (
                "old/my-button",
                "keys/sandbox/old/my-button: certificate.retire(aws, 'old/my-button') d",
            ),
            ("../old", "keys/old: certificate.retire(aws, '../old') deletes it and its files."),
            (
                "../../old",
                "No folder in keys holds it: certificate.remove(iot, old_id) deletes it.",
            ),
        ],
    ),
)
def test_the_cure_says_where_the_old_certificate_is(
    rotation: Rotation, presses: list[str], place: str, sentence: str
) -> None:
    there = rotation.account.key_folder / place
    there.parent.mkdir(exist_ok=True)
    rotation.files.folder.rename(there)
    rotation.issue()
    assert sentence in rotation.check().remedy
    if place == "../../old":
        certificate.remove(rotation.iot, rotation.old_id)
    else:
        certificate.retire(rotation.account, place)
        assert not there.exists()
    assert rotation.check().passed


@pytest.mark.parametrize("name", ["", "my button", "../my-button", None, {}, FIRST_BUTTON, 7])
def test_what_is_no_name_of_a_thing_is_told(rotation: Rotation, name: Any) -> None:
    if isinstance(name, str):
        told(check.rotation(rotation.account, name, rotation.old_id), "is no Thing's name")
    else:
        with pytest.raises(LessonError, match=r"button\.name should be a str, and is .*: run t"):
            check.rotation(rotation.account, name, rotation.old_id)


def activate_last(r: Rotation) -> None:
    r.do("room", "create", "attach", "wire")
    r.switch(r.new, "ACTIVE")
    r.retire()


def made_active(r: Rotation) -> None:
    r.room()
    r.by_hand(active=True)
    r.retire()


def off_first_and_deleted_by_calls(r: Rotation) -> None:
    r.room()
    r.by_hand()
    r.switch(r.old, "INACTIVE")
    r.iot.detach_policy(policyName="my-rights", target=r.old)
    r.iot.detach_thing_principal(thingName="my-button", principal=r.old)
    r.iot.delete_certificate(certificateId=r.old_id)


def both_for_a_while(r: Rotation) -> None:
    r.do("room", "issue")
    r.switch(r.old, "INACTIVE")
    r.switch(r.old, "ACTIVE")
    r.retire()


def with_the_recommended_policy(r: Rotation) -> None:
    r.rights(policy.recommended(r.account.region, r.account.number), "my-recommended")
    r.room()
    r.by_hand(policy_name="my-recommended")
    r.retire()


def one_more_policy_later(r: Rotation) -> None:
    r.do("room", "issue", "retire")
    r.rights(policy.recommended(r.account.region, r.account.number), "my-recommended")
    r.attach("my-recommended")


def after_two_looks(r: Rotation) -> None:
    for step in ("room", "create", "attach", "wire"):
        r.do(step)
        assert not r.check().passed
    r.switch(r.new, "ACTIVE")
    r.retire()


RIGHT_ROTATIONS: list[Callable[[Rotation], None]] = [
    lambda r: r.do("room", "issue", "retire"),
    *(made_active, off_first_and_deleted_by_calls, activate_last, both_for_a_while),
    *(with_the_recommended_policy, after_two_looks, one_more_policy_later),
    lambda r: r.do("room", "issue", "issue", "retire", "retire"),
]


@pytest.mark.parametrize(
    "right",
    first(3, RIGHT_ROTATIONS),
)
def test_a_right_rotation(
    rotation: Rotation, presses: list[str], right: Callable[[Rotation], None]
) -> None:
    right(rotation)
    assert rotation.check().passed, rotation.check()
    # After a restart, and once more.
    rotation.account = in_process.own_account()
    assert rotation.check().passed
    assert presses == ["my-button"] * 2


def test_stub_and_answer_in_one_cell_begin_anew_each_time(
    rotation: Rotation, presses: list[str]
) -> None:
    notebook = nbformat.read(FOLDER / "03-certificate.ipynb", as_version=4)
    cell = cells(with_answers(notebook))["rotation"].source
    names: dict[str, Any] = {"aws": rotation.account, "iot": rotation.iot, "files": rotation.files}
    names |= {"certificate": certificate, "check": check, "button_policy": "my-rights"}
    names["button"] = thing.find(rotation.iot, "my-button")
    for _ in range(2):
        exec(cell, names)
        assert check.rotation(rotation.account, "my-button", names["old_id"]).passed


def test_a_rotation_in_an_account_of_aws(nowhere: None, presses: list[str]) -> None:
    """With the guard rails of a real one, and certificates by signing request."""
    zoe = in_process.shared_account()
    button = thing.register(zoe.iot, "zoe-button")
    policy.put_in_force(zoe.iot, "zoe-rights", least(zoe, button))
    files = certificate.issue(zoe, "zoe-button", "zoe-rights")

    def issue() -> None:
        certificate.issue(zoe, "zoe-button", "zoe-rights")

    old_id = files.certificate_id
    certificate.retire(zoe, "zoe-button")
    issue()
    told(check.rotation(zoe, "zoe-button", old_id), "the button had no certificate that works")
    old_id = files.certificate_id
    files.folder.rename(files.folder.with_name("zoe-old"))
    issue()
    certificate.retire(zoe, "zoe-old")
    assert check.rotation(zoe, "zoe-button", old_id).passed


def test_a_press_that_is_refused_is_told(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotation.do("room", "issue", "retire")
    for problem in (LessonError("my-button could not connect."), FileNotFoundError("root-ca.pem")):

        def fail(_device: object, problem: Exception = problem) -> None:
            raise problem

        monkeypatch.setattr(working, "press", fail)
        told(rotation.check(), f"A press is refused: {str(problem).rstrip('.')}.")


def test_after_the_clean_up_nothing_is_there(rotation: Rotation) -> None:
    rotation.do("room", "issue", "retire")
    check.half_wired_button(rotation.account)
    closing.clean_up(rotation.account)
    told(rotation.check(), "There is no Thing my-button")
    told(check.second_button(rotation.account), "There is no Thing my-second-button yet")
    told(check.alive(rotation.account), "The button my-dark-button is gone")
    assert in_process.files(rotation.account.key_folder) == []


# Notebook 04: a half-wired button.


@dataclass
class Dark:
    """The half-wired button, and what a learner does with it."""

    account: Account
    arn: str
    files: KeyFiles

    @property
    def iot(self) -> Any:
        return self.account.iot

    def activate(self, status: Any = "ACTIVE") -> None:
        about = self.arn.rpartition("/")[2]
        self.iot.update_certificate(certificateId=about, newStatus=status)

    def wire(self, thing_name: str = "my-dark-button") -> None:
        self.iot.attach_thing_principal(thingName=thing_name, principal=self.arn)

    def answer(self) -> None:
        self.activate()
        self.wire()

    def attach(self, document: Any, name: str = "my-more") -> None:
        policy.put_in_force(self.iot, name, document)
        self.iot.attach_policy(policyName=name, target=self.arn)

    def detach(self) -> None:
        self.iot.detach_policy(policyName="my-dark-policy", target=self.arn)


def begin_dark(account: Account) -> Dark:
    thing.register(account.iot, "my-button")
    dark = check.half_wired_button(account)
    return Dark(account, dark.arn, KeyFiles(account.key_folder / "my-dark-button"))


@pytest.fixture
def dark(inside: Account, presses: list[str]) -> Dark:
    return begin_dark(inside)


def wired_elsewhere(d: Dark) -> None:
    d.activate()
    d.wire("my-button")


def wired_twice(d: Dark) -> None:
    d.answer()
    d.wire("my-button")


def revoked(d: Dark) -> None:
    d.wire()
    d.activate("REVOKED")


def more_rights(document: Any) -> Callable[[Dark], None]:
    def do(d: Dark) -> None:
        d.answer()
        d.attach(document)

    return do


def other_rights(document: Any) -> Callable[[Dark], None]:
    def do(d: Dark) -> None:
        d.answer()
        policy.put_in_force(d.iot, "my-dark-policy", document)

    return do


def no_policy(d: Dark) -> None:
    d.answer()
    d.detach()


def dark_thing_anew(attributes: dict[str, str]) -> Callable[[Dark], None]:
    def do(d: Dark) -> None:
        thing.remove(d.iot, "my-dark-button")
        d.iot.create_thing(thingName="my-dark-button", attributePayload={"attributes": attributes})
        d.answer()

    return do


def with_anothers_files(d: Dark) -> None:
    """The files of a button that works, in the place of its own."""
    policy.put_in_force(d.iot, "my-rights", policy.recommended("eu-west-1", d.account.number))
    files = certificate.issue(d.account, "my-button", "my-rights")
    shutil.rmtree(d.files.folder)
    shutil.copytree(files.folder, d.files.folder)


def with_anothers_files_wired(d: Dark) -> None:
    with_anothers_files(d)
    arn = d.account.arn("cert", d.files.certificate_id)
    d.iot.attach_thing_principal(thingName="my-dark-button", principal=arn)


def with_another_certificate(d: Dark) -> None:
    d.answer()
    certificate.issue(d.account, "my-button", "my-dark-policy")
    arn = d.account.arn("cert", KeyFiles(d.account.key_folder / "my-button").certificate_id)
    d.iot.attach_thing_principal(thingName="my-dark-button", principal=arn)


def with_anothers_key(d: Dark) -> None:
    d.answer()
    files = certificate.issue(d.account, "my-button", "my-dark-policy")
    shutil.copy(files.private_key, d.files.private_key)


def retired(d: Dark) -> None:
    certificate.retire(d.account, "my-dark-button")


def removed_at_aws(d: Dark) -> None:
    certificate.remove(d.iot, d.arn.rpartition("/")[2])


POSTED = policy.as_posted("eu-west-1", "123456789012", SERIAL)
WRONG_LIVES: list[tuple[Callable[[Dark], None], str]] = [
    (lambda d: None, "my-dark-button is INACTIVE: nobody can connect"),
    (more_rights(BROAD), "It may also "),
    (other_rights(POSTED), "The button may not connect as my-dark-button"),
    (
        other_rights(policy.intended("eu-west-1", "123456789012", SERIAL)),
        "It may also connect as another client. It need not.",
    ),
    (dark_thing_anew({"serialNumber": FIRST, **OURS}), f"carries the serial number {FIRST}"),
    (wired_elsewhere, "is not attached to the Thing my-dark-button"),
    (wired_twice, "is attached to another Thing as well: my-button"),
    (with_anothers_files_wired, "is attached to another Thing as well: my-button"),
    (retired, "my-dark-button is gone, or its certificate"),
    (lambda d: d.wire(), "is INACTIVE: nobody can connect"),
    (revoked, "is REVOKED: nobody can connect"),
    (lambda d: d.activate(), "is not attached to the Thing my-dark-button"),
    (more_rights(policy.intended("eu-west-1", "123456789012", SERIAL)), "It may also connect as"),
    (other_rights(BROAD), "It may also "),
    (
        other_rights(policy.least_privilege("eu-west-1", "123456789012", FIRST, "my-dark-button")),
        f"The button may not publish on iotbutton/{SERIAL}",
    ),
    (no_policy, "has no policy: it may do nothing"),
    (dark_thing_anew(OURS), "carries no serial number"),
    (dark_thing_anew({}), "carries no serial number"),
    (with_anothers_files, "is not attached to the Thing my-dark-button"),
    (with_another_certificate, "The Thing my-dark-button has another certificate as well"),
    (with_anothers_key, "key and certificate do not belong together"),
    (removed_at_aws, "is not registered at AWS"),
    (lambda d: thing.remove(d.iot, "my-dark-button"), "my-dark-button is gone"),
]


@pytest.mark.parametrize(("wrong", "sentence"), first(9, WRONG_LIVES))
def test_a_wrong_life_is_told_and_the_cell_begins_anew(
    dark: Dark, presses: list[str], wrong: Callable[[Dark], None], sentence: str
) -> None:
    wrong(dark)
    told(check.alive(dark.account), sentence)
    assert presses == []
    found = thing.find(dark.iot, "my-dark-button")
    if found is not None and not found.made_here:
        return  # no longer the lesson's: it says so, and leaves it
    dark.arn = check.half_wired_button(dark.account).arn
    dark.answer()
    assert check.alive(dark.account).passed, check.alive(dark.account)


def test_the_cure_leaves_another_buttons_policy_as_it_is(dark: Dark) -> None:
    """To narrow it, as for one's own, would take from the other button what it needs."""
    others = policy.least_privilege("eu-west-1", dark.account.number, FIRST, "my-button")
    policy.put_in_force(dark.iot, "my-rights", others)
    certificate.issue(dark.account, "my-button", "my-rights")
    dark.answer()
    dark.iot.attach_policy(policyName="my-rights", target=dark.arn)
    leave = "The policy my-rights is my-button's as well, so leave it as it is: iot.detach_policy"
    assert leave in check.alive(dark.account).remedy
    dark.detach()
    assert leave in check.alive(dark.account).remedy
    dark.iot.detach_policy(policyName="my-rights", target=dark.arn)
    dark.attach(BROAD)
    dark.iot.attach_policy(policyName="my-dark-policy", target=dark.arn)
    assert check.alive(dark.account).remedy == (
        "Statement 1 of my-more allows it: narrow it, or take it out. "
        "Or detach the whole policy, if the others allow what the button needs."
    )


def test_another_certificate_is_named(dark: Dark) -> None:
    with_another_certificate(dark)
    files = KeyFiles(dark.account.key_folder / "my-button")
    arn = dark.account.arn("cert", files.certificate_id)
    take_off = f"iot.detach_thing_principal(thingName='my-dark-button', principal={arn!r}) takes"
    assert take_off in check.alive(dark.account).remedy


@pytest.mark.parametrize("damage", ["encrypted", "folder", "empty"])
def test_damaged_files_are_told(dark: Dark, damage: str) -> None:
    dark.answer()
    if damage == "encrypted":
        key = serialization.load_pem_private_key(dark.files.private_key.read_bytes(), None)
        behind = serialization.BestAvailableEncryption(b"secret")
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        dark.files.private_key.write_bytes(key.private_bytes(pem, form, behind))
    else:
        dark.files.certificate.unlink()
        dark.files.certificate.mkdir() if damage == "folder" else dark.files.certificate.touch()
    gone = "is gone, or its certificate" if damage == "folder" else "or one of them cannot be read"
    told(check.alive(dark.account), gone)


def test_before_its_cell_there_is_no_half_wired_button(inside: Account) -> None:
    told(check.alive(inside), "The button my-dark-button is gone")


def issued(d: Dark) -> None:
    certificate.issue(d.account, "my-dark-button", "my-dark-policy")


def with_least_privilege(d: Dark) -> None:
    d.answer()
    d.attach(policy.least_privilege(d.account.region, d.account.number, SERIAL, "my-dark-button"))
    d.detach()


def a_new_certificate(d: Dark) -> None:
    retired(d)
    issued(d)


RIGHT_LIVES: list[Callable[[Dark], None]] = [
    *(lambda d: d.answer(), issued, with_least_privilege, a_new_certificate),
]


@pytest.mark.parametrize("right", first(3, RIGHT_LIVES))
def test_a_right_life(dark: Dark, presses: list[str], right: Callable[[Dark], None]) -> None:
    right(dark)
    assert check.alive(dark.account).passed, check.alive(dark.account)
    assert presses == ["my-dark-button"]


def test_a_half_wired_button_is_made_anew_each_time(inside: Account) -> None:
    first = check.half_wired_button(inside)
    again = check.half_wired_button(inside)
    assert certificate.find(inside.iot, first.certificate_id) is None
    assert certificate.find(inside.iot, again.certificate_id) == again
    assert (again.status, again.policies, again.things) == ("INACTIVE", ("my-dark-policy",), ())


# Whose certificate it is.


def test_an_id_is_proved_by_a_whole_pair_alone(rotation: Rotation) -> None:
    files = rotation.files
    assert working.proved_id(files) == rotation.old_id
    assert working.proved_id(None) == ""
    pem = files.certificate.read_text()
    # The exponent of its own key is even, or its kind unknown: it is a certificate all the same.
    rsa = bytes.fromhex("2a864886f70d010101")
    for old, new in ((b"\2\3\1\0\1", b"\2\3\1\0\2"), (rsa, rsa[:-1] + b"\x7f")):
        der = ssl.PEM_cert_to_DER_cert(pem)
        assert old in der
        files.certificate.write_text(ssl.DER_cert_to_PEM_cert(der.replace(old, new)))
        assert files.known_id and working.proved_id(files) == ""
    files.certificate.write_text(pem)
    key = files.private_key.read_bytes()
    other = certificate.create(rotation.account, "my-other").private_key.read_bytes()
    for wrong in (other, b"", b"gone"):
        files.private_key.write_bytes(wrong)
        assert working.proved_id(files) == ""
    files.private_key.write_bytes(key)
    files.certificate.write_bytes(b"gone")
    assert working.proved_id(files) == ""
    files.private_key.write_bytes(b"gone")
    assert working.proved_id(files) == ""


def test_no_files_and_no_certificate_are_two_problems(rotation: Rotation) -> None:
    account = rotation.account
    with pytest.raises(working.NotYet, match="my-other holds no certificate with its private key"):
        working.in_working_order(account, "my-other")
    certificate.remove(rotation.iot, rotation.old_id)
    with pytest.raises(working.NotYet, match="my-button is not registered at AWS"):
        working.in_working_order(account, "my-button")


# With a broker.


def test_the_last_word_is_a_real_presss(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    rotation = begin(aws)
    rotation.do("room", "issue", "retire")
    assert rotation.check().passed
    dark = begin_dark(aws)
    dark.answer()
    assert check.alive(aws).passed
    # A policy decides nothing about who is at the other end.
    monkeypatch.setattr(buttons, "PATIENCE", 0.5)
    for files, result in ((rotation.files, rotation.check), (dark.files, lambda: check.alive(aws))):
        root, files_root = files.root_ca.read_text(), files.root_ca
        files_root.write_text(files.certificate.read_text())
        told(result(), "A press is refused: ")
        files_root.unlink()
        told(result(), "A press is refused: ")
        files_root.write_text(root)
        assert result().passed
