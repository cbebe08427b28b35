"""The lesson's calls in one go, and what must be true after them."""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import in_process
from botocore.exceptions import ClientError, ConnectionClosedError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from helpers import certificate, closing, policy, thing
from helpers.account import Account
from helpers.errors import LessonError
from helpers.key_files import all_saved
from helpers.panels.steps import steps

CLEAR = {"ThrottlingException", "InternalFailureException"}
"""What a learner may be told in the end, after all the retries: run it again."""


def small(aws: Account) -> None:
    """A Thing, a policy with a second version, a certificate: everything attached."""
    button, rights = aws.name("button"), aws.name("button-policy")
    thing.register(aws.iot, button)
    policy.put_in_force(aws.iot, rights, policy.as_posted(aws.region, aws.number, button))
    policy.put_in_force(aws.iot, rights, policy.intended(aws.region, aws.number, button))
    certificate.issue(aws, button, rights)


def by_hand(aws: Account) -> None:
    """The same, with the certificate's calls as notebook 03 has them."""
    button, rights = aws.name("button"), aws.name("button-policy")
    thing.register(aws.iot, button)
    policy.put_in_force(aws.iot, rights, policy.intended(aws.region, aws.number, button))
    certificate.retire(aws, button)
    answer = aws.iot.create_keys_and_certificate(setAsActive=False)
    files = certificate.save_issued(aws, answer, button)
    aws.iot.update_certificate(certificateId=files.certificate_id, newStatus="ACTIVE")
    aws.iot.attach_policy(policyName=rights, target=answer["certificateArn"])
    aws.iot.attach_thing_principal(thingName=button, principal=answer["certificateArn"])


def until_it_works(run: Callable[[], object]) -> int:
    """Run it again after each clear error, as a learner does.

    Returns:
        How many errors there were on the way.
    """
    for errors in range(30):
        try:
            run()
        except ClientError as problem:
            assert problem.response["Error"]["Code"] in CLEAR, problem
            assert "PRIVATE KEY" not in str(problem)
        except (ConnectionClosedError, LessonError) as problem:
            assert "PRIVATE KEY" not in str(problem)
        else:
            return errors
    raise AssertionError("it never works")


def assert_complete(aws: Account) -> None:
    """Everything is made, each certificate has its key, and none is without."""
    found = closing.inventory(aws)
    listed = steps(found, aws.name("button"))
    assert all(step.done for step in listed), listed
    assert aws.ledger.calls() == []
    for files in all_saved(aws.key_folder):
        there = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        assert files.computed_public_key() == there.public_key()
    assert [each.certificate_id for each in found.certificates] == [
        files.certificate_id for files in all_saved(aws.key_folder)
    ]


def others(prefix: str) -> None:
    """Let somebody else have things in the account, with names like those that begin so."""
    iot = _strangers_client()
    text = policy.to_json(policy.document(policy.statement("iot:Connect", "*")))
    iot.create_thing(thingName=f"{prefix}-button-2")
    iot.create_thing(
        thingName=f"{prefix}button", attributePayload={"attributes": {"madeBy": "someone-else"}}
    )
    iot.create_policy(policyName=f"{prefix}-button-policy-2", policyDocument=text)
    arn = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=f"{prefix}-button-policy-2", target=arn)
    iot.attach_thing_principal(thingName=f"{prefix}-button-2", principal=arn)
    another_certificate()


def another_certificate() -> str:
    """Let somebody else make a certificate that looks like ours when it is new.

    Returns:
        Its id.
    """
    made = _strangers_client().create_keys_and_certificate(setAsActive=False)
    return str(made["certificateId"])


@functools.cache
def _strangers_client() -> Any:
    return in_process.client()


@contextmanager
def few_keys(monkeypatch: Any) -> Iterator[None]:
    """Take keys from a store: making them is all that takes long here."""
    real = rsa.generate_private_key
    while len(_STORE) < 12:
        _STORE.append(real(65537, 2048))
    keys = itertools.cycle(_STORE)
    with monkeypatch.context() as patch:
        patch.setattr(rsa, "generate_private_key", lambda *_, **__: next(keys))
        yield


_STORE: list[rsa.RSAPrivateKey] = []


def left_over() -> list[Path]:
    """List the files that are in the folder that the lesson ran in."""
    return in_process.files(Path())
