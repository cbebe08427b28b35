"""Issue a certificate and keep its files; take both back."""

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from helpers.account import Account
from helpers.certificate.lost import settle
from helpers.certificate.registered import find, remove
from helpers.errors import LessonError
from helpers.key_files import KeyFiles, begin, finish, in_the_making, save, saved

if TYPE_CHECKING:
    from mypy_boto3_iot.type_defs import CreateKeysAndCertificateResponseTypeDef


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

    Where that has been done, the certificate that is there is given back. In an account that others
    use too, the keys are made here: docs/decisions/0004-whose-certificate-it-is.md says why.
    """
    settle(account)
    files = saved(account.key_folder / name)
    if files is not None and find(account.iot, files.certificate_id) is not None:
        account.ledger.note(files.certificate_id)
        return files
    retire(account, name)
    if account.shared:
        return _request(account, name)
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
    folder = account.key_folder / thing_name
    try:
        files = save(answer, folder, root_ca=account.root_ca)
    except (LessonError, OSError):
        there = saved(folder)
        if there is None or there.certificate_id != answer["certificateId"]:
            remove(account.iot, answer["certificateId"])
        raise
    settle(account)
    return files


def retire(account: Account, thing_name: str) -> None:
    """Take a Thing's saved certificate out of service: delete it at AWS, then its files here.

    What an interrupted save, or a lost answer, left behind goes the same way.
    """
    settle(account)
    files = saved(account.key_folder / thing_name)
    if files is not None:
        account.ledger.note(files.certificate_id)
        remove(account.iot, files.certificate_id)
        account.ledger.forget(files.certificate_id)
    for folder in (account.key_folder / thing_name, in_the_making(account.key_folder / thing_name)):
        if folder.exists():
            KeyFiles(folder).delete()


def _request(account: Account, name: str) -> KeyFiles:
    folder, key = account.key_folder / name, rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    begin(folder, private.decode(), public.decode())
    subject = x509.Name.from_rfc4514_string("CN=AWS IoT Certificate")
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    answer = account.iot.create_certificate_from_csr(
        certificateSigningRequest=request.sign(key, hashes.SHA256()).public_bytes(pem).decode(),
        setAsActive=False,
    )
    files = finish(folder, answer["certificatePem"], root_ca=account.root_ca)
    settle(account)
    return files
