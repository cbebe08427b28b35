"""A real account: only when named, only the one that is named. AWS itself is never asked here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import in_process
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from helpers.account import connect, learner, real
from helpers.account.real import ROOT_CA_FINGERPRINT, amazon_root_ca
from helpers.errors import LessonError
from helpers.key_files import KeyFiles
from sandbox.device import TlsLink
from sandbox.inside import NOWHERE

NUMBER = "123456789012"


class Sts:
    """What a boto3 session is replaced with: its STS answers from a list, its IoT nobody."""

    configs: list[Config]

    def __init__(self) -> None:
        self.configs = []
        self.region_name: str | None = "eu-west-1"
        made = boto3.session.Session(
            aws_access_key_id="dummy", aws_secret_access_key="dummy", region_name="eu-west-1"
        )
        self._clients = {name: made.client(name, endpoint_url=NOWHERE) for name in ("sts", "iot")}
        self.stub = Stubber(self._clients["sts"])
        self.stub.activate()

    def client(self, name: str, *, config: Config) -> Any:
        self.configs.append(config)
        return self._clients[name]

    def signed_in(self, arn: str) -> None:
        answer = {"Account": arn.split(":")[4], "Arn": arn, "UserId": "AIDAEXAMPLE"}
        self.stub.add_response("get_caller_identity", answer, {})


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sts]:
    """A machine that is ready for the real account; each test takes something away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOT_TUTORIAL_ACCOUNT", NUMBER)
    monkeypatch.setenv("IOT_TUTORIAL_LEARNER", "zoe")
    session = Sts()
    monkeypatch.setattr(boto3, "Session", lambda: session)
    yield session
    session.stub.assert_no_pending_responses()


def refused(sts: Sts) -> str:
    with pytest.raises(LessonError) as problem:
        connect(target="aws")
    assert NUMBER not in str(problem.value)
    return str(problem.value)


def test_the_first_cell_says_what_a_learner_must_know(sts: Sts) -> None:
    sts.signed_in(f"arn:aws:sts::{NUMBER}:assumed-role/Student/zoe")
    shown = repr(connect(target="aws"))
    assert "9012, region eu-west-1, signed in as assumed-role/Student/zoe." in shown
    assert "begin with zoe-" in shown
    assert "notebook 04 removes them" in shown
    assert real.COSTS in shown
    assert NUMBER not in shown


def test_the_variable_asks_for_it_as_well(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_TARGET", "aws")
    sts.signed_in(f"arn:aws:iam::{NUMBER}:user/zoe")
    assert connect().shared


def test_it_is_an_account_as_aws_has_it(sts: Sts) -> None:
    sts.signed_in(f"arn:aws:iam::{NUMBER}:user/zoe")
    aws = connect(target="aws")
    assert (aws.link, aws.shared, aws.refusals()) == (TlsLink(8883, alpn_port=443), True, [])
    assert aws.prefix == "zoe-"
    assert NUMBER not in str(aws.key_folder)
    for config in sts.configs:
        assert config.retries == {"mode": "adaptive", "total_max_attempts": 8}
        assert config.ignore_configured_endpoint_urls


@pytest.mark.parametrize(
    "number", ["", "12345678901", "1234567890123", "1234-5678-9012", "my account"]
)
def test_no_account_named(sts: Sts, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_ACCOUNT", number)
    assert "set IOT_TUTORIAL_ACCOUNT to its 12 digits" in refused(sts)


def test_another_account_than_the_one_named(sts: Sts) -> None:
    sts.signed_in("arn:aws:iam::111122223333:user/zoe")
    message = refused(sts)
    assert "ends in 3333, and IOT_TUTORIAL_ACCOUNT ends in 9012" in message
    assert "111122223333" not in message


def test_the_root_user(sts: Sts) -> None:
    sts.signed_in(f"arn:aws:iam::{NUMBER}:root")
    assert "root user" in refused(sts)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "AccessDenied"])
def test_nobody_is_signed_in(sts: Sts, code: str) -> None:
    sts.stub.add_client_error("get_caller_identity", code, "The security token is not valid")
    assert "Sign in, then run this cell again" in refused(sts)


def test_no_region(sts: Sts) -> None:
    sts.region_name = None
    assert "set IOT_TUTORIAL_REGION" in refused(sts)


@pytest.mark.parametrize("variable", ["IOT_TUTORIAL_REGION", "AWS_REGION"])
def test_the_region_that_is_said(sts: Sts, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sts.region_name = None
    monkeypatch.setenv(variable, "us-west-2")
    sts.signed_in(f"arn:aws:iam::{NUMBER}:user/zoe")
    connect(target="aws")
    assert [config.region_name for config in sts.configs] == ["us-west-2"] * 2


def test_nobody_says_whose_lesson_it_is(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IOT_TUTORIAL_LEARNER")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert "set IOT_TUTORIAL_LEARNER" in refused(sts)


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
    ours = tmp_path / "certificate.pem.crt"
    ours.write_text(amazon_root_ca())
    KeyFiles(tmp_path).private_key.touch()
    assert KeyFiles(tmp_path).certificate_id == ROOT_CA_FINGERPRINT
    others = amazon_root_ca().replace("MIID", "MIIE", 1)
    with pytest.raises(LessonError, match="Amazon Root CA 1 is not in"):
        amazon_root_ca(bundle=others)


def test_the_clients_of_these_tests_reach_nobody(sts: Sts) -> None:
    sts.signed_in(f"arn:aws:iam::{NUMBER}:user/zoe")
    with pytest.raises(EndpointConnectionError, match="127"):
        connect(target="aws").iot.list_things()
