"""The button that works from the first line on: wired by one call, and gone by another."""

import asyncio
import re
from threading import Event
from time import sleep
from typing import Any

import in_process
import lessons
import pytest
from panels_support import message, shown_before_it_runs, state

from helpers import button, certificate, closing, panels, policy, thing
from helpers.account import Account
from helpers.button import Device
from helpers.errors import LessonError
from helpers.key_files import saved
from helpers.panels import trial_panel as module
from helpers.panels.trial_panel import GONE, Trial, Waiting
from publish import pictures

ALL_GONE = (
    "Gone: 2 certificates, 2 policies, 2 Things, 2 folders of key files. "
    "The account is as it was before."
)


def made(aws: Account) -> Trial:
    trial = panels.trial(aws)
    assert isinstance(trial, Trial)
    return trial


def everything(aws: Account) -> Any:
    return in_process.holdings(), lessons.left_over(), aws.ledger.ids()


def test_a_press_arrives_and_then_all_of_it_is_gone(both_ways: Account) -> None:
    async def press() -> None:
        trial = made(both_ways)
        trial.single.click()
        arrived = await trial.next()
        assert arrived.topic == "iotbutton/G030JF055364XVRB"
        assert arrived.payload["clickType"] == "SINGLE"
        assert "my-trial-listener listens on" in trial._silence.value
        assert trial.listening.disabled and trial.code
        assert repr(trial.remove()) == ALL_GONE
        assert GONE in message(trial) and "iot-idle" in message(trial)
        assert trial._silence.value == "" and not trial._listening.open
        assert not trial.listening.disabled and not trial.code
        assert "iot-light-done" not in trial.single._dom_classes
        await trial.press("DOUBLE")
        assert GONE in message(trial) and "iot-refused" in message(trial)
        await trial.listen()
        assert GONE in message(trial)
        assert len(trial.arrived) == 1

    before = state(both_ways)
    asyncio.run(press())
    assert state(both_ways) == before == [[], [], [], []]
    assert closing.inventory(both_ways).empty


def test_a_press_that_is_under_way_makes_nothing_after_the_removal(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell blocks the page, but not the thread in which a press makes its listener."""
    begun, real = Event(), button.make_listener

    def slow(*listener: Any) -> Device:
        begun.set()
        sleep(0.2)
        return real(*listener)

    async def press() -> None:
        trial = made(aws)
        monkeypatch.setattr(button, "make_listener", slow)
        trial.single.click()
        await asyncio.to_thread(begun.wait)
        trial.remove()
        await asyncio.gather(*trial._under_way)
        assert GONE in message(trial)

    asyncio.run(press())
    assert closing.inventory(aws).empty


def test_it_leaves_the_account_as_it_was_nothing_more_and_nothing_less(inside: Account) -> None:
    lessons.by_hand(inside)
    lessons.others("my-trial")
    thing.register(inside.iot, "my-trial-2")
    before = everything(inside)
    trial = made(inside)
    assert {each.name for each in thing.made_here(inside.iot)} == {
        *("my-button", "my-trial-2", "my-trial", "my-trial-listener")
    }
    assert repr(trial.remove()) == ALL_GONE
    assert everything(inside) == before


def test_the_cell_run_twice_and_a_kernel_that_restarted(inside: Account) -> None:
    before = everything(inside)
    first = made(inside)
    between = everything(inside)
    again = made(in_process.own_account())
    assert everything(inside) == between
    assert repr(again.remove()) == ALL_GONE
    assert everything(inside) == before
    for trial in (first, again):
        assert repr(trial.remove()) == module.NOTHING
    third = made(inside)
    assert repr(third.remove()) == ALL_GONE
    assert everything(inside) == before


def test_after_the_clean_up_nothing_is_left_to_remove(inside: Account) -> None:
    trial = made(inside)
    closing.clean_up(inside)
    assert repr(trial.remove()) == module.NOTHING
    thing.register(inside.iot, "my-trial")
    assert repr(trial.remove()).startswith("Gone: 1 Thing. ")
    assert trial.remove()._repr_html_() == f"<p>{module.NOTHING}</p>"


@pytest.mark.parametrize("files", [True, False])
def test_what_is_attached_across_is_only_detached(inside: Account, files: bool) -> None:
    """A learner tries: the button's certificate on the trial's policy, and the other way round."""
    lessons.small(inside)
    before = everything(inside)
    trial = made(inside)
    found = {each.things[0]: each for each in closing.inventory(inside).certificates}
    inside.iot.attach_policy(policyName="my-trial-policy", target=found["my-button"].arn)
    inside.iot.attach_policy(policyName="my-button-policy", target=found["my-trial"].arn)
    inside.iot.attach_thing_principal(thingName="my-trial", principal=found["my-button"].arn)
    if not files:  # then it is known by what it is attached to
        inside.iot.detach_policy(policyName="my-button-policy", target=found["my-trial"].arn)
        files = saved(inside.key_folder / "my-trial")
        assert files is not None
        closing.remove(inside, files)
        assert saved(inside.key_folder / "my-trial") is None
        trial = made(inside)  # as after a restart: it has issued another one
    trial.remove()
    assert everything(inside) == before


def test_certificates_that_are_attached_to_nothing_stay(inside: Account) -> None:
    certificate.create(inside, "my-button")
    before = everything(inside)
    assert repr(made(inside).remove()) == ALL_GONE
    assert everything(inside) == before


def test_a_certificate_of_its_own_goes_though_nothing_shows_whose_it_is(inside: Account) -> None:
    before = everything(inside)
    trial = made(inside)
    [its_own] = [
        each for each in closing.inventory(inside).certificates if each.things == ("my-trial",)
    ]
    inside.iot.detach_policy(policyName="my-trial-policy", target=its_own.arn)
    inside.iot.detach_thing_principal(thingName="my-trial", principal=its_own.arn)
    folder = inside.key_folder / "my-trial"
    folder.rename(folder.with_name("renamed"))
    assert repr(trial.remove()) == ALL_GONE
    assert everything(inside) == before


def test_a_listener_s_certificate_of_later_goes_too(inside: Account) -> None:
    async def press() -> None:
        trial = made(inside)
        certificate.retire(inside, "my-trial-listener")
        await trial.press()
        later = trial._listening.certificate_id
        arn = inside.arn("cert", later)
        inside.iot.detach_policy(policyName="my-trial-listener-policy", target=arn)
        inside.iot.detach_thing_principal(thingName="my-trial-listener", principal=arn)
        folder = inside.key_folder / "my-trial-listener"
        folder.rename(folder.with_name("renamed"))
        assert repr(trial.remove()) == ALL_GONE
        assert certificate.find(inside.iot, later) is None

    asyncio.run(press())


def test_what_stays_is_told(inside: Account) -> None:
    trial = made(inside)
    inside.iot.update_thing(
        thingName="my-trial", attributePayload={"attributes": {"madeBy": ""}, "merge": True}
    )
    arn = inside.arn("policy", "my-trial-policy")
    inside.iot.untag_resource(resourceArn=arn, tagKeys=["madeBy"])
    told = repr(trial.remove())
    assert "as it was before" not in told
    assert " Still there: policy my-trial-policy, Thing my-trial. " in told
    assert repr(trial.remove()).startswith(f"{module.NOTHING} Still there: policy ")


def test_a_certificate_that_stays_is_told(inside: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = made(inside)
    monkeypatch.setattr(closing, "remove", lambda *_: None)
    assert re.search("Still there: certificate [0-9a-f]{8}…, certificate ", repr(trial.remove()))


def test_where_it_cannot_be_made_nothing_of_it_stays(inside: Account) -> None:
    in_process.client().create_thing(thingName="my-trial-listener")
    before = everything(inside)
    with pytest.raises(LessonError, match="did not make"):
        panels.trial(inside)
    assert everything(inside) == before


def test_a_stranger_s_thing_of_that_name_is_left_alone(inside: Account) -> None:
    in_process.client().create_thing(thingName="my-trial")
    before = everything(inside)
    with pytest.raises(LessonError, match="did not make"):
        panels.trial(inside)
    assert everything(inside) == before


def test_it_may_no_more_than_a_button_needs(inside: Account) -> None:
    made(inside)
    rights = policy.find(inside.iot, "my-trial-policy")
    least = policy.least_privilege(
        inside.region, inside.number, thing.EXAMPLE_SERIAL, client_id="my-trial"
    )
    assert rights is not None and rights.text == policy.to_json(least)


def test_as_opened_each_panel_is_its_picture(inside: Account) -> None:
    kinds = (panels.trial, panels.thing, panels.policy, panels.certificate, panels.checklist)
    shown = [shown_before_it_runs(kind(inside)) for kind in (*kinds, panels.button)]
    assert shown == [shown_before_it_runs(kind(inside)) for kind in (*kinds, panels.button)]
    pattern = r'<img src="pictures/(\S+)" alt="[^"]{40,}" width="\d+"><p><em>A picture\. Run .+</p>'
    found = [re.fullmatch(pattern, html) for html in shown]
    files = [each[1] for each in found if each]
    assert files == [each.file for each in pictures.PICTURES if not each.alternative]
    assert all((pictures.FOLDER / file).exists() for file in files)


def test_in_a_real_account_it_makes_nothing_and_says_why(nowhere: None) -> None:
    aws = in_process.shared_account()
    trial = panels.trial(aws)
    assert isinstance(trial, Waiting)
    assert repr(trial) == module.WAITS and "\n" not in module.WAITS
    assert "notebook 04" in module.WAITS
    assert repr(trial.remove()) == module.NOTHING
    assert not any(in_process.holdings().values())
    assert lessons.left_over() == []
