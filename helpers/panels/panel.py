"""What all panels are: a section with a title, and a text where no widget can be shown."""

from pathlib import Path
from typing import Any

import ipywidgets as widgets

_LOOKS = Path(__file__).with_name("panel.css")


class Panel:
    """A section of a page, as the console has them."""

    def __init__(self, title: str, *parts: Any) -> None:
        self.title = title
        looks = f"<style>{_LOOKS.read_text('utf-8')}</style>"
        heading = widgets.HTML(f'{looks}<div class="iot-title">{title}</div>')
        self.view = widgets.VBox([heading, *parts])
        self.view.add_class("iot-panel")

    def __repr__(self) -> str:
        return f"[Panel: {self.title}. Run this cell in JupyterLab to click through it.]"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        # The widget's own text form lists its parts, and it differs from run to run.
        return {**self.view._repr_mimebundle_(**options), "text/plain": repr(self)}


def action(text: str, *, tooltip: str = "", main: bool = False) -> Any:
    """Make a button that does something in the account."""
    made = widgets.Button(description=text, tooltip=tooltip or text)
    made.add_class("iot-main" if main else "iot-action")
    return made


def row(*parts: Any) -> Any:
    """Put parts side by side, on more lines where the page is narrow."""
    made = widgets.HBox(list(parts))
    made.add_class("iot-row")
    return made


def field(kind: Any, label: str, **options: Any) -> Any:
    """Make a control under its label."""
    made = kind(description=label, **options)
    made.add_class("iot-field")
    return made
