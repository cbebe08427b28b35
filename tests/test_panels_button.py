"""The button's panel and the checklist, without a browser: real presses, some over TLS."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import conftest
import ipywidgets as widgets
import pytest
from panels_support import make_thing, message, paste

from helpers import button, certificate, closing, panels, policy, thing
from helpers.account import Account
from helpers.errors import LessonError
from helpers.panels.button_panel import ButtonPanel
from helpers.panels.panel import Outcome
from helpers.policy import least_privilege

ARRIVES = 5.0


def ready(aws: Account) -> None:
    """What notebooks 01 to 03 leave behind."""
    make_thing(aws)
    least = least_privilege(aws.region, aws.number, "G030JF055364XVRB", client_id="my-button")
    policy.put_in_force(aws.iot, "my-button-policy", least)
    certificate.issue(aws, "my-button", "my-button-policy")


async def settled(panel: ButtonPanel) -> None:
    await asyncio.gather(*panel._under_way)


def test_each_kind_of_press_arrives(both_ways: Account) -> None:
    async def press() -> list[Any]:
        panel = panels.button(both_ways)
        panel.single.click()
        panel.double.click()
        panel.long.click()
        await settled(panel)
        await panel.next(3)
        assert "LONG is published on iotbutton/G030JF055364XVRB" in message(panel)
        assert panel._messages.value.count("<li>") == 3
        panel._listening.stop()
        return [each.payload["clickType"] for each in panel.arrived]

    ready(both_ways)
    assert asyncio.run(press()) == ["SINGLE", "DOUBLE", "LONG"]


def test_a_press_never_blocks_the_page(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    async def press() -> tuple[float, str]:
        panel = panels.button(aws)
        await panel.listen()
        begun = time.monotonic()
        panel.single.click()
        took = time.monotonic() - begun
        await asyncio.sleep(0.1)
        under_way = message(panel)
        await settled(panel)
        panel._listening.stop()
        return took, under_way

    ready(aws)
    monkeypatch.setattr(button, "press", lambda *_: time.sleep(0.6))
    took, under_way = asyncio.run(press())
    assert took < 0.1
    assert "iot-under-way" in under_way and "Pressing: SINGLE …" in under_way


def test_a_refusal_is_red_and_has_its_reason(both_ways: Account) -> None:
    async def press() -> ButtonPanel:
        panel = panels.button(both_ways)
        await panel.press()
        panel._listening.stop()
        return panel

    ready(both_ways)
    posted = policy.as_posted(both_ways.region, both_ways.number, "G030JF055364XVRB")
    policy.put_in_force(both_ways.iot, "my-button-policy", posted)
    panel = asyncio.run(press())
    assert "iot-refused" in message(panel)
    assert "Statement 1 of my-button-policy allows iot:Connect on a topic" in message(panel)
    assert "iot-light-refused" in panel.single._dom_classes
    assert panel.arrived == []
    with pytest.raises(button.Refused):
        paste(panel.code, both_ways)


def test_its_code_does_the_same_and_the_panel_shows_it(inside: Account) -> None:
    async def press() -> list[str]:
        panel = panels.button(inside)
        await panel.press("DOUBLE")
        await panel.next()
        await asyncio.to_thread(paste, panel.code, inside)
        await panel.next(2)
        panel._listening.stop()
        return [each.payload["clickType"] for each in panel.arrived]

    ready(inside)
    assert asyncio.run(press()) == ["DOUBLE", "DOUBLE"]


def test_the_code_of_listen_does_the_same(aws: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """It waits, for what another thread presses."""

    async def listen() -> str:
        panel = panels.button(aws)
        await panel.listen()
        panel._listening.stop()
        listening = asyncio.create_task(asyncio.to_thread(paste, panel.code, aws))
        me = button.device(aws, "my-button")
        while not listening.done():
            await asyncio.to_thread(button.press, me)
        await listening
        return panel.code

    ready(aws)
    assert "with listen(" in asyncio.run(listen())
    assert "'clickType': 'SINGLE'" in capsys.readouterr().out


def test_listen_hands_the_focus_on(inside: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is disabled while it listens, and a browser drops the focus of such a button."""
    on: list[str] = []
    monkeypatch.setattr(widgets.Button, "focus", lambda it: on.append(it.description))

    async def listen() -> None:
        panel = panels.button(inside)
        panel.begin_to_listen()
        assert on == []
        panel.listening.click()
        await settled(panel)

    asyncio.run(listen())
    assert on == ["Press"]


def test_what_is_missing_is_told_and_nothing_is_made(inside: Account) -> None:
    async def press() -> list[str]:
        panel, says = panels.button(inside), []
        for click in (panel.press, panel.listen):
            await click()
            says.append(message(panel))
            assert not panel.listening.disabled
        return says

    for told in asyncio.run(press()):
        assert "There is no Thing &#x27;my-button&#x27;: register it first" in told
        assert "Or run this notebook from the top." in told
    assert closing.inventory(inside).empty
    make_thing(inside)
    for told in asyncio.run(press()):
        assert "issue its certificate first" in told
    assert [each.name for each in closing.inventory(inside).parts] == ["my-button"]  # type: ignore[union-attr]


def test_a_press_after_the_clean_up_makes_nothing(inside: Account) -> None:
    async def press() -> None:
        panel = panels.button(inside)
        await panel.press()
        await panel.next()
        closing.clean_up(inside)
        await panel.press()
        assert "register it first" in message(panel)
        assert "iot-light-refused" in panel.single._dom_classes
        assert not panel.listening.disabled
        assert not panel._listening.open
        assert "listens on" not in panel._silence.value

    ready(inside)
    asyncio.run(press())
    assert closing.inventory(inside).empty


def test_without_its_certificate_it_listens_no_more(both_ways: Account) -> None:
    """The broker ends such a connection after a second, AWS's after minutes: a press looks."""

    async def press() -> None:
        panel = panels.button(both_ways)
        await panel.press()
        await panel.next()
        certificate.retire(both_ways, "my-panel")
        await panel.press()  # at once, before the broker notices
        await panel.next(2)
        certificate.retire(both_ways, "my-panel")
        async with asyncio.timeout(ARRIVES):
            while "listens on" in panel._silence.value:
                await asyncio.sleep(0.05)
        # It is switched off first, then deleted: the broker notices one or the other.
        assert "only an ACTIVE one may connect. No listener now" in panel._silence.value
        assert not panel.listening.disabled

    ready(both_ways)
    asyncio.run(press())


def test_without_the_button_it_listens_no_more(inside: Account) -> None:
    async def press() -> None:
        panel = panels.button(inside)
        await panel.press()
        await panel.next()
        certificate.retire(inside, "my-button")
        thing.remove(inside.iot, "my-button")
        await panel.press()
        assert "register it first" in message(panel)
        assert not panel.listening.disabled and not panel._listening.open
        assert "listens on" not in panel._silence.value

    ready(inside)
    asyncio.run(press())


def test_it_listens_to_the_button_that_is_there_when_pressed(inside: Account) -> None:
    async def press() -> list[str]:
        panel = panels.button(inside)
        await panel.press()
        await panel.next()
        certificate.retire(inside, "my-button")
        thing.remove(inside.iot, "my-button")
        thing.register(inside.iot, "my-button", serial="G030JF053216F1BS")
        rights = least_privilege(
            inside.region, inside.number, "G030JF053216F1BS", client_id="my-button"
        )
        policy.put_in_force(inside.iot, "my-button-policy", rights)
        certificate.issue(inside, "my-button", "my-button-policy")
        await panel.press()
        await panel.next(2)
        panel._listening.stop()
        return [each.topic for each in panel.arrived]

    ready(inside)
    topics = asyncio.run(press())
    assert topics == ["iotbutton/G030JF055364XVRB", "iotbutton/G030JF053216F1BS"]


def test_where_to_read_on_is_shown(inside: Account) -> None:
    problem = LessonError("It is odd.")
    problem.where = 'troubleshooting.md, "It is odd"'  # type: ignore[attr-defined]
    outcome = Outcome(inside.iot)
    with outcome.of("Trying", "Done."):
        raise problem
    assert "See troubleshooting.md, &quot;It is odd&quot;." in message(
        SimpleNamespace(outcome=outcome)
    )


def test_it_shows_what_no_button_would_send(inside: Account) -> None:
    async def listen() -> str:
        panel = panels.button(inside)
        await panel.listen()
        data = conftest.client(inside, "iot-data")
        for odd in (b"gr\xc3\xbcezi <b>", b'{"clickType": "\\ud800"}', b'{"clickType": [1]}'):
            await asyncio.to_thread(data.publish, topic=panel._listening.topic, qos=1, payload=odd)
        await panel.next(3)
        assert panel._listening.open
        panel._listening.stop()
        return str(panel._messages.value)

    ready(inside)
    shown = asyncio.run(listen())
    assert "<strong>A message</strong> on iotbutton/" in shown
    assert "grüezi &lt;b&gt;" in shown and "<strong>[1]</strong>" in shown
    shown.encode()  # a page takes UTF-8


def test_when_a_message_cannot_be_shown_it_says_so(
    inside: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def press() -> str:
        panel = panels.button(inside)
        await panel.press()
        async with asyncio.timeout(ARRIVES):
            while panel._listening.open:
                await asyncio.sleep(0.05)
        assert not panel.listening.disabled
        return str(panel._silence.value)

    ready(inside)
    monkeypatch.setattr(ButtonPanel, "show_arrival", lambda *_: 1 / 0)
    assert "ZeroDivisionError: division by zero. No listener now" in asyncio.run(press())


def test_it_listens_again_after_its_connection_was_cut(inside: Account) -> None:
    async def press() -> None:
        panel = panels.button(inside)
        await panel.press()
        await panel.next()
        closing.clean_up(inside)  # takes the listener's certificate, too
        async with asyncio.timeout(ARRIVES):
            while "could not stay connected" not in panel._silence.value:
                await asyncio.sleep(0.05)
        assert not panel.listening.disabled
        ready(inside)
        await panel.press()
        await panel.next(2)
        panel._listening.stop()

    ready(inside)
    asyncio.run(press())


def test_the_checklist_follows_what_is_done(inside: Account) -> None:
    async def follow() -> list[int]:
        checklist = panels.checklist(inside)
        done = []
        for change in (lambda: None, lambda: ready(inside), lambda: closing.clean_up(inside)):
            change()
            await asyncio.sleep(0)  # the cell ends
            done.append(sum(step.done for step in checklist.steps))
        return done

    assert asyncio.run(follow()) == [0, 7, 0]


def test_the_checklist_follows_what_another_thread_does(inside: Account) -> None:
    async def follow() -> int:
        checklist = panels.checklist(inside)
        await asyncio.to_thread(make_thing, inside)
        await asyncio.sleep(0)
        return sum(step.done for step in checklist.steps)

    assert asyncio.run(follow()) == 1


def test_without_a_loop_the_checklist_looks_at_once(inside: Account) -> None:
    checklist = panels.checklist(inside)
    make_thing(inside)
    assert checklist.steps[0].done
    assert "See 02-policy" in checklist._table.value


def test_the_checklist_looks_again_when_asked(inside: Account) -> None:
    checklist = panels.checklist(inside)
    old = checklist._table.value
    newer = panels.checklist(inside)  # it takes the place of the first
    make_thing(inside)
    assert checklist._table.value == old
    checklist.button.click()
    assert checklist._table.value == newer._table.value != old
