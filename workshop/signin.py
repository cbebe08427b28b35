"""Signing in: a name and the class's code; each wrong code makes the next try wait."""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
from tornado.web import HTTPError
from traitlets import Integer, Unicode

from helpers.errors import LessonError
from workshop import register

LONGEST = 8.0
"""The longest wait after a wrong code, in seconds."""


class ClassCode(SharedPasswordAuthenticator):
    """JupyterHub's own shared password, slower after a wrong one.

    After the code, a learner may add a word of their own; their name then accepts no other.
    """

    members = Unicode(help="The class's list of members.").tag(config=True)
    words = Unicode(help="The folder of the learners' own words.").tag(config=True)
    learners = Integer(help="How many learners the class has room for.").tag(config=True)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> Any:
        """Check a name and a code; one try at a time from each address.

        A wrong code costs half a second, the next one twice as much, and so on. Tries from one
        address wait for each other, so that trying in parallel gains nothing.
        """
        address = handler.request.remote_ip
        async with self._turns[address]:
            found = await self._check(handler, data)
            if found is None:
                await asyncio.sleep(min(LONGEST, 0.5 * 2 ** self._failures[address]))
                self._failures[address] += 1
            else:
                self._failures.pop(address, None)
        return found

    async def _check(self, handler: Any, data: dict[str, str]) -> Any:
        name = self.normalize_username(data["username"])
        if name in self.admin_users:
            return await super().authenticate(handler, data)
        length = len(self.user_password)
        code, word = data["password"][:length], data["password"][length:]
        found = await super().authenticate(handler, data | {"password": code})
        if found is None:
            return None
        if not self.validate_username(name):
            raise HTTPError(403, "A name has 1 to 24 small letters, digits and -, a letter first.")
        try:
            register.enter(Path(self.members), name, room=self.learners)
        except LessonError as problem:
            raise HTTPError(403, str(problem)) from problem
        return found if register.Words(Path(self.words)).fits(name, word) else None
