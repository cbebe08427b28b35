"""A rehearsal: what it records can be published and compared, and it leaves nothing behind."""

import asyncio
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from unittest.mock import patch

import in_process
import lessons
import nbformat
import pytest
from cells import Kernel, code_cells, promises_an_error
from conftest import client
from hypothesis import given
from hypothesis import strategies as st

from helpers import account as accounts
from helpers import closing
from helpers.account import Account
from helpers.errors import LessonError
from publish.notebooks import FOLDER, ROOT
from rehearsal import __main__ as rehearsal
from rehearsal.compare import Cell, compare, read
from rehearsal.mask import LEARNER, mask
from rehearsal.probes import QUESTIONS
from rehearsal.record import Recording, as_aws, recorded
from sandbox import process
from workshop import student_policy

OF_AWS = ROOT / "rehearsal" / "aws.jsonl"
"""Where a recording of AWS is to be."""


# In this process: notebook 01 and the questions.


def record(file: Path, application: Any = None) -> list[Cell]:
    """Rehearse notebook 01 and the questions against the sandbox in this process."""
    in_process.empty()
    file.write_text('{"rehearsal": 1}\n')
    recording = Recording(file)
    sandbox = replace(in_process.own_account(application), learner=LEARNER)
    aws = recorded(as_aws(sandbox), recording)
    kernel = Kernel()
    with patch.object(accounts, "connect", lambda: aws):
        for cell in code_cells(nbformat.read(FOLDER / "01-thing.ipynb", as_version=4)):
            with rehearsal.part(recording, cell.id) as said:
                try:
                    asyncio.run(kernel.run(cell))
                except Exception as problem:
                    if not promises_an_error(cell):
                        raise
                    said["text"] = mask(str(problem))
    rehearsal.ask_all(aws, recording, pause=0)
    with rehearsal.part(recording, "clean-up"):
        closing.clean_up(aws)
    return read(file)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Cell]]:
    """A short rehearsal of an unaltered sandbox."""
    with pytest.MonkeyPatch.context() as patched, lessons.few_keys(patched):
        patched.chdir(tmp_path_factory.mktemp("rehearsed"))
        yield record(Path("first.jsonl"))


def calls(cells: list[Cell]) -> set[str]:
    return {event["call"] for cell in cells for event in cell.events if "call" in event}


@pytest.mark.usefixtures("nowhere")
def test_two_rehearsals_compare_equal(rehearsed: list[Cell]) -> None:
    assert len(rehearsed) == 15 + 1 + len(QUESTIONS) + 1
    assert {"CreateThing", "TestAuthorization", "DeleteCertificate"} <= calls(rehearsed)
    assert {"open", "take", "subscribe", "publish"} <= {
        event.get("mqtt") for cell in rehearsed for event in cell.events
    }
    assert compare(rehearsed, record(Path("second.jsonl"))) == []


def altered(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The sandbox, but for five of its answers."""
    begun: list[Any] = []
    body = b"".join(in_process.sandbox()(environ, lambda *args: begun.extend(args)))
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "POST", "/things/rehearsal-second button":
            body = body.replace(b"1 validation error detected", b"The name is not valid")
        case "GET", "/things/rehearsal-button":
            body = body.replace(b'"version"', b'"edition"')
        case "POST", "/policies/rehearsal-bytes":
            begun[0] = "202 Accepted"
        case "GET", "/policies" if b"rehearsal-late" in body:
            body = json.dumps({"policies": json.loads(body)["policies"][::-1]}).encode()
        case "GET", "/endpoint":
            threading.Event().wait(0.5)
    headers = [each for each in begun[1] if each[0].lower() != "content-length"]
    start_response(begun[0], [*headers, ("Content-Length", str(len(body)))])
    return [body]


@pytest.mark.usefixtures("nowhere")
def test_each_answer_that_was_altered_is_named(rehearsed: list[Cell]) -> None:
    told = compare(rehearsed, record(Path("altered.jsonl"), altered), within=0.4)
    for beginning in (
        "code: question policy-bytes, CreatePolicy, status: 200 in the recording, 202 now",
        'text: create-bad-name, CreateThing, text: "1 validation error detected: Value',
        "shape: describe, DescribeThing, got.version: 1 in the recording, null now",
        "order: question list-after-change, ListPolicies, got.policies: [{",
        "time: question qos-2, DescribeEndpoint, seconds: 0.0",
    ):
        assert any(each.startswith(beginning) for each in told), (beginning, told)


def event(**its: object) -> dict[str, object]:
    return {"call": "CreateThing", "code": "", "text": "", "got": {}, "seconds": 0.1} | its


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (
            [event(code="ConflictException")],
            [event(code="InvalidRequestException")],
            'code: c, CreateThing, code: "ConflictException" in the recording, '
            '"InvalidRequestException" now',
        ),
        (
            [event(status=409)],
            [event(status=400)],
            "code: c, CreateThing, status: 409 in the recording, 400 now",
        ),
        (
            [event(text="It is there.")],
            [event(text="It exists.")],
            'text: c, CreateThing, text: "It is there." in the recording, "It exists." now',
        ),
        (
            [event(got={"thingId": "<uuid>", "things": [{"version": 1}]})],
            [event(got={"thingId": "<uuid>", "things": [{"version": 2}]})],
            "shape: c, CreateThing, got.things[0].version: 1 in the recording, 2 now",
        ),
        (
            [event(got={"thingId": "<uuid>"})],
            [event()],
            'shape: c, CreateThing, got.thingId: "<uuid>" in the recording, null now',
        ),
        (
            [event(got={"names": ["a", "b"]})],
            [event(got={"names": ["b", "a"]})],
            'order: c, CreateThing, got.names: ["a", "b"] in the recording, ["b", "a"] now',
        ),
        (
            [event(), event(call="ListThings"), event(call="ListPolicies")],
            [event(call="ListThings"), event(call="ListPolicies"), event()],
            "order: c, CreateThing: in one place in the recording, in another now",
        ),
        (
            [event(call="ListThings"), event(call="ListThings"), event()],
            [event()],
            "order: c, ListThings: there 2 times in the recording, there 0 times now",
        ),
        (
            [event(seconds=7.0)],
            [event(seconds=0.5)],
            "time: c, CreateThing, seconds: 7.0 in the recording, 0.5 now",
        ),
        (
            [{"mqtt": "take", "outcome": "closed: Unspecified error", "seconds": 0.1}],
            [{"mqtt": "take", "outcome": "SUBACK Not authorized", "seconds": 0.1}],
            'code: c, take, outcome: "closed: Unspecified error" in the recording, '
            '"SUBACK Not authorized" now',
        ),
        (
            [event(text="a"), event(text="a")],
            [event(text="b"), event(text="b")],
            'text: c, CreateThing, text: "a" in the recording, "b" now (2 times)',
        ),
    ],
)
def test_a_difference_is_named_once(before: list[Any], after: list[Any], line: str) -> None:
    assert compare([Cell("c", before)], [Cell("c", after)]) == [line]


def test_what_is_no_difference() -> None:
    before = [event(seconds=5.0, retries=2), event(call="ListThings")]
    after = [event(seconds=0.0, retries=0), event(call="ListThings")]
    assert compare([Cell("c", before)], [Cell("c", after)]) == []
    assert len(compare([Cell("c", before)], [Cell("c", after)], within=4)) == 1


def test_a_cell_that_only_one_has_is_one_difference() -> None:
    both, more = Cell("a", [event()]), Cell("b", [event(), event()])
    assert compare([both, more], [both]) == [
        "order: b: there once in the recording, there 0 times now"
    ]


@pytest.mark.parametrize("content", ["", "{}", '{"cell": "a"}', '{"rehearsal": 2}'])
def test_another_file_is_no_recording(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(ValueError, match="is no recording"):
        read(tmp_path / "x.jsonl")


# The questions.


def test_the_sandbox_answers_as_the_page_of_questions_says(rehearsed: list[Cell]) -> None:
    page = (ROOT / "rehearsal" / "questions.md").read_text("utf-8")
    told = re.findall(r"^## ([\w-]+)\n(?s:.*?)^`([\[{].*)`$", page, re.M)
    assert [heading for heading, _ in told] == list(QUESTIONS)
    assert page.count("\n## ") == len(QUESTIONS)
    answers = {
        cell.name: event["answer"]
        for cell in rehearsed
        for event in cell.events
        if "answer" in event
    }
    for heading, answer in told:
        assert answers[f"question {heading}"] == json.loads(answer), heading


def test_the_iam_policy_of_a_learner_is_enough(rehearsed: list[Cell]) -> None:
    built = student_policy.build(LEARNER, account="111122223333", region="eu-west-1")
    allowed = {action for each in built["Statement"] for action in each["Action"]}
    assert {f"iot:{call}" for call in calls(rehearsed)} <= allowed


# What a recording must not hold.

NUMBER, DIGEST = "123456789012", "0123456789abcdef" * 4
FORMS = [
    NUMBER,
    "1234-5678-9012",
    "1234 5678 9012",
    f"arn:aws:iot:eu-west-1:{NUMBER}:thing/rehearsal-button",
    f"arn:aws-cn:iot:cn-north-1:{NUMBER}:cert/{DIGEST}",
    f"arn:aws:sts::{NUMBER}:assumed-role/Admin/zoe@example.org",
    f"User: arn:aws:iam::{NUMBER}:user/zoe is not authorized to perform: iot:CreateThing",
    "it belongs to zoe@example.org",
    DIGEST,
    DIGEST.upper(),
    f"{DIGEST[:12]}…",
    f"keys/aws-{DIGEST[:8]}-eu-west-1-rehearsal/button/private.pem.key",
    "01234567-89ab-4cde-8f01-23456789abcd",
    "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com",
    "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com:8883",
    "a1b2c3d4e5f6g7.iot.cn-north-1.amazonaws.com.cn",
    "hostname mismatch: 'a1b2c3d4e5f6g7-ats'",
    f"AKIA{'IOSFODNN7EXAMPLE'}",
    f"ASIA{'IOSFODNN7EXAMPLE'}",
    f"wJalrXUtnFEMI/K7MDENG/{'bPxRfiCYEXAMPLEKEY'}",
    f"-----BEGIN {'RSA PRIVATE'} KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----\n",
    f"-----BEGIN {'RSA PRIVATE'} KEY-----\nMIIEow and the rest is cut",
    "-----BEGIN CERTIFICATE-----\nMIIDWT\n-----END CERTIFICATE-----",
    "203.0.113.7:44321",
    "2026-12-01T05:00:00.123Z",
    f"/{'home'}/zoe/lesson/work/keys",
]
FORBIDDEN = re.compile(
    r"\d{12}|\d{4}[- ]\d{4}[- ]\d{4}|[0-9a-fA-F]{12,}|[0-9a-f]{8}-[0-9a-f]{4}-|a1b2c3d4|zoe|MII"
    r"|A[KS]IA[A-Z]|wJalr|PRIVATE|203\.0|05:00|aws-[0-9a-f]{8}|BEGIN|/lesson"
)
AROUND = st.text(alphabet=" \n\t'\",;()[]{}<>=/:.", max_size=3)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_masked(form: str) -> None:
    assert FORBIDDEN.search(form), "else this proves nothing"
    assert not FORBIDDEN.search(mask(form))


@given(st.lists(st.tuples(AROUND, st.sampled_from(FORMS), AROUND), max_size=4))
def test_it_is_masked_in_any_text_and_twice_is_once(parts: list[tuple[str, str, str]]) -> None:
    masked = mask("".join(f"{before} {form} {after}" for before, form, after in parts))
    assert not FORBIDDEN.search(masked)
    assert mask(masked) == masked


@given(st.integers(10**11, 10**14), st.text(alphabet="abcXYZ _-./:", max_size=5))
def test_no_number_of_an_account_is_left(number: int, around: str) -> None:
    assert not re.search(r"\d{12}", mask(f"{around}{number}{around}"))


@pytest.mark.parametrize(
    "text",
    [
        "iotbutton/G030JF055364XVRB",
        "$aws/things/rehearsal-heating/shadow/update/delta",
        "1 validation error detected: Value 'rehearsal-second button' at 'thingName' failed",
        '{"Version": "2012-10-17", "Action": "iot:Connect"}',
        "${iot:Connection.Thing.Attributes[serialNumber]}",
    ],
)
def test_what_the_lesson_itself_says_stays(text: str) -> None:
    assert mask(text) == text


def test_a_recording_holds_nothing_of_the_account_nor_of_others(nowhere: None) -> None:
    file = Path("first.jsonl")
    empty = in_process.empty

    def with_others() -> None:
        empty()
        lessons.others("zoe")
        in_process.client().create_thing(
            thingName="zoe-thing",
            attributePayload={"attributes": {"madeBy": "iot-button-tutorial", "zoe-own": "zoe"}},
        )

    with patch.object(in_process, "empty", with_others):
        assert "ListCertificates" in calls(record(file))
    text = file.read_text("utf-8")
    assert not re.search(
        r"\d{12}|[0-9a-f]{32}|arn:[^\"]*\d{12}|BEGIN|MII|zoe|someone-else|localhost|127\.0", text
    )
    assert mask(text) == text


# The command.


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``./tutorial rehearse`` in this process, which cannot connect; returns what it ended with."""

    def reached(*_: object) -> Account:
        raise LessonError(f"connects as {os.environ['IOT_TUTORIAL_LEARNER']}")

    def run(*options: str, tty: bool = True, typed: str = "yes", **env: str) -> str:
        stdin = io.StringIO(f"{typed}\n")
        monkeypatch.setattr(stdin, "isatty", lambda: tty)
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "argv", ["rehearse", *options])
        with patch.dict(os.environ, env), pytest.raises(SystemExit) as ended:
            rehearsal.main()
        return str(ended.value)

    def no_packet(*_: object) -> None:
        raise AssertionError("a packet")

    monkeypatch.setattr(rehearsal, "connect", reached)
    monkeypatch.setattr(socket.socket, "connect", no_packet)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return run


AWS = {"IOT_TUTORIAL_TARGET": "aws", "IOT_TUTORIAL_ACCOUNT": NUMBER}


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({"IOT_TUTORIAL_TARGET": "aws"}, "set IOT_TUTORIAL_ACCOUNT to its 12 digits"),
        (AWS | {"IOT_TUTORIAL_ACCOUNT": "my account"}, "set IOT_TUTORIAL_ACCOUNT"),
        (AWS | {"IOT_TUTORIAL_ACCOUNT": f"{NUMBER}0"}, "set IOT_TUTORIAL_ACCOUNT"),
        (AWS | {"typed": "y"}, "Nothing was done."),
        (AWS | {"typed": ""}, "Nothing was done."),
        (AWS | {"tty": False}, "somebody types yes in a terminal"),
        ({"IOT_TUTORIAL_TARGET": "AWS"}, "There is no target 'AWS'"),
    ],
)
def test_aws_needs_its_name_and_a_typed_yes(
    command: Callable[..., str], given: dict[str, Any], answer: str
) -> None:
    assert answer in command(**given)


@pytest.mark.parametrize("option", [["--yes"], ["--yes", "--clean"], ["--replay", "x.jsonl"]])
def test_no_option_takes_the_place_of_yes(command: Callable[..., str], option: list[str]) -> None:
    ended = command(*option, **AWS)
    assert "somebody types yes" in ended or "unset IOT_TUTORIAL_TARGET" in ended


def test_it_says_first_what_it_makes_and_costs(
    command: Callable[..., str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command(**AWS, typed="no")
    said = capsys.readouterr().out
    for word in ("9012", "Things", "certificates", "rehearsal-", "cents", "pricing", "removed"):
        assert word in said
    assert NUMBER not in said


def test_a_typed_yes_opens_it(
    command: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rehearsal, "AWS_PLACE", tmp_path / "aws")
    before = tmp_path / "recording.jsonl"
    before.write_text("what an earlier one recorded")
    ended = command("--to", str(before), **AWS | {"IOT_TUTORIAL_LEARNER": "zoe"})
    assert ended.startswith("connects as rehearsal\n")
    assert "--clean" in ended
    assert before.read_text() == "what an earlier one recorded"


# In kernels, with a process of a sandbox.

SHORT = "from rehearsal import __main__ as r; r.NOTEBOOKS = ('03-certificate',); r.main()"
WHOLE = "from rehearsal import __main__ as r; r.main()"


class Desk:
    """Where rehearsals are started; what their sandbox keeps stays, and can be looked at."""

    def __init__(self, place: Path) -> None:
        self.recording = place / "recording.jsonl"
        self.state, self._temporary = place / "state", place / "temporary"
        self._temporary.mkdir()

    def start(self, program: str, *options: str) -> subprocess.Popen[str]:
        where = {"IOT_TUTORIAL_STATE_DIR": str(self.state), "TMPDIR": str(self._temporary)}
        options = ("--yes", "--to", str(self.recording), *options)
        return subprocess.Popen(
            [sys.executable, "-c", program, *options],
            env=os.environ | where | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait(self, running: subprocess.Popen[str], cell: str) -> None:
        """Wait until a rehearsal has come to a cell."""
        begun, give_up = self.recording.with_suffix(".part"), monotonic() + 120
        while not (begun.exists() and f'"cell": "{cell}"' in begun.read_text("utf-8")):
            assert running.poll() is None and monotonic() < give_up, self.finish(running)
            sleep(0.01)

    def finish(self, running: subprocess.Popen[str]) -> tuple[int, str]:
        printed, _ = running.communicate(timeout=120)
        return running.returncode, printed

    def assert_nothing_is_left(self) -> None:
        """Ask the sandbox without the lesson's ways, and look for folders with keys."""
        process.stop(self.state)  # it ends anyway, when the rehearsal has; what it knew, it knows
        with patch.dict(os.environ, {"IOT_TUTORIAL_STATE_DIR": str(self.state)}):
            iot = client(accounts.connect())
        assert iot.list_things()["things"] == []
        assert iot.list_policies()["policies"] == []
        assert iot.list_certificates()["certificates"] == []
        assert [each for each in self._temporary.glob("iot-*") if each.is_dir()] == []


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    process.stop(made.state)


def test_a_rehearsal_of_one_notebook(desk: Desk) -> None:
    """In a kernel, and to the end: nothing is left, and what is recorded can be published."""
    status, printed = desk.finish(desk.start(SHORT))
    assert status == 0, printed
    assert "\nnothing of it is left\n" in printed
    desk.assert_nothing_is_left()
    cells = read(desk.recording)
    assert "CreateKeysAndCertificate" in calls(cells)
    text = desk.recording.read_text("utf-8")
    assert mask(text) == text
    assert "PRIVATE" not in text


@pytest.mark.parametrize(
    ("program", "cell"),
    [
        (SHORT, "03-certificate/attach-thing"),
        *(
            pytest.param(WHOLE, cell, marks=pytest.mark.long)
            for cell in (
                "01-thing/create-thing",
                "02-policy/verdict",
                "03-certificate/create-certificate",
                "04-closing/press",
                "04-closing/clean-up",
                "question list-after-change",
            )
        ),
    ],
    ids=lambda each: None if "main()" in each else each,
)
def test_ctrl_c_leaves_nothing(desk: Desk, program: str, cell: str) -> None:
    running = desk.start(program)
    desk.wait(running, cell)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does
    status, printed = desk.finish(running)
    assert status == 1, printed
    assert "\nnothing of it is left\n" in printed
    assert "Traceback" not in printed
    desk.assert_nothing_is_left()
    assert not desk.recording.exists()


@pytest.mark.long
def test_what_a_power_cut_leaves_is_removed_by_clean(desk: Desk, tmp_path: Path) -> None:
    """The folder with the keys stays, as it does on AWS; nothing is recorded anew."""
    (tmp_path / "keys").mkdir()
    fixed = f"r.tempfile.mkdtemp = lambda prefix: {str(tmp_path / 'keys')!r}; r.main()"
    running = desk.start(WHOLE.replace("r.main()", fixed))
    desk.wait(running, "03-certificate/attach-policy")
    running.kill()
    desk.finish(running)
    status, printed = desk.finish(desk.start(WHOLE.replace("r.main()", fixed), "--clean"))
    assert (status, "notebook" in printed) == (0, False), printed
    desk.assert_nothing_is_left()
    assert not (tmp_path / "keys").exists()
    assert not desk.recording.exists()


@pytest.mark.long
def test_a_notebook_that_fails_in_the_middle(desk: Desk, tmp_path: Path) -> None:
    """It is named; the next ones and the questions go on, and nothing is left."""
    shutil.copytree(FOLDER, tmp_path / "notebooks", ignore=shutil.ignore_patterns("keys", ".*"))
    notebook = nbformat.read(tmp_path / "notebooks" / "03-certificate.ipynb", as_version=4)
    (cell,) = [each for each in notebook.cells if each.id == "attach-policy"]
    cell.source = "iot.attach_policy(policyName='nobody-s', target=certificate_arn)"
    nbformat.write(notebook, tmp_path / "notebooks" / "03-certificate.ipynb")
    folder = f"import pathlib; r.FOLDER = pathlib.Path({str(tmp_path / 'notebooks')!r}); r.main()"
    status, printed = desk.finish(desk.start(WHOLE.replace("r.main()", folder)))
    assert status == 1, printed
    assert "stopped in 03-certificate/attach-policy: NameError" in printed
    desk.assert_nothing_is_left()
    names = [each.name for each in read(desk.recording)]
    assert "03-certificate/attach-thing" not in names
    assert {"04-closing/press", "question qos-2", "clean-up"} <= {*names}


@pytest.mark.long
def test_the_whole_twice_and_altered(desk: Desk, tmp_path: Path) -> None:
    """The lesson of all four notebooks, and then a replay of it."""
    status, printed = desk.finish(desk.start(WHOLE))
    assert status == 0, printed
    first = desk.recording.rename(tmp_path / "first.jsonl")
    status, printed = desk.finish(desk.start(WHOLE, "--replay", str(first)))
    assert (status, printed.splitlines()[-1]) == (0, "0 differences"), printed
    changed = tmp_path / "changed.jsonl"
    changed.write_text(
        first.read_text("utf-8")
        .replace("ResourceAlreadyExistsException", "ConflictException")
        .replace("already has the maximum", "has the maximum")
        .replace('"SUBACK Not authorized"', '"closed: Unspecified error"')
    )
    status, printed = desk.finish(desk.start(WHOLE, "--replay", str(changed)))
    assert status == 1
    for beginning in (
        'code: 01-thing/create-other, CreateThing, code: "ConflictException"',
        'text: 02-policy/sixth-version, CreatePolicyVersion, text: "The policy',
        'code: question subscribe-denied-mqtt-5, take, outcome: "closed: Unspecified error"',
    ):
        assert f"\n{beginning}" in printed, printed
    desk.assert_nothing_is_left()


# A recording of AWS, once there is one.


@pytest.fixture
def of_aws() -> list[Cell]:
    if not OF_AWS.exists():
        pytest.skip("2026-12: nobody has recorded AWS yet; docs/rehearsal.md says how")
    return read(OF_AWS)


def test_a_recording_of_aws_is_masked(of_aws: list[Cell]) -> None:
    text = OF_AWS.read_text("utf-8")
    assert mask(text) == text
    assert any(cell.name.startswith("question") for cell in of_aws)


@pytest.mark.long
def test_the_sandbox_does_as_aws_did(of_aws: list[Cell], desk: Desk) -> None:
    status, printed = desk.finish(desk.start(WHOLE, "--replay", str(OF_AWS)))
    assert status == 0, printed
