"""What devices are told is kept, on disk: a killed broker comes back with it.

One file holds each endpoint's retained messages, the sessions that outlive their connections, and
what waits for groups: JSON, with each message as an MQTT 5 packet. Changes are appended to its
journal, before somebody is told that they are done: an acknowledged message outlives the process.
What nobody is told of is appended at the next sweep: a QoS 0 message that is retained, and how far
a client that is connected has come with its QoS 1 messages. Other QoS 0 messages are never written.
"""

import json
import logging
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox.broker.endpoint import Endpoint, Endpoints, Retained
from sandbox.broker.sessions import Delivery, Session, Unit, Unsaved
from sandbox.mqtt import encoder, limits
from sandbox.mqtt.decoder import decode, frames
from sandbox.mqtt.packets import V5, V311, Publish, Subscription
from sandbox.mqtt.topics import check_filter
from sandbox.state_files import Journal, holds, keep, recall

JOURNAL_BYTES = 1024 * 1024
"""A journal beyond this, and beyond its file's size, is replaced by a new file."""
_LOST = "Retained messages and the sessions of devices that are away are forgotten."
_log = logging.getLogger("sandbox")


class Store:
    """The file with what is to outlive the broker's process, and its journal."""

    def __init__(self, file: Path, endpoints: Endpoints) -> None:
        self._file = file
        self._journal = Journal(file.with_name(f"{file.name}.log"))
        self._endpoints = endpoints
        self._content: bytes | None = None
        self._failing = False

    def refresh(self) -> None:
        """Load what was saved, or what another process has saved since.

        Sessions whose clients are connected here stay as they are.

        Raises:
            OSError: a file is there and the system does not let it be read.
        """
        if self._content is not None and self._journal.as_known and self._is_there():
            return
        self._content = recall(self._file, _endpoints_in, lost=_LOST) or b""
        unsaved, entries = self._endpoints.unsaved, self._journal.read(self._content)
        try:
            found = _endpoints_in(self._content, entries, unsaved)
        except ValueError:
            self._journal.set_aside(f"its {len(entries)} changes")
            found = _endpoints_in(self._content, (), unsaved)
        for place in found.keys() | dict(self._endpoints.items()).keys():
            self._endpoints.at(place).adopt(found.get(place) or Endpoint(place, unsaved))
        unsaved.clear()
        if not self._journal.ends_well:
            self.write()

    def settle(self) -> None:
        """Append what somebody is about to be told of."""
        unsaved = self._endpoints.unsaved
        if unsaved.told or unsaved.added:
            self._append(unsaved.told)

    def save(self) -> None:
        """Append all that has changed."""
        unsaved = self._endpoints.unsaved
        if unsaved.told or unsaved.added or unsaved.soon or self._failing:
            self._append(unsaved.told | unsaved.soon)
            unsaved.clear()

    def close(self) -> None:
        """Append what has changed, and make one file of it all."""
        self.save()
        if self._journal.size:
            self.write()

    def write(self) -> None:
        """Write the file anew, and end its journal; what cannot be written is told to the log."""
        self._endpoints.unsaved.clear()  # what fails now is written whole later
        clock = time.time() - time.monotonic()
        content = json.dumps(
            {place: _held(endpoint, clock) for place, endpoint in self._endpoints.items()}
        ).encode()
        try:
            keep(self._file, content)
            self._journal.clear()
        except OSError as problem:
            self._fail(problem)
        else:
            self._content, self._failing = content, False

    def _append(self, units: set[Unit]) -> None:
        if self._failing:
            self.write()  # all of it: the journal may end within a line
            return
        clock, unsaved = time.time() - time.monotonic(), self._endpoints.unsaved
        changes: list[object] = [[*unit, _unit(self._endpoints, unit, clock)] for unit in units]
        for unit, message in unsaved.added:
            if unit not in units:
                changes.append([*unit, _packed(message, clock), "added"])
        unsaved.told, unsaved.added = set(), []
        try:
            self._journal.append(self._content or b"", changes)
        except OSError as problem:
            self._fail(problem)
        if self._journal.size > max(JOURNAL_BYTES, len(self._content or b"")):
            self.write()

    def _is_there(self) -> bool:
        return holds(self._file, self._content) if self._content else not self._file.exists()

    def _fail(self, problem: OSError) -> None:
        if not self._failing:
            _log.error(
                "What devices are told is kept cannot be written (%s): it ends with this process. "
                "Make room.",
                problem.strerror,
            )
        self._failing = True


def _held(endpoint: Endpoint, clock: float) -> dict[str, Any]:
    return {
        "retained": {topic: _kept(each, clock) for topic, each in endpoint.retained.items()},
        "sessions": {
            key: _session(each, clock)
            for key, each in endpoint.sessions.items()
            if each.expiry_seconds
        },
        "groups": {
            topic_filter: [_packed(each, clock) for each in group.undelivered()]
            for topic_filter, group in endpoint.groups.items()
        },
    }


def _unit(endpoints: Endpoints, unit: Unit, clock: float) -> Any:
    """Return what is to be saved of a unit; ``None`` where it is there no more."""
    place, kind, key = unit
    endpoint = endpoints.at(place)
    if kind == "retained":
        return _kept(endpoint.retained[key], clock) if key in endpoint.retained else None
    if kind == "sessions":
        session = endpoint.sessions.get(key)
        return _session(session, clock) if session and session.expiry_seconds else None
    group = endpoint.groups.get(key)
    return [_packed(each, clock) for each in group.undelivered()] if group else None


def _kept(kept: Retained, clock: float) -> list[Any]:
    return [*_packed(kept.message, clock), kept.modified]


def _session(session: Session, clock: float) -> dict[str, Any]:
    return {
        "client": session.client_id,
        "certificate": session.certificate_id,
        "version": session.version,
        "identifier": session.identifier,
        "expiry": session.expiry_seconds,
        "ends": None if session.subscriber else session.expires_at + clock,
        "subscriptions": [
            [each.filter, each.qos, each.no_local, each.retain_as_published, each.retain_handling]
            for each in session.subscriptions.values()
        ],
        "waiting": [
            [*_packed(each.message, clock), each.retain, each.packet_id]
            for each in session.undelivered()
            if each.group is None
        ],
    }


def _packed(message: Publish, clock: float) -> list[Any]:
    packet = encoder.publish(V5, message.topic, message.payload, carried=message.properties)
    until = message.expires_at
    return [b64encode(packet).decode(), message.qos, None if until is None else until + clock]


def _apply(entry: Any, held: dict[str, Any]) -> None:
    """Change what a file holds by one entry of its journal."""
    place, kind, key, value, *added = entry
    units = held.setdefault(place, {"retained": {}, "sessions": {}, "groups": {}})[kind]
    if not added:
        units[key] = value
        if value is None:
            del units[key]
    elif kind == "groups":
        units.setdefault(key, []).append(value)
    elif key in units:
        units[key]["waiting"].append([*value, False, 0])


def _endpoints_in(
    content: bytes, entries: Iterable[Any] = (), unsaved: Unsaved | None = None
) -> dict[str, Endpoint]:
    """Read what a file holds, and then change it as its journal says.

    Raises:
        ValueError: it is something else.
    """
    try:
        held = json.loads(content or b"{}")
        for entry in entries:
            _apply(entry, held)
        return {place: _endpoint(place, each, unsaved or Unsaved()) for place, each in held.items()}
    except Exception as problem:  # of what is no file of ours anything may be wrong
        raise ValueError(f"{type(problem).__name__}: {problem}") from problem


def _endpoint(place: str, held: dict[str, Any], unsaved: Unsaved) -> Endpoint:
    if not re.fullmatch(r"\d{12}/[a-z0-9-]+", place):
        raise ValueError(f"{place!r} is no account and Region")
    clock = time.monotonic() - time.time()
    endpoint = Endpoint(place, unsaved)
    for *packed, modified in held["retained"].values():
        endpoint.keep(Retained(_unpacked(packed, clock), float(modified)))
    for each in held["sessions"].values():
        endpoint.resume(_resumed(each, place, clock, unsaved))
    for topic_filter, waiting in held["groups"].items():
        if group := endpoint.groups.get(topic_filter):
            group.waiting = [_unpacked(packed, clock) for packed in waiting]
    return endpoint


def _resumed(held: dict[str, Any], place: str, clock: float, unsaved: Unsaved) -> Session:
    client_id, certificate_id = str(held["client"]), str(held["certificate"])
    session = Session(client_id, certificate_id, held["version"], place, unsaved)
    if session.version not in (V311, V5):
        raise ValueError("it is no session")
    session.identifier = str(held["identifier"])
    session.expiry_seconds = int(held["expiry"])
    ends = held["ends"]
    session.expires_at = time.monotonic() + session.expiry_seconds if ends is None else ends + clock
    for topic_filter, qos, *options in held["subscriptions"]:
        check_filter(topic_filter)
        session.subscriptions[topic_filter] = Subscription(topic_filter, int(qos), *options)
    session.take_back(
        Delivery(_unpacked(packed, clock), 1, bool(retain), int(packet_id))
        for *packed, retain, packet_id in held["waiting"]
    )
    return session


def _unpacked(packed: Iterable[Any], clock: float) -> Publish:
    packet, qos, until = packed
    ((first, body),) = frames(bytearray(b64decode(packet, validate=True)), limits.PACKET_BYTES)
    message = decode(first, body, V5)
    if not isinstance(message, Publish):
        raise ValueError("it is no message")
    message.qos, message.expires_at = int(qos), None if until is None else until + clock
    return message
