"""Check what a learner did under *Your turn*: by what the account holds and by verdicts."""

from helpers.check.answers import answers
from helpers.check.half_wired import alive, half_wired_button
from helpers.check.repairs import broken_policies, repairs
from helpers.check.result import Result
from helpers.check.rotation import rotation
from helpers.check.second_button import SECOND_SERIAL, second_button

__all__ = [
    "SECOND_SERIAL",
    "Result",
    "alive",
    "answers",
    "broken_policies",
    "half_wired_button",
    "repairs",
    "rotation",
    "second_button",
]
