"""The steps of *Create a certificate*, without a browser."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import in_process
import ipywidgets as widgets
import pytest
import trustme
from panels_support import click, everything_shown, make_thing, message, paste, state

from helpers import certificate, closing, panels, policy
from helpers.account import Account
from helpers.panels.certificate_steps import CertificateSteps


@pytest.fixture
def aws(inside: Account) -> Account:
    return replace(inside, root_ca=trustme.CA().cert_pem.bytes().decode())


@pytest.fixture
def steps(aws: Account) -> CertificateSteps:
    make_thing(aws)
    make_policy(aws)
    return panels.certificate(aws)


def make_policy(aws: Account) -> None:
    rights = policy.document(policy.statement("iot:Connect", "*"))
    policy.put_in_force(aws.iot, aws.name("button-policy"), rights)


def turns(steps: CertificateSteps) -> list[bool]:
    buttons = (steps.creation, steps.activation, steps.policy_attachment, steps.thing_attachment)
    return [not button.disabled for button in buttons]


def links(steps: CertificateSteps) -> list[str]:
    shown = "".join(each["data"]["text/html"] for each in steps.downloads.view.outputs)
    return [Path(unquote(path)).name for path in re.findall('href="([^"]+)" download', shown)]


def test_each_step_has_its_turn(aws: Account, steps: CertificateSteps) -> None:
    assert turns(steps) == [True, False, False, False]
    click(steps.creation)
    assert turns(steps) == [False, True, False, False]
    click(steps.activation)
    assert turns(steps) == [False, False, True, False]
    click(steps.policy_attachment)
    assert turns(steps) == [False, False, False, True]
    click(steps.thing_attachment)
    assert turns(steps) == [False, False, False, False]
    assert state(aws)[2] == [("ACTIVE", ("my-button-policy",), ("my-button",))]
    click(steps.retirement)
    assert turns(steps) == [True, False, False, False]
    assert state(aws)[2:] == [[], []]


def test_the_private_key_is_offered_once(steps: CertificateSteps) -> None:
    assert links(steps) == []
    click(steps.creation)
    public = ["certificate.pem.crt", "public.pem.key", "root-ca.pem"]
    assert links(steps) == [*public, "private.pem.key"]
    click(steps.activation)
    assert links(steps) == public
    assert "offered once" in steps._key_note.value


def test_a_panel_that_is_shown_anew_offers_no_private_key(
    aws: Account, steps: CertificateSteps
) -> None:
    click(steps.creation)
    assert "private.pem.key" not in links(panels.certificate(aws))


def test_another_things_private_key_is_not_offered(aws: Account) -> None:
    make_thing(aws)
    aws.iot.create_thing(
        thingName="my-second", attributePayload={"attributes": {"madeBy": "iot-button-tutorial"}}
    )
    certificate.create(aws, "my-second")
    steps = panels.certificate(aws)
    click(steps.creation)
    steps.thing.value = "my-second"
    assert "private.pem.key" not in links(steps)
    assert turns(steps) == [False, True, False, False]


def test_the_links_lead_to_the_files(steps: CertificateSteps) -> None:
    click(steps.creation)
    shown = steps.downloads.view.outputs[0]["data"]["text/html"]
    for path in re.findall('href="([^"]+)"', shown):
        assert not Path(path).is_absolute()
        assert "-----BEGIN" in Path(path).read_text()


def test_nothing_it_shows_holds_a_private_key(steps: CertificateSteps) -> None:
    for button in (steps.creation, steps.activation, steps.policy_attachment):
        click(button)
        assert steps.files is not None
        key = steps.files.private_key.read_text().splitlines()[1:-1]
        shown = everything_shown(steps)
        assert "private.pem.key" in shown
        assert not any(line in shown for line in key)


def test_the_code_of_create_does_the_same(aws: Account, steps: CertificateSteps) -> None:
    click(steps.creation)
    made = state(aws)
    closing.clean_up(aws)
    make_thing(aws)
    make_policy(aws)
    paste(steps.code, aws)
    assert state(aws) == made
    assert len(made[2]) == len(made[3]) == 1


def test_the_code_of_create_runs_as_it_stands_on_a_shared_account(nowhere: None) -> None:
    """There, the private key is made here: no call of boto3's has it."""
    zoe = in_process.shared_account()
    make_thing(zoe)
    make_policy(zoe)
    steps = panels.certificate(zoe)
    click(steps.creation)
    made = state(zoe)
    closing.clean_up(zoe)
    make_thing(zoe)
    make_policy(zoe)
    paste(steps.code, zoe)
    assert state(zoe) == made
    assert len(made[2]) == len(made[3]) == 1


def test_the_code_of_every_other_step_does_the_same(aws: Account, steps: CertificateSteps) -> None:
    click(steps.creation)
    assert steps.found is not None
    arn, undo = steps.found.arn, aws.iot
    click(steps.activation)
    done = state(aws)
    undo.update_certificate(certificateId=steps.found.certificate_id, newStatus="INACTIVE")
    assert state(aws) != done
    paste(steps.code, aws)
    assert state(aws) == done
    click(steps.policy_attachment)
    done = state(aws)
    undo.detach_policy(policyName="my-button-policy", target=arn)
    assert state(aws) != done
    paste(steps.code, aws)
    assert state(aws) == done
    click(steps.thing_attachment)
    done = state(aws)
    undo.detach_thing_principal(thingName="my-button", principal=arn)
    assert state(aws) != done
    paste(steps.code, aws)
    assert state(aws) == done


def test_the_code_of_start_again_does_the_same(aws: Account, steps: CertificateSteps) -> None:
    click(steps.creation)
    files = steps.files
    assert files is not None
    keep = {file: file.read_bytes() for file in files.folder.iterdir()}
    click(steps.retirement)
    without = state(aws)
    # The same certificate cannot come back: its files can, and the code deletes them too.
    files.folder.mkdir()
    for file, content in keep.items():
        file.write_bytes(content)
    paste(steps.code.splitlines()[-1], aws)
    assert state(aws) == without
    assert steps.code.startswith("iot.update_certificate(")
    assert "iot.delete_certificate(" in steps.code


def test_a_policy_is_chosen_from_the_list(aws: Account, steps: CertificateSteps) -> None:
    other = policy.document(policy.statement("iot:Publish", "*"))
    policy.put_in_force(aws.iot, "other", other)
    click(steps.creation)
    click(steps.activation)
    assert set(steps.policy.options) == {"my-button-policy", "other"}
    assert steps.policy.value == "my-button-policy"
    steps.policy.value = "other"
    click(steps.policy_attachment)
    assert state(aws)[2] == [("ACTIVE", ("other",), ())]
    assert steps.policy_attachment.disabled
    steps.policy.value = "my-button-policy"
    assert not steps.policy_attachment.disabled


def test_without_thing_or_policy_it_says_what_is_missing(aws: Account) -> None:
    steps = panels.certificate(aws)
    click(steps.creation)
    click(steps.activation)
    assert steps.policy_attachment.disabled
    steps.attach_thing()
    assert "ResourceNotFoundException" in message(steps)


def test_a_certificate_that_went_away_meanwhile_is_told(
    aws: Account, steps: CertificateSteps
) -> None:
    click(steps.creation)
    closing.clean_up(aws)
    click(steps.activation)
    assert "This certificate is gone" in message(steps) and "from the top" in message(steps)
    assert turns(steps) == [True, False, False, False]
    assert "What a cell needs is gone" in message(steps)


def test_it_looks_again_when_asked(aws: Account, steps: CertificateSteps) -> None:
    click(steps.creation)
    click(steps.activation)
    assert "private.pem.key" not in links(steps) and steps.code
    closing.clean_up(aws)
    assert steps._status.value == "ACTIVE"
    click(steps.look)
    assert steps._status.value == "" and steps._created.value == "none yet"
    assert turns(steps) == [True, False, False, False]
    assert "iot-idle" in message(steps) and not steps.code


def test_the_focus_moves_on_with_the_steps(
    steps: CertificateSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser drops the focus of a button that is disabled, and then no key does anything."""
    on: list[str] = []
    monkeypatch.setattr(widgets.Button, "focus", lambda button: on.append(button.description))
    for button in (steps.creation, steps.activation, steps.policy_attachment):
        click(button)
    assert on == ["2. Activate", "3. Attach policy", "4. Attach to the Thing"]
    click(steps.thing_attachment)
    click(steps.retirement)
    assert on[3:] == ["Look again", "1. Create certificate"]
    steps.create()  # by a cell, whose focus stays
    click(steps.look)
    assert len(on) == 5


def test_a_step_before_its_turn_is_refused(steps: CertificateSteps) -> None:
    steps.activate()
    assert "create it first" in message(steps)
