"""Which certificates the lesson made: written down before each call that may make one.

A certificate can hold no marker, and whose it is shows only once its files are saved or it is
attached. Until then, this tells: also after a lost answer, or a kill at any moment.
"""

import json
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from botocore.exceptions import EndpointConnectionError

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

ISSUING = ("CreateKeysAndCertificate", "CreateCertificateFromCsr")
"""The calls that make a certificate."""


@dataclass(frozen=True)
class Call:
    """A call that may have made a certificate whose id was never heard of."""

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
    """A folder with a file for each certificate, and for each call whose answer is not known."""

    def __init__(self, keys: Path) -> None:
        """Open the ledger beside the key files in *keys*; no file is made yet."""
        self._folder = keys / ".certificates"

    def note(self, certificate_id: str) -> None:
        """Write down that a certificate is the lesson's."""
        self._write(certificate_id, str(os.getpid()))

    def forget(self, certificate_id: str) -> None:
        """Strike a certificate out: it is no more."""
        self._strike(self._folder / certificate_id)

    def ids(self) -> list[str]:
        """List the certificates that are the lesson's."""
        return sorted(file.name for file in self._files() if not file.suffix)

    def begin(self, operation: str, before: list[str]) -> Path:
        """Write down that a certificate is about to be made, and which ones there are already."""
        now = datetime.now(UTC).isoformat()
        call = {"operation": operation, "pid": os.getpid(), "at": now, "before": before}
        return self._write(f"{uuid.uuid4()}.call", json.dumps(call))

    def give_up(self, call: Path) -> None:
        """Write down that nobody waits for a call's answer any more."""
        self._write(call.name, json.dumps(json.loads(call.read_text()) | {"pid": 0}))

    def end(self, call: Path) -> None:
        """Strike a call out: what it made is known."""
        self._strike(call)

    def calls(self) -> list[Call]:
        """List the calls of which it is not known what they made."""
        told = {file: json.loads(file.read_text()) for file in self._files() if file.suffix}
        return [
            Call(
                file,
                each["operation"],
                each["pid"],
                datetime.fromisoformat(each["at"]),
                frozenset(each["before"]),
            )
            for file, each in told.items()
        ]

    def under_way(self, certificate_id: str) -> bool:
        """Whether another process that runs may be about to save the certificate's files."""
        return _another(int((self._folder / certificate_id).read_text()))

    def _files(self) -> list[Path]:
        # A name that begins with a dot is not whole yet.
        return sorted(self._folder.glob("[!.]*"))

    def _write(self, name: str, content: str) -> Path:
        self._folder.parent.parent.mkdir(mode=0o700, exist_ok=True)
        self._folder.parent.mkdir(mode=0o700, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        partial = self._folder / f".{uuid.uuid4()}"
        partial.touch(mode=0o600)
        partial.write_text(content)
        return partial.replace(self._folder / name)

    def _strike(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        if self._folder.exists() and not any(self._folder.iterdir()):
            self._folder.rmdir()


def _another(pid: int) -> bool:
    return pid not in (0, os.getpid()) and psutil.pid_exists(pid)


def keep(iot: "IoTClient", keys: Path) -> Ledger:
    """Make *iot* write each certificate down that it makes, and strike out what it deletes."""
    ledger = Ledger(keys)

    def about_to_issue(model: Any, context: dict[str, Any], **_: object) -> None:
        pages = iot.get_paginator("list_certificates").paginate(PaginationConfig={"PageSize": 250})
        before = [each["certificateId"] for page in pages for each in page["certificates"]]
        context["issuing"] = ledger.begin(model.name, before)

    def issued(parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        if "certificateId" in parsed:
            ledger.note(parsed["certificateId"])
        answer = parsed["ResponseMetadata"]
        # Tried again, or failed at AWS's end: one more may have been made, unheard of.
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

    def deleting(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["deleting"] = params["url_path"].rsplit("/", 1)[1]

    def deleted(parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        code = parsed.get("Error", {}).get("Code")
        if code in (None, "ResourceNotFoundException"):
            ledger.forget(context["deleting"])

    events = iot.meta.events
    for operation in ISSUING:
        events.register(f"before-call.iot.{operation}", about_to_issue)
        events.register(f"after-call.iot.{operation}", issued)
        events.register(f"after-call-error.iot.{operation}", not_issued)
    events.register("before-call.iot.DeleteCertificate", deleting)
    events.register("after-call.iot.DeleteCertificate", deleted)
    return ledger
