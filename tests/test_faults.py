"""The lesson on an AWS that throttles, fails, loses answers and detaches late: seeds of it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import in_process
import lessons
import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from helpers import certificate, closing
from helpers.account import Account, connect
from helpers.key_files import all_saved
from sandbox import process
from sandbox.control import Application
from sandbox.faults import CALLS_LATER, Faults, LostAnswer
from sandbox.inside import NOWHERE

SEEDS = range(30)
"""For each of the two kinds of account."""
MORE_SEEDS = range(30, 1000)

Kind = Callable[[Application], Account]


@cache
def without_faults(kind: Kind) -> Account:
    return kind(in_process.sandbox())


def run(kind: Kind, lesson: Callable[[Account], None], seed: int) -> None:
    """The lesson ends with everything made, the clean-up with nothing left, others untouched."""
    calm = without_faults(kind)
    lessons.others(calm.learner)
    theirs = in_process.holdings()
    aws = kind(Faults(in_process.sandbox(), seed))
    lessons.until_it_works(lambda: lesson(aws))
    lessons.assert_complete(calm)
    lessons.until_it_works(lambda: closing.clean_up(aws))
    assert in_process.holdings() == theirs
    assert lessons.left_over() == []


@pytest.mark.usefixtures("nowhere")
class TestOwnAccount:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_seed(self, seed: int) -> None:
        run(in_process.own_account, (lessons.small, lessons.by_hand)[seed % 2], seed)

    @pytest.mark.long
    @pytest.mark.parametrize("seed", MORE_SEEDS)
    def test_more(self, seed: int) -> None:
        run(in_process.own_account, (lessons.small, lessons.by_hand)[seed % 2], seed)


@pytest.mark.usefixtures("nowhere")
class TestSharedAccount:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_seed(self, seed: int) -> None:
        run(in_process.shared_account, lessons.small, seed)

    @pytest.mark.long
    @pytest.mark.parametrize("seed", MORE_SEEDS)
    def test_more(self, seed: int) -> None:
        run(in_process.shared_account, lessons.small, seed)


def troubles(seed: int) -> list[tuple[str, bool]]:
    """What becomes of thirty requests: the status, or that the answer was lost."""
    faults = Faults(in_process.sandbox(), seed)
    met: list[tuple[str, bool]] = []
    for _ in range(30):
        asked = EnvironBuilder("/things", NOWHERE, headers=SIGNED).get_environ()
        try:
            met.append((run_wsgi_app(faults, asked)[1][:3], False))
        except LostAnswer:
            met.append(("", True))
    return met


SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20261123/eu-west-1/iot/aws4_request"}


@pytest.mark.usefixtures("nowhere")
def test_a_seed_gives_the_same_trouble_each_time() -> None:
    assert troubles(3) == troubles(3)
    assert troubles(3) != troubles(4)
    seen = {met for seed in range(10) for met in troubles(seed)}
    assert seen == {
        ("200", False),
        ("400", False),
        ("500", False),
        ("", True),
    }


@pytest.mark.usefixtures("nowhere")
def test_a_detachment_shows_some_calls_later() -> None:
    """As on AWS, and what is attached again meanwhile stays attached."""
    aws = in_process.own_account(Faults(in_process.sandbox(), 0))
    lessons.until_it_works(lambda: lessons.small(aws))
    (files,) = all_saved(aws.key_folder)
    arn = aws.arn("cert", files.certificate_id)

    def things() -> tuple[str, ...]:
        found = certificate.find(in_process.client(), files.certificate_id)
        assert found is not None
        return found.things

    def detach() -> None:
        aws.iot.detach_thing_principal(thingName="my-button", principal=arn)

    lessons.until_it_works(detach)
    assert things() == ("my-button",)
    for _ in range(CALLS_LATER[1]):
        lessons.until_it_works(aws.iot.list_things)
    assert things() == ()
    lessons.until_it_works(
        lambda: aws.iot.attach_thing_principal(thingName="my-button", principal=arn)
    )
    lessons.until_it_works(detach)
    lessons.until_it_works(
        lambda: aws.iot.attach_thing_principal(thingName="my-button", principal=arn)
    )
    for _ in range(CALLS_LATER[1]):
        lessons.until_it_works(aws.iot.list_things)
    assert things() == ("my-button",)


@pytest.mark.long
def test_the_sandbox_itself_can_be_switched_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real process, real answers that do not come: the lesson and the clean-up as above."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOT_TUTORIAL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("IOT_TUTORIAL_FAULTS", "5")
    try:
        aws = connect()
        retried: list[int] = []
        aws.iot.meta.events.register(
            "after-call.iot",
            lambda parsed, **_: retried.append(parsed["ResponseMetadata"].get("RetryAttempts", 0)),
        )
        lessons.until_it_works(lambda: lessons.small(aws))
        lessons.until_it_works(lambda: closing.clean_up(aws))
        lessons.until_it_works(lambda: aws.iot.list_certificates()["certificates"])
        assert sum(retried) > 0
        assert not aws.key_folder.exists() or in_process.files(aws.key_folder) == []
    finally:
        process.stop(tmp_path / "state")
