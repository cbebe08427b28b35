"""Which certificates the lesson made, recorded before each call; and what became of them since.

A certificate can hold no marker, and whose it is shows only once its files are saved or it is
attached. Until then, the ledger says so: also after a lost answer, or a kill at any moment. AWS
keeps no history of a certificate, so the ledger does, until the clean-up.
"""

import json
import os
import re
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import EndpointConnectionError

from sandbox import process
from sandbox.files import write_whole

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

ISSUING = ("CreateKeysAndCertificate", "CreateCertificateFromCsr")
"""The calls that make a certificate."""

MOST_CHANGES = 300
"""How many changes are kept: a certificate's own are about ten."""

_RECORDING = threading.Lock()


class Change(NamedTuple):
    """Something that a certificate has from now on, or has no longer."""

    at: str
    """When AWS had answered, in ISO 8601."""
    certificate_id: str
    what: str
    """``made``, ``ACTIVE``, ``policy <its name>`` or ``Thing <its name>``."""
    on: bool


@dataclass(frozen=True)
class PendingCall:
    """A call that may have made a certificate, and whose answer has not arrived."""

    file: Path
    operation: str
    """One of :data:`ISSUING`."""
    pid: int
    """The process that waits for the answer; 0 when it has given up."""
    at: datetime
    before: frozenset[str]
    """The ids of all certificates that the account held when it was made."""

    @property
    def under_way(self) -> bool:
        """Whether another process may still be waiting for the answer."""
        return _another(self.pid)


class Ledger:
    """A folder with a file for each certificate, one for each pending call, and a history."""

    def __init__(self, key_folder: Path) -> None:
        """Open the ledger beside the key files in *key_folder*; no file is made yet."""
        self._folder = key_folder / ".certificates"
        self._history = self._folder / ".history"

    def note(self, certificate_id: str) -> None:
        """Record that a certificate is the lesson's."""
        self._write(certificate_id, str(os.getpid()))

    def keep(self, certificate_id: str) -> None:
        """Record a certificate that is there already; its history may begin only now."""
        self.note(certificate_id)
        if (certificate_id, "made") not in [each[1:3] for each in self.changes()]:
            self.record(certificate_id, "made", True)

    def forget(self, certificate_id: str) -> None:
        """Remove a certificate from the ledger: it is deleted."""
        if certificate_id:  # a damaged file has none
            self._remove(self._folder / certificate_id)

    def ids(self) -> list[str]:
        """List the certificates that are the lesson's."""
        names = sorted(each.name for each in self._folder.glob("[!.]*"))
        return [each for each in names if re.fullmatch("[0-9a-f]{64}", each)]

    def begin(self, operation: str, before: list[str]) -> Path:
        """Record that a certificate is about to be made, and which ones there are already."""
        now = datetime.now(UTC).isoformat()
        call = {"operation": operation, "pid": os.getpid(), "at": now, "before": before}
        return self._write(f"{uuid.uuid4()}.call", json.dumps(call))

    def give_up(self, call: Path) -> None:
        """Record that nobody waits for a call's answer any more."""
        self._write(call.name, json.dumps(json.loads(call.read_text()) | {"pid": 0}))

    def end(self, call: Path) -> None:
        """Remove a call from the ledger: what it made is known."""
        self._remove(call)

    def calls(self) -> list[PendingCall]:
        """List the pending calls: what they made is not known."""
        found = []
        for file in sorted(self._folder.glob("[!.]*.call")):
            with suppress(KeyError, RecursionError, TypeError, ValueError):  # damaged
                each = json.loads(file.read_bytes())
                at, before = datetime.fromisoformat(each["at"]), frozenset(each["before"])
                found.append(PendingCall(file, each["operation"], each["pid"], at, before))
        return found

    def record(self, certificate_id: str, what: str, on: bool) -> None:
        """Record a change of a certificate; of many, the least needed are forgotten."""
        change = Change(datetime.now(UTC).isoformat(), certificate_id, what, on)
        with _RECORDING:  # panels have threads of their own
            kept = self._most_needed([*self.changes(), change])
            self._write(self._history.name, "\n".join(map(json.dumps, kept)))

    def changes(self) -> list[Change]:
        """List what became of the certificates, the oldest change first."""
        lines = [each for each in _lines(self._history) if isinstance(each, list)]
        return [Change(*each) for each in lines if [*map(type, each)] == [str, str, str, bool]]

    def _most_needed(self, changes: list[Change]) -> list[Change]:
        """Leave out those of deleted certificates first, then those that a later one undid."""
        own, last = set(self.ids()), {each[1:3]: at for at, each in enumerate(changes)}
        need = [2 * (each[1] in own) + (at in last.values()) for at, each in enumerate(changes)]
        kept = sorted(range(len(changes)), key=need.__getitem__)[-MOST_CHANGES:]
        return [changes[at] for at in sorted(kept)]

    def forget_changes(self) -> None:
        """Delete the history: the lesson's certificates are all gone."""
        self._remove(self._history)

    def under_way(self, certificate_id: str) -> bool:
        """Whether another process that runs may be about to save the certificate's files."""
        pid = next(iter(_lines(self._folder / certificate_id)), 0)
        return isinstance(pid, int) and _another(pid)

    def _write(self, name: str, content: str) -> Path:
        for folder in (*reversed(self._folder.parents[:2]), self._folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._folder / name, content.encode())
        return self._folder / name

    def _remove(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        if self._folder.exists() and not any(self._folder.iterdir()):
            self._folder.rmdir()


def _lines(file: Path) -> list[Any]:
    """Read a file of JSON, a value in each line, without what is damaged."""
    found = []
    with suppress(FileNotFoundError):
        for line in file.read_bytes().splitlines():
            with suppress(RecursionError, ValueError):
                found.append(json.loads(line))
    return found


def _another(pid: int) -> bool:
    return pid not in (0, os.getpid()) and process.is_alive(pid)


def certificate_id(params: Mapping[str, Any]) -> str:
    """Read the id of the certificate that a call is about; empty where there is none."""
    from iot_policy import split_arn  # loads with the first notebook that needs it

    if "certificateId" in params:
        return str(params["certificateId"])
    arn = split_arn(str(params.get("target") or params.get("principal") or ""))
    return arn.name if arn and arn.resource_type == "cert" else ""


def _change(operation: str, params: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Tell what a call that succeeded gives to a certificate, or takes from it."""
    match operation:
        case "UpdateCertificate":
            return "ACTIVE", params["newStatus"] == "ACTIVE"
        case "AttachPolicy" | "DetachPolicy" | "AttachPrincipalPolicy" | "DetachPrincipalPolicy":
            return f"policy {params['policyName']}", operation.startswith("Attach")
        case "AttachThingPrincipal" | "DetachThingPrincipal":
            return f"Thing {params['thingName']}", operation.startswith("Attach")
    return None


def record_certificates(iot: "IoTClient", key_folder: Path) -> Ledger:
    """Make *iot* record each certificate that it makes or changes, and forget what it deletes."""
    ledger = Ledger(key_folder)

    def about_to_issue(model: Any, context: dict[str, Any], **_: object) -> None:
        pages = iot.get_paginator("list_certificates").paginate(PaginationConfig={"PageSize": 250})
        before = [each["certificateId"] for page in pages for each in page["certificates"]]
        context["issuing"] = ledger.begin(model.name, before)

    def issued(parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        if "certificateId" in parsed:
            ledger.note(parsed["certificateId"])
            ledger.record(parsed["certificateId"], "made", True)
            active = context["asked"].get("setAsActive", False)
            ledger.record(parsed["certificateId"], "ACTIVE", active)
        answer = parsed["ResponseMetadata"]
        # Tried again, or failed at AWS's end: one more may have been made, whose id nobody heard.
        if answer.get("RetryAttempts") or answer["HTTPStatusCode"] >= 500:
            ledger.give_up(context["issuing"])
        else:
            ledger.end(context["issuing"])

    def not_issued(exception: Exception, context: dict[str, Any], **_: object) -> None:
        never_sent = isinstance(exception, EndpointConnectionError)
        if never_sent and context["retries"]["attempt"] == 1:
            ledger.end(context["issuing"])
        else:
            ledger.give_up(context["issuing"])

    def deleted(parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        code = parsed.get("Error", {}).get("Code")
        if code in (None, "ResourceNotFoundException"):
            ledger.forget(context["asked"]["certificateId"])

    def about_to_send(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["asked"] = params

    def changed(model: Any, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        change = _change(model.name, context["asked"])
        if change and "Error" not in parsed:
            about = certificate_id(context["asked"])
            if about in ledger.ids():
                ledger.record(about, *change)

    def thing_deleted(**_: object) -> None:
        if not ledger.ids():
            ledger.forget_changes()

    events = iot.meta.events
    events.register("provide-client-params.iot", about_to_send)
    events.register("after-call.iot", changed)
    events.register("after-call.iot.DeleteThing", thing_deleted)
    for operation in ISSUING:
        events.register(f"before-call.iot.{operation}", about_to_issue)
        events.register(f"after-call.iot.{operation}", issued)
        events.register(f"after-call-error.iot.{operation}", not_issued)
    events.register("after-call.iot.DeleteCertificate", deleted)
    return ledger
