"""Certificates that AWS made and the lesson never heard of, or could not keep the key of."""

from datetime import timedelta

from cryptography import x509

from helpers.account import Account
from helpers.account.ledger import PendingCall
from helpers.certificate.registered import Certificate, find, remove
from helpers.key_files import KeyFiles, all_saved, folders

AROUND = timedelta(minutes=10)
"""How far AWS's clock and ours, and all the retries of one call, may put two moments apart."""


def settle(account: Account) -> list[Certificate]:
    """Delete each certificate of the lesson whose private key nobody has.

    There are two ways to such a one. Its id is known, but the process ended before the files were
    saved. Or AWS's answer was lost on its way, and only the account tells that it is there.

    Returns:
        What has come into being just then, is of no use to anyone and cannot be shown to be the
        lesson's: in an account that others use, it is not deleted on a guess.
    """
    kept = {files.certificate_id for files in all_saved(account.key_folder)}
    for certificate_id in sorted(set(account.ledger.ids()) - kept):
        if account.ledger.under_way(certificate_id):
            continue
        there = find(account.iot, certificate_id)
        if there is None:
            account.ledger.forget(certificate_id)
        elif _useless(there):
            remove(account.iot, certificate_id)
    doubtful: list[Certificate] = []
    for call in account.ledger.calls():
        if not call.under_way:
            doubtful += _settle(account, call, kept)
    return doubtful


def _settle(account: Account, call: PendingCall, kept: set[str]) -> list[Certificate]:
    doubtful = []
    for each in _unheard_of(account, call, kept | set(account.ledger.ids())):
        if not account.shared or _has_our_key(account, each):
            account.ledger.note(each.certificate_id)
            remove(account.iot, each.certificate_id)
        elif call.operation == "CreateKeysAndCertificate":
            doubtful.append(each)
        # A request of ours gives a certificate with our key: without it, it is another's.
    if not doubtful:
        account.ledger.end(call.file)
    return doubtful


def _unheard_of(account: Account, call: PendingCall, known: set[str]) -> list[Certificate]:
    pages = account.iot.get_paginator("list_certificates").paginate(
        PaginationConfig={"PageSize": 250}
    )
    at_that_time = [
        each["certificateId"]
        for page in pages
        for each in page["certificates"]
        if abs(each["creationDate"] - call.at) < AROUND
    ]
    found = [find(account.iot, each) for each in at_that_time if each not in call.before | known]
    return [each for each in found if each is not None and _useless(each)]


def _useless(each: Certificate) -> bool:
    return each.status == "INACTIVE" and not each.policies and not each.things


def _has_our_key(account: Account, each: Certificate) -> bool:
    answer = account.iot.describe_certificate(certificateId=each.certificate_id)
    pem = answer["certificateDescription"]["certificatePem"]
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    return key in [
        files.computed_public_key() for files in map(KeyFiles, folders(account.key_folder))
    ]
