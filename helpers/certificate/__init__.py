"""A device's certificate: issue it, keep its files, attach it, take it back."""

from helpers.certificate.inside import look_inside
from helpers.certificate.issuing import create, issue, keep, retire
from helpers.certificate.lost import settle
from helpers.certificate.registered import Certificate, find, remove

__all__ = [
    "Certificate",
    "create",
    "find",
    "issue",
    "keep",
    "look_inside",
    "remove",
    "retire",
    "settle",
]
