"""What a sandbox writes down, and finds again: the registry of every account, and milestones."""

import json
from pathlib import Path

import in_process
import pytest
from moto.iot.models import iot_backends

from sandbox.process import ACCOUNT, REGION
from sandbox.state import MILESTONES_PER_ACCOUNT, Milestones, State

pytestmark = pytest.mark.usefixtures("nowhere")


def test_the_registry_comes_back_with_what_it_held(tmp_path: Path) -> None:
    iot = in_process.client()
    iot.create_thing(thingName="a")
    made = iot.create_keys_and_certificate(setAsActive=True)
    arn, alone = made["certificateArn"], "EXCLUSIVE_THING"
    iot.attach_thing_principal(thingName="a", principal=arn, thingPrincipalType=alone)
    held = in_process.holdings()
    State(tmp_path / "state").save()
    in_process.empty()
    assert in_process.holdings() != held
    State(tmp_path / "state").restore()
    assert in_process.holdings() == held
    found = iot.list_thing_principals_v2(thingName="a")["thingPrincipalObjects"]
    assert found == [{"principal": arn, "thingPrincipalType": alone}]


def test_every_account_and_region_is_kept_apart(tmp_path: Path) -> None:
    places = [(ACCOUNT, REGION), (ACCOUNT, "us-east-1"), ("444455556666", REGION)]
    try:
        for number, (account, region) in enumerate(places):
            iot_backends[account][region].create_thing_type(f"type-{number}", {})
        State(tmp_path / "state").save()
        for account, region in places:
            iot_backends[account][region].reset()
        State(tmp_path / "state").restore()
        for number, (account, region) in enumerate(places):
            types = iot_backends[account][region].thing_types.values()
            assert [each.thing_type_name for each in types] == [f"type-{number}"]
    finally:
        for account, region in places:
            iot_backends[account][region].reset()


def test_nothing_is_written_where_nothing_has_changed(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.save()
    written = state.file.stat()
    state.save()
    assert state.file.stat().st_ino == written.st_ino
    in_process.client().create_thing(thingName="a")
    state.save()
    assert state.file.stat().st_ino != written.st_ino


def test_without_a_file_there_is_nothing_to_bring_back(tmp_path: Path) -> None:
    held = in_process.holdings()
    State(tmp_path / "state").restore()
    assert in_process.holdings() == held
    assert list(tmp_path.iterdir()) == []


def test_a_milestone_counts_once_and_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "milestones"
    milestones = Milestones(file)
    assert milestones.reach(f"{ACCOUNT}/pressed") is True
    reached = milestones.of(ACCOUNT)
    assert milestones.reach(f"{ACCOUNT}/pressed") is False
    assert milestones.of(ACCOUNT) == Milestones(file).of(ACCOUNT) == reached
    assert milestones.of("444455556666") == {}


def test_milestones_are_forgotten_for_good(tmp_path: Path) -> None:
    file = tmp_path / "milestones"
    milestones = Milestones(file)
    milestones.reach(f"{ACCOUNT}/pressed")
    milestones.reach("444455556666/pressed")
    assert milestones.forget(ACCOUNT) is True
    assert milestones.forget(ACCOUNT) is False
    assert list(json.loads(file.read_text().splitlines()[1])) == ["444455556666"]


@pytest.mark.parametrize(
    ("rest", "is_one"),
    [
        (f"{ACCOUNT}/{'x' * 64}", True),
        (f"{ACCOUNT}/02-narrow_it.down", True),
        (f"{ACCOUNT}/{'x' * 65}", False),
        (f"{ACCOUNT}/", False),
        (ACCOUNT, False),
        (f"{ACCOUNT}/a b", False),
        (f"{ACCOUNT}/a/b", False),
        (f"{ACCOUNT}/a\n", False),
        (f"{ACCOUNT}1/a", False),
        ("12345678901/a", False),
        ("/a", False),
    ],
)
def test_what_may_be_recorded(tmp_path: Path, rest: str, is_one: bool) -> None:
    milestones = Milestones(tmp_path / "milestones")
    assert milestones.reach(rest) is is_one
    assert bool(milestones.of(rest.partition("/")[0])) == is_one


def test_milestones_are_bounded(tmp_path: Path) -> None:
    milestones = Milestones(tmp_path / "milestones")
    new = [milestones.reach(f"{ACCOUNT}/{number}") for number in range(60)]
    assert new == [True] * 50 + [False] * 10
    assert MILESTONES_PER_ACCOUNT == 50
    assert milestones.reach("444455556666/first") is True  # another's are not counted
