"""What all panels share: the section with its title, its controls, and what came of a click."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets as widgets
from botocore.exceptions import BotoCoreError, ClientError

from helpers.button import Refused
from helpers.errors import LessonError
from helpers.panels.calls import Call, as_code, recorded

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

_STYLES = Path(__file__).with_name("panel.css")
_ROLES = {"idle": "status", "under-way": "status", "done": "status", "refused": "alert"}


_CAPTION = "<p><em>A picture. Run this cell to click through it.</em></p>"
"""Below each picture, because a picture of a panel looks as if it could be clicked."""


@dataclass(frozen=True)
class Picture:
    """A picture of a panel, beside the notebook that shows it."""

    file: str
    """Its name in the folder ``pictures``."""
    alternative: str
    """What it shows, for readers who cannot see it."""
    width: int = 664
    """Its width on the page; where there is less room, it is smaller."""

    def to_html(self) -> str:
        """Write it as HTML, with no more than JupyterLab leaves in a notebook it does not trust."""
        return (
            f'<img src="pictures/{escape(self.file)}" alt="{escape(self.alternative)}" '
            f'width="{self.width}">{_CAPTION}'
        )


class Panel:
    """A section of a page, as in the console; its picture, or its name, where no widget can be."""

    picture: ClassVar[Picture]
    """What a reader sees before the cell has run here."""

    def __init__(self, title: str, *parts: Any) -> None:
        self.title = title
        style = f"<style>{_STYLES.read_text('utf-8')}</style>"
        heading = widgets.HTML(f'{style}<div class="iot-title">{title}</div>')
        self.view = widgets.VBox([heading, *parts])
        self.view.add_class("iot-panel")

    def __repr__(self) -> str:
        return f"[Panel: {self.title}. Run this cell in JupyterLab to click through it.]"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        # The widget's own text form lists its parts and differs from run to run.
        texts = {"text/plain": repr(self), "text/html": self.picture.to_html()}
        return {**self.view._repr_mimebundle_(**options), **texts}


def action(text: str, *, tooltip: str = "", main: bool = False) -> Any:
    """Return a button that does something in the account."""
    made = widgets.Button(description=text, tooltip=tooltip or text)
    made.add_class("iot-main" if main else "iot-action")
    return made


def row(*parts: Any) -> Any:
    """Return parts side by side, on several lines where the page is narrow."""
    made = widgets.HBox(list(parts))
    made.add_class("iot-row")
    return made


def field(kind: Any, label: str, **options: Any) -> Any:
    """Return a control under its label."""
    made = kind(description=label, **options)
    made.add_class("iot-field")
    return made


class Outcome:
    """The lower part of a panel: the answer, or the refusal in red, and code that does the same."""

    def __init__(self, iot: "IoTClient") -> None:
        self._iot = iot
        self._message = widgets.HTML()
        self._code = widgets.Textarea(description="The same in code", layout={"display": "none"})
        self._code.add_class("iot-code")
        self.view = widgets.VBox([self._message, self._code])
        self.succeeded = False

    @property
    def code(self) -> str:
        """Python that does the same in a cell, with the notebook's own ``iot`` and ``aws``."""
        return str(self._code.value)

    @contextmanager
    def of(
        self, doing: str, done: str | Callable[[], str], *, then: str = "", code: str = ""
    ) -> Iterator[list[Call]]:
        """Show that work is under way, and then its outcome.

        What AWS or the lesson refuses is shown and not raised. Any other error is a mistake of the
        panel's own: it is shown and raised.

        Args:
            doing: What is under way, such as ``Creating the Thing``.
            done: What to say once it is done; a function where only the work brings that out.
            then: Code to add after the calls that change something at AWS.
            code: Code to show in place of the calls, where boto3 has none for this.

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
                self.say("refused", str(problem), more=why, where=getattr(problem, "where", ""))
                self.show_code(code or as_code(made))
                return
            except Exception as problem:
                self.say("refused", f"{type(problem).__name__}: {problem}")
                raise
        self.succeeded = True
        self.say("done", done if isinstance(done, str) else done())
        answered = [call for call in made if not call.refused]
        after = [then] if then and any(call.changes for call in answered) else []
        self.show_code(code or "\n".join([as_code(answered), *after]))

    def say(self, kind: str, text: str, *, more: str = "", where: str = "") -> None:
        """Show a message.

        Args:
            kind: ``idle``, ``under-way``, ``done`` or ``refused``.
            text: A sentence or two.
            more: Lines to show below it, as they are.
            where: Where to read on.
        """
        rest = f"<pre>{escape(more)}</pre>" if more else ""
        rest += f'<div class="iot-hint">See {escape(where)}.</div>' if where else ""
        self._message.value = (
            f'<div class="iot-says iot-{kind}" role="{_ROLES[kind]}">{escape(text)}</div>{rest}'
        )

    def show_code(self, code: str) -> None:
        """Show code that can be copied into a cell."""
        self._code.value = code
        self._code.rows = min(code.count("\n") + 1, 24)
        self._code.layout.display = None if code else "none"
