"""The end of the lesson: what exists now, what is still to do, and the clean-up."""

from helpers.closing.cleaning import Removed, clean_up, to_remove
from helpers.closing.drawing import Flowchart, flowchart
from helpers.closing.form import button_form
from helpers.closing.inventory import Inventory, look
from helpers.closing.readiness import Step, readiness, steps

__all__ = [
    "Flowchart",
    "Inventory",
    "Removed",
    "Step",
    "button_form",
    "clean_up",
    "flowchart",
    "look",
    "readiness",
    "steps",
    "to_remove",
]
