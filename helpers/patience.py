"""Wait as AWS asks one to: detaching takes seconds, and up to five minutes for a policy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from helpers.errors import LessonError

AT_MOST = 360.0
"""Seconds."""
LONGEST_PAUSE = 5.0
"""Seconds."""
NOT_YET = {
    "CertificateStateException",
    "DeleteConflictException",
    "InvalidRequestException",
    "ThrottlingException",
}
"""What AWS answers to a delete while something is still being detached."""


@contextmanager
def gone() -> Iterator[None]:
    """Take it for done where AWS says that what was to go is not there."""
    from botocore.exceptions import ClientError  # costs 0.3 s, which helpers.policy need not pay

    try:
        yield
    except ClientError as problem:
        if problem.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def until_gone(delete: Callable[[], object]) -> None:
    """Delete something, again and again while AWS says that it is still attached.

    Args:
        delete: Makes the call.

    Raises:
        LessonError: AWS still says so after six minutes.
        ClientError: AWS says something else.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DetachPolicy.html
    """
    from botocore.exceptions import ClientError

    give_up = time.monotonic() + AT_MOST
    pause = 0.05
    while True:
        try:
            with gone():
                delete()
            return
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in NOT_YET:
                raise
            if time.monotonic() > give_up:
                raise LessonError(
                    f"AWS does not delete it yet: {problem}. Wait a few minutes, then clean up "
                    "again: it goes on where it stopped."
                ) from problem
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
