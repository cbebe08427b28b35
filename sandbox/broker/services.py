"""AWS IoT's shadow service, as devices reach it: by messages, whose answers are messages.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-mqtt.html
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from sandbox.mqtt import limits
from sandbox.mqtt.packets import Publish
from sandbox.mqtt.reserved import ShadowRequest
from sandbox.shadows import Answers, ShadowError, rejected

Respond = Callable[[str, str, ShadowRequest, bytes], Answers]
"""Answers a request of an account and Region; it may take a while."""
Work = Callable[[], Answers]
Done = Callable[[Answers], None]


def at_once(work: Work, done: Done) -> None:
    """Do some work where it is asked for."""
    done(work())


class ShadowService:
    """Has requests answered, and publishes the answers."""

    def __init__(
        self,
        answer: Respond,
        publish: Callable[[str, str, Publish], None],
        run: Callable[[Work, Done], None] = at_once,
    ) -> None:
        """Set up the service.

        Args:
            answer: Answers a request.
            publish: Publishes a message to the endpoint of an account and Region.
            run: Does the work of an answer, then what is to be done with it.
        """
        self._answer = answer
        self._publish = publish
        self._run = run
        self._waiting: Counter[tuple[str, str, str, str]] = Counter()

    def ask(
        self, account: str, region: str, asked: ShadowRequest, payload: bytes, client_id: str
    ) -> None:
        """Answer a request, unless too many of this client's on this Thing wait for theirs.

        Args:
            account: Whose endpoint it came to.
            region: Of the endpoint.
            asked: What its topic says.
            payload: What it says itself.
            client_id: Who asks; empty where it came by HTTP.

        Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html#device-shadow-limits
        """
        who = account, region, client_id, asked.thing
        if self._waiting[who] >= limits.SHADOW_REQUESTS:
            busy = rejected(
                asked.operation, ShadowError(429, "Too Many Requests"), payload, int(time.time())
            )
            self._tell(account, region, messages(asked, busy))
            return
        self._waiting[who] += 1
        self._run(
            partial(self._answer, account, region, asked, payload), partial(self._done, who, asked)
        )

    def _done(self, who: tuple[str, str, str, str], asked: ShadowRequest, answers: Answers) -> None:
        self._waiting[who] -= 1
        self._waiting += Counter()  # forgets those who wait for nothing
        self._tell(who[0], who[1], messages(asked, answers))

    def _tell(self, account: str, region: str, told: list[Publish]) -> None:
        for message in told:
            self._publish(account, region, message)


def messages(asked: ShadowRequest, answers: Answers) -> list[Publish]:
    """Return the messages that tell the answers to a request."""
    return [
        Publish(f"{asked.prefix}/{topic}", json.dumps(told).encode(), qos=1, hops=asked.hops)
        for topic, told in answers.items()
    ]
