"""What a cell needs may be gone, deleted by another cell or notebook: an error explains it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from botocore.exceptions import ClientError

from exercises import check
from helpers import button, certificate, closing, policy, thing
from helpers.account import Account
from helpers.button import Device, Refused
from helpers.errors import LessonError
from helpers.key_files import KeyFiles
from sandbox.device import TlsLink

NAME, RIGHTS = "my-button", "my-button-policy"
DOCUMENT = policy.document(policy.statement("iot:Connect", "*"))


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


def wire(aws: Account) -> Device:
    thing.register(aws.iot, NAME)
    policy.put_in_force(aws.iot, RIGHTS, DOCUMENT)
    certificate.issue(aws, NAME, RIGHTS)
    return button.device(aws, NAME)


DELETE: dict[str, Callable[[Account, KeyFiles, str], object]] = {
    "Thing": lambda aws, _, __: thing.remove(aws.iot, NAME),
    "policy": lambda aws, _, __: policy.remove(aws.iot, RIGHTS),
    "certificate": lambda aws, _, old: certificate.remove(aws.iot, old),
    "files": lambda _, files, __: shutil.rmtree(files.folder),
    "private key": lambda _, files, __: files.private_key.unlink(missing_ok=True),
}
STATES = [each for size in (0, 1, 2, len(DELETE)) for each in combinations(DELETE, size)]

CALLS: dict[str, Callable[[Account, Device, str], object]] = {
    "device": lambda aws, _, __: button.device(aws, NAME),
    "press": lambda _, device, __: button.press(device),
    "listen": lambda _, device, __: button.listen(device, "#").__enter__(),
    "find": lambda aws, device, _: certificate.find(aws.iot, device.files.certificate_id),
    "get the Thing": lambda aws, _, __: thing.get(aws.iot, NAME).serial,
    "describe": lambda _, device, __: certificate.describe(device.files.pem),
    "readers": lambda _, device, __: device.files.readers,
    "flowchart": lambda aws, _, __: closing.flowchart(aws),
    "form": lambda aws, device, _: closing.button_form(aws, device.serial, device.files),
    "to remove": lambda aws, _, __: closing.to_remove(aws),
    "rotation": lambda aws, _, old: check.rotation(aws, NAME, old),
    "issue": lambda aws, _, __: certificate.issue(aws, NAME, RIGHTS),
    "retire": lambda aws, _, __: certificate.retire(aws, NAME),
    "clean up": lambda aws, _, __: closing.clean_up(aws),
}


@pytest.mark.parametrize("state", STATES, ids="+".join)
def test_no_call_fails_without_an_explanation(aws: Account, state: tuple[str, ...]) -> None:
    device = wire(aws)
    old = device.files.certificate_id
    for part in state:
        DELETE[part](aws, device.files, old)
    for name, call in CALLS.items():
        try:
            call(aws, device, old)
        except LessonError as error:
            assert error.where != "troubleshooting.md", name
        except ClientError as error:
            assert not state, (name, error)
    assert closing.inventory(aws).empty


def test_each_says_what_is_gone(aws: Account) -> None:
    device = wire(aws)
    old = device.files.certificate_id
    closing.clean_up(aws)
    folder = (
        r"There is no folder of key files 'keys/sandbox/my-button': run the cells from the top\."
    )
    for name in ("press", "listen", "find", "describe", "readers", "form"):
        with pytest.raises(LessonError, match=folder) as told:
            CALLS[name](aws, device, old)
        assert told.value.where == 'troubleshooting.md, "What a cell needs is gone"'


def test_a_damaged_file_is_a_refusal(aws: Account) -> None:
    """The certificate of an authority, which TLS alone reads."""
    device = wire(replace(aws, link=TlsLink(1)))
    device.files.root_ca.write_text("nothing that is a certificate")
    with pytest.raises(Refused, match="my-button could not connect"):
        button.press(device)


def test_no_certificate_is_made_for_what_is_gone(aws: Account) -> None:
    with pytest.raises(LessonError, match="There is no Thing 'my-button': register it first"):
        certificate.issue(aws, NAME, RIGHTS)
    thing.register(aws.iot, NAME)
    with pytest.raises(LessonError, match="There is no policy 'my-button-policy': put one in"):
        certificate.issue(aws, NAME, RIGHTS)
    assert aws.iot.list_certificates()["certificates"] == []
    assert not aws.key_folder.exists()


def test_a_thing_without_a_serial_number_is_explained(aws: Account, stranger: Any) -> None:
    stranger.create_thing(thingName=NAME)
    with pytest.raises(LessonError, match="'my-button' has no serialNumber: delete it") as told:
        _ = thing.get(aws.iot, NAME).serial
    assert told.value.where == 'troubleshooting.md, "The Thing has other attributes"'


def test_what_the_lesson_did_not_make_is_drawn_where_it_is_attached(
    aws: Account, stranger: Any
) -> None:
    files = wire(aws).files
    arn = aws.arn("cert", files.certificate_id)
    stranger.create_thing(thingName="heating")
    stranger.create_policy(policyName="theirs", policyDocument=policy.to_json(DOCUMENT))
    stranger.attach_thing_principal(thingName="heating", principal=arn)
    stranger.attach_policy(policyName="theirs", target=arn)
    chart = closing.flowchart(aws)
    for line in ("Thing heating", "  is attached to Thing heating", "Policy theirs"):
        assert line in chart.text.splitlines()
    # Each name has a box; the title, which is the text, holds each twice more.
    assert chart.svg.count("heating") == chart.svg.count("theirs") == 3
    assert chart.svg.count("<path") == 4 and chart.svg.count(">attached<") == 2
