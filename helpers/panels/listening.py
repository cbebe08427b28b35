"""Messages shown as they arrive, while the page stays free for other things."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

from helpers import button, listener
from helpers.account import Account
from helpers.button import Inbox, Message, Refused

_LOOKS_EVERY = 0.1
"""Seconds."""


class Listening:
    """A listener of the panel's own, which takes no connection from those of the notebook."""

    def __init__(
        self,
        account: Account,
        serial: str,
        *,
        arrived: Callable[[Message], None],
        ended: Callable[[str], None],
    ) -> None:
        self._account = account
        self._serial = serial
        self._arrived = arrived
        self._ended = ended
        self._connection = ExitStack()
        self._collecting: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The listener's Thing and client id."""
        return self._account.name("panel")

    @property
    def topic(self) -> str:
        """What it listens to."""
        return f"iotbutton/{self._serial}"

    @property
    def open(self) -> bool:
        """Whether messages can arrive."""
        return self._collecting is not None and not self._collecting.done()

    @property
    def code(self) -> str:
        """Python that listens in a cell."""
        return (
            "from helpers import button, listener\n\n"
            f'ear = listener.prepare(aws, "{self._serial}", "{self.name}")\n'
            f'with button.listen(ear, "{self.topic}") as arrived:\n'
            "    print(arrived.next(timeout=60))"
        )

    async def start(self) -> None:
        """Prepare the listener and connect it."""
        self.stop()
        inbox = await asyncio.to_thread(self._connect)
        self._collecting = asyncio.create_task(self._collect(inbox))

    def stop(self) -> None:
        """End the connection."""
        if self._collecting is not None:
            self._collecting.cancel()
        self._connection.close()

    def _connect(self) -> Inbox:
        device = listener.prepare(self._account, self._serial, self.name)
        return self._connection.enter_context(button.listen(device, self.topic))

    async def _collect(self, inbox: Inbox) -> None:
        try:
            while True:
                while not inbox.empty:
                    self._arrived(inbox.next())
                await asyncio.sleep(_LOOKS_EVERY)
        except Refused as cut:
            self._ended(str(cut))
