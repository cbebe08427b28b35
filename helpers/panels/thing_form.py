"""The console's form *Register a Thing*."""

from html import escape
from typing import Any

import ipywidgets as widgets

from helpers import thing
from helpers.account import Account
from helpers.panels.panel import Outcome, Panel, Picture, action, field, row


class ThingForm(Panel):
    """A name, checked as you type, and *Create thing*."""

    picture = Picture(
        "iot-registerathing.png",
        "The form Register a Thing: a name, a serial number, the button Create thing, "
        "and below it the answer and the boto3 call that it made.",
    )

    def __init__(self, account: Account) -> None:
        self._iot = account.iot
        self.name = field(widgets.Text, "Name", value=account.name(thing.BUTTON))
        self.serial = field(widgets.Text, "Serial number", value=thing.EXAMPLE_SERIAL)
        self.advice = widgets.HTML()
        self.button = action("Create thing", main=True)
        self.outcome = Outcome(account.iot)
        super().__init__(
            "Register a Thing",
            row(self.name, self.serial),
            self.advice,
            row(self.button),
            self.outcome.view,
        )
        self.name.observe(self.check, "value")
        self.serial.observe(self.check, "value")
        self.button.on_click(self.create)
        self.check()

    @property
    def code(self) -> str:
        """The code of what was clicked last."""
        return self.outcome.code

    def check(self, _: Any = None) -> None:
        """Show what is wrong with what was typed."""
        name, serial = thing.name_problem(self.name.value), thing.serial_problem(self.serial.value)
        says = []
        if name:
            says.append(f'<div class="iot-wrong">Name: {escape(name)}.</div>')
        if serial:
            says.append(f'<div class="iot-hint">Serial number: {escape(serial)}.</div>')
        self.advice.value = "".join(says) or '<div class="iot-hint">AWS takes this name.</div>'
        self.button.disabled = name is not None

    def create(self, _: Any = None) -> None:
        """Create the Thing, unless it is there already."""
        name = self.name.value
        with self.outcome.of(f"Creating {name}", f"The registry has the Thing {name}."):
            thing.register(self._iot, name, serial=self.serial.value)
