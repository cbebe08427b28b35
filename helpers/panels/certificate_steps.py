"""The console's pages from *Create a certificate* to *Attach a policy*, and the step after them.

At the end: the links to a certificate's files.
"""

import os
from html import escape
from typing import Any

import ipywidgets as widgets

from helpers import certificate, policy, thing
from helpers.account import Account
from helpers.certificate import Certificate
from helpers.errors import LessonError
from helpers.key_files import KeyFiles, saved
from helpers.panels.calls import literal
from helpers.panels.panel import Outcome, Panel, Picture, action, field, row


class CertificateSteps(Panel):
    """Create, download, activate, attach: each button can be clicked when its turn has come."""

    picture = Picture(
        "iot-cert.png",
        "The form Create a certificate: the certificate is created and inactive, its files are "
        "offered for download, and the button Activate is next.",
    )

    def __init__(self, account: Account) -> None:
        self._account = account
        self._offer_key = False
        self.files: KeyFiles | None = None
        self.found: Certificate | None = None
        self.outcome = Outcome(account.iot)
        self._make_controls()
        super().__init__(
            "Create a certificate",
            row(self.thing, self.look),
            row(self.creation, self._created, self.retirement),
            self.downloads.view,
            self._key_note,
            row(self.activation, self._status),
            row(self.policy, self.policy_attachment, self._policies),
            row(self.thing_attachment, self._things),
            self.outcome.view,
        )
        self.thing.observe(self.choose_thing, "value")
        self.policy.observe(self.show_progress, "value")
        self.look.on_click(self.look_again)
        self.creation.on_click(self.create)
        self.retirement.on_click(self.retire)
        self.activation.on_click(self.activate)
        self.policy_attachment.on_click(self.attach_policy)
        self.thing_attachment.on_click(self.attach_thing)
        self.refresh()

    def _make_controls(self) -> None:
        usual = self._account.name(thing.BUTTON)
        names = {usual, *(each.name for each in thing.made_here(self._account.iot))}
        self.thing = field(widgets.Dropdown, "For the Thing", options=sorted(names), value=usual)
        self.policy = field(widgets.Dropdown, "Policy")
        self.look = action("Look again", tooltip="Show what has changed elsewhere")
        self.creation = action("1. Create certificate", main=True)
        self.retirement = action(
            "Start again", tooltip="Take this certificate out of service and delete its files"
        )
        self.downloads = Downloads()
        self._key_note, self._created, self._status = (widgets.HTML() for _ in range(3))
        self.activation = action("2. Activate", main=True)
        self.policy_attachment = action("3. Attach policy", main=True)
        self.thing_attachment = action("4. Attach to the Thing", main=True)
        self._policies, self._things = widgets.HTML(), widgets.HTML()
        for state in (self._created, self._status, self._policies, self._things):
            state.add_class("iot-state")

    @property
    def code(self) -> str:
        """The code of what was clicked last."""
        return self.outcome.code

    def choose_thing(self, _: Any = None) -> None:
        """Show another Thing's certificate."""
        self._refresh_without_key()

    def look_again(self, _: Any = None) -> None:
        """Show how the certificate stands now: another cell may have changed or removed it."""
        self._refresh_without_key()
        self.outcome.say("idle", "This is how it stands now.")
        self.outcome.show_code("")

    def refresh(self, _: Any = None) -> None:
        """Look up how far the Thing's certificate has come, and show it."""
        iot = self._account.iot
        self.files = saved(self._account.key_folder / self.thing.value)
        self.found = certificate.find(iot, self.files.certificate_id) if self.files else None
        names = [each.name for each in policy.made_here(iot)]
        usual = self._account.name(f"{thing.BUTTON}-policy")
        chosen = self.policy.value or usual
        self.policy.options = names
        self.policy.value = chosen if chosen in names else next(iter(names), None)
        self.show_progress()

    def show_progress(self, _: Any = None) -> None:
        """Show what is done, and enable the steps whose turn has come."""
        found = self.found
        active = found is not None and found.status == "ACTIVE"
        policies, things = (found.policies, found.things) if found else ((), ())
        self.creation.disabled = found is not None
        self.retirement.disabled = self.files is None
        self.activation.disabled = found is None or active
        self.policy_attachment.disabled = not active or self.policy.value in (None, *policies)
        self.thing_attachment.disabled = not active or not policies or self.thing.value in things
        offered = self.files if found else None
        self.downloads.offer(offered, private_key=self._offer_key)
        self._key_note.value = self._about_key(offered)
        self._created.value = escape(f"{found.certificate_id[:8]}…") if found else "none yet"
        self._status.value = found.status if found else ""
        self._policies.value = escape(", ".join(policies) or "no policy attached")
        self._things.value = escape(", ".join(things) or "attached to no Thing")

    def create(self, clicked: Any = None) -> None:
        """Create a certificate and save its files; offer the private key for download, once."""
        name = self.thing.value
        with self.outcome.of(
            "Creating the certificate",
            f"{name} has a certificate. Its files are in {self._account.key_folder / name}.",
            then=f"certificate.save_issued(aws, issued, {literal(name)})",
            # There the keys are made here, and boto3 has no call for that.
            code=f"certificate.create(aws, {literal(name)})" if self._account.shared else "",
        ) as made:
            certificate.create(self._account, name)
        self._offer_key = self.outcome.succeeded and any(call.changes for call in made)
        self.refresh()
        self._keep_focus(clicked)

    def retire(self, clicked: Any = None) -> None:
        """Delete the Thing's certificate and its files, to start again."""
        name = self.thing.value
        with self.outcome.of(
            "Taking it out of service",
            "The certificate and its files are gone.",
            then=f"certificate.retire(aws, {literal(name)})  # deletes its files",
        ):
            certificate.retire(self._account, name)
        self._refresh_without_key()
        self._keep_focus(clicked)

    def activate(self, clicked: Any = None) -> None:
        """Activate the certificate, so that the Thing can connect with it."""
        with self.outcome.of("Activating", "The certificate is active."):
            self._account.iot.update_certificate(
                certificateId=self._certificate().certificate_id, newStatus="ACTIVE"
            )
        self._refresh_without_key()
        self._keep_focus(clicked)

    def attach_policy(self, clicked: Any = None) -> None:
        """Attach the chosen policy to the certificate."""
        name = self.policy.value
        with self.outcome.of("Attaching", f"The certificate has the policy {name}."):
            self._account.iot.attach_policy(policyName=name, target=self._certificate().arn)
        self._refresh_without_key()
        self._keep_focus(clicked)

    def attach_thing(self, clicked: Any = None) -> None:
        """Attach the certificate to its Thing."""
        name = self.thing.value
        with self.outcome.of("Attaching", f"The certificate is attached to the Thing {name}."):
            self._account.iot.attach_thing_principal(
                thingName=name, principal=self._certificate().arn
            )
        self._refresh_without_key()
        self._keep_focus(clicked)

    def _certificate(self) -> Certificate:
        if self.found is None:
            raise LessonError(
                "There is no certificate yet: create it first.", entry="What a cell needs is gone"
            )
        if certificate.find(self._account.iot, self.found.certificate_id) is None:
            raise LessonError(
                "This certificate is gone: another cell or panel has removed it, as the clean-up "
                "does. Create a new one, or run this notebook from the top.",
                entry="What a cell needs is gone",
            )
        return self.found

    def _keep_focus(self, clicked: Any) -> None:
        """Move on to the next step: a browser takes the focus off a button that is disabled."""
        if clicked and clicked.disabled:
            steps = (
                *(self.creation, self.activation, self.policy_attachment, self.thing_attachment),
                self.look,
            )
            next(each for each in steps if not each.disabled).focus()

    def _refresh_without_key(self) -> None:
        self._offer_key = False
        self.refresh()

    def _about_key(self, files: KeyFiles | None) -> str:
        if files is None:
            return ""
        if self._offer_key:
            text = "The private key is offered now and not again. Keep it to yourself."
        else:
            text = f"The private key is offered once only. It is kept in {files.private_key}."
        return f'<div class="iot-hint">{escape(text)}</div>'


class Downloads:
    """Links to a certificate's files, as in the console: each holds a path, never a file's content.

    The links are relative. JupyterLab completes them, because only it knows the address at which
    the notebook is served, and it does so in an Output widget, not in an HTML widget.
    """

    def __init__(self) -> None:
        self.view = widgets.Output()
        self.view.add_class("iot-downloads")

    def offer(self, files: KeyFiles | None, *, private_key: bool = False) -> None:
        """Offer the files of one certificate, or none.

        Args:
            files: The certificate's files.
            private_key: Whether to offer the private key as well.
        """
        if files is None:
            self.view.outputs = ()
            return
        offered = {
            "certificate": files.certificate,
            "public key": files.public_key,
            "root CA": files.root_ca,
        }
        if private_key:
            offered["private key"] = files.private_key
        links = [_link(label, os.path.relpath(file)) for label, file in offered.items()]
        text = ", ".join(f"{label}: {file}" for label, file in offered.items())
        self.view.outputs = (_display(f'<div class="iot-links">{"".join(links)}</div>', text),)


def _link(label: str, path: str) -> str:
    # `download`: the browser saves the file. Without it, JupyterLab would open and show it.
    return f'<a href="{escape(path)}" download>Download {label}</a>'


def _display(html: str, text: str) -> dict[str, Any]:
    data = {"text/html": html, "text/plain": text}
    return {"output_type": "display_data", "data": data, "metadata": {}}
