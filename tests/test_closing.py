"""Clean-up: from every half-done state it removes all that the lesson made, and nothing else."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tables import rows

from helpers import button, certificate, closing, policy, thing
from helpers.account import Account
from helpers.certificate import Certificate
from helpers.errors import LessonError
from helpers.panels.steps import steps
from helpers.policy import AccountPolicy
from iot_policy import document, statement
from publish import way

RIGHTS = document(statement("iot:Connect", "*"))

PARTS = ("thing", "policy", "certificate", "active", "has policy", "has thing", "key lost", "v2")


def possible(state: frozenset[str]) -> bool:
    """Whether the lesson, or a mishap, can leave things so."""
    if state & {"active", "has policy", "has thing", "key lost"} and "certificate" not in state:
        return False
    if "has policy" in state and "policy" not in state:
        return False
    if "has thing" in state and "thing" not in state:
        return False
    return "v2" not in state or "policy" in state


STATES = [
    state
    for chosen in product((False, True), repeat=len(PARTS))
    if possible(
        state := frozenset(part for part, there in zip(PARTS, chosen, strict=True) if there)
    )
]


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


def bring_about(aws: Account, state: frozenset[str]) -> None:
    iot = aws.iot
    if "thing" in state:
        thing.register(iot, "button")
    if "policy" in state:
        policy.put_in_force(iot, "rights", RIGHTS)
    if "v2" in state:
        policy.put_in_force(iot, "rights", document(statement("iot:Publish", "*")))
    if "certificate" in state:
        files = certificate.create(aws, "button")
        arn = aws.arn("cert", files.certificate_id)
        if "active" in state:
            iot.update_certificate(certificateId=files.certificate_id, newStatus="ACTIVE")
        if "has policy" in state:
            iot.attach_policy(policyName="rights", target=arn)
        if "has thing" in state:
            iot.attach_thing_principal(thingName="button", principal=arn)
        if "key lost" in state:
            files.delete()


def everything(aws: Account) -> tuple[list[str], list[str], list[str], list[Path]]:
    iot = aws.iot
    return (
        sorted(each["thingName"] for each in iot.list_things()["things"]),
        sorted(each["policyName"] for each in iot.list_policies()["policies"]),
        sorted(each["certificateId"] for each in iot.list_certificates()["certificates"]),
        sorted(path for path in Path().rglob("*") if path.is_file()),
    )


def test_the_states_are_many() -> None:
    assert len(STATES) == 66


@pytest.mark.parametrize("state", STATES, ids=lambda state: "+".join(sorted(state)) or "nothing")
def test_from_any_state(aws: Account, state: frozenset[str]) -> None:
    """The readiness table tells the state, and clean-up leaves nothing of it."""
    bring_about(aws, state)
    done = [step.done for step in steps(closing.inventory(aws), "button")]
    assert done == [
        "thing" in state,
        "policy" in state,
        "certificate" in state,
        "certificate" in state and "key lost" not in state,
        "active" in state,
        "has policy" in state,
        "has thing" in state,
    ]
    closing.clean_up(aws)
    assert everything(aws) == ([], [], [], [])
    assert closing.inventory(aws).empty
    assert closing.clean_up(aws) == []


def test_certificates_go_first_and_key_files_last(aws: Account) -> None:
    """AWS deletes neither a policy nor a Thing while a certificate is attached to it."""
    bring_about(aws, frozenset(PARTS) - {"key lost"})
    (files,) = closing.inventory(aws).keys
    wanted = [
        ("certificate", files.certificate_id),
        ("policy", "rights"),
        ("Thing", "button"),
        ("key files", "keys/sandbox/button"),
    ]
    shown = [("certificate", f"{files.certificate_id[:8]}…"), *wanted[1:]]
    assert [tuple(row) for row in rows(closing.to_remove(aws))] == shown
    assert closing.clean_up(aws) == wanted


def test_a_certificate_is_in_the_ledger_before_it_is_detached(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, its attachments no longer tell that it is ours."""
    bring_about(aws, frozenset(PARTS))
    (found,) = closing.inventory(aws).certificates
    assert aws.ledger.ids() == [found.certificate_id]
    aws.ledger.forget(found.certificate_id)
    known = []
    real = certificate.remove

    def remove(iot: Any, certificate_id: str) -> None:
        known.append(aws.ledger.ids())
        real(iot, certificate_id)

    monkeypatch.setattr(certificate, "remove", remove)
    closing.clean_up(aws)
    assert known == [[found.certificate_id]]
    assert aws.ledger.ids() == []


def test_what_is_gone_at_aws_is_forgotten_with_its_files(aws: Account, stranger: Any) -> None:
    bring_about(aws, frozenset({"thing", "certificate"}))
    (files,) = closing.inventory(aws).keys
    stranger.delete_certificate(certificateId=files.certificate_id)
    assert aws.ledger.ids() == [files.certificate_id]
    closing.clean_up(aws)
    assert aws.ledger.ids() == []
    assert everything(aws) == ([], [], [], [])


def test_an_interrupted_save_is_cleaned_up(aws: Account) -> None:
    bring_about(aws, frozenset({"certificate"}))
    (files,) = closing.inventory(aws).keys
    files.folder.rename(f"{files.folder}.unfinished")
    closing.clean_up(aws)
    assert everything(aws) == ([], [], [], [])


def test_what_others_made_stays_as_it_is(aws: Account, stranger: Any) -> None:
    iot = aws.iot
    stranger.create_thing(thingName="button-2")
    stranger.create_policy(policyName="rights-2", policyDocument=policy.to_json(RIGHTS))
    theirs = stranger.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName="rights-2", target=theirs["certificateArn"])
    iot.attach_thing_principal(thingName="button-2", principal=theirs["certificateArn"])
    before = everything(aws)
    bring_about(aws, frozenset(PARTS) - {"key lost"})
    # Their certificate is attached to ours, too.
    iot.attach_policy(policyName="rights", target=theirs["certificateArn"])
    iot.attach_thing_principal(thingName="button", principal=theirs["certificateArn"])
    closing.clean_up(aws)
    assert everything(aws) == before
    found = certificate.find(iot, theirs["certificateId"])
    assert found is not None
    assert (found.status, found.policies, found.things) == ("ACTIVE", ("rights-2",), ("button-2",))


@pytest.fixture
def theirs(aws: Account, stranger: Any) -> Certificate:
    """A certificate that somebody else made, beside the lesson's Thing and policy."""
    bring_about(aws, frozenset({"thing", "policy"}))
    stranger.create_thing(thingName="button-2")
    stranger.create_policy(policyName="rights-2", policyDocument=policy.to_json(RIGHTS))
    made = stranger.create_keys_and_certificate(setAsActive=True)
    found = certificate.find(stranger, made["certificateId"])
    assert found is not None
    return found


@pytest.mark.parametrize("link", [{"policyName": "rights-2"}, {"thingName": "button-2"}], ids=str)
def test_one_link_to_anothers_is_enough_to_leave_it(
    aws: Account, theirs: Certificate, link: dict[str, str]
) -> None:
    attach(aws, theirs, [{"policyName": "rights"}, {"thingName": "button"}, link])
    assert closing.inventory(aws).certificates == ()
    closing.clean_up(aws)
    found = certificate.find(aws.iot, theirs.certificate_id)
    assert found is not None and found.status == "ACTIVE"
    assert [*found.policies, *found.things] == [*link.values()]


@pytest.mark.parametrize("link", [{"policyName": "rights"}, {"thingName": "button"}], ids=str)
def test_what_is_attached_to_the_lessons_alone_is_the_lessons(
    aws: Account, theirs: Certificate, link: dict[str, str]
) -> None:
    attach(aws, theirs, [link])
    assert ("certificate", theirs.certificate_id) in closing.clean_up(aws)
    assert certificate.find(aws.iot, theirs.certificate_id) is None


def test_a_certificate_in_the_ledger_is_the_lessons_whatever_it_is_attached_to(
    aws: Account, theirs: Certificate
) -> None:
    """Made in a notebook and never saved, or saved elsewhere: it is active, and so not deleted."""
    attach(aws, theirs, [{"policyName": "rights-2"}])
    assert closing.inventory(aws).certificates == ()
    aws.ledger.note(theirs.certificate_id)
    assert [each.arn for each in closing.inventory(aws).certificates] == [theirs.arn]


def test_what_else_can_be_attached_is_no_certificate(aws: Account) -> None:
    """A policy's targets are thing groups and Cognito identities, too."""
    targets = ["eu-west-1:0000-1111", aws.arn("thinggroup", "a"), aws.arn("cert", "b")]
    pages = SimpleNamespace(search=lambda _: targets)
    paginator = SimpleNamespace(paginate=lambda **_: pages)
    account: Any = SimpleNamespace(iot=SimpleNamespace(get_paginator=lambda _: paginator))
    one = AccountPolicy("rights", aws.arn("policy", "rights"), "")
    assert closing._attached_to(account, [], [one]) == ["b"]


def attach(aws: Account, found: Certificate, links: list[Any]) -> None:
    for link in links:
        if "policyName" in link:
            aws.iot.attach_policy(**link, target=found.arn)
        else:
            aws.iot.attach_thing_principal(**link, principal=found.arn)


def grouped(aws: Account, thing_name: str = "", policy_name: str = "", *, within: str = "") -> str:
    """Make a group with a Thing in it and a policy attached, and return its name."""
    name = f"group-{len(aws.iot.list_thing_groups()['thingGroups'])}"
    parent = {"parentGroupName": within} if within else {}
    arn = aws.iot.create_thing_group(thingGroupName=name, **parent)["thingGroupArn"]
    if thing_name:
        aws.iot.add_thing_to_thing_group(thingGroupName=name, thingName=thing_name)
    if policy_name:
        aws.iot.attach_policy(policyName=policy_name, target=arn)
    return name


def groups_left(aws: Account) -> list[str]:
    return [each["groupName"] for each in aws.iot.list_thing_groups()["thingGroups"]]


def test_groups_go_with_what_is_in_them_the_lowest_first(aws: Account) -> None:
    bring_about(aws, frozenset(PARTS))
    top = grouped(aws)
    middle = grouped(aws, policy_name="rights", within=top)
    lowest = grouped(aws, thing_name="button", within=middle)
    alone = grouped(aws, thing_name="button", policy_name="rights")
    removed = [name for kind, name in closing.clean_up(aws) if kind == "thing group"]
    assert removed[:2] == [lowest, middle]
    assert {*removed[2:]} == {top, alone}
    assert groups_left(aws) == []
    assert everything(aws) == ([], [], [], [])


@pytest.mark.parametrize("what", [{"thing_name": "button-2"}, {"policy_name": "rights-2"}, {}])
def test_a_group_that_holds_anothers_or_nothing_is_left(
    aws: Account, stranger: Any, what: dict[str, str]
) -> None:
    bring_about(aws, frozenset({"thing", "policy"}))
    stranger.create_thing(thingName="button-2")
    stranger.create_policy(policyName="rights-2", policyDocument=policy.to_json(RIGHTS))
    theirs = grouped(aws, within=(above := grouped(aws)), **what)
    if what:  # ours in it does not make it ours, nor the group above it
        grouped(aws, "button", "rights", within=theirs)
        aws.iot.attach_policy(policyName="rights", target=aws.arn("thinggroup", above))
    closing.clean_up(aws)
    assert groups_left(aws) == [above, theirs]
    assert everything(aws)[:2] == (["button-2"], ["rights-2"])


def test_in_a_real_account_no_group_is_asked_for(aws: Account) -> None:
    """The lesson's own client makes none there, and its IAM policy lets it list none."""
    thing.register(aws.iot, "my-button")
    grouped(aws, "my-button")
    assert closing.inventory(aws).groups
    assert closing.inventory(replace(aws, shared=True)).groups == ()


def test_a_policy_of_theirs_is_not_put_out_of_force(aws: Account) -> None:
    aws.iot.create_policy(policyName="rights", policyDocument=policy.to_json(RIGHTS))
    with pytest.raises(Exception, match="the lesson did not make"):
        policy.put_in_force(aws.iot, "rights", document(statement("iot:Publish", "*")))
    found = policy.find(aws.iot, "rights")
    assert found is not None
    assert found.text == policy.to_json(RIGHTS)


def test_put_in_force_refuses_only_what_aws_refuses(aws: Account) -> None:
    ours = document(
        statement("iot:Connect", "*", condition={"StringEquals": {"aws:PrincipalTag/team": "a"}})
    )
    policy.put_in_force(aws.iot, "rights", ours)  # a key that AWS IoT stores and does not document
    with pytest.raises(LessonError, match="Policy document is Malformed"):
        policy.put_in_force(aws.iot, "rights", {"Version": "2012-10-17"})
    found = policy.find(aws.iot, "rights")
    assert found is not None
    assert found.text == policy.to_json(ours)


def test_put_in_force_makes_room_and_repeats_nothing(aws: Account) -> None:
    for number in [*range(8), 7]:
        wanted = document(statement("iot:Publish", aws.arn("topic", str(number))))
        policy.put_in_force(aws.iot, "rights", wanted)
    versions = aws.iot.list_policy_versions(policyName="rights")["policyVersions"]
    assert [each["versionId"] for each in versions if each["isDefaultVersion"]] == ["8"]
    assert len(versions) == 5


def test_the_flowchart_says_what_is_there(aws: Account) -> None:
    bring_about(aws, frozenset(PARTS) - {"key lost"})
    chart = closing.flowchart(aws)
    [found] = closing.inventory(aws).certificates
    assert repr(chart).splitlines() == [
        "Thing button",
        f"Certificate 1: {found.certificate_id[:8]}… ACTIVE",
        "  is attached to Thing button",
        "  has policy rights",
        "Policy rights",
    ]
    svg = chart._repr_svg_()
    assert svg.count(">attached</text>") == svg.count("<path") == 2
    assert f">{found.certificate_id[:8]}… ACTIVE</text>" in svg
    assert "<title>Thing button" in svg
    assert closing.flowchart(aws) == chart


def test_the_flowchart_says_what_is_missing(aws: Account) -> None:
    chart = closing.flowchart(aws)
    assert repr(chart).splitlines() == ["No Thing", "No certificate", "No policy"]
    assert chart._repr_svg_().count('class="missing"') == 3


def colours(css: str, selector: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#\w{6})", css.split(selector)[1].split("}")[0]))


def test_the_flowchart_has_the_colours_of_the_way_of_a_message(aws: Account) -> None:
    css = closing.flowchart(aws).svg
    for number, selector in enumerate((".iot-flow {", "(prefers-color-scheme: dark)")):
        found = colours(css, selector)
        assert found.items() <= {name: pair[number] for name, pair in way.COLOURS.items()}.items()
        assert found.keys() == {"card", "edge", "field", "line", "quiet", "ink"}


def test_the_form_for_a_real_button_shows_no_secret(aws: Account) -> None:
    bring_about(aws, frozenset(PARTS) - {"key lost"})
    files = certificate.create(aws, "button")
    shown = str(closing.button_form(aws, thing.EXAMPLE_SERIAL, files))
    assert "keys/sandbox/button/private.pem.key" in shown
    assert thing.EXAMPLE_SERIAL[-8:] not in shown
    assert "BEGIN" not in shown


def test_another_devices_certificate_makes_no_step_done(aws: Account) -> None:
    policy.put_in_force(aws.iot, "rights", RIGHTS)
    for name in ("button", "listener"):
        thing.register(aws.iot, name)
        certificate.issue(aws, name, "rights")
    assert all(step.done for step in steps(closing.inventory(aws), "button"))
    files = certificate.create(aws, "button")
    aws.iot.detach_policy(policyName="rights", target=aws.arn("cert", files.certificate_id))
    left = [step.what for step in steps(closing.inventory(aws), "button") if not step.done]
    assert left == ["The policy exists", "The policy is attached"]


HAS: dict[str, Any] = {"status": "ACTIVE", "policies": ("rights",), "things": ("button",)}
HAS_NOT: dict[str, Any] = {"status": "INACTIVE", "policies": (), "things": ()}


def test_what_another_device_has_does_not_count(aws: Account) -> None:
    """The listener has a Thing, a policy and a certificate, too."""
    button.make_listener(aws, thing.EXAMPLE_SERIAL, "listener")
    assert not any(step.done for step in steps(closing.inventory(aws), "button"))


@pytest.mark.parametrize("missing", HAS)
@pytest.mark.parametrize("order", [1, -1], ids=["older first", "newer first"])
def test_the_certificate_that_is_furthest_counts(missing: str, order: int) -> None:
    """With two certificates, the steps are those of one: never some of each."""
    whole = Certificate("1", "", **HAS)
    less = replace(whole, certificate_id="2", **{missing: HAS_NOT[missing]})
    least = Certificate("3", "", **HAS_NOT | {"things": ("button",)})
    for more, other in [(whole, less), (less, least)]:
        found = closing.Inventory((), (), (more, other)[::order], ())
        alone = closing.Inventory((), (), (more,), ())
        assert steps(found, "button") == steps(alone, "button")
