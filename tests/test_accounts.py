"""One sandbox for a class: each key opens one account, and no way leads into another's."""

import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import broker_websocket
import pytest
from botocore.exceptions import ClientError
from broker_websocket import TlsWebSocketClient, upgrade
from broker_wire import client_context
from classes import ClassSandbox, start

from helpers import button, certificate, policy, thing
from helpers.account import Account, connect, join
from helpers.errors import LessonError
from sandbox import accounts, process
from sandbox.accounts import Members
from sandbox.errors import SandboxError
from sandbox.line import HttpLine
from workshop import register


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClassSandbox]:
    running = start(tmp_path_factory.mktemp("class"))
    yield running
    running.serving.terminate()
    assert running.serving.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def ada_key(room: ClassSandbox) -> str:
    return room.member("ada").key


@pytest.fixture(scope="module")
def ada(room: ClassSandbox) -> Account:
    return room.open("ada")


@pytest.fixture(scope="module")
def zoe_key(room: ClassSandbox) -> str:
    return room.member("zoe").key


@pytest.fixture(scope="module")
def zoe(room: ClassSandbox) -> Account:
    return room.open("zoe")


def client(room: ClassSandbox, service: str, key: str) -> object:
    return boto3.client(
        service,
        endpoint_url=room.url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key="x",
    )


def ask(room: ClassSandbox, path: str, method: str = "GET", **headers: str) -> int:
    """Ask for a page as no AWS client would; return the HTTP status."""
    request = Request(f"{room.url}/{path}", headers=headers, method=method)
    try:
        with urlopen(request) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def signed(key: str, service: str = "iot") -> str:
    return f"AWS4-HMAC-SHA256 Credential={key}/20171001/eu-west-1/{service}/aws4_request, x=y"


def wired(account: Account, name: str) -> button.Device:
    """A device whose policy lets it connect as itself and publish on its topic."""
    made = thing.register(account.iot, name)
    least = policy.least_privilege(account.region, account.number, made.serial, client_id=name)
    policy.put_in_force(account.iot, f"{name}-policy", least)
    certificate.issue(account, name, f"{name}-policy")
    return button.device(account, name)


def test_each_has_an_account_of_their_own(ada: Account, zoe: Account) -> None:
    assert ada.number != zoe.number
    made = thing.register(ada.iot, "only-adas")
    assert made.arn == f"arn:aws:iot:eu-west-1:{ada.number}:thing/only-adas"
    assert thing.find(zoe.iot, "only-adas") is None
    assert thing.find(ada.iot, "only-adas") == made


@pytest.mark.parametrize("key", [str(2 * 10**11 + 1), "AKIAIOSFODNN7EXAMPL", "sandbox", ""])
def test_an_unknown_key_is_refused_as_aws_refuses_it(room: ClassSandbox, key: str) -> None:
    with pytest.raises(ClientError) as refused:
        client(room, "iot", key or "-").list_things()  # type: ignore[attr-defined]
    assert refused.value.response["Error"] == {
        "Code": "UnrecognizedClientException",
        "Message": "The security token included in the request is invalid.",
    }
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_an_account_number_in_a_header_opens_nothing(
    room: ClassSandbox, ada: Account, ada_key: str, zoe_key: str
) -> None:
    thing.register(ada.iot, "behind-the-header")
    for header in ("x-moto-account-id", "X_Moto_Account_Id", "X-MOTO-ACCOUNT-ID"):
        headers = {header: ada.number, "Authorization": signed(zoe_key)}
        assert ask(room, "things/behind-the-header", **headers) == 404
    assert ask(room, "things/behind-the-header", Authorization=signed(ada_key)) == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "moto-api/data.json",
        "moto-api/",
        "//moto-api/data.json",
        "moto-api/reset",
        "latest/meta-data/iam/security-credentials/",
        "_sandbox/milestones/{other}",
        "_sandbox/forget/{other}",
        "_sandbox/empty/{other}",
        "_sandbox/owner/1",
    ],
)
def test_what_concerns_the_class_is_closed_to_learners(
    room: ClassSandbox, ada: Account, zoe_key: str, path: str, method: str
) -> None:
    path = path.format(other=ada.number)
    assert ask(room, path, method) == 403
    assert ask(room, path, method, Authorization=signed(zoe_key)) in (403, 404)
    assert ask(room, path, method, Authorization=signed(zoe_key, "moto_api")) in (403, 404)


@pytest.mark.parametrize("service", ["sts", "iam", "s3", "execute-api"])
def test_other_services_of_moto_are_closed(room: ClassSandbox, zoe_key: str, service: str) -> None:
    assert ask(room, "", Authorization=signed(zoe_key, service)) == 403


@pytest.mark.parametrize(
    ("page", "method"),
    [
        ("about", "GET"),
        ("refusals", "GET"),
        ("milestones", "GET"),
        ("passed", "POST"),
        ("forget", "POST"),
        ("empty", "POST"),
        ("owner", "POST"),
    ],
)
def test_a_page_that_changes_something_is_asked_with_post(
    room: ClassSandbox, page: str, method: str
) -> None:
    """No browser changes anything by following a link or loading a picture."""
    key = room.member("teacher", teacher=True).key
    path = f"_sandbox/{page}/{os.getpid()}"
    headers = {"Authorization": signed(key)}
    for other in {"GET", "POST", "PUT"} - {method}:
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f"{room.url}/{path}", headers=headers, method=other))
        assert (refused.value.code, refused.value.headers["Allow"]) == (405, method)
    assert ask(room, path, method, **headers) == 200


def test_a_certificate_of_another_account_cannot_be_taken(ada: Account, zoe: Account) -> None:
    pem = ada.iot.create_keys_and_certificate(setAsActive=True)["certificatePem"]
    for text in (pem, "\n" + pem, "a note\n" + pem):
        with pytest.raises(zoe.iot.exceptions.ResourceAlreadyExistsException):
            zoe.iot.register_certificate_without_ca(certificatePem=text, status="ACTIVE")
    assert zoe.iot.list_certificates()["certificates"] == []


def test_the_broker_confines_a_certificate_to_its_account(
    ada: Account, zoe: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "zoe").mkdir()
    monkeypatch.chdir(tmp_path / "ada")
    listener = wired(ada, "same-name")
    listens = policy.listener(ada.region, ada.number, listener.serial, client_id="same-name")
    policy.put_in_force(ada.iot, "same-name-policy", listens)
    with button.listen(listener, listener.topic) as arrived:
        monkeypatch.chdir(tmp_path / "zoe")
        button.press(wired(zoe, "same-name"))  # the same client id and topic, next door
        with pytest.raises(LessonError, match="No message"):
            arrived.next(timeout=1)


def test_everyone_reads_their_own_refusals(
    ada: Account, zoe: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    device = wired(ada, "refused")
    posted = policy.as_posted(ada.region, ada.number, device.serial)
    policy.put_in_force(ada.iot, "refused-policy", posted)
    with pytest.raises(button.Refused, match="Statement 1"):
        button.press(device)
    assert [each.client_id for each in ada.refusals()][-1] == "refused"
    assert zoe.refusals() == []
    assert zoe.line.read(f"refusals/{ada.number}") == []


def test_the_teacher_sees_who_has_pressed_and_what_they_have_passed(
    room: ClassSandbox, ada: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    eve = room.open("eve")
    teachers = HttpLine(room.url, room.member("teacher", teacher=True).key)

    def reached(account: Account) -> set[str]:
        answer = teachers.read(f"milestones/{account.number}")
        assert isinstance(answer, dict)
        return set(answer)

    assert reached(eve) == set()
    button.press(wired(eve, "pressed"))
    eve.passed("01-second-button")
    ada.line.change(f"passed/{eve.number}/not-hers")
    give_up = time.monotonic() + 5
    while "pressed" not in reached(eve) and time.monotonic() < give_up:
        time.sleep(0.1)
    assert reached(eve) == {"pressed", "01-second-button"}
    assert reached(ada) >= {"not-hers"}  # a learner can only speak of themselves
    assert teachers.change(f"forget/{eve.number}") is True
    assert reached(eve) == set()


def test_a_teacher_empties_one_account(room: ClassSandbox, zoe: Account) -> None:
    """At once, and for good."""
    eve, teachers = room.open("eve2"), HttpLine(room.url, room.member("boss", teacher=True).key)
    wired(eve, "emptied")
    thing.register(zoe.iot, "stays")
    assert teachers.change(f"empty/{eve.number}") is True
    assert eve.iot.list_things()["things"] == eve.iot.list_policies()["policies"] == []
    assert thing.find(zoe.iot, "stays") is not None
    saved = room.file.with_name("registry").read_bytes()
    assert b"stays" in saved and b"emptied" not in saved


def test_a_notebook_joins_the_class(
    room: ClassSandbox, zoe: Account, zoe_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_SANDBOX_URL", room.url)
    monkeypatch.setenv("IOT_TUTORIAL_ACCESS_KEY", zoe_key)
    assert connect().number == zoe.number
    assert connect().name("button") == "my-button"
    assert zoe_key not in repr(connect())
    monkeypatch.setenv("IOT_TUTORIAL_ACCESS_KEY", "another")
    with pytest.raises(LessonError, match="ask your teacher"):
        connect()


def test_no_sandbox_of_ones_own_in_place_of_the_class_s() -> None:
    with pytest.raises(LessonError, match=r"does not answer at http://127\.0\.0\.1:9"):
        join("http://127.0.0.1:9", "key")


def test_the_list_stays_its_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root enters a learner; the sandbox, another user, reads the list."""
    file = tmp_path / "members.json"
    accounts.write(file, [])
    given: list[int] = []
    monkeypatch.setattr(os, "chown", lambda _, user, __: given.append(user))
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    accounts.write(file, [accounts.create("ada", [])])
    assert given == [owner]


def test_a_web_socket_opens_the_account_of_its_key(
    room: ClassSandbox, ada_key: str, zoe_key: str
) -> None:
    about = HttpLine(room.url, ada_key).read("about")
    assert isinstance(about, dict)
    context, port = client_context(Path(about["ca_file"]), None, None), about["wss_port"]

    def page(key: str) -> TlsWebSocketClient:
        host = f"localhost:{port}"
        return TlsWebSocketClient(
            context, port, upgrade(broker_websocket.signed(host, key=key), Host=host)
        )

    with page(ada_key) as ada, page(zoe_key) as zoe:
        for each in (ada, zoe):
            each.connect("page")
            each.subscribe("same/topic", qos=0)
        zoe.publish("same/topic", b"zoe's", qos=0)
        ada.publish("same/topic", b"ada's", qos=0)
        for each, own in ((ada, b"ada's"), (zoe, b"zoe's")):
            found = each.read()
            assert found is not None
            assert found[1].endswith(own)
    with page("CLASS0000") as nobody:
        assert nobody.frames.answer.startswith("HTTP/1.1 403")


def test_the_list_of_members_is_private_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "members.json"
    first = accounts.create("ada", [])
    teacher = accounts.create("teacher", [first], teacher=True)
    accounts.write(file, [first, teacher, accounts.create("zoe", [first, teacher])])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    members = accounts.read(file)
    assert len({each.account for each in members}) == len({each.key for each in members}) == 3
    assert members[1].account == process.ACCOUNT
    assert all(len(each.key) == len("CLASS") + 32 for each in members)  # 128 bits


@pytest.mark.parametrize("content", [None, "not JSON", '[{"name": "ada"}]'])
def test_a_list_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "members.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SandboxError, match="list of members"):
        accounts.read(file)
    with pytest.raises(LessonError, match="list of members"):
        register.members(file)


def test_a_changed_list_is_read_again(tmp_path: Path) -> None:
    """However it was changed: another file in its place at the same moment, or written over."""
    file = tmp_path / "members.json"
    ada, zoe = accounts.create("ada", []), accounts.create("zoe", [])
    accounts.write(file, [])
    members, written = Members(file), file.stat()
    assert members.holder(ada.key) is None
    accounts.write(file, [ada])
    os.utime(file, ns=(written.st_mtime_ns, written.st_mtime_ns))
    assert members.holder(ada.key) == ada
    file.write_text(json.dumps([asdict(zoe)]))
    os.utime(file, ns=(written.st_mtime_ns + 1, written.st_mtime_ns + 1))
    assert (members.holder(ada.key), members.holder(zoe.key)) == (None, zoe)
