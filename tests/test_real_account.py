"""A real account: only when named, only the one that is named. AWS itself is never asked here."""

from pathlib import Path

import botocore.session
import in_process
import pytest
from botocore.stub import Stubber
from machines import Machine

import iot_policy
from helpers.account import connect, learner, real
from helpers.account.real import amazon_root_cas
from helpers.errors import LessonError
from helpers.key_files import KeyFiles
from sandbox.device import TlsLink

NUMBER = "123456789012"


def refused() -> str:
    with pytest.raises(LessonError) as problem:
        connect(target="aws")
    assert NUMBER not in str(problem.value)
    return str(problem.value)


def test_the_first_cell_says_what_a_learner_must_know(machine: Machine) -> None:
    role = f"arn:aws:sts::{NUMBER}:assumed-role/Student/zoe"
    machine.aws.identities["AKIAEXAMPLE"] = role
    shown = repr(connect(target="aws"))
    assert "9012, region eu-west-1, signed in as assumed-role/Student/zoe." in shown
    assert "begin with zoe-" in shown
    assert "notebook 04 removes them" in shown
    assert real.COSTS in shown
    assert NUMBER not in shown


def test_the_variable_asks_for_it_as_well(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_TARGET", "aws")
    assert connect().shared


def test_it_is_an_account_as_aws_has_it(machine: Machine) -> None:
    aws = connect(target="aws")
    assert (aws.link, aws.shared, aws.refusals()) == (TlsLink(8883, alpn_port=443), True, [])
    assert aws.prefix == "zoe-"
    assert NUMBER not in str(aws.key_folder)
    for client in (aws.iot, aws.data()):
        assert client.meta.config.retries == {"mode": "adaptive", "total_max_attempts": 8}
        assert client.meta.endpoint_url.endswith("eu-west-1.amazonaws.com")


@pytest.mark.parametrize(
    "number", ["", "12345678901", "1234567890123", "1234-5678-9012", "my account"]
)
def test_no_account_named(machine: Machine, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_ACCOUNT", number)
    assert "set IOT_TUTORIAL_ACCOUNT to its 12 digits" in refused()


def test_another_account_than_the_one_named(machine: Machine) -> None:
    machine.aws.identities["AKIAEXAMPLE"] = "arn:aws:iam::111122223333:user/zoe"
    message = refused()
    assert "ends in 3333, and IOT_TUTORIAL_ACCOUNT ends in 9012" in message
    assert "111122223333" not in message


def test_the_root_user(machine: Machine) -> None:
    machine.aws.identities["AKIAEXAMPLE"] = f"arn:aws:iam::{NUMBER}:root"
    assert "root user" in refused()


def test_no_region(machine: Machine) -> None:
    machine.monkeypatch.delenv("IOT_TUTORIAL_REGION")
    assert "set IOT_TUTORIAL_REGION" in refused()


@pytest.mark.parametrize("variable", ["IOT_TUTORIAL_REGION", "AWS_REGION"])
def test_the_region_that_is_said(
    machine: Machine, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IOT_TUTORIAL_REGION")
    monkeypatch.setenv(variable, "us-west-2")
    assert connect(target="aws").iot.meta.region_name == "us-west-2"
    assert machine.aws.asked == ["sts.us-west-2.amazonaws.com GetCallerIdentity"]


def test_nobody_says_whose_lesson_it_is(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IOT_TUTORIAL_LEARNER")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert "set IOT_TUTORIAL_LEARNER" in refused()


def test_in_a_terminal_the_learner_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "zoe")
    assert learner.who() == "zoe"
    monkeypatch.setattr("builtins.input", lambda _: "zoe b")
    with pytest.raises(LessonError, match="1 to 32 letters"):
        learner.who()


def test_a_hub_says_who_the_learner_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "zoe")
    assert learner.who() == "zoe"
    monkeypatch.setenv("JUPYTERHUB_USER", "z" * 200 + "@example.org")
    assert learner.checked(learner.who(), "the hub") == learner.who()


def test_a_learners_names_are_never_anothers() -> None:
    """No name has the '-' that ends it, so no learner's prefix begins another's."""
    users = ["zoe", "zoe-b", "zoe.b", "zoe_b", "zoe b", "zoe@b"]
    assert len({learner.of_hub(user) for user in users}) == len(users)
    assert not any("-" in learner.of_hub(user) for user in users)


def test_credentials_that_expire_in_the_middle(nowhere: None) -> None:
    aws = in_process.shared_account()
    for code in real.EXPIRED:
        with Stubber(aws.iot) as stub, pytest.raises(LessonError, match="Sign in again"):
            stub.add_client_error("list_things", code, "The security token has expired")
            aws.iot.list_things()


def test_the_root_certificate_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    """Both that AWS signs an endpoint with: the one for RSA keys, and the one for elliptic ones."""
    pems = [each + END for each in both().split(END)[:-1]]
    assert len(pems) == 2
    for pem, (name, fingerprint) in zip(pems, real.ROOT_CAS.items(), strict=True):
        (tmp_path / "certificate.pem.crt").write_text(pem)
        KeyFiles(tmp_path).private_key.touch()
        assert KeyFiles(tmp_path).certificate_id == fingerprint
        with pytest.raises(LessonError, match=f"{name} is not in"):
            amazon_root_cas(bundle=both().replace(pem, ""))


END = "-----END CERTIFICATE-----\n"


def both() -> str:
    return amazon_root_cas()


def test_a_partition_is_botocores() -> None:
    """The policy language cannot ask botocore: it needs nothing but Python."""
    session = botocore.session.get_session()
    for partition in session.get_available_partitions():
        for service in ("iot", "sts", "ec2"):
            for region in session.get_available_regions(service, partition):
                assert iot_policy.arn(region, NUMBER, "x").split(":")[1] == partition
                assert session.get_partition_for_region(region) == partition
