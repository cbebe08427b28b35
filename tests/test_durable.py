"""What a sandbox has written is there afterwards, or the log says what is not."""

import json
import os
import pickle
import random
import resource
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import boto3
import in_process
import psutil
import pytest
import trustme
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from broker_wire import RawClient, client_context
from moto.iot import models
from moto.iot.models import iot_backends
from moto.iotdata.models import FakeShadow

from helpers import policy
from sandbox import accounts, process
from sandbox.accounts import Members
from sandbox.broker.endpoint import Endpoint, Endpoints
from sandbox.broker.store import Store
from sandbox.ca import authority
from sandbox.errors import SandboxError
from sandbox.inside import NOWHERE
from sandbox.line import HttpLine, Sandbox
from sandbox.mqtt.packets import Publish
from sandbox.process import ACCOUNT, PROJECT, REGION
from sandbox.registry import Registry
from sandbox.server import Server
from sandbox.state import Milestones, State
from sandbox.state_files import DAMAGED_KEPT, keep, recall

PLACES = 200
HERE = Sandbox(NOWHERE, "localhost", 1, os.devnull, REGION, ACCOUNT, 0)
"""What a sandbox may have said of itself."""
BEFORE, AFTER = {"before"}, {"before", "after"}
"""What was there at the save before the last one, and at the last one."""


def damaged(content: bytes) -> Iterator[bytes]:
    """Cut, emptied from there on, and one bit flipped: each at 200 places of a file."""
    yield b""
    for number in range(PLACES):
        place = number * len(content) // PLACES
        yield content[:place]
        yield content[:place] + bytes(len(content) - place)
        flipped = content[place] ^ 1 << number % 8
        yield content[:place] + bytes([flipped]) + content[place + 1 :]


def aside(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.glob("*.damaged-*"))


def put(folder: Path, content: dict[str, bytes]) -> None:
    """Make *folder* hold these files and no other."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, held in content.items():
        (folder / name).write_bytes(held)


class Kept:
    """One kind of state file: how two versions of it are written, and what it says."""

    name: str

    def write(self, folder: Path) -> None:
        """Write a version, and then the one after it."""

    def read(self, folder: Path) -> object:
        """Start with the file; return what it says."""


class RegistryFile(Kept):
    name = "registry"

    def write(self, folder: Path) -> None:
        in_process.empty()
        state = State(folder / self.name)
        for name in ("before", "after"):
            iot_backends[ACCOUNT][REGION].create_thing(name, None, None)
            state.save()

    def read(self, folder: Path) -> object:
        in_process.empty()
        State(folder / self.name).restore()
        return {thing.thing_name for thing in iot_backends[ACCOUNT][REGION].things.values()}


class MilestonesFile(Kept):
    name = "milestones"

    def write(self, folder: Path) -> None:
        milestones = Milestones(folder / self.name)
        for name in ("before", "after"):
            assert milestones.reach(f"{ACCOUNT}/{name}") is True

    def read(self, folder: Path) -> object:
        reached = Milestones(folder / self.name).of(ACCOUNT)
        assert isinstance(reached, dict)
        return set(reached)


class MessagesFile(Kept):
    name = "messages"

    def write(self, folder: Path) -> None:
        for name in ("before", "after"):
            store, endpoint = opened(folder / self.name)
            endpoint.publish(Publish(name, b"!", retain=True))
            store.close()

    def read(self, folder: Path) -> object:
        _, endpoint = opened(folder / self.name)
        return set(endpoint.retained)


def opened(file: Path) -> tuple[Store, Endpoint]:
    """Start with what a broker has kept."""
    endpoints = Endpoints()
    store = Store(file, endpoints)
    store.refresh()
    return store, endpoints.of(ACCOUNT, REGION)


KEPT = pytest.mark.parametrize(
    "kept", [RegistryFile(), MilestonesFile(), MessagesFile()], ids=lambda kept: kept.name
)


@pytest.fixture
def written(kept: Kept, tmp_path: Path, nowhere: None) -> dict[str, bytes]:
    folder = tmp_path / "written"
    folder.mkdir()
    kept.write(folder)
    found = {name: (folder / name).read_bytes() for name in (kept.name, f"{kept.name}.before")}
    assert {each.name for each in folder.iterdir()} == set(found)
    return found


@KEPT
def test_a_damaged_file_is_noticed_and_the_version_before_is_used(
    kept: Kept, written: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    for content in damaged(written[kept.name]):
        put(folder, written | {kept.name: content})
        caplog.clear()
        assert kept.read(folder) == BEFORE
        (line,) = caplog.messages
        (name,) = aside(folder)
        assert f"{kept.name} is damaged" in line
        assert f"lies in {name} now: the version before it is used" in line
        assert (folder / name).read_bytes() == content
        assert kept.read(folder) == BEFORE
        assert len(caplog.messages) == 1  # it is as if nothing had been


@KEPT
def test_without_a_version_before_it_starts_empty(
    kept: Kept, written: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, before = tmp_path / "state", f"{kept.name}.before"
    for content in damaged(written[before]):
        put(folder, {kept.name: b"", before: content})
        caplog.clear()
        assert kept.read(folder) == set()
        (line,) = caplog.messages
        assert all(name in line for name in aside(folder))
        assert len(aside(folder)) == 2
        assert any(lost in line for lost in ("empty accounts", "is forgotten", "are forgotten"))
        kept.write(folder)
        assert kept.read(folder) == AFTER


@KEPT
def test_a_damaged_version_before_is_of_no_account(
    kept: Kept, written: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path / "state", written | {f"{kept.name}.before": b"damaged"})
    assert kept.read(tmp_path / "state") == AFTER
    assert caplog.messages == []


@KEPT
def test_a_file_that_is_gone(
    kept: Kept, written: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = f"{kept.name}.before"
    put(tmp_path / "state", {before: written[before]})
    assert kept.read(tmp_path / "state") == BEFORE
    assert f"{kept.name} is not there: the version before it is used" in caplog.text
    put(tmp_path / "state", {})
    assert kept.read(tmp_path / "state") == set()
    assert list((tmp_path / "state").iterdir()) == []


def test_damaged_versions_are_kept_and_bounded(tmp_path: Path) -> None:
    for number in range(DAMAGED_KEPT + 3):
        (tmp_path / "file").write_bytes(b"%d" % number)
        assert recall(tmp_path / "file", len, lost="") is None
    held = [(tmp_path / name).read_bytes() for name in aside(tmp_path)]
    assert DAMAGED_KEPT == 5
    assert held == [b"3", b"4", b"5", b"6", b"7"]


def test_what_the_system_does_not_let_one_read_is_not_damaged(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        recall(tmp_path / "file", len, lost="")
    assert (tmp_path / "file").is_dir()


class TestAuthority:
    """The broker's authority, which every device's root-ca.pem names."""

    @pytest.fixture
    def made(self, tmp_path: Path) -> Path:
        folder = tmp_path / "made"
        folder.mkdir()
        authority(folder)
        assert {each.name for each in folder.iterdir()} == {
            "authority",
            "authority.before",
            "ca.pem",
        }
        return folder

    @pytest.mark.long
    def test_each_file_heals(self, made: Path, tmp_path: Path) -> None:
        held = {each.name: each.read_bytes() for each in made.iterdir()}
        folder = tmp_path / "state"
        for name, sound in held.items():
            for content in damaged(sound):
                put(folder, held | {name: content})
                assert authority(folder).cert_pem.bytes() == held["ca.pem"]
                assert (folder / "ca.pem").read_bytes() == held["ca.pem"]
                assert len(aside(folder)) == (name == "authority")

    def test_a_new_one_is_made_where_nothing_can_be_read(
        self, made: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        known = (made / "ca.pem").read_bytes()
        for name in ("authority", "authority.before"):
            (made / name).write_bytes(b"")
        new = authority(made).cert_pem.bytes()
        assert new != known
        assert (made / "ca.pem").read_bytes() == new
        (line,) = caplog.messages
        assert "A new authority is made" in line
        assert f"copy {made / 'ca.pem'} over their root-ca.pem" in line

    @pytest.mark.parametrize("wrong", ["another's key", "no key", "no certificate", "nothing"])
    def test_a_right_checksum_is_not_enough(self, made: Path, wrong: str) -> None:
        one, other = trustme.CA(), trustme.CA()
        content = {
            "another's key": other.private_key_pem.bytes() + one.cert_pem.bytes(),
            "no key": one.cert_pem.bytes(),
            "no certificate": one.private_key_pem.bytes(),
            "nothing": b"",
        }[wrong]
        known = (made / "ca.pem").read_bytes()
        keep(made / "authority", content)
        (made / "authority.before").unlink()
        assert authority(made).cert_pem.bytes() not in (known, one.cert_pem.bytes())
        assert len(aside(made)) == 1

    def test_that_of_the_version_before_is_taken_over(self, tmp_path: Path) -> None:
        old = trustme.CA()
        (tmp_path / "ca.key").write_bytes(old.private_key_pem.bytes())
        (tmp_path / "ca.pem").write_bytes(old.cert_pem.bytes())
        for _ in range(2):
            assert authority(tmp_path).cert_pem.bytes() == old.cert_pem.bytes()
            assert not (tmp_path / "ca.key").exists()

    @pytest.mark.long
    @pytest.mark.parametrize("name", ["ca.key", "ca.pem"])
    def test_a_damaged_one_of_the_version_before(self, tmp_path: Path, name: str) -> None:
        old = trustme.CA()
        held = {"ca.key": old.private_key_pem.bytes(), "ca.pem": old.cert_pem.bytes()}
        for content in damaged(held[name]):
            put(tmp_path / "state", held | {name: content})
            found = authority(tmp_path / "state")
            assert (tmp_path / "state" / "ca.pem").read_bytes() == found.cert_pem.bytes()
            assert found.cert_pem.bytes() == held["ca.pem"] or len(aside(tmp_path / "state")) == 1


def test_a_damaged_sandbox_json_is_none_or_whole(tmp_path: Path) -> None:
    said = json.dumps(HERE.to_json()).encode()
    for content in damaged(said):
        (tmp_path / "sandbox.json").write_bytes(content)
        known = process.last_known(tmp_path)
        assert known is None or 0 < known.port < 2**16
        assert process.running(tmp_path) is None
        assert process.stop(tmp_path) is False


def test_whatever_it_says_the_question_stays_on_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(process, "HttpLine", lambda url: asked.append(url) or Mock())
    elsewhere = {"endpoint_url": "http://192.0.2.1:80", "pid": os.getpid()}
    (tmp_path / "sandbox.json").write_text(json.dumps(HERE.to_json() | elsewhere))
    assert process.running(tmp_path) is None
    assert asked == ["http://127.0.0.1:80"]


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint_url": 5},
        {"endpoint_url": "nonsense"},
        {"endpoint_url": "http://127.0.0.1:99999"},
        {"endpoint_url": "http://127.0.0.1"},
        {"endpoint_url": "http://[:1"},
        {"endpoint_url": "file:///etc/passwd"},
        {"mqtt_port": "8883"},
        {"mqtt_port": 10**9},
        {"mqtt_port": None},
        {"mqtt_port": True},
        {"pid": -1},
        {"pid": 10**30},
        {"pid": 1.5},
        {"ca_file": []},
        {"version": 7},
    ],
)
def test_a_sandbox_json_with_wrong_values_is_none(tmp_path: Path, change: dict[str, Any]) -> None:
    whole = HERE.to_json()
    (tmp_path / "sandbox.json").write_text(json.dumps(whole | {"key of tomorrow": 1}))
    assert process.last_known(tmp_path) == HERE
    (tmp_path / "sandbox.json").write_text(json.dumps(whole | change))
    assert process.last_known(tmp_path) is None


@pytest.mark.parametrize("content", [b"[1]", b"5", b"null", b"\xff\xfe", b"[" * 10**5, b"{}"])
def test_a_sandbox_json_that_is_something_else_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sandbox.json").write_bytes(content)
    assert process.last_known(tmp_path) is None


class Crafted:
    """What a pickle would call when it is read."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


CRAFTED = {
    "runs a command": lambda mark: pickle.dumps(Crafted(os.system, f"touch {mark}")),
    "evaluates": lambda mark: pickle.dumps(Crafted(eval, f"open({str(mark)!r}, 'w')")),
    "opens a file": lambda mark: pickle.dumps(Crafted(open, str(mark), "w")),
    "imports": lambda mark: b"cantigravity\nFakeThing\n.",
    "a function of moto": lambda mark: b"cmoto.iot.models\nutcnow\n.",
    "a name of moto's that is none": lambda mark: b"cmoto.iot.models\nFakeNothing\n.",
    "by way of a class": lambda mark: pickle.dumps(
        {(ACCOUNT, REGION): {"tags": models.FakeThing.to_dict}}
    ),
    "no pickle": lambda mark: b"not a pickle",
    "nothing": lambda mark: b"",
    "an index": lambda mark: b"coperator\ngetitem\n(]I0\ntR.",
    "a number": lambda mark: pickle.dumps(5),
    "a list": lambda mark: pickle.dumps([]),
    "no account": lambda mark: pickle.dumps({("x", REGION): {}}),
    "no region": lambda mark: pickle.dumps({(ACCOUNT, "nowhere"): {}}),
    "no backend": lambda mark: pickle.dumps({(ACCOUNT, REGION): 5}),
    "other attributes": lambda mark: pickle.dumps({(ACCOUNT, REGION): {"things": 5}}),
}


@pytest.mark.parametrize("kind", CRAFTED)
@pytest.mark.parametrize("name", ["registry", "registry.pickle"])
@pytest.mark.usefixtures("nowhere")
def test_a_crafted_registry_runs_nothing(
    tmp_path: Path, kind: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    mark = tmp_path / "it-ran"
    crafted = CRAFTED[kind](mark)
    if name == "registry":
        keep(tmp_path / name, crafted)
    else:
        (tmp_path / name).write_bytes(crafted)
    held = in_process.holdings()
    State(tmp_path / "registry").restore()
    assert not mark.exists()
    assert "antigravity" not in sys.modules
    assert in_process.holdings() == held
    assert len(aside(tmp_path)) == 1
    assert f"{name} is damaged" in caplog.text
    assert "empty accounts" in caplog.text


@pytest.mark.usefixtures("nowhere")
def test_what_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    state, backend = State(tmp_path / "registry"), iot_backends[ACCOUNT][REGION]
    backend.create_thing("a", None, None)
    state.save()
    backend.create_thing("b", None, {"attributes": {"odd": Path("x")}})
    with pytest.raises(pickle.PicklingError, match="is not moto's data"):
        state.save()
    assert [thing.thing_name for thing in backend.things.values()] == ["a"]


def plain(found: object) -> object:
    """What an object holds, as values that compare."""
    if isinstance(found, dict):
        return {key: plain(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [plain(value) for value in found]
    if hasattr(found, "__dict__"):
        return type(found).__name__, plain(vars(found))
    return found


def classes(found: object) -> set[type]:
    """The classes of all that an object holds."""
    if isinstance(found, dict):
        inside = list(found.values())
    elif isinstance(found, list | tuple):
        inside = list(found)
    else:
        inside = list(getattr(found, "__dict__", {}).values())
    return {type(found)}.union(*map(classes, inside))


def fill(backend: models.IoTBackend) -> None:
    """Make one of everything that moto's IoT can hold."""
    backend.create_thing_type("type", {"thingTypeDescription": "x"})
    backend.create_billing_group("billing", {"billingGroupDescription": "x"})
    backend.create_thing("button", "type", {"attributes": {"a": "b"}}, "billing")
    (thing,) = backend.things.values()
    thing.thing_shadows = {
        name: FakeShadow({"on": True}, {"on": False}, {"state": {}}, 3) for name in (None, "named")
    }
    backend.create_thing_group("group", "", {"attributePayload": {"attributes": {}}})
    backend.add_thing_to_thing_group("group", None, "button", None)
    backend.create_policy("policy", {"Version": "2012-10-17"})
    backend.create_policy_version("policy", {"Version": "2012-10-17"}, True)
    made, _ = backend.create_keys_and_certificate(True)
    backend.attach_policy("policy", made.arn)
    backend.attach_thing_principal("button", made.arn)
    backend.register_ca_certificate(made.certificate_pem, True, {"roleArn": "x"})
    job: dict[str, Any] = dict.fromkeys(
        (
            "document_source",
            "document",
            "description",
            "presigned_url_config",
            "job_executions_rollout_config",
            "abort_config",
            "job_execution_retry_config",
            "timeout_config",
        )
    )
    more = {"target_selection": "SNAPSHOT", "document_parameters": {}, "scheduling_config": {}}
    backend.create_job(job_id="job", targets=[thing.arn], **job, **more)
    job["description"] = "x"
    backend.create_job_template(job_template_id="template", **job)
    rule = {"description": "", "rule_disabled": False, "aws_iot_sql_version": "2016-03-23"}
    actions = {"actions": [{"s3": {}}], "error_action": {}}
    backend.create_topic_rule("rule", "SELECT * FROM 'x'", **rule, **actions)
    backend.create_domain_configuration("domain", "example.com", [], {}, "DATA")
    backend.create_role_alias("alias", "arn:aws:iam::123456789012:role/x")
    backend.describe_endpoint("iot:Data-ATS")
    field = models.FakeConfigField("x", "String")
    place = models.FakeThingIndexingConfigurationFilterGeoLocations("x", "LatLon")
    chosen = models.FakeThingIndexingConfigurationFilter([place], ["x"])
    backend.update_indexing_configuration(
        {"customFields": [field], "filter": chosen}, {"customFields": [field]}
    )


@pytest.mark.usefixtures("nowhere")
def test_everything_that_moto_can_hold_comes_back(tmp_path: Path) -> None:
    backend = iot_backends[ACCOUNT][REGION]
    fill(backend)
    of_moto = {each for name, each in vars(models).items() if name.startswith("Fake")}
    assert of_moto | {FakeShadow} == {each for each in classes(backend) if "Fake" in each.__name__}
    held = plain(vars(backend))
    State(tmp_path / "registry").save()
    in_process.empty()
    State(tmp_path / "registry").restore()
    assert plain(vars(iot_backends[ACCOUNT][REGION])) == held


@contextmanager
def serve(folder: Path, *options: str, **how: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a sandbox in the foreground; it is killed at the end."""
    command = [sys.executable, "-m", "sandbox", "--state-dir", str(folder), *options]
    piped = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=piped, stderr=piped, text=True, **how
    ) as serving:
        try:
            yield serving
        finally:
            serving.kill()


def wait_for(serving: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a sandbox says of itself when it is ready."""
    assert serving.stdout is not None
    about: dict[str, Any] = json.loads(serving.stdout.readline())
    return about


def client(about: dict[str, Any], service: str = "iot") -> Any:
    """A client that asks once, for what is asked twice is counted twice."""
    return boto3.client(
        service,
        endpoint_url=about["endpoint_url"],
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


def things(about: dict[str, Any]) -> set[str]:
    pages = client(about).get_paginator("list_things").paginate()
    return set(pages.search("things[].thingName"))


def reached(about: dict[str, Any]) -> set[str]:
    found = HttpLine(about["endpoint_url"]).read(f"milestones/{ACCOUNT}")
    assert isinstance(found, dict)
    return set(found)


def log_of(folder: Path) -> str:
    return (folder / "sandbox.log").read_text()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sandbox that has been killed, in which there was a before and an after."""
    folder = tmp_path_factory.mktemp("lived")
    with serve(folder) as serving:
        about = wait_for(serving)
        for name in ("before", "after"):
            client(about).create_thing(thingName=name)
            assert HttpLine(about["endpoint_url"]).change(f"passed/{ACCOUNT}/{name}") is True
        serving.kill()
    return folder


@pytest.mark.parametrize(
    ("names", "there", "passed"),
    [
        (["registry"], BEFORE, AFTER),
        (["registry", "registry.before"], set(), AFTER),
        pytest.param(["milestones"], AFTER, BEFORE, marks=pytest.mark.long),
        pytest.param(["authority"], AFTER, AFTER, marks=pytest.mark.long),
        (["ca.pem", "sandbox.json", "server.pem"], AFTER, AFTER),
    ],
    ids=lambda names: "-".join(names) if isinstance(names, list) else "",
)
def test_a_sandbox_starts_with_damaged_files(
    lived: Path, tmp_path: Path, names: list[str], there: set[str], passed: set[str]
) -> None:
    folder = tmp_path / "state"
    shutil.copytree(lived, folder)
    for number, name in enumerate(names):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2] if number == 0 else b"\xff")
    with serve(folder) as serving:
        about = wait_for(serving)
        assert things(about) == there
        assert reached(about) == passed
        assert (folder / "ca.pem").read_bytes() == (lived / "ca.pem").read_bytes()
        assert json.loads((folder / "sandbox.json").read_text()) == about
        serving.terminate()
        assert serving.wait(timeout=10) == 0
        assert serving.stderr is not None
        assert serving.stderr.read() == ""
    kept_aside = [name for name in names if name.partition(".")[0] in ("registry", "milestones")]
    kept_aside += [name for name in names if name == "authority"]
    assert len(aside(folder)) == len(kept_aside)
    assert all(f"{name} is damaged" in log_of(folder) for name in kept_aside)
    assert "Traceback" not in log_of(folder)


def test_a_running_sandbox_heals_what_it_says_of_itself(tmp_path: Path) -> None:
    with serve(tmp_path) as serving:
        about = wait_for(serving)
        for content in (b"", b"\xff", b"[" * 10**5, json.dumps(about | {"pid": 1}).encode()):
            (tmp_path / "sandbox.json").write_bytes(content)
            # Whoever asks meanwhile gets the one that runs.
            assert process.find_or_start(tmp_path).to_json() == about
            assert json.loads((tmp_path / "sandbox.json").read_text()) == about
        serving.terminate()


def test_what_the_version_before_has_written_is_taken_over(tmp_path: Path) -> None:
    """Its files are plain: a pickle, JSON and two PEM files."""
    in_process.empty()
    fill(iot_backends[ACCOUNT][REGION])
    held = plain(vars(iot_backends[ACCOUNT][REGION]))
    contents = {(ACCOUNT, REGION): vars(iot_backends[ACCOUNT][REGION])}
    old = trustme.CA()
    plainly = {
        "registry.pickle": pickle.dumps(contents),
        "milestones.json": json.dumps({ACCOUNT: {"before": "2026-11-01"}}).encode(),
        "ca.key": old.private_key_pem.bytes(),
        "ca.pem": old.cert_pem.bytes(),
    }
    put(tmp_path / "state", plainly)
    (tmp_path / "state").chmod(0o700)
    with serve(tmp_path / "state") as serving:
        about = wait_for(serving)
        assert things(about) == {"button"}
        assert reached(about) == BEFORE
        assert (tmp_path / "state" / "ca.pem").read_bytes() == plainly["ca.pem"]
        serving.kill()
    now = {each.name for each in (tmp_path / "state").iterdir()}
    assert now & set(plainly) == {"ca.pem"}
    assert {"registry", "milestones", "authority"} <= now
    State(tmp_path / "state" / "registry").restore()
    assert plain(vars(iot_backends[ACCOUNT][REGION])) == held


@pytest.mark.parametrize("content", [b"", b"[", b"\xff", b"5", b"[" * 10**5, b'{"1": {"2": 3}}'])
def test_damaged_milestones_of_the_version_before(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "milestones.json").write_bytes(content)
    milestones = Milestones(tmp_path / "milestones")
    assert len(aside(tmp_path)) == 1
    assert milestones.reach(f"{ACCOUNT}/pressed") is True


COUNT = """
import itertools, pathlib, sys
from sandbox.state_files import keep
for number in itertools.count(1):
    keep(pathlib.Path(sys.argv[1]), b"%d " % number * 20_000)
    print(number, flush=True)
"""


def test_killed_in_mid_write_fifty_times(tmp_path: Path) -> None:
    """Of one file, which is being written all the time; a whole sandbox is killed below."""
    file, chance, halves = tmp_path / "file", random.Random(1), 0
    for _ in range(50):
        with subprocess.Popen(
            [sys.executable, "-c", COUNT, file], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        ) as writing:
            assert writing.stdout is not None
            writing.stdout.readline()
            time.sleep(chance.random() / 50)
            writing.kill()
            acknowledged = int(("1\n" + writing.stdout.read()).split()[-1])
        content = recall(file, len, lost="")
        assert content is not None
        assert int(content.split()[0]) in (acknowledged, acknowledged + 1)
        assert len(set(content.split())) == 1
        halves += len(list(tmp_path.glob(".*.partial")))
    assert aside(tmp_path) == []
    assert halves > 5  # else no kill came in mid-write


def kill_often(folder: Path, times: int) -> None:
    chance, asked, acknowledged = random.Random(2), 0, set[str]()
    for _ in range(times):
        with serve(folder) as serving:
            about = wait_for(serving)
            found = things(about)
            assert acknowledged <= found
            iot, killer = client(about), threading.Timer(chance.random() / 4, serving.kill)
            killer.start()
            with suppress(BotoCoreError):
                while True:
                    asked += 1
                    iot.create_thing(thingName=f"thing-{asked}")
                    acknowledged.add(f"thing-{asked}")
            killer.join()
    assert len(acknowledged) > times
    assert aside(folder) == []


def test_a_sandbox_that_is_killed_keeps_what_it_has_acknowledged(tmp_path: Path) -> None:
    kill_often(tmp_path, 3)


def retain_and_kill(folder: Path, times: int) -> None:
    """A device publishes retained messages; what it was told has arrived is there afterwards."""
    chance, told = random.Random(3), 0
    with serve(folder) as serving:
        about = wait_for(serving)
        iot = client(about)
        made = iot.create_keys_and_certificate(setAsActive=True)
        document = policy.to_json(policy.document(policy.statement("iot:*", "*")))
        iot.create_policy(policyName="all", policyDocument=document)
        iot.attach_policy(policyName="all", target=made["certificateArn"])
        (folder / "device.pem").write_text(made["certificatePem"])
        (folder / "device.key").write_text(made["keyPair"]["PrivateKey"])
    for _ in range(times):
        with serve(folder) as serving:
            about = wait_for(serving)
            listed = client(about, "iot-data").get_paginator("list_retained_messages").paginate()
            there = {int(each) for each in listed.search("retainedTopics[].topic")}
            assert set(range(told)) <= there
            tls = client_context(
                Path(about["ca_file"]), folder / "device.pem", folder / "device.key"
            )
            killer = threading.Timer(chance.random() / 2, serving.kill)
            with RawClient(tls, about["mqtt_port"]) as device, suppress(OSError):
                assert device.connect("button", clean=False)
                killer.start()
                while True:
                    device.publish(f"{told}", retain=True)
                    if device.read() is None:
                        break
                    told += 1
            killer.join()
    assert told > times
    assert aside(folder) == []


def test_a_broker_that_is_killed_keeps_what_it_has_acknowledged(tmp_path: Path) -> None:
    retain_and_kill(tmp_path, 3)


@pytest.mark.long
def test_a_broker_that_is_killed_thirty_times(tmp_path: Path) -> None:
    retain_and_kill(tmp_path, 30)


@pytest.mark.long
def test_a_sandbox_that_is_killed_fifty_times(tmp_path: Path) -> None:
    kill_often(tmp_path, 50)


@pytest.mark.usefixtures("nowhere")
def test_what_cannot_be_written_has_not_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state, milestones = State(tmp_path / "registry"), Milestones(tmp_path / "milestones")
    backend = iot_backends[ACCOUNT][REGION]
    fill(backend)
    state.save()
    milestones.reach(f"{ACCOUNT}/before")
    held = plain(vars(backend))
    for full in (FullDisk("fsync"), FullDisk("replace")):
        monkeypatch.setattr(os, full.step, full)
        vars(backend)["tags"] = {"of": "tomorrow"}
        backend.create_thing("new", None, None)
        backend.policies.clear()
        iot_backends["444455556666"][REGION].create_thing("new", None, None)
        with pytest.raises(OSError, match="no space"):
            state.save()
        assert plain(vars(backend)) == held
        assert not iot_backends["444455556666"][REGION].things
        assert milestones.reach(f"{ACCOUNT}/after") is False
        assert milestones.forget(ACCOUNT) is False
        assert set(cast(dict[str, str], milestones.of(ACCOUNT))) == BEFORE
        assert "cannot be written: no space" in caplog.text
        assert not list(tmp_path.glob(".*"))
        monkeypatch.undo()
    state.save()
    assert milestones.reach(f"{ACCOUNT}/after") is True


class FullDisk:
    """Stands for a step of writing a file, on a disk that is full."""

    def __init__(self, step: str) -> None:
        self.step = step

    def __call__(self, *_: object) -> None:
        raise OSError("no space left on device")


@pytest.mark.usefixtures("nowhere")
def test_before_the_first_save_there_was_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iot_backends[ACCOUNT][REGION].create_thing("new", None, None)
    monkeypatch.setattr(os, "fsync", FullDisk("fsync"))
    with pytest.raises(OSError, match="no space"):
        State(tmp_path / "registry").save()
    assert not iot_backends[ACCOUNT][REGION].things


@pytest.mark.usefixtures("nowhere")
def test_what_was_restored_is_there_again_where_the_next_change_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iot_backends[ACCOUNT][REGION].create_thing("kept", None, None)
    State(tmp_path / "registry").save()
    state = State(tmp_path / "registry")
    state.restore()
    iot_backends[ACCOUNT][REGION].create_thing("new", None, None)
    monkeypatch.setattr(os, "fsync", FullDisk("fsync"))
    with pytest.raises(OSError, match="no space"):
        state.save()
    held = iot_backends[ACCOUNT][REGION].things.values()
    assert [thing.thing_name for thing in held] == ["kept"]


@pytest.mark.parametrize("full", [True, False])
def test_the_broker_hears_of_a_change_and_of_one_that_was_undone(full: bool) -> None:
    server = object.__new__(Server)
    server._registry = Registry()
    server._broker = Mock()
    server._state = Mock(save=Mock(side_effect=FullDisk("save") if full else None))
    with pytest.raises(OSError, match="no space") if full else nullcontext():
        server._changed()
    assert server._registry.revision == 1
    server._broker.release.assert_called_once_with(kept=not full)


def small_files() -> None:
    """Let this process write no file of over 64 KB: as good as a full disk, for every user."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))


@pytest.fixture(params=[pytest.param("a small disk", marks=pytest.mark.long), "small files"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What makes the disk under tmp_path/state fill up; only root can mount one."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", folder]
    small_disk = request.param == "a small disk"
    if small_disk and not subprocess.run(mount, capture_output=True).returncode:
        yield {}
        subprocess.run(["umount", "--lazy", folder], check=True)
    else:
        yield {"preexec_fn": small_files}


def test_on_a_full_disk_what_is_acknowledged_is_there(full: dict[str, Any], tmp_path: Path) -> None:
    folder, acknowledged = tmp_path / "state", set[str]()
    attributes = {"attributes": dict.fromkeys("abc", "x" * 800)}
    with serve(folder, **full) as serving:
        about = wait_for(serving)
        iot = client(about)
        with pytest.raises(ClientError) as refused:
            for number in range(1000):
                iot.create_thing(thingName=f"thing-{number}", attributePayload=attributes)
                acknowledged.add(f"thing-{number}")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert len(acknowledged) > 3
        assert things(about) == acknowledged
        with pytest.raises(ClientError):
            iot.create_thing(thingName="again", attributePayload=attributes)
        assert things(about) == acknowledged
        assert HttpLine(about["endpoint_url"]).read("about") == about
        assert serving.poll() is None
    with serve(folder, **full) as serving:
        assert things(wait_for(serving)) == acknowledged
    assert aside(folder) == []


LOGS = """
import logging, pathlib, sys, threading
from sandbox import log
log.begin(pathlib.Path(sys.argv[1]), debug=len(sys.argv) > 2)
ours = logging.getLogger("sandbox")
exec(sys.stdin.read())
"""


def logged(folder: Path, code: str, *debug: str) -> list[str]:
    """Run *code* in a process that logs as a sandbox does; return the log's lines without times."""
    command = [sys.executable, "-c", LOGS, folder, *debug]
    done = subprocess.run(command, cwd=PROJECT, input=code, capture_output=True, text=True)
    assert "Error in sys.excepthook" not in done.stderr
    return [line[24:] for line in log_of(folder).splitlines()]


def test_repeats_are_counted(tmp_path: Path) -> None:
    flood = "[ours.warning('refused: %s', 'x') for _ in range(4712)]\n"
    code = f"ours.info('a'); {flood}ours.warning('b'); ours.warning('b'); ours.error('a')"
    more = "… and 4711 times more"
    assert logged(tmp_path, code) == ["a", "refused: x", more, "b", "… and 1 times more", "a"]


def test_a_count_is_written_after_a_while_and_at_the_end(tmp_path: Path) -> None:
    code = "log.COUNTED_SECONDS = 0.05\nimport time\n[ours.info('a') for _ in range(3)]\n"
    code += "time.sleep(0.5); ours.info('a')"
    assert logged(tmp_path, code) == ["a", "… and 2 times more", "… and 1 times more"]


def test_a_flood_of_different_lines_is_bounded(tmp_path: Path) -> None:
    logged(tmp_path, "[ours.warning('refused: client %d, ' + 'x' * 400, n) for n in range(15_000)]")
    logs = {each.name: each.stat() for each in tmp_path.iterdir()}
    assert set(logs) == {"sandbox.log", "sandbox.log.1", "sandbox.log.2"}
    assert all(each.st_size <= 1_000_000 for each in logs.values())
    assert {stat.S_IMODE(each.st_mode) for each in logs.values()} == {0o600}
    assert "client 14999" in log_of(tmp_path)


def test_a_log_that_was_everyone_s_to_read_is_its_owner_s(tmp_path: Path) -> None:
    (tmp_path / "sandbox.log").touch(0o644)
    logged(tmp_path, "")
    assert stat.S_IMODE((tmp_path / "sandbox.log").stat().st_mode) == 0o600


def test_an_error_that_nobody_hears_is_a_line_of_the_log(tmp_path: Path) -> None:
    """OpenSSL calls back into Python, which has nobody to tell of an error there."""
    code = "class Gone:\n    def __del__(self): raise ValueError('it is so')\nGone()"
    assert logged(tmp_path, code) == ["An error had nobody to hear it (ValueError: it is so)"]


WRONG = """
def wrong():
    raise ValueError("it is\\nso")
try:
    wrong()
except ValueError:
    ours.error("One request failed", exc_info=True)
    ours.debug("More of it", exc_info=True)
thread = threading.Thread(target=wrong)
thread.start()
thread.join()
wrong()
"""


def test_an_error_is_one_line_without_debug(tmp_path: Path) -> None:
    said = "(ValueError: it is so)"
    expected = [f"{what} {said}" for what in ("One request failed", "A thread has ended")]
    assert logged(tmp_path, WRONG) == [*expected, f"The sandbox ends {said}"]


def test_an_error_has_its_traceback_with_debug(tmp_path: Path) -> None:
    logged(tmp_path, WRONG, "debug")
    assert log_of(tmp_path).count("Traceback (most recent call last)") == 4
    assert "More of it" in log_of(tmp_path)


def test_the_log_is_the_sandbox_s_own(tmp_path: Path) -> None:
    """Whoever started it may have gone, and nobody reads its standard error."""
    try:
        sandbox = process.find_or_start(tmp_path)
        with socket.create_connection(("127.0.0.1", sandbox.mqtt_port)) as stranger:
            stranger.sendall(b"not TLS")
            stranger.recv(100)
        assert "speaks TLS only" in log_of(tmp_path)
        assert (tmp_path / process.START_LOG).read_text() == ""
    finally:
        process.stop(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "99999"], "99999 is no port: 1 to 65535"),
        (["--port", "x"], "x is no port"),
        (["--mqtt-port", "-1"], "-1 is no port"),
        (["--mqtt-port", "65536"], "65536 is no port"),
        (["--owner", "999999999"], "there is no process 999999999"),
        (["--owner", "-1"], "there is no process -1"),
        (["--owner", "x"], "there is no process x"),
        (["--owner", "9" * 30], "there is no process 9"),
        (["--faults", "x"], "argument --faults: invalid int value: 'x'"),
        (["--members", "/nowhere/members.json"], "list of members cannot be read"),
        (["--members", "/"], "list of members cannot be read"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, options: list[str], said: str
) -> None:
    refused(tmp_path / "state", said, *options)
    assert not (tmp_path / "state").exists()


def refused(folder: Path, said: str, *options: str) -> None:
    """Start a sandbox that cannot: it says why in one line."""
    with serve(folder, *options) as serving:
        printed, line = serving.communicate(timeout=20)
    assert serving.returncode in (1, 2)
    assert printed == ""
    assert said in line
    assert len(line.splitlines()) == 1, line


def test_a_seed_of_the_environment_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOT_TUTORIAL_FAULTS", "often")
    refused(tmp_path, "argument --faults: invalid int value: 'often'")
    monkeypatch.setenv("IOT_TUTORIAL_FAULTS", "")
    with serve(tmp_path) as serving:
        wait_for(serving)


def both_refuse(folder: Path, said: str) -> None:
    """Neither the command nor what the lesson calls starts a sandbox there, or changes anything."""
    before = [(each, each.stat().st_mtime_ns, each.stat().st_mode) for each in in_folder(folder)]
    refused(folder, said)
    with pytest.raises(SandboxError, match=said):
        process.find_or_start(folder)
    assert before == [
        (each, each.stat().st_mtime_ns, each.stat().st_mode) for each in in_folder(folder)
    ]


def in_folder(folder: Path) -> list[Path]:
    return [folder.parent, *sorted(folder.parent.rglob("*"))]


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o770, 0o1777, 0o722])
def test_a_folder_that_others_use_is_left_alone(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "a colleague's").touch()
    folder.chmod(mode)
    both_refuse(folder, "others use it, too, and it holds other things")


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_folder_of_ones_own_becomes_private(tmp_path: Path, mode: int) -> None:
    """One that is empty, or in which a sandbox has been before."""
    for _ in range(2):
        tmp_path.chmod(mode)
        process.prepare(tmp_path)
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
        (tmp_path / "serving.lock").touch()


def test_a_folder_that_can_be_entered_and_not_read_stays_so(tmp_path: Path) -> None:
    """As a class's: every learner reads ca.pem."""
    (tmp_path / "ca.pem").touch()
    tmp_path.chmod(0o711)
    process.prepare(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o711


def test_a_lock_of_another_user_is_no_sign_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "serving.lock").touch()
    folder.chmod(0o777)
    real = Path.stat

    def elsewhere(path: Path, **how: Any) -> os.stat_result:
        found = real(path, **how)
        values = list(found)
        if path.name == "serving.lock":
            values[stat.ST_UID] += 1
        return os.stat_result(values)

    monkeypatch.setattr(Path, "stat", elsewhere)
    with pytest.raises(SandboxError, match="others use it"):
        process.prepare(folder)


def test_a_folder_of_another_user_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(SandboxError, match="it belongs to another user"):
        process.find_or_start(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SandboxError, match="it cannot be written"):
        process.find_or_start(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    both_refuse(tmp_path / "file", "File exists")


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    def no_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    with serve(tmp_path, preexec_fn=no_files) as serving:
        _, line = serving.communicate(timeout=20)
    assert line.startswith("The sandbox cannot go on: [Errno 27] File too large")
    assert len(line.splitlines()) == 1


OLDER = "from sandbox import process; process.find_or_start(process.state_dir())"


@pytest.fixture(params=["another version", pytest.param("before versions", marks=pytest.mark.long)])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The program as it was before an update."""
    site = tmp_path / "site-packages"
    for package in ("iot_policy", "sandbox"):
        shutil.copytree(PROJECT / package, site / package)
    if request.param == "another version":
        (site / "iot_policy" / "new.py").touch()
    else:  # then it said nothing of its version
        line = site / "sandbox" / "line.py"
        said = "return asdict(self)\n"
        assert said in line.read_text()
        without = 'return {k: v for k, v in asdict(self).items() if k != "version"}\n'
        line.write_text(line.read_text().replace(said, without, 1))
    return site


def test_an_older_one_is_replaced_and_nothing_is_lost(older: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    env = os.environ | {"PYTHONPATH": str(older), "IOT_TUTORIAL_STATE_DIR": str(folder)}
    command = [sys.executable, "-P", "-c", OLDER]
    try:
        subprocess.run(command, cwd=tmp_path, env=env, check=True)
        before = process.running(folder)
        assert before is not None
        client(before.to_json()).create_thing(thingName="kept")
        now = process.find_or_start(folder)
        assert not psutil.pid_exists(before.pid) or now.pid != before.pid
        assert (now.version, now.endpoint_url) == (process.version(), before.endpoint_url)
        assert before.version != now.version
        assert things(now.to_json()) == {"kept"}
        assert process.find_or_start(folder) == now
    finally:
        process.stop(folder)


def test_a_version_is_of_every_file_and_of_moto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("iot_policy", "sandbox"):
        shutil.copytree(PROJECT / package, tmp_path / package)
    now = process.version()
    monkeypatch.setattr(process, "PROJECT", tmp_path)
    assert process.version() == now
    seen = {now}
    for name in ("iot_policy/__init__.py", "sandbox/broker/tls.py"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "#")
        seen.add(process.version())
    (tmp_path / "sandbox" / "new.py").touch()
    seen.add(process.version())
    (tmp_path / "sandbox" / "new.py").rename(tmp_path / "sandbox" / "newer.py")
    seen.add(process.version())
    monkeypatch.setattr(process.metadata, "version", lambda _: "6")
    seen.add(process.version())
    assert len(seen) == 6


def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOPPING_TAKES_AT_MOST", 0.5)
    sandbox = process.find_or_start(tmp_path)
    stopped = psutil.Process(sandbox.pid)
    stopped.suspend()
    assert process.stop(tmp_path)
    assert not stopped.is_running() or stopped.status() == psutil.STATUS_ZOMBIE


def test_what_answers_with_no_http_is_no_sandbox() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            other, _ = server.accept()
            with other:
                other.sendall(b"SSH-2.0-nothing\r\n")
                other.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        assert HttpLine(f"http://127.0.0.1:{server.getsockname()[1]}").read("about") is None
        thread.join()
    assert HttpLine("nonsense").read("about") is None


@pytest.mark.parametrize("damage", [None, b"", b"[", b"\xff", b"5", b"[" * 10**5])
def test_a_class_goes_on_with_the_members_that_it_had(
    tmp_path: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "members.json"
    ada, zoe = accounts.create("ada", []), accounts.create("zoe", [])
    accounts.write(file, [ada])
    members = Members(file)
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage)
    for _ in range(3):
        assert members.holder(ada.key) == ada
    (line,) = caplog.messages
    assert "The class goes on with the members that it had" in line
    accounts.write(file, [zoe])
    assert (members.holder(ada.key), members.holder(zoe.key)) == (None, zoe)


@pytest.mark.parametrize(
    "change", [{"name": 5}, {"key": ["x"]}, {"account": 5}, {"account": "x"}, {"teacher": "no"}]
)
def test_a_member_that_is_none(tmp_path: Path, change: dict[str, object]) -> None:
    file, member = tmp_path / "members.json", asdict(accounts.create("ada", []))
    file.write_text(json.dumps([member]))
    assert Members(file).holder(member["key"]) is not None
    file.write_text(json.dumps([member | change]))
    with pytest.raises(SandboxError, match="list of members cannot be read"):
        Members(file)
