"""A device's certificate: issue it, keep its files, attach it, take it back."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from prettytable import PrettyTable

from helpers.account import Account
from helpers.errors import LessonError
from helpers.key_files import KeyFiles, in_the_making, save, saved
from helpers.table import table

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot.type_defs import CreateKeysAndCertificateResponseTypeDef


@dataclass(frozen=True)
class Certificate:
    """A registered certificate and what it is attached to."""

    certificate_id: str
    """SHA-256 of the certificate's DER form, 64 lower-case hexadecimal digits."""
    arn: str
    status: str
    """``ACTIVE``, ``INACTIVE``, ``REVOKED``, …"""
    policies: tuple[str, ...]
    """Names of the policies attached to it."""
    things: tuple[str, ...]
    """Names of the Things that it is attached to."""


def issue(account: Account, thing_name: str, policy_name: str) -> KeyFiles:
    """See that a Thing has a certificate: created, saved, active, and attached to Thing and policy.

    What is already done is left as it is.

    Returns:
        The certificate's files.

    Raises:
        ResourceNotFoundException: the Thing or the policy is missing.
    """
    files = create(account, thing_name)
    iot, arn = account.iot, account.arn("cert", files.certificate_id)
    iot.update_certificate(certificateId=files.certificate_id, newStatus="ACTIVE")
    iot.attach_policy(policyName=policy_name, target=arn)
    iot.attach_thing_principal(thingName=thing_name, principal=arn)
    return files


def create(account: Account, name: str) -> KeyFiles:
    """Create a certificate, inactive and attached to nothing, and save its files under *name*.

    Where that has been done, the certificate that is there is given back.
    """
    files = saved(account.keys / name)
    if files is not None and find(account.iot, files.certificate_id) is not None:
        return files
    retire(account, name)
    return keep(account, account.iot.create_keys_and_certificate(setAsActive=False), name)


def keep(
    account: Account, answer: "CreateKeysAndCertificateResponseTypeDef", thing_name: str
) -> KeyFiles:
    """Save what AWS has just issued, for AWS gives the private key this one time.

    A certificate whose key could not be saved is of no use to anyone: it is deleted at once.

    Args:
        account: Where the certificate was made.
        answer: What ``create_keys_and_certificate`` returned.
        thing_name: Whose certificate it is: its folder's name.

    Raises:
        LessonError: there are files of another certificate already; they are left as they are.
    """
    folder = account.keys / thing_name
    try:
        return save(answer, folder, root_ca=account.root_ca)
    except (LessonError, OSError):
        there = saved(folder)
        if there is None or there.certificate_id != answer["certificateId"]:
            remove(account.iot, answer["certificateId"])
        raise


def retire(account: Account, thing_name: str) -> None:
    """Take a Thing's saved certificate out of service: delete it at AWS, then its files here.

    Files that an interrupted save left behind go the same way.
    """
    folder = account.keys / thing_name
    for files in (KeyFiles(folder), KeyFiles(in_the_making(folder))):
        if files.certificate.exists():
            remove(account.iot, files.certificate_id)
        if files.folder.exists():
            files.delete()


def find(iot: "IoTClient", certificate_id: str) -> Certificate | None:
    """Look a certificate up by its id, with what it is attached to.

    Returns:
        The certificate; ``None`` where there is none of that id.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DescribeCertificate.html
    """
    try:
        found = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
    except iot.exceptions.ResourceNotFoundException:
        return None
    arn = found["certificateArn"]
    attached = iot.get_paginator("list_attached_policies").paginate(target=arn)
    things = iot.get_paginator("list_principal_things").paginate(principal=arn)
    return Certificate(
        certificate_id,
        arn,
        found["status"],
        tuple(policy["policyName"] for page in attached for policy in page["policies"]),
        tuple(name for page in things for name in page["things"]),
    )


def remove(iot: "IoTClient", certificate_id: str) -> None:
    """Delete a certificate: deactivate it, detach it from everything, delete it.

    That is the order that AWS asks for. A missing certificate is no error.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteCertificate.html
    """
    found = find(iot, certificate_id)
    if found is None:
        return
    iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    for policy_name in found.policies:
        iot.detach_policy(policyName=policy_name, target=found.arn)
    for thing_name in found.things:
        iot.detach_thing_principal(thingName=thing_name, principal=found.arn)
    with suppress(iot.exceptions.ResourceNotFoundException):
        iot.delete_certificate(certificateId=certificate_id)


def look_inside(pem: str) -> PrettyTable:
    """Show what a certificate says. It holds no secret: it is what a device shows to everyone.

    Args:
        pem: The certificate, PEM.
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    key = certificate.public_key()
    kind = f"RSA, {key.key_size} bits" if isinstance(key, RSAPublicKey) else type(key).__name__
    rows = [
        ("Subject (whose it is)", certificate.subject.rfc4514_string()),
        ("Issuer (who vouches)", certificate.issuer.rfc4514_string()),
        ("Valid until", f"{certificate.not_valid_after_utc:%Y-%m-%d}"),
        ("Public key", kind),
    ]
    return table(["Field", "Value"], rows)
