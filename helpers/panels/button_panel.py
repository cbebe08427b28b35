"""The button: press it, and see what arrives.

At the end: the panel's own listener, which works while the page stays free.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import datetime
from html import escape
from threading import Lock
from typing import Any, TypeVar

import ipywidgets as widgets

from helpers import button, certificate, thing
from helpers.account import Account
from helpers.button import Click, Device, Inbox, Message, Refused
from helpers.errors import LessonError
from helpers.panels.calls import literal
from helpers.panels.panel import Outcome, Panel, Picture, action, row

Result = TypeVar("Result")
_SHOWN = 10
"""How many messages the panel shows."""
_CHECK_EVERY = 0.1
"""Seconds between two looks at what has arrived."""
_LIGHTS = ("iot-light-sending", "iot-light-done", "iot-light-refused")


class ButtonPanel(Panel):
    """A round button, and the messages as they arrive.

    Another thread does the press, so the page never waits for it. Presses queue up, because the
    broker ends a connection when a second one with the same client id begins.
    """

    picture = Picture(
        "iot-press.png",
        "The panel Press the button: a round button with a green ring, the answer that SINGLE is "
        "published, and below it the message that has arrived, with serial number and click type.",
    )

    def __init__(
        self,
        account: Account,
        *,
        what: str = thing.BUTTON,
        listener: str = "panel",
        title: str = "Press the button",
    ) -> None:
        """Show a button that is there, or will be.

        Args:
            account: Where it is.
            what: Which button: what follows the learner in its Thing's name.
            listener: The same of the panel's own listener, which the first press makes.
            title: The panel's title.
        """
        self._account = account
        self._name = account.name(what)
        self._listening = Listening(
            account,
            account.name(listener),
            arrived=self.show_arrival,
            ended=self.show_silence,
        )
        self._one_at_a_time = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self.arrived: list[Message] = []
        self._lines: list[str] = []
        self.outcome = Outcome(account.iot)
        self._make_controls()
        said, code = self.outcome.view.children
        presses = row(self.single, self._others)
        super().__init__(title, presses, said, self._silence, self._messages, code)

    def _make_controls(self) -> None:
        self.single = widgets.Button(description="Press", tooltip="Press the button once")
        self.single.add_class("iot-round")
        self.double = action("Double press")
        self.long = action("Long press", tooltip="Long press, over 1.5 seconds")
        self.listening = action("Listen", tooltip="Show presses made in cells, too")
        self._others = widgets.VBox([self.double, self.long, self.listening])
        self._others.add_class("iot-presses")
        self.single.on_click(self.press_once)
        self.double.on_click(self.press_twice)
        self.long.on_click(self.press_long)
        self.listening.on_click(self.begin_to_listen)
        self._silence, self._messages = widgets.HTML(), widgets.HTML()
        self.show_silence()

    @property
    def code(self) -> str:
        """The code of what was clicked last."""
        return self.outcome.code

    def press_once(self, _: Any = None) -> None:
        """Begin a press."""
        self._begin(self.press("SINGLE"))

    def press_twice(self, _: Any = None) -> None:
        """Begin a double press."""
        self._begin(self.press("DOUBLE"))

    def press_long(self, _: Any = None) -> None:
        """Begin a long press."""
        self._begin(self.press("LONG"))

    def begin_to_listen(self, clicked: Any = None) -> None:
        """Begin to listen."""
        if clicked:
            self.single.focus()  # the clicked one is about to be disabled
        self._begin(self.listen())

    async def press(self, click: Click = "SINGLE") -> None:
        """Press the button, once the listener is there; a refusal is shown with its reason.

        Where the button itself is missing, nothing is made, the listener neither.
        """
        async with self._one_at_a_time:
            self._light("iot-light-sending")
            with self.outcome.of(
                f"Pressing: {click}",
                lambda: f"{click} is published on {self._listening.topic}.",
                # In some notebooks, `button` is the learner's Thing.
                code="from helpers.button import device, press\n\n"
                f"press(device(aws, {literal(self._name)}), {literal(click)})",
            ):
                await self._listen()
                await aside(self._account, self._press, click)
            self._light("iot-light-done" if self.outcome.succeeded else "iot-light-refused")

    async def listen(self) -> None:
        """Start the listener, unless it listens already."""
        async with self._one_at_a_time:
            with self.outcome.of("Starting to listen", "Listening."):
                await self._listen()
            if self.outcome.succeeded:
                self.outcome.show_code(self._listening.code)

    def device(self) -> Device:
        """Return the button, ready to be pressed.

        Raises:
            LessonError: its Thing or its key files are missing.
        """
        try:
            return button.device(self._account, self._name)
        except LessonError as missing:
            raise LessonError(
                f"{missing} Or run this notebook from the top.", entry="What a cell needs is gone"
            ) from missing

    async def next(self, number: int = 1, *, timeout: float = button.PATIENCE) -> Message:
        """Wait for a message.

        Args:
            number: Its number, counted from 1.
            timeout: Seconds.
        """
        async with asyncio.timeout(timeout):
            while len(self.arrived) < number:
                await asyncio.sleep(0.05)
        return self.arrived[number - 1]

    def show_arrival(self, message: Message) -> None:
        """Show a message that has arrived, on top of the others."""
        self.arrived.append(message)
        click = str(message.payload.get("clickType", "A message"))
        whole = json.dumps(message.payload, ensure_ascii=False)
        line = (
            f'<li><span class="iot-hint">{datetime.now():%H:%M:%S}</span> '
            f"<strong>{_shown(click)}</strong> "
            f"on {escape(message.topic)}<br><code>{_shown(whole)}</code></li>"
        )
        self._lines = [line, *self._lines][:_SHOWN]
        self._messages.value = (
            f'<div role="log" aria-label="Messages"><ul class="iot-messages">'
            f"{''.join(self._lines)}</ul></div>"
        )

    def show_silence(self, why: str = "") -> None:
        """Show that nobody listens.

        Args:
            why: Why the listener has stopped.
        """
        self.listening.disabled = False
        reason = f"{why.removesuffix('.')}. " if why else ""
        text = f"{reason}No listener now; a press starts one."
        self._silence.value = f'<div class="iot-hint">{escape(text)}</div>'

    async def _listen(self) -> None:
        try:
            await self._listening.start(self.device)
        except LessonError:
            self._listening.stop()
            self.show_silence()
            raise
        self.listening.disabled = True
        text = f"{self._listening.name} listens on {self._listening.topic}."
        self._silence.value = f'<div class="iot-hint">{escape(text)}</div>'

    def _press(self, click: Click) -> None:
        button.press(self.device(), click)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        # The loop keeps only a weak reference to a task.
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _light(self, which: str) -> None:
        for light in _LIGHTS:
            self.single.remove_class(light)
        if which:
            self.single.add_class(which)


async def aside(account: Account, work: Callable[..., Result], *arguments: Any) -> Result:
    """Do work in a thread, so that the page stays free; at once, where nothing is waited for."""
    if account.link.waits:
        return await asyncio.to_thread(work, *arguments)
    return work(*arguments)


def _shown(text: str) -> str:
    # JSON can write half a character ("\\ud800"), which no page can show.
    return escape(text.encode(errors="replace").decode())


class Listening:
    """The panel's own listener: a Thing of its own, so it ends no connection of the notebook's."""

    def __init__(
        self,
        account: Account,
        name: str,
        *,
        arrived: Callable[[Message], None],
        ended: Callable[[str], None],
    ) -> None:
        """Prepare a listener; nothing is made yet.

        Args:
            account: Where to make it.
            name: Its Thing's name and its client id.
            arrived: Called with each message.
            ended: Called with the reason when the broker has ended the connection.
        """
        self._account = account
        self.name = name
        self.making = Lock()
        """Held while the listener is made: whoever deletes it takes this first."""
        self._serial = ""
        self.certificate_id = ""
        """Of its certificate; empty before it has one."""
        self._arrived = arrived
        self._ended = ended
        self._connection = ExitStack()
        self._collecting: asyncio.Task[None] | None = None

    @property
    def topic(self) -> str:
        """The topic that it listens to."""
        return f"iotbutton/{self._serial}"

    @property
    def open(self) -> bool:
        """Whether messages can arrive, as far as the broker has said."""
        return self._collecting is not None and not self._collecting.done()

    @property
    def code(self) -> str:
        """Python that listens in a cell."""
        return (
            "from helpers.button import listen, make_listener\n\n"
            f'ear = make_listener(aws, "{self._serial}", "{self.name}")\n'
            f'with listen(ear, "{self.topic}") as heard:\n'
            "    print(heard.next(timeout=60))"
        )

    async def start(self, speaker: Callable[[], Device]) -> None:
        """Make the listener and connect it, unless it listens already.

        Args:
            speaker: Returns the button to listen to. Where that raises, nothing is made.
        """
        if self.open and await aside(self._account, self._as_before, speaker):
            return
        self.stop()
        inbox = await aside(self._account, self._connect, speaker)
        self._collecting = asyncio.create_task(self._collect(inbox))

    def stop(self) -> None:
        """End the connection."""
        if self._collecting is not None:
            self._collecting.cancel()
        self._collecting = None
        self._connection.close()

    def _as_before(self, speaker: Callable[[], Device]) -> bool:
        """Whether it listens to the right button, with a certificate that is still there.

        The broker ends the connection of a deleted certificate only after a while, AWS's after
        minutes.
        """
        same = speaker().serial == self._serial
        return same and certificate.find(self._account.iot, self.certificate_id) is not None

    def _connect(self, speaker: Callable[[], Device]) -> Inbox:
        with self.making:
            self._serial = speaker().serial
            device = button.make_listener(self._account, self._serial, self.name)
            self.certificate_id = device.files.certificate_id
        return self._connection.enter_context(button.listen(device, self.topic))

    async def _collect(self, inbox: Inbox) -> None:
        try:
            while True:
                while not inbox.empty:
                    self._arrived(inbox.next())
                await asyncio.sleep(_CHECK_EVERY)
        except Refused as cut:
            self._ended(str(cut))
        except Exception as problem:
            self._ended(f"{type(problem).__name__}: {problem}")
            raise
