"""Connect to AWS IoT: the local sandbox, unless a real account is asked for by name."""

import os
import sys

from helpers.account import local
from helpers.account.local import join
from helpers.account.model import Account
from helpers.errors import not_connected, one_line_errors
from sandbox.line import Refusal

__all__ = ["Account", "Refusal", "connect", "join"]


def connect(*, target: str | None = None) -> Account:
    """Connect to AWS IoT.

    The sandbox answers whatever credentials, profiles and ``AWS_*`` variables the machine holds. It
    is started if it is not running; with ``IOT_TUTORIAL_SANDBOX=inside``, and in a browser, it runs
    in this process. In a class the one at ``IOT_TUTORIAL_SANDBOX_URL`` answers,
    with the account that the access key id in ``IOT_TUTORIAL_ACCESS_KEY`` opens.

    Args:
        target: ``sandbox``, or ``aws`` for a real account; ``IOT_TUTORIAL_TARGET`` where not given,
            the sandbox where that is not set either. A real account is named as well:
            ``IOT_TUTORIAL_ACCOUNT``, and the region: ``IOT_TUTORIAL_REGION`` or AWS's own setting.

    Raises:
        LessonError: the learner's name cannot be used in AWS's names, the sandbox does not start,
            or the real account is not the one that was named.
    """
    one_line_errors()
    target = target or os.environ.get("IOT_TUTORIAL_TARGET") or "sandbox"
    if target == "sandbox":
        return local.connect()
    if target == "aws" and sys.platform == "emscripten":
        raise not_connected("A real account needs the installed lesson: a browser's page cannot.")
    if target == "aws":
        from helpers.account import real  # its guard rails load for those who ask for AWS alone

        return real.connect()
    raise not_connected(
        f"There is no target {target!r}: 'sandbox' and 'aws' are the ones to ask for."
    )
