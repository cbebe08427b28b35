"""Whose lesson it is: the name that everything made in the account begins with."""

import hashlib
import os
import re
import sys

from helpers.errors import LessonError, not_connected


def checked(learner: str, where: str) -> str:
    """Return the learner's name, if AWS's names can begin with it.

    No ``-``: it ends the name, so that what ``ada`` made is never taken for ``ada-b``'s.

    Args:
        learner: 1 to 32 letters, digits and ``_``.
        where: Where it comes from, for the error.

    Raises:
        LessonError: it holds something else.
    """
    if not re.fullmatch("[a-zA-Z0-9_]{1,32}", learner):
        raise LessonError(
            f"{where} is {learner!r}, and the lesson's names cannot begin with that: "
            "use 1 to 32 letters, digits and '_'.",
            entry="A name cannot be used",
        )
    return learner


def who() -> str:
    """Find out whose lesson it is, in an account that others may use, too.

    Returns:
        ``IOT_TUTORIAL_LEARNER``; else the user of a JupyterHub; else what is typed in a terminal.

    Raises:
        LessonError: nobody says, or the name cannot be used.
    """
    if told := os.environ.get("IOT_TUTORIAL_LEARNER"):
        return checked(told, "IOT_TUTORIAL_LEARNER")
    if user := os.environ.get("JUPYTERHUB_USER"):
        return of_hub(user)
    if not sys.stdin.isatty():
        raise not_connected(
            "Say whose lesson this is: set IOT_TUTORIAL_LEARNER to your name. "
            "Everything that you make begins with it."
        )
    return checked(input("Your name, which everything that you make begins with: "), "Your name")


def of_hub(user: str) -> str:
    """Turn the name of a hub's user into a learner's; no two users get the same one.

    >>> of_hub("zoe")
    'zoe'
    >>> of_hub("student-7"), of_hub("student.7")
    ('student_7_aae313', 'student_7_5ef2d7')
    """
    plain = re.sub("[^a-zA-Z0-9_]", "_", user)[:25]
    return plain if plain == user else f"{plain}_{hashlib.sha256(user.encode()).hexdigest()[:6]}"
