"""The readiness table, which follows what the notebook does in the account."""

import asyncio
from typing import Any

import ipywidgets as widgets

from helpers import closing, thing
from helpers.account import Account
from helpers.account.guard import changes_nothing
from helpers.panels.panel import Panel, Picture, action, row
from helpers.panels.steps import Step, steps
from helpers.table import Judged, table

_FOLLOWER = "lesson-checklist"


class Checklist(Panel):
    """Each step of the lesson, done or not, and where to do it.

    It refreshes whenever this notebook changes something in the account. What another notebook
    changes shows after *Look again*: asking all the time would keep an idle sandbox awake.
    """

    picture = Picture(
        "iot-checklist.png",
        "The panel Readiness: a table of the lesson's seven steps, each of them done, and the "
        "button Look again.",
    )

    def __init__(self, account: Account) -> None:
        self._account = account
        self._due = False
        self.steps: list[Step] = []
        self._table = widgets.HTML()
        self.button = action("Look again")
        super().__init__("Readiness", self._table, row(self.button))
        self.button.on_click(self.refresh)
        self._loop = _running_loop()
        self._follow(account.iot.meta.events)
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """Look up which steps are done, and show them."""
        self._due = False
        self.steps = steps(closing.inventory(self._account), self._account.name(thing.BUTTON))
        self._table.value = _table(self.steps)

    def after_call(self, model: Any, **_: object) -> None:
        """Refresh after a call that changes something, once its cell or click has ended."""
        if self._due or changes_nothing(model.name):
            return
        if self._loop is None:
            self.refresh()
            return
        self._due = True
        self._loop.call_soon_threadsafe(self.refresh)

    def _follow(self, events: Any) -> None:
        # A new checklist replaces the one before.
        events.unregister("after-call.iot", unique_id=_FOLLOWER)
        events.register("after-call.iot", self.after_call, unique_id=_FOLLOWER)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _table(found: list[Step]) -> str:
    rows = [
        (step.what, Judged("yes", right=True) if step.done else "no", step.to_do) for step in found
    ]
    shown = table(["Step", "Done", "What to do"], rows)
    return f'<div class="iot-verdicts">{shown.html}</div>'
