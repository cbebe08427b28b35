"""The teacher's board shows what the accounts hold, and cleans them up."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from classes import ClassSandbox, start
from tables import rows

from helpers import button, certificate, policy, thing
from helpers.account import Account
from helpers.errors import LessonError
from sandbox.line import HttpLine
from workshop import board, live
from workshop.board import Class, Progress


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClassSandbox]:
    room = start(tmp_path_factory.mktemp("class"))
    yield room
    room.serving.terminate()
    room.serving.wait(timeout=10)


@pytest.fixture
def running(sandbox: ClassSandbox) -> ClassSandbox:
    """The sandbox of a class that nobody but the teacher has joined yet."""
    sandbox.send_everyone_home()
    sandbox.member("teacher", teacher=True)
    return sandbox


@pytest.fixture
def room(running: ClassSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Class:
    monkeypatch.setenv("IOT_TUTORIAL_MEMBERS", str(running.file))
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX_URL", running.url)
    monkeypatch.chdir(tmp_path)
    return board.open_class()


def seen(room: Class, name: str) -> Progress:
    return next(each for each in board.progress(room) if each.name == name)


def nothing(name: str) -> Progress:
    return Progress(name, False, False, False, False, False, (), "")


def refuse(account: Account, device: button.Device) -> None:
    posted = policy.as_posted(account.region, account.number, device.serial)
    policy.put_in_force(account.iot, "my-policy", posted)
    with pytest.raises(button.Refused):
        button.press(device)


def wire(account: Account) -> button.Device:
    """Take a learner through the lesson up to the press."""
    made = thing.register(account.iot, "my-button")
    least = policy.least_privilege(
        account.region, account.number, made.serial, client_id="my-button"
    )
    policy.put_in_force(account.iot, "my-policy", least)
    certificate.issue(account, "my-button", "my-policy")
    return button.device(account, "my-button")


def test_each_step_shows_as_it_is_done(running: ClassSandbox, room: Class) -> None:
    zoe = running.open("zoe")
    running.member("ada")
    assert board.progress(room) == [nothing("ada"), nothing("zoe")]
    made = thing.register(zoe.iot, "my-button")
    assert (seen(room, "zoe").thing, seen(room, "zoe").policy) == (True, False)
    listens = policy.least_privilege(zoe.region, zoe.number, made.serial, client_id="my-button")
    policy.put_in_force(zoe.iot, "my-policy", listens)
    assert (seen(room, "zoe").policy, seen(room, "zoe").active) == (True, False)
    files = certificate.create(zoe, "my-button")
    zoe.iot.update_certificate(certificateId=files.certificate_id, newStatus="ACTIVE")
    assert (seen(room, "zoe").active, seen(room, "zoe").attached) == (True, False)
    certificate.issue(zoe, "my-button", "my-policy")
    assert (seen(room, "zoe").attached, seen(room, "zoe").pressed) == (True, False)
    button.press(button.device(zoe, "my-button"))
    zoe.passed("02-narrow")
    zoe.passed("02-narrow")
    wait_for_pressed(room)
    assert seen(room, "zoe") == Progress("zoe", True, True, True, True, True, ("02-narrow",), "")
    zoe.iot.update_certificate(certificateId=files.certificate_id, newStatus="INACTIVE")
    assert not seen(room, "zoe").active
    assert seen(room, "ada") == nothing("ada")


def wait_for_pressed(room: Class) -> None:
    give_up = time.monotonic() + 5
    while not seen(room, "zoe").pressed and time.monotonic() < give_up:
        time.sleep(0.1)


def test_the_most_common_refusals_come_first(running: ClassSandbox, room: Class) -> None:
    ada, zoe = running.open("ada"), running.open("zoe")
    for account in (ada, zoe):
        refuse(account, wire(account))
        certificate.retire(account, "my-button")
    device = wire(zoe)
    zoe.iot.update_certificate(certificateId=device.files.certificate_id, newStatus="INACTIVE")
    with pytest.raises(button.Refused):
        button.press(device)
    (twice, wrong, both), (once, inactive, one) = rows(board.refusals(room))
    assert (twice, both, once, one) == ("2", "ada, zoe", "1", "zoe")
    assert wrong.startswith("Statement 1 of my-policy allows iot:Connect on a topic; a connection")
    assert inactive.endswith("is INACTIVE: only an ACTIVE one may connect")
    assert seen(room, "ada").last_refusal.startswith("Statement 1 of my-policy allows iot:Connect")
    assert seen(room, "zoe").last_refusal == inactive


def test_different_mistakes_are_counted_apart(
    running: ClassSandbox, room: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, zoe = running.open("ada"), running.open("zoe")
    for account in (ada, zoe):
        device = wire(account)
        refuse(account, device)  # a topic where a client belongs
        if account is zoe:
            policy.put_in_force(
                account.iot,
                "my-policy",
                policy.document(policy.statement("iot:Connect", account.arn("client", "other"))),
            )
            with pytest.raises(button.Refused):
                button.press(device)
        certificate.retire(account, "my-button")
    assert [(times, names) for times, _, names in rows(board.refusals(room))] == [
        ("2", "ada, zoe"),
        ("1", "zoe"),
    ]


def test_cleaning_up_one_leaves_the_others(running: ClassSandbox, room: Class) -> None:
    ada, zoe = running.open("ada"), running.open("zoe")
    wire(ada)
    zoe.iot.create_keys_and_certificate(setAsActive=True)  # attached to nothing
    wire(zoe)
    zoe.passed("x")
    assert board.clean_up(room, "zoe") == 4
    assert seen(room, "zoe") == nothing("zoe")
    assert seen(room, "ada").attached
    wire(zoe)  # whose key files are still there
    assert board.clean_up_all(room) == {"ada": 3, "zoe": 3}
    assert not any(each.thing for each in board.progress(room))
    with pytest.raises(LessonError, match="Signed in so far: ada, zoe"):
        board.clean_up(room, "zoë")


def test_only_the_teacher_can_open_it(
    running: ClassSandbox, room: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, zoe = running.member("ada"), running.member("zoe")
    for page in ("milestones", "forget"):
        line = HttpLine(room.url, ada.key)
        for ask in (line.read, line.change):
            assert ask(f"{page}/{zoe.account}") is None
    monkeypatch.delenv("IOT_TUTORIAL_MEMBERS")
    with pytest.raises(LessonError, match="for the teacher of a class"):
        board.open_class()


def test_the_live_board_keeps_looking(running: ClassSandbox, room: Class) -> None:
    """The last test: it ends the sandbox."""
    watching = live.Live(room, seconds=0.05)
    assert "zoe" not in watching.refresh()
    wire(running.open("zoe"))
    assert ">zoe</th>" in watching.refresh()
    running.serving.terminate()
    running.serving.wait(timeout=10)
    assert "Could not connect" in watching.refresh()
