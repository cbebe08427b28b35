"""What came of a click: the answer, or the refusal in red, and the code that does the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets
from botocore.exceptions import BotoCoreError, ClientError

from helpers.button import Refused
from helpers.errors import LessonError
from helpers.panels.calls import Call, as_code, recorded

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

_ROLES = {"under-way": "status", "done": "status", "refused": "alert"}


class Outcome:
    """The lower part of a panel."""

    def __init__(self, iot: "IoTClient") -> None:
        self._iot = iot
        self._message = widgets.HTML()
        self._code = widgets.Textarea(description="The same in code", layout={"display": "none"})
        self._code.add_class("iot-code")
        self.view = widgets.VBox([self._message, self._code])
        self.succeeded = False

    @property
    def code(self) -> str:
        """Python that does the same in a cell; ``iot`` and ``aws`` are the notebook's own."""
        return str(self._code.value)

    @contextmanager
    def of(self, doing: str, done: str, *, then: str = "", code: str = "") -> Iterator[list[Call]]:
        """Show that work is under way, and then what came of it.

        What AWS or the lesson refuses is shown and goes no further. Any other error is a mistake
        of the panel's own: it is shown, and goes on.

        Args:
            doing: What is under way, such as ``Creating the Thing``.
            done: What to say once it is done.
            then: Code for what is done here, after the calls that change something at AWS.
            code: Code for all of it, where boto3 has no call for it.

        Yields:
            The boto3 calls that the block makes.
        """
        self.succeeded = False
        self.say("under-way", f"{doing} …")
        with recorded(self._iot) as made:
            try:
                yield made
            except (LessonError, ClientError, BotoCoreError) as problem:
                why = problem.explanation if isinstance(problem, Refused) else ""
                self.say("refused", str(problem), more=why)
                self.show_code(code or as_code(made))
                return
            except Exception as problem:
                self.say("refused", f"{type(problem).__name__}: {problem}")
                raise
        self.succeeded = True
        self.say("done", done)
        answered = [call for call in made if not call.refused]
        after = [then] if then and any(call.changes for call in answered) else []
        self.show_code(code or "\n".join([as_code(answered), *after]))

    def say(self, kind: str, text: str, *, more: str = "") -> None:
        """Say something.

        Args:
            kind: ``under-way``, ``done`` or ``refused``.
            text: In a sentence or two.
            more: What belongs to it and is laid out in lines.
        """
        rest = f"<pre>{escape(more)}</pre>" if more else ""
        self._message.value = (
            f'<div class="iot-says iot-{kind}" role="{_ROLES[kind]}">{escape(text)}</div>{rest}'
        )

    def show_code(self, code: str) -> None:
        """Show code that can be copied into a cell."""
        self._code.value = code
        self._code.rows = min(code.count("\n") + 1, 24)
        self._code.layout.display = None if code else "none"
