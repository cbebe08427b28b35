"""The console's forms as widgets, over the same helpers that the notebooks call.

Each is shown by being the last line of a cell. A button does what the method of the same name does,
so a cell can do it too: ``form = panels.thing(aws)``, then ``form.create()``.
"""

from helpers.panels.button_panel import ButtonPanel
from helpers.panels.certificate_steps import CertificateSteps
from helpers.panels.checklist import Checklist
from helpers.panels.policy_form import PolicyForm
from helpers.panels.thing_form import ThingForm
from helpers.panels.trial_panel import trial

thing = ThingForm
policy = PolicyForm
certificate = CertificateSteps
button = ButtonPanel
checklist = Checklist

__all__ = ["button", "certificate", "checklist", "policy", "thing", "trial"]
