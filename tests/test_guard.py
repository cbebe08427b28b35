"""What the client for a real account sends and what it refuses to, for every operation of IoT."""

from types import SimpleNamespace

import in_process
import pytest
from botocore.client import BaseClient

from helpers.account.guard import changes_nothing, confine
from helpers.account.ledger import Ledger
from helpers.account.local import KEYS
from helpers.errors import LessonError
from iot_policy import arn

pytestmark = pytest.mark.usefixtures("nowhere")

OURS, THEIRS = "0" * 64, "1" * 64
NAMED = {
    "CreateThing": "thingName",
    "DeleteThing": "thingName",
    "CreatePolicy": "policyName",
    "CreatePolicyVersion": "policyName",
    "DeletePolicy": "policyName",
    "DeletePolicyVersion": "policyName",
}
ISSUING = {"CreateKeysAndCertificate", "CreateCertificateFromCsr"}
CERTIFICATES = {"UpdateCertificate", "DeleteCertificate"}
LINKS = {
    "AttachPolicy": ("policyName", "target"),
    "DetachPolicy": ("policyName", "target"),
    "AttachThingPrincipal": ("thingName", "principal"),
    "DetachThingPrincipal": ("thingName", "principal"),
}


@pytest.fixture
def iot(tmp_path: object) -> BaseClient:
    ledger = Ledger(KEYS)
    ledger.note(OURS)
    client = in_process.client()
    confine(client, ledger, "zoe-")
    return client


def sends(iot: BaseClient, operation: str, **params: str) -> bool:
    """Whether a call with these parameters is sent."""
    model = SimpleNamespace(name=operation)
    try:
        iot.meta.events.emit(
            f"provide-client-params.iot.{operation}", params=params, model=model, context={}
        )
    except LessonError as problem:
        assert f"{operation} was not sent" in str(problem)
        assert "zoe-" in str(problem)
        return False
    return True


def certificate(certificate_id: str) -> str:
    return arn("eu-west-1", "123456789012", f"cert/{certificate_id}")


def test_every_operation_that_changes_something_is_one_of_the_lessons_or_refused(
    iot: BaseClient,
) -> None:
    """Also where all that it names is the learner's."""
    everything_ours = {
        "thingName": "zoe-button",
        "policyName": "zoe-policy",
        "certificateId": OURS,
        "target": certificate(OURS),
        "principal": certificate(OURS),
    }
    operations = iot.meta.service_model.operation_names
    assert len(operations) > 250
    changing = {each for each in operations if not changes_nothing(each)}
    sent = {each for each in changing if sends(iot, each, **everything_ours)}
    assert sent == NAMED.keys() | ISSUING | CERTIFICATES | LINKS.keys()
    assert all(sends(iot, each) for each in set(operations) - changing)


def test_what_only_reads() -> None:
    assert changes_nothing("DescribeEndpoint")
    assert changes_nothing("GetPolicy")
    assert changes_nothing("ListThings")
    assert changes_nothing("TestAuthorization")
    for changing in ("TestInvokeAuthorizer", "DeleteThing", "DetachPolicy", "DisableTopicRule"):
        assert not changes_nothing(changing)


@pytest.mark.parametrize("operation", NAMED)
@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("zoe-button", True),
        ("zoe-", True),
        ("zoe", False),
        ("zoe2-button", False),
        ("my-zoe-button", False),
        ("", False),
    ],
)
def test_a_name_begins_with_the_learners(
    iot: BaseClient, operation: str, name: str, ours: bool
) -> None:
    assert sends(iot, operation, **{NAMED[operation]: name}) == ours


@pytest.mark.parametrize("operation", sorted(CERTIFICATES))
def test_a_certificate_is_in_the_ledger(iot: BaseClient, operation: str) -> None:
    assert sends(iot, operation, certificateId=OURS)
    assert not sends(iot, operation, certificateId=THEIRS)
    assert not sends(iot, operation, certificateId="")


@pytest.mark.parametrize("operation", LINKS)
@pytest.mark.parametrize("name", ["zoe-x", "ada-x"])
@pytest.mark.parametrize(
    ("holder", "ours"),
    [
        (certificate(OURS), True),
        (certificate(THEIRS), False),
        # What ends with the id of a certificate of ours need not be it.
        (arn("eu-west-1", "123456789012", f"thinggroup/{OURS}"), False),
        (OURS, False),
        ("eu-west-1:6a7b0c", False),
    ],
)
def test_attaching_takes_both_and_detaching_one(
    iot: BaseClient, operation: str, name: str, holder: str, ours: bool
) -> None:
    named = name.startswith("zoe-")
    what, where = LINKS[operation]
    allowed = (named and ours) if operation.startswith("Attach") else (named or ours)
    assert sends(iot, operation, **{what: name, where: holder}) == allowed


def test_nothing_of_others_is_asked_first(iot: BaseClient) -> None:
    """Whatever else looks at the parameters looks after the guard."""
    looked: list[str] = []
    iot.meta.events.register_first("provide-client-params.iot", lambda **_: looked.append("before"))
    confine(iot, Ledger(KEYS), "zoe-")
    assert not sends(iot, "DeleteThing", thingName="ada-button")
    assert looked == []
