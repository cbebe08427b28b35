"""The lesson's calls in one go, and what must be true after them."""

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
    files = certificate.keep(aws, answer, button)
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
    found = closing.look(aws)
    assert all(step.done for step in closing.steps(found)), closing.steps(found)
    assert aws.ledger.calls() == []
    for files in all_saved(aws.keys):
        there = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        assert files.computed_public_key() == there.public_key()
    assert [each.certificate_id for each in found.certificates] == [
        files.certificate_id for files in all_saved(aws.keys)
    ]


class Others:
    """What somebody else has in the account, with names like ours."""

    def __init__(self, prefix: str) -> None:
        self.iot: Any = in_process.client(in_process.plane())
        text = policy.to_json(policy.document(policy.statement("iot:Connect", "*")))
        self.iot.create_thing(thingName=f"{prefix}-button-2")
        self.iot.create_thing(thingName=f"{prefix}button", attributePayload=_OURS_ALMOST)
        self.iot.create_policy(policyName=f"{prefix}-button-policy-2", policyDocument=text)
        made = self.iot.create_keys_and_certificate(setAsActive=True)
        arn = made["certificateArn"]
        self.iot.attach_policy(policyName=f"{prefix}-button-policy-2", target=arn)
        self.iot.attach_thing_principal(thingName=f"{prefix}-button-2", principal=arn)
        self.create_a_certificate()

    def create_a_certificate(self) -> None:
        """Make one that is inactive and attached to nothing: like ours when it is new."""
        self.iot.create_keys_and_certificate(setAsActive=False)

    def everything(self) -> object:
        """Show what the account holds, with each certificate's state."""
        held = in_process.holdings(self.iot)
        return held, [certificate.find(self.iot, each) for each in held["certificates"]]


_OURS_ALMOST: Any = {"attributes": {"madeBy": "someone-else"}}


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
