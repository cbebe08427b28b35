"""How the lesson recognises what it made, and so what its clean-up may remove."""

from helpers.errors import LessonError

MARKER = ("madeBy", "iot-button-tutorial")
"""Attribute of every Thing and tag of every policy that the lesson makes: key and value.

A certificate can hold neither: :mod:`helpers.account.ledger` records which ones are the lesson's.
In an account that several learners use, every name begins with the learner's.
"""


def not_ours(kind: str, name: str) -> LessonError:
    """Return the error for something that has one of our names, but not our marker."""
    return LessonError(
        f"The account has a {kind} {name!r} that the lesson did not make. It is left as it is: "
        "give yours another name.",
        entry="The lesson did not make it",
    )


def missing(kind: str, name: str, cure: str) -> LessonError:
    """Return the error for something that a cell needs, and that is gone or was never made."""
    return LessonError(f"There is no {kind} {name!r}: {cure}.", entry="What a cell needs is gone")
