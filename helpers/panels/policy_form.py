"""The console's form *Create a policy*: statements, or JSON in the advanced mode.

First the form, then one statement of it as a row of controls.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from html import escape
from typing import Any

import ipywidgets as widgets
from botocore.exceptions import BotoCoreError, ClientError

import iot_policy
from helpers import policy, thing
from helpers.account import Account
from helpers.panels import policy_review
from helpers.panels.panel import Outcome, Panel, Picture, action, field, row
from helpers.thing import Thing
from iot_policy.documents import statements
from iot_policy.vocabulary import ACTIONS

CREATE, REPLACE = "Create", "Replace"


class PolicyForm(Panel):
    """A name, statements, the same as JSON, what a checker finds, and *Create* or *Replace*."""

    picture = Picture(
        "iot-policy.png",
        "The form Create a policy: a name, two statements that allow iot:Connect and iot:Publish, "
        "a table of what the policy allows the button, and the button Create.",
    )

    def __init__(self, account: Account) -> None:
        self._account = account
        self._button = _button(account)
        self._start = starting_points(account, self._button)
        self._document = self._start["Least privilege"]
        self.rows: list[StatementForm] = []
        self.outcome = Outcome(account.iot)
        self._make_controls()
        super().__init__(
            "Create a policy",
            row(self.name, self.start),
            self._statements,
            row(self.addition, self.advanced, self.attached),
            self._json_part,
            self._review,
            row(self.button),
            self.outcome.view,
        )
        self._listen()
        self._show_rows()
        self._show_review()
        self.name_action()

    def _make_controls(self) -> None:
        name = self._account.name(f"{thing.BUTTON}-policy")
        self.name = field(widgets.Text, "Name", value=name)
        self.start = field(
            widgets.Dropdown, "Start from", options=list(self._start), value="Least privilege"
        )
        self.addition = action("Add statement")
        self.advanced = widgets.Checkbox(description="Advanced mode (JSON)", indent=False)
        self.attached = widgets.Checkbox(
            description="Decide as if the certificate were attached to the Thing", indent=False
        )
        text = policy.to_json(self._document)
        self.json = field(widgets.Textarea, "Policy document", value=text, rows=18)
        self.json.add_class("iot-json")
        self.button = action(CREATE, main=True)
        self._statements = widgets.VBox()
        self._where = widgets.HTML()
        self._json_part = widgets.VBox([self.json], layout={"display": "none"})
        self._findings, self._verdicts, self._more = (widgets.HTML() for _ in range(3))
        self._review = widgets.VBox([self._where, self._verdicts, self._more, self._findings])

    def _listen(self) -> None:
        self.name.observe(self.review, "value")
        self.name.observe(self.name_action, "value")
        self.attached.observe(self.review, "value")
        self.start.observe(self.start_anew, "value")
        self.json.observe(self.edit_json, "value")
        self.advanced.observe(self.switch_mode, "value")
        self.addition.on_click(self.add_statement)
        self.button.on_click(self.create)

    @property
    def code(self) -> str:
        """The code of what was clicked last."""
        return self.outcome.code

    def start_anew(self, _: Any = None) -> None:
        """Fill the form with the chosen document."""
        self.json.value = policy.to_json(self._start[self.start.value])

    def switch_mode(self, _: Any = None) -> None:
        """Show or hide the JSON."""
        self._json_part.layout.display = None if self.advanced.value else "none"

    def add_statement(self, _: Any = None) -> None:
        """Add a statement to fill in."""
        topic = self._account.arn("topic", f"iotbutton/{policy_review.serial(self._button)}")
        self._set_statements([*self._listed(), policy.statement("iot:Publish", topic)])

    def remove_statement(self, form: "StatementForm") -> None:
        """Remove a statement."""
        self._set_statements([each.statement() for each in self.rows if each is not form])

    def edit_form(self) -> None:
        """Copy what was typed into the form to the JSON."""
        self._document = {**self._document, "Statement": [each.statement() for each in self.rows]}
        self.json.value = policy.to_json(self._document)

    def edit_json(self, _: Any = None) -> None:
        """Copy edited JSON to the form; broken JSON leaves the form as it is."""
        try:
            document = iot_policy.check(self.json.value)
        except iot_policy.MalformedPolicy as error:
            where = f"Statement {error.statement}: " if error.statement else ""
            self._show_review(f"{where}{error.problem}")
            return
        if document != self._document:
            self._document = document
            self._show_rows()
        self._show_review()

    def review(self, _: Any = None) -> None:
        """Lint and decide again."""
        self.edit_json()

    def name_action(self, _: Any = None) -> None:
        """Let the button say what it will do: create a policy, or replace the one that is there."""
        there = self._find()
        self.button.description = REPLACE if there else CREATE
        self.button.tooltip = (
            f"Make this the new version of {there.name}" if there else "Create the policy"
        )

    def create(self, _: Any = None) -> None:
        """Put the policy in force: a new policy, or a new version of the one that is there."""
        name, text, said = self.name.value, self.json.value, self.button.description
        there = self._find()
        if said == CREATE and there and not _same(there.text, text):
            self.name_action()
            message = f"There is a policy {name} by now. {REPLACE} gives it this as a new version."
            self.outcome.succeeded = False
            self.outcome.say("refused", message)
            self.outcome.show_code("")
            return
        doing = "Replacing" if there else "Creating"
        with self.outcome.of(f"{doing} {name}", f"The policy {name} is in force."):
            policy.put_in_force(self._account.iot, name, policy.check(text))
        self.name_action()
        if self.outcome.succeeded:
            self._judge(f"The policy {name} is in force.")

    def _find(self) -> policy.AccountPolicy | None:
        try:
            return policy.find(self._account.iot, self.name.value)
        except (BotoCoreError, ClientError):
            return None  # not the name of a policy, or one that may not be read

    def _judge(self, done: str) -> None:
        """Say what is wrong with the policy that is in force now; the verdicts above say why."""
        wrong, wrong_if_attached = (
            policy_review.wrong(self.json.value, self._account, self._button, attached=attached)
            for attached in (self.attached.value, True)
        )
        if wrong_if_attached:
            self.outcome.say("refused", f"{done} But {wrong}.")
        elif wrong:
            self.outcome.say(
                "done", f"{done} It fits once the certificate is attached to the Thing."
            )

    def _set_statements(self, listed: list[dict[str, Any]]) -> None:
        self._document = {**self._document, "Statement": listed}
        self._show_rows()
        self.json.value = policy.to_json(self._document)

    def _listed(self) -> list[dict[str, Any]]:
        return [each.statement() for each in self.rows]

    def _show_rows(self) -> None:
        listed = self._document["Statement"] and statements(self._document)
        self.rows = [
            StatementForm(
                number,
                found,
                resource_presets(self._account, self._button),
                changed=self.edit_form,
                remove=self.remove_statement,
            )
            for number, found in enumerate(listed, 1)
        ]
        self._statements.children = [each.view for each in self.rows]

    def _show_review(self, broken: str = "") -> None:
        self.button.disabled = bool(broken)
        self._where.value = f'<div class="iot-wrong">{escape(broken)}</div>' if broken else ""
        attached, text = self.attached.value, self.json.value
        self._findings.value = (
            "" if broken else policy_review.findings(text, self._account, attached=attached)
        )
        self._verdicts.value = policy_review.verdicts(
            self.name.value, text, self._account, self._button, attached=attached
        )
        self._more.value = policy_review.beyond(
            text, self._account, self._button, attached=attached
        )


def _same(text: str, other: str) -> bool:
    """Tell whether two documents differ at most in white space."""
    with suppress(ValueError):
        return bool(json.loads(text) == json.loads(other))
    return False


def starting_points(account: Account, button: Thing) -> dict[str, dict[str, Any]]:
    """Return the documents that a form can start from, by their labels."""
    region, number, serial = account.region, account.number, policy_review.serial(button)
    return {
        "Least privilege": policy.least_privilege(region, number, serial, button.name),
        "What the author meant": policy.intended(region, number, serial),
        "AWS's recommendation": policy.recommended(region, number),
        "The post's own JSON": policy.as_posted(region, number, serial),
    }


def resource_presets(account: Account, button: Thing) -> list[str]:
    """Return the resources that a button's policy names."""
    topic = f"iotbutton/{policy_review.serial(button)}"
    return [
        account.arn("client", button.name),
        account.arn("topic", topic),
        account.arn("topicfilter", topic),
        "*",
    ]


def _button(account: Account) -> Thing:
    name = account.name(thing.BUTTON)
    example = thing.attributes(thing.EXAMPLE_SERIAL)
    return thing.find(account.iot, name) or Thing(name, account.arn("thing", name), example)


class StatementForm:
    """Effect, action and resource of one statement.

    What the three controls cannot hold, such as a condition or a list of actions, is shown and
    stays as it is; it can be edited in the JSON.
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
        """Return the statement as it is edited now."""
        edited = {"Effect": self.effect.value}
        for box in (self.action, self.resource):
            if not box.disabled:
                edited[box.description] = box.value
        return {**self._statement, **edited}

    def edit(self, _: Any = None) -> None:
        """Tell the policy's form that this statement was edited."""
        self._changed()

    def remove(self, _: Any = None) -> None:
        """Remove the statement from the policy."""
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
