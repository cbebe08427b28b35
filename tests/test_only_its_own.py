"""In an account that others use, the lesson changes what it made for its learner, nothing else."""

from typing import Any

import in_process
import lessons
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.stub import Stubber
from tables import rows
from test_interruptions import Line

from helpers import certificate, closing, policy, thing, waiting
from helpers.account import Account
from helpers.errors import LessonError
from helpers.key_files import all_saved
from sandbox.faults import LostAnswer

pytestmark = pytest.mark.usefixtures("nowhere")

TEXT = policy.to_json(policy.document(policy.statement("iot:Connect", "*")))


@pytest.fixture
def stranger(nowhere: None) -> Any:
    return in_process.client()


@pytest.fixture
def zoe(nowhere: None) -> Account:
    return in_process.shared_account()


@pytest.mark.parametrize("kind", [in_process.own_account, in_process.shared_account])
def test_a_thing_of_that_name_is_someone_elses(kind: Any, stranger: Any) -> None:
    aws = kind(in_process.sandbox())
    stranger.create_thing(thingName=aws.name("button"))
    before = in_process.holdings()
    for change in (thing.register, thing.remove):
        with pytest.raises(
            LessonError, match=f"a Thing '{aws.name('button')}' that the lesson did"
        ):
            change(aws.iot, aws.name("button"))
    assert closing.clean_up(aws) == []
    assert in_process.holdings() == before


@pytest.mark.parametrize("kind", [in_process.own_account, in_process.shared_account])
def test_a_policy_of_that_name_is_someone_elses(kind: Any, stranger: Any) -> None:
    aws = kind(in_process.sandbox())
    name = aws.name("button-policy")
    stranger.create_policy(policyName=name, policyDocument=TEXT)
    before = in_process.holdings()
    with pytest.raises(LessonError, match=f"a policy '{name}' that the lesson did not make"):
        policy.put_in_force(aws.iot, name, policy.document(policy.statement("iot:Publish", "*")))
    with pytest.raises(LessonError, match=f"a policy '{name}' that the lesson did not make"):
        policy.remove(aws.iot, name)
    assert closing.clean_up(aws) == []
    assert in_process.holdings() == before


def test_one_learner_cleans_up_and_the_other_keeps_everything(zoe: Account) -> None:
    ada = in_process.shared_account(learner="ada")
    lessons.small(ada)
    before = in_process.holdings()
    lessons.small(zoe)
    assert {removed.kind for removed in closing.clean_up(zoe)} == {
        "certificate",
        "policy",
        "Thing",
        "key files",
    }
    assert in_process.holdings() == before
    lessons.assert_complete(ada)


def test_what_goes_is_shown_first_and_nothing_else_goes(zoe: Account) -> None:
    lessons.small(zoe)
    shown = rows(closing.to_remove(zoe))
    gone = [[part.kind, part.name] for part in closing.clean_up(zoe)]
    gone[0][1] = f"{gone[0][1][:8]}…"
    assert gone == shown
    assert rows(closing.to_remove(zoe)) == []


def arn_of(made: dict[str, str]) -> str:
    return made["certificateArn"]


@pytest.mark.parametrize(
    "call",
    [
        lambda iot, _: iot.create_thing(thingName="ada-button"),
        lambda iot, _: iot.delete_thing(thingName="ada-button"),
        lambda iot, _: iot.update_thing(thingName="zoe-button", removeThingType=True),
        lambda iot, _: iot.create_policy(policyName="zoe2-policy", policyDocument=TEXT),
        lambda iot, _: iot.delete_policy(policyName="zoe"),
        lambda iot, made: iot.update_certificate(
            certificateId=made["certificateId"], newStatus="INACTIVE"
        ),
        lambda iot, made: iot.delete_certificate(certificateId=made["certificateId"]),
        lambda iot, made: iot.attach_policy(policyName="zoe-policy", target=arn_of(made)),
        lambda iot, made: iot.detach_policy(policyName="ada-policy", target=arn_of(made)),
        lambda iot, made: iot.attach_thing_principal(
            thingName="zoe-button", principal=arn_of(made)
        ),
        lambda iot, made: iot.detach_thing_principal(
            thingName="ada-button", principal=arn_of(made)
        ),
        lambda iot, _: iot.create_thing_type(thingTypeName="zoe-type"),
        lambda iot, _: iot.delete_topic_rule(ruleName="zoe-rule"),
        lambda iot, _: iot.set_v2_logging_options(disableAllLogs=True),
    ],
    ids=lambda call: " ".join(name for name in call.__code__.co_names if "_" in name)[:24],
)
def test_the_client_itself_does_not_change_what_is_not_the_learners(
    call: Any, stranger: Any
) -> None:
    made = stranger.create_keys_and_certificate(setAsActive=True)
    line = Line()
    aws = in_process.shared_account(line)
    with pytest.raises(LessonError, match="was not sent"):
        call(aws.iot, made)
    assert line.requests == 0


def lose_the_answer(line: Line, call: int) -> None:
    line.cut(call, carried_out=True)
    line.with_what = LostAnswer


def test_of_two_new_certificates_only_ours_goes(zoe: Account, stranger: Any) -> None:
    """The answer is lost, and somebody else makes a certificate at the same moment."""
    line = Line()
    aws = in_process.shared_account(line)
    made = []

    def at_the_same_moment(**_: Any) -> None:
        made.append(stranger.create_keys_and_certificate(setAsActive=False)["certificateId"])

    aws.iot.meta.events.register("before-send.iot.CreateCertificateFromCsr", at_the_same_moment)
    lose_the_answer(line, 2)
    files = certificate.create(aws, "zoe-button")
    listed = [each["certificateId"] for each in stranger.list_certificates()["certificates"]]
    assert sorted(listed) == sorted([files.certificate_id, *made])
    assert len(made) == 2
    assert aws.ledger.calls() == []


def test_what_cannot_be_told_from_anothers_is_named_and_stays(stranger: Any) -> None:
    """The post's own call leaves no proof of whose certificate it made."""
    line = Line()
    aws = in_process.shared_account(line)
    aws.iot.meta.events.register("needs-retry.iot", _never_again)
    lose_the_answer(line, 2)
    with pytest.raises(ConnectionClosedError):
        aws.iot.create_keys_and_certificate(setAsActive=False)
    anothers = stranger.create_keys_and_certificate(setAsActive=False)["certificateId"]
    before = in_process.holdings()
    lessons.small(aws)
    with pytest.raises(LessonError, match="answers was lost") as problem:
        closing.clean_up(aws)
    assert anothers in str(problem.value)
    assert all(each in str(problem.value) for each in before["certificates"])
    assert in_process.holdings() == before
    assert all_saved(aws.key_folder) == []


def test_a_fifth_version_whose_answer_is_lost_is_there(nowhere: None) -> None:
    """boto3 tries again, and AWS answers that five are the most: the fifth is the right one."""
    line = Line()
    aws = in_process.own_account(line)
    for number in range(4):
        policy.put_in_force(aws.iot, "rights", rights(number))
    lose_the_answer(line, 5)  # create, get, tags, versions: the fifth call makes the version
    policy.put_in_force(aws.iot, "rights", rights(4))
    found = policy.find(aws.iot, "rights")
    assert found is not None and found.text == policy.to_json(rights(4))
    assert len(aws.iot.list_policy_versions(policyName="rights")["policyVersions"]) == 5


def test_a_sixth_version_that_is_not_there_is_told(
    zoe: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        policy.put_in_force(zoe.iot, "zoe-rights", rights(number))
    monkeypatch.setattr(policy, "MOST_VERSIONS", 99)
    with pytest.raises(zoe.iot.exceptions.VersionsLimitExceededException):
        policy.put_in_force(zoe.iot, "zoe-rights", rights(5))


def rights(number: int) -> dict[str, Any]:
    return policy.document(policy.statement("iot:Publish", f"arn:aws:iot:*:*:topic/{number}"))


def _never_again(caught_exception: Exception | None, **_: Any) -> None:
    if caught_exception:
        raise caught_exception


@pytest.mark.parametrize("code", sorted(waiting.NOT_YET))
def test_a_delete_that_is_too_early_is_tried_again(code: str, zoe: Account) -> None:
    with Stubber(zoe.iot) as stub:
        stub.add_client_error("delete_policy", code, "not yet")
        stub.add_client_error("delete_policy", code, "not yet")
        stub.add_response("delete_policy", {}, {"policyName": "zoe-policy"})
        waiting.delete_when_detached(lambda: zoe.iot.delete_policy(policyName="zoe-policy"))
        stub.assert_no_pending_responses()


def test_waiting_has_an_end(zoe: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "AT_MOST", 0.0)
    with Stubber(zoe.iot) as stub, pytest.raises(LessonError, match="does not delete it yet"):
        stub.add_client_error("delete_policy", "DeleteConflictException", "attached")
        waiting.delete_when_detached(lambda: zoe.iot.delete_policy(policyName="zoe-policy"))


def test_it_waits_six_minutes_and_asks_every_five_seconds_at_least(
    zoe: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, pauses = [0.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds

    def not_yet() -> None:
        raise zoe.iot.exceptions.DeleteConflictException({"Error": {"Code": code}}, "DeletePolicy")

    code = "DeleteConflictException"
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(LessonError, match="does not delete it yet"):
        waiting.delete_when_detached(not_yet)
    assert pauses[:3] == [0.05, 0.1, 0.2] and max(pauses) == 5.0
    assert 360 < clock[0] <= 365


def test_what_is_no_matter_of_time_is_said_at_once(zoe: Account) -> None:
    with Stubber(zoe.iot) as stub, pytest.raises(ClientError, match="AccessDenied"):
        stub.add_client_error("delete_policy", "AccessDeniedException", "no")
        waiting.delete_when_detached(lambda: zoe.iot.delete_policy(policyName="zoe-policy"))


def test_the_client_for_shadows_is_confined_as_well(zoe: Account) -> None:
    with pytest.raises(LessonError, match="was not sent"):
        zoe.data().delete_thing_shadow(thingName="ada-button")
    with pytest.raises(LessonError, match="was not sent"):
        zoe.data().publish(topic="anywhere", payload=b"{}")
    with pytest.raises(zoe.data().exceptions.ResourceNotFoundException):
        zoe.data().delete_thing_shadow(thingName="zoe-button")
