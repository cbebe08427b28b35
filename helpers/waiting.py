"""Delete at AWS's pace: detaching takes seconds, and up to five minutes for a policy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from helpers.errors import LessonError

AT_MOST, LONGEST_PAUSE = 360.0, 5.0
"""Seconds to go on trying, and between two tries."""
NOT_YET = {
    "CertificateStateException",
    "DeleteConflictException",
    "InvalidRequestException",
    "ThrottlingException",
}
"""What AWS answers to a delete while something is still being detached."""


@contextmanager
def ignore_missing() -> Iterator[None]:
    """Ignore ResourceNotFoundException: what should go is already deleted."""
    from botocore.exceptions import ClientError  # costs 0.3 s, which helpers.policy need not pay

    try:
        yield
    except ClientError as problem:
        if problem.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def delete_when_detached(delete: Callable[[], object]) -> None:
    """Delete something; try again for as long as AWS says that it is still attached.

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
            with ignore_missing():
                delete()
            return
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in NOT_YET:
                raise
            if time.monotonic() > give_up:
                raise LessonError(
                    f"AWS does not delete it yet: {problem}. Wait a few minutes, then clean up "
                    "again: it goes on where it stopped.",
                    entry="It cannot be deleted: it is attached",
                ) from problem
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
