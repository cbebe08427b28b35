"""The board as a widget that updates itself."""

import threading
from html import escape

import ipywidgets
from botocore.exceptions import BotoCoreError, ClientError

from helpers.errors import LessonError
from workshop import board
from workshop.board import Class


class Live:
    """Refreshes the board and the refusals every few seconds, until it is stopped."""

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
        """Start refreshing, in a thread: cells can be run meanwhile."""
        threading.Thread(target=self._keep_refreshing, name="board", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop refreshing; what is shown stays."""
        self._stopped.set()

    def refresh(self) -> str:
        """Refresh once; return what is shown, as HTML."""
        try:
            progress = board.board(self._room).html
            refused = board.refusals(self._room).html
        except (LessonError, BotoCoreError, ClientError) as problem:
            # The sandbox is restarting, or a learner is changing something: say so, and try again.
            self._shown.value = f"<p>{escape(str(problem))}</p>"
        else:
            self._shown.value = f"<h3>Progress</h3>{progress}<h3>Refused most often</h3>{refused}"
        return str(self._shown.value)

    def _keep_refreshing(self) -> None:
        while not self._stopped.is_set():
            self.refresh()
            self._stopped.wait(self._seconds)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]
