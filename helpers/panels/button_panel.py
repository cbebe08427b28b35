"""The button itself: press it, and see what arrives."""

import asyncio
import json
from collections.abc import Coroutine
from datetime import datetime
from html import escape
from typing import Any

import ipywidgets as widgets

from helpers import button, thing
from helpers.account import Account
from helpers.button import Click, Message
from helpers.panels.calls import literal
from helpers.panels.listening import Listening
from helpers.panels.outcome import Outcome
from helpers.panels.panel import Panel, action, row

_SHOWN = 10
_LIGHTS = ("iot-light-sending", "iot-light-done", "iot-light-refused")


class ButtonPanel(Panel):
    """A round button, and the messages as they arrive.

    A press is work for another thread, so the page never waits for it. Presses queue up: a second
    connection under the same client id would cut the first one off.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._name = account.name("button")
        found = thing.find(account.iot, self._name)
        serial = found.serial if found else thing.EXAMPLE_SERIAL
        self._listening = Listening(
            account, serial, arrived=self.show_arrival, ended=self.show_silence
        )
        self._one_at_a_time = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self.arrived: list[Message] = []
        self._lines: list[str] = []
        self.outcome = Outcome(account.iot)
        self._make_controls()
        super().__init__(
            "Press the button",
            row(self.single, self._others),
            self.outcome.view,
            self._silence,
            self._messages,
        )

    def _make_controls(self) -> None:
        self.single = widgets.Button(description="Press", tooltip="Press the button once")
        self.single.add_class("iot-round")
        self.double = action("Double press")
        self.long = action("Long press", tooltip="Long press, over 1.5 seconds")
        self.listening = action("Listen", tooltip="Show messages that others send, too")
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
        """What a cell says to do the same."""
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

    def begin_to_listen(self, _: Any = None) -> None:
        """Begin to listen."""
        self._begin(self.listen())

    async def press(self, click: Click = "SINGLE") -> None:
        """Press the button, as soon as somebody listens; a refusal is shown with its reason."""
        await self.listen()
        async with self._one_at_a_time:
            self._light("iot-light-sending")
            with self.outcome.of(
                f"Pressing: {click}",
                f"{click} is published on {self._listening.topic}.",
                code="from helpers import button\n\n"
                f"button.press(button.device(aws, {literal(self._name)}), {literal(click)})",
            ):
                await asyncio.to_thread(self._press, click)
            self._light("iot-light-done" if self.outcome.succeeded else "iot-light-refused")

    async def listen(self) -> None:
        """Listen, unless that is done already."""
        async with self._one_at_a_time:
            if self._listening.open:
                return
            with self.outcome.of("Starting to listen", "Listening.", code=self._listening.code):
                await self._listening.start()
            if self.outcome.succeeded:
                self.listening.disabled = True
                self._silence.value = (
                    f'<div class="iot-hint">{escape(self._listening.name)} listens on '
                    f"{escape(self._listening.topic)}.</div>"
                )

    async def next(self, number: int = 1, *, timeout: float = button.PATIENCE) -> Message:
        """Wait for a message.

        Args:
            number: Which one, from 1.
            timeout: Seconds.
        """
        async with asyncio.timeout(timeout):
            while len(self.arrived) < number:
                await asyncio.sleep(0.05)
        return self.arrived[number - 1]

    def show_arrival(self, message: Message) -> None:
        """Add a message to those that have arrived, the newest on top."""
        self.arrived.append(message)
        line = (
            f'<li><span class="iot-hint">{datetime.now():%H:%M:%S}</span> '
            f"<strong>{escape(str(message.payload.get('clickType', '')))}</strong> "
            f"on {escape(message.topic)}<br><code>{escape(json.dumps(message.payload))}</code></li>"
        )
        self._lines = [line, *self._lines][:_SHOWN]
        self._messages.value = (
            f'<div role="log" aria-label="Messages"><ul class="iot-messages">'
            f"{''.join(self._lines)}</ul></div>"
        )

    def show_silence(self, why: str = "") -> None:
        """Say that nobody listens.

        Args:
            why: Why nobody does any more.
        """
        self.listening.disabled = False
        text = f"{why} Nobody listens now; a press begins it.".strip()
        self._silence.value = f'<div class="iot-hint">{escape(text)}</div>'

    def _press(self, click: Click) -> None:
        button.press(button.device(self._account, self._name), click)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        # The loop itself holds on to a task only weakly.
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _light(self, which: str) -> None:
        for light in _LIGHTS:
            self.single.remove_class(light)
        self.single.add_class(which)
