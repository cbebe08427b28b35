"""A quarantine group: from its Deny to a clean account, in this process and in one of its own."""

import time

import pytest

from helpers import button, certificate, closing, policy, thing
from helpers.account import Account
from helpers.button import Device, Refused
from iot_policy import document, statement

SERIAL = thing.EXAMPLE_SERIAL
NOTHING = document(statement("iot:*", "*", effect="Deny"))
GROUPS = (("fleet", {}), ("quarantine", {"parentGroupName": "fleet"}))


@pytest.fixture
def ear(both_ways: Account) -> Device:
    """A listener whose Thing is in no group yet."""
    iot = both_ways.iot
    for name, parent in GROUPS:
        iot.create_thing_group(thingGroupName=name, **parent)
    policy.put_in_force(iot, "no-more", NOTHING)
    iot.attach_policy(policyName="no-more", target=both_ways.arn("thinggroup", "quarantine"))
    return button.make_listener(both_ways, SERIAL, "my-ear")


def test_quarantine_cuts_a_connected_device_and_says_why(ear: Device) -> None:
    iot = ear.account.iot
    before = ear.account.refusals()[-1:]  # of tests in the same process
    with button.listen(ear, ear.topic) as arrived:
        iot.add_thing_to_thing_group(thingGroupName="quarantine", thingName="my-ear")
        since = time.monotonic()
        while ear.account.refusals()[-1:] == before and time.monotonic() < since + 5:
            assert arrived.empty or ear.account.refusals()[-1:] != before
        assert time.monotonic() - since < 2
        with pytest.raises(Refused, match=r"no-more \(from group quarantine\) denies it") as cut:
            arrived.next()
    assert "no-more (from group quarantine), statement 1 (Deny): denies it" in cut.value.explanation
    *others, refusal = ear.account.refusals()
    assert others[-1:] == before
    assert (refusal.action, refusal.verdict) == ("iot:Connect", "EXPLICIT_DENY")
    with pytest.raises(Refused, match="from group quarantine"), button.listen(ear, ear.topic):
        pass
    iot.remove_thing_from_thing_group(thingGroupName="quarantine", thingName="my-ear")
    with button.listen(ear, ear.topic) as arrived:
        assert arrived.empty


def test_the_flowchart_shows_it_and_clean_up_empties_the_account(ear: Device) -> None:
    iot = ear.account.iot
    iot.add_thing_to_thing_group(thingGroupName="quarantine", thingName="my-ear")
    found = certificate.find(iot, ear.files.certificate_id)
    assert found is not None
    chart = closing.flowchart(ear.account)
    assert repr(chart).splitlines() == [
        "Thing my-ear",
        f"Certificate 1: {found.certificate_id[:8]}… ACTIVE",
        "  is attached to Thing my-ear",
        "  has policy my-ear-policy",
        "Thing group quarantine in fleet",
        "  has Thing my-ear",
        "  has policy no-more",
        "Thing group fleet",
        "Policy my-ear-policy",
        "Policy no-more",
    ]
    assert chart.svg.count("<path") == 4
    assert chart.svg.count(">Thing group</text>") == 2
    assert [(kind, name) for kind, name in closing.clean_up(ear.account) if "group" in kind] == [
        ("thing group", "quarantine"),
        ("thing group", "fleet"),
    ]
    assert closing.inventory(ear.account).empty
    for operation, listed in (
        ("list_things", "things"),
        ("list_thing_groups", "thingGroups"),
        ("list_policies", "policies"),
        ("list_certificates", "certificates"),
    ):
        assert getattr(iot, operation)()[listed] == []
