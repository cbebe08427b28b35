"""A device's certificate: find it, issue it and save its files, delete it and its files.

At the end: find and delete certificates whose private key nobody has.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from helpers import key_files, policy, thing
from helpers.account import Account
from helpers.account.ledger import PendingCall
from helpers.errors import LessonError
from helpers.key_files import KeyFiles, all_saved, saved
from helpers.marker import missing
from helpers.table import Readable, table
from helpers.waiting import delete_when_detached, ignore_missing

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot.type_defs import CreateKeysAndCertificateResponseTypeDef

AROUND = timedelta(minutes=10)
"""A certificate counts as made by a call where AWS dates it this close to the moment of the call.

The two clocks differ, and boto3 may have tried again."""


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


def find(iot: "IoTClient", certificate_id: str) -> Certificate | None:
    """Look a certificate up by its id, with its attachments; return ``None`` where there is none.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DescribeCertificate.html
    """
    if not certificate_id:  # of a damaged file
        return None
    with ignore_missing():
        found = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
        arn = found["certificateArn"]
        attached = iot.get_paginator("list_attached_policies").paginate(target=arn)
        things = iot.get_paginator("list_principal_things").paginate(principal=arn)
        return Certificate(
            certificate_id,
            arn,
            found["status"],
            tuple(attached.search("policies[].policyName")),
            tuple(things.search("things[]")),
        )
    return None


def describe(pem: str) -> Readable:
    """Show what a certificate says. It holds no secret: a device shows it to everyone.

    Args:
        pem: The certificate, PEM.
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    key = certificate.public_key()
    kind = f"RSA, {key.key_size} bits" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__
    rows = [
        ("Subject (whose it is)", certificate.subject.rfc4514_string()),
        ("Issuer (who vouches)", certificate.issuer.rfc4514_string()),
        ("Valid until", f"{certificate.not_valid_after_utc:%Y-%m-%d}"),
        ("Public key", kind),
    ]
    return table(["Field", "Value"], rows)


def issue(account: Account, thing_name: str, policy_name: str) -> KeyFiles:
    """Give a Thing a certificate: created, saved, active, and attached to Thing and policy.

    What is done already stays as it is.

    Returns:
        The certificate's files.

    Raises:
        LessonError: the Thing or the policy is missing; nothing is made.
    """
    iot = account.iot
    thing.get(iot, thing_name)
    if policy.find(iot, policy_name) is None:
        raise missing("policy", policy_name, "put one in force first (notebook 02)")
    files = create(account, thing_name)
    arn = account.arn("cert", files.certificate_id)
    iot.update_certificate(certificateId=files.certificate_id, newStatus="ACTIVE")
    iot.attach_policy(policyName=policy_name, target=arn)
    iot.attach_thing_principal(thingName=thing_name, principal=arn)
    return files


def create(account: Account, name: str) -> KeyFiles:
    """Create a certificate, inactive and attached to nothing, and save its files under *name*.

    If that is done already, return the files that are there. In an account that others use too, the
    keys are made here: docs/decisions/0004-whose-certificate-it-is.md says why.

    Raises:
        LessonError: its folder holds other files.
    """
    delete_unusable(account)
    files = saved(account.key_folder / name)
    if files is not None and find(account.iot, files.known_id) is not None:
        account.ledger.keep(files.certificate_id)
        return files
    retire(account, name)
    if account.shared:
        return _request(account, name)
    return save_issued(account, account.iot.create_keys_and_certificate(setAsActive=False), name)


def save_issued(
    account: Account, answer: "CreateKeysAndCertificateResponseTypeDef", thing_name: str
) -> KeyFiles:
    """Save the certificate and keys that AWS has just issued: it gives the private key only once.

    If they cannot be saved, the certificate is of no use to anyone and is deleted at once.

    Args:
        account: Where the certificate was made.
        answer: What ``create_keys_and_certificate`` returned.
        thing_name: Whose certificate it is: its folder's name.

    Raises:
        LessonError: there are files of another certificate already; they are left as they are.
    """
    folder, keys = account.key_folder / thing_name, answer["keyPair"]
    try:
        key_files.save_keys(folder, keys["PrivateKey"], keys["PublicKey"])
        files = key_files.add_certificate(folder, answer["certificatePem"], root_ca=account.root_ca)
    except (LessonError, OSError):
        there = saved(folder)
        if there is None or there.known_id != answer["certificateId"]:
            remove(account.iot, answer["certificateId"])
        raise
    delete_unusable(account)
    return files


def _request(account: Account, name: str) -> KeyFiles:
    """Make the keys here, and have AWS issue a certificate for them."""
    folder, key = account.key_folder / name, rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    key_files.save_keys(folder, private.decode(), public.decode())
    subject = x509.Name.from_rfc4514_string("CN=AWS IoT Certificate")
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    answer = account.iot.create_certificate_from_csr(
        certificateSigningRequest=request.sign(key, hashes.SHA256()).public_bytes(pem).decode(),
        setAsActive=False,
    )
    files = key_files.add_certificate(folder, answer["certificatePem"], root_ca=account.root_ca)
    delete_unusable(account)
    return files


def retire(account: Account, thing_name: str) -> None:
    """Take a Thing's saved certificate out of service: delete it at AWS, then its files here.

    What an interrupted save or a lost answer left behind is deleted as well.
    """
    delete_unusable(account)
    folder = account.key_folder / thing_name
    files = saved(folder)
    if files is not None and (known := files.known_id):
        account.ledger.note(known)
        remove(account.iot, known)
        account.ledger.forget(known)
    for each in (folder, key_files.unfinished_folder(folder)):
        if each.exists():
            KeyFiles(each).delete()


def remove(iot: "IoTClient", certificate_id: str) -> None:
    """Delete a certificate: deactivate it, detach it from everything, delete it.

    That is the order that AWS asks for. A missing certificate is no error.

    Raises:
        LessonError: AWS still says after some minutes that it is attached.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteCertificate.html
    """
    found = find(iot, certificate_id)
    if found is None:
        return
    iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    for policy_name in found.policies:
        with ignore_missing():
            iot.detach_policy(policyName=policy_name, target=found.arn)
    for thing_name in found.things:
        with ignore_missing():
            iot.detach_thing_principal(thingName=thing_name, principal=found.arn)
    delete_when_detached(lambda: iot.delete_certificate(certificateId=certificate_id))


def delete_unusable(account: Account) -> list[Certificate]:
    """Delete the lesson's certificates whose private key nobody has.

    There are two kinds. Of the first, the ledger has the id, but the process ended before the key
    was saved. Of the second, AWS's answer was lost, so the ledger has only the call.

    Returns:
        The certificates that were left alone, because in a shared account they may be somebody
        else's: inactive, attached to nothing, and made when an answer of ours was lost.
    """
    kept = {files.known_id for files in all_saved(account.key_folder)}
    for certificate_id in sorted(set(account.ledger.ids()) - kept):
        if account.ledger.under_way(certificate_id):
            continue
        there = find(account.iot, certificate_id)
        if there is None:
            account.ledger.forget(certificate_id)
        elif _unused(there):
            remove(account.iot, certificate_id)
    doubtful: list[Certificate] = []
    for call in account.ledger.calls():
        if not call.under_way:
            doubtful += _delete_made_by(account, call, kept)
    return doubtful


def _delete_made_by(account: Account, call: PendingCall, kept: set[str]) -> list[Certificate]:
    """Delete what a call made whose answer never arrived; return what may be another's."""
    doubtful = []
    for each in _candidates(account, call, kept | set(account.ledger.ids())):
        if not account.shared or _has_our_key(account, each):
            account.ledger.note(each.certificate_id)
            remove(account.iot, each.certificate_id)
        elif call.operation == "CreateKeysAndCertificate":
            doubtful.append(each)
        # Else the call was a signing request, which certifies our own key: this one is another's.
    if not doubtful:
        account.ledger.end(call.file)
    return doubtful


def _candidates(account: Account, call: PendingCall, known: set[str]) -> list[Certificate]:
    """List the unused certificates that a call may have made."""
    listed = account.iot.get_paginator("list_certificates")
    pages = listed.paginate(PaginationConfig={"PageSize": 250})
    at_that_time = [
        each["certificateId"]
        for each in pages.search("certificates[]")
        if abs(each["creationDate"] - call.at) < AROUND
    ]
    found = [find(account.iot, each) for each in at_that_time if each not in call.before | known]
    return [each for each in found if each is not None and _unused(each)]


def _unused(each: Certificate) -> bool:
    return each.status == "INACTIVE" and not each.policies and not each.things


def _has_our_key(account: Account, each: Certificate) -> bool:
    answer = account.iot.describe_certificate(certificateId=each.certificate_id)
    pem = answer["certificateDescription"]["certificatePem"]
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    folders = key_files.folders(account.key_folder)
    return key in [KeyFiles(folder).computed_public_key() for folder in folders]
