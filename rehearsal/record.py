"""Record what an AWS IoT is asked and what it answers: a line of JSON each, in one file.

Kernels and the process that starts them append to that file. What is in it is masked before it is
written, so that no number or key is ever on the disk.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from queue import Empty
from typing import Any

import boto3
from botocore.config import Config

from helpers import account
from helpers.account import Account, real
from helpers.button import Message
from rehearsal.mask import Values, mask

VARIABLE = "IOT_TUTORIAL_RECORDING"
"""The environment variable that says which file it is."""

_lessons_own = account.connect


def begin() -> None:
    """Have the notebook of this kernel connect as :func:`connect` does."""
    vars(account)["connect"] = connect


def connect() -> Account:
    """Connect as the lesson does, and record what happens from then on.

    Returns:
        An account as AWS has it. The sandbox's is opened in the same way, or the two would not be
        asked the same.
    """
    found = _lessons_own()
    if not found.shared:
        found = as_aws(found)
    return recorded(found, Recording(Path(os.environ[VARIABLE])))


class Recording:
    """A file of JSON lines."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._turn = threading.Lock()

    def write(self, **event: object) -> None:
        """Append a line."""
        line = json.dumps(event, sort_keys=True, ensure_ascii=False)
        with self._turn, self._file.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    @contextmanager
    def timed(self, **event: object) -> Iterator[dict[str, Any]]:
        """Append a line that says how many seconds the block took.

        Yields:
            What else the line is to say.
        """
        begun, said = time.monotonic(), dict[str, Any]()
        try:
            yield said
        finally:
            self.write(**event, **said, seconds=_since(begun))


def as_aws(sandbox: Account) -> Account:
    """Open a sandbox's account in the way of AWS's: as one that others may use, too."""

    def client(service: Any) -> Any:
        made = boto3.client(
            service,
            endpoint_url=sandbox.iot.meta.endpoint_url,
            region_name=sandbox.region,
            aws_access_key_id="rehearsal",
            aws_secret_access_key="rehearsal",  # noqa: S106  nobody checks the signature
            config=Config(proxies={}),
        )
        sandbox.line.carry(made)
        return made

    like = real.account(
        client("iot"),
        cache(lambda: client("iot-data")),
        number=sandbox.number,
        learner=sandbox.learner,
        signed_in="user/rehearsal",
    )
    return replace(like, about=sandbox.about, root_ca=sandbox.root_ca, link=sandbox.link)


def recorded(account: Account, recording: Recording) -> Account:
    """Return the account; its calls and its devices' links are recorded."""
    values = Values()
    _listen(account.iot, recording, values)

    @cache
    def data() -> Any:
        client = account.data()
        _listen(client, recording, values)
        return client

    link: Any = RecordedLink(account.link, recording)
    return replace(account, data=data, link=link)


def _listen(client: Any, recording: Recording, values: Values) -> None:
    def asked(params: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        sent = values.sent(params, model.input_shape)
        context["rehearsed"] = {"call": model.name, "sent": sent}, time.monotonic()

    def answered(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        event, begun = context["rehearsed"]
        about, error = parsed["ResponseMetadata"], parsed.get("Error", {})
        got = {key: it for key, it in parsed.items() if key not in ("ResponseMetadata", "Error")}
        recording.write(
            **event,
            status=about["HTTPStatusCode"],
            code=error.get("Code", ""),
            text=mask(error.get("Message", "")),
            got=values.got(got, None if error else model.output_shape),
            retries=about.get("RetryAttempts", 0),
            seconds=_since(begun),
        )

    def unanswered(exception: Exception, context: dict[str, Any], **_: object) -> None:
        if "rehearsed" in context:
            event, begun = context["rehearsed"]
            code, text = type(exception).__name__, mask(str(exception))
            recording.write(**event, status=0, code=code, text=text, seconds=_since(begun))

    # First, for what the lesson itself does there may raise an error.
    client.meta.events.register_first("before-parameter-build", asked)
    client.meta.events.register_first("after-call", answered)
    client.meta.events.register_first("after-call-error", unanswered)


class RecordedLink:
    """A device's link that records what a client does on it, and what comes of that."""

    def __init__(self, link: Any, recording: Recording) -> None:
        self._link = link
        self._recording = recording

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def open(self, client: Any, host: str, **files: Path) -> None:
        """Connect the client."""
        publish, subscribe = client.publish, client.subscribe

        def publishes(topic: str, *args: Any, **options: Any) -> Any:
            self._recording.write(mqtt="publish", topic=mask(topic), qos=options.get("qos", 0))
            return publish(topic, *args, **options)

        def subscribes(topic: str, *args: Any, **options: Any) -> Any:
            self._recording.write(mqtt="subscribe", topic=mask(topic), qos=options.get("qos", 0))
            return subscribe(topic, *args, **options)

        vars(client).update(publish=publishes, subscribe=subscribes)
        with self._recording.timed(mqtt="open") as said:
            try:
                self._link.open(client, host, **files)
                said["outcome"] = "open"
            except (OSError, ValueError) as problem:
                said["outcome"] = f"{type(problem).__name__}: {mask(str(problem))}"
                raise

    def take(self, client: Any, queue: Any, seconds: float) -> Any:
        """Return what comes next."""
        with self._recording.timed(mqtt="take") as said:
            try:
                item = self._link.take(client, queue, seconds)
            except Empty:
                said["outcome"] = "nothing"
                raise
            if isinstance(item, Message):
                said |= {"topic": mask(item.topic), "payload": sorted(item.payload)}
                said["outcome"] = "message"
            else:
                words = item if isinstance(item, tuple) else (item,)
                said["outcome"] = mask(" ".join(map(str, words)).strip())
            return item


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
