"""How the lesson recognises what it made, and so what its clean-up may remove."""

from helpers.errors import LessonError

MARKER = ("madeBy", "iot-button-tutorial")
"""Attribute of each Thing and tag of each policy that the lesson makes: key and value.

A certificate can hold neither: :mod:`helpers.account.ledger` tells which ones are the lesson's. In
an account that several learners use, a name tells whose it is: it begins with the learner's.
"""


def not_ours(kind: str, name: str) -> LessonError:
    """Make the error for what has a name of ours and not our marker."""
    return LessonError(
        f"The account has a {kind} {name!r} that the lesson did not make. It is left as it is: "
        "give yours another name."
    )
