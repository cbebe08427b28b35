"""One statement of a policy as a row of controls."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from helpers import policy
from helpers.panels.panel import action, field, row
from iot_policy.vocabulary import ACTIONS


class StatementForm:
    """Effect, action and resource of one statement.

    What the three controls cannot hold, such as a condition or a list of actions, is shown and
    stays as it is: the JSON is where it is edited.
    """

    def __init__(
        self,
        number: int,
        statement: dict[str, Any],
        resources: Sequence[str],
        *,
        changed: Callable[[], None],
        remove: Callable[["StatementForm"], None],
    ) -> None:
        self._statement = statement
        self._changed = changed
        self._remove = remove
        self.effect = field(
            widgets.Dropdown, "Effect", options=["Allow", "Deny"], value=statement["Effect"]
        )
        self.action = _box("Action", statement, list(ACTIONS))
        self.resource = _box("Resource", statement, resources)
        self.removal = action("Remove", tooltip=f"Remove statement {number}")
        for control, name in (
            (self.effect, "iot-effect"),
            (self.action, "iot-what"),
            (self.resource, "iot-on-what"),
        ):
            control.add_class(name)
            control.observe(self.edit, "value")
        self.removal.on_click(self.remove)
        heading = widgets.HTML(f'<div class="iot-number">Statement {number}{self._rest()}</div>')
        self.view = widgets.VBox(
            [heading, row(self.effect, self.action, self.resource, self.removal)]
        )
        self.view.add_class("iot-statement")

    def statement(self) -> dict[str, Any]:
        """Give the statement as it is edited now."""
        edited = {"Effect": self.effect.value}
        for box in (self.action, self.resource):
            if not box.disabled:
                edited[box.description] = box.value
        return {**self._statement, **edited}

    def edit(self, _: Any = None) -> None:
        """Tell the policy's form that something was typed or chosen."""
        self._changed()

    def remove(self, _: Any = None) -> None:
        """Take the statement out of the policy."""
        self._remove(self)

    def _rest(self) -> str:
        shown = {"Effect"} | {box.description for box in (self.action, self.resource)}
        rest = {name: value for name, value in self._statement.items() if name not in shown}
        return f" · <code>{escape(policy.to_json(rest))}</code>" if rest else ""


def _box(element: str, statement: dict[str, Any], offered: Sequence[str]) -> Any:
    value = statement.get(element)
    if isinstance(value, str):
        return field(widgets.Combobox, element, options=list(offered), value=value)
    listed = ", ".join(value) if value else f"Not{element}: see beside the number"
    return field(widgets.Text, element, value=listed, disabled=True)
