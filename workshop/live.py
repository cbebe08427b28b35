"""The board as a widget that keeps itself up to date."""

import threading
from html import escape

import ipywidgets
from botocore.exceptions import BotoCoreError, ClientError

from helpers.errors import LessonError
from workshop import board
from workshop.board import Class


class Live:
    """Shows the board and the refusals anew every few seconds, until it is told to stop."""

    def __init__(self, room: Class, *, seconds: float = 10) -> None:
        self._room = room
        self._seconds = seconds
        self._stopped = threading.Event()
        self._shown = ipywidgets.HTML()
        button = ipywidgets.Button(description="Stop")
        button.on_click(lambda _: self.stop())
        self.widget = ipywidgets.VBox([self._shown, button])
        """What a cell shows."""

    def start(self) -> "Live":
        """Begin to look, in a thread: cells can be run meanwhile."""
        threading.Thread(target=self._look, name="board", daemon=True).start()
        return self

    def stop(self) -> None:
        """Look no more; what is shown stays."""
        self._stopped.set()

    def look_once(self) -> str:
        """Look at the class now; give what is shown, as HTML."""
        try:
            progress = board.board(self._room).get_html_string()
            refused = board.refusals(self._room).get_html_string()
        except (LessonError, BotoCoreError, ClientError) as problem:
            # A sandbox that is coming back, a learner in mid-change: say so, and look again.
            self._shown.value = f"<p>{escape(str(problem))}</p>"
        else:
            self._shown.value = f"<h3>Progress</h3>{progress}<h3>Refused most often</h3>{refused}"
        return str(self._shown.value)

    def _look(self) -> None:
        while not self._stopped.is_set():
            self.look_once()
            self._stopped.wait(self._seconds)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]
