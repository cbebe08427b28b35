"""What test_lite_standins.py asks, of the libraries and, as a process of its own, of the stand-ins.

The process answers line by line, in JSON.
"""

import datetime
import importlib
import inspect
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import regex
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from werkzeug.exceptions import HTTPException

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384()}
HASHES |= {"sha224": hashes.SHA224(), "sha512": hashes.SHA512()}


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the class of its error; what the library has for damage is one."""
    try:
        return call()
    except (ValueError, TypeError, x509.InvalidVersion):
        return "ValueError"
    except UnsupportedAlgorithm as error:
        return f"UnsupportedAlgorithm: {error}"


def name(found: x509.Name) -> list[Any]:
    return [found.rfc4514_string(), [[each.oid.dotted_string, each.value] for each in found]]


def digest(signed: Any) -> str:
    return str(signed.signature_hash_algorithm.name)


def public(key: Any) -> list[Any]:
    kind = type(key).__name__
    if isinstance(key, rsa.RSAPublicKey):
        return [kind, key.key_size, key.public_bytes(PEM, SPKI).decode()]
    if isinstance(key, ec.EllipticCurvePublicKey):
        return [kind, key.curve.name]
    return [kind]


def certificate(found: x509.Certificate) -> dict[str, Any]:
    return {
        "subject": outcome(lambda: name(found.subject)),
        "issuer": outcome(lambda: name(found.issuer)),
        "from": found.not_valid_before_utc.isoformat(),
        "until": found.not_valid_after_utc.isoformat(),
        "serial": found.serial_number,
        "digest": outcome(lambda: digest(found)),
        "key": outcome(lambda: public(found.public_key())),
        "id": found.fingerprint(hashes.SHA256()).hex(),
        "pem": found.public_bytes(PEM).decode(),
        "der": found.public_bytes(DER).hex(),
    }


def csr(found: x509.CertificateSigningRequest) -> dict[str, Any]:
    return {
        "subject": outcome(lambda: name(found.subject)),
        "digest": outcome(lambda: digest(found)),
        "key": outcome(lambda: public(found.public_key())),
        "valid": outcome(lambda: found.is_signature_valid),
        "pem": found.public_bytes(PEM).decode(),
    }


def read_certificate(text: str) -> Any:
    return outcome(lambda: certificate(x509.load_pem_x509_certificate(text.encode("latin-1"))))


def read_certificates(text: str) -> Any:
    return outcome(
        lambda: [
            certificate(each) for each in x509.load_pem_x509_certificates(text.encode("latin-1"))
        ]
    )


def read_csr(text: str) -> Any:
    return outcome(lambda: csr(x509.load_pem_x509_csr(text.encode("latin-1"))))


def load(text: str, **options: bool) -> Any:
    return serialization.load_pem_private_key(text.encode("latin-1"), None, **options)


def read_key(text: str) -> Any:
    return outcome(lambda: public(load(text, unsafe_skip_rsa_key_validation=True).public_key()))


def read_sound_key(text: str) -> Any:
    return outcome(lambda: public(load(text).public_key()))


def shown(pem: str) -> str:
    return repr(load(pem))


def read_name(text: str) -> Any:
    return outcome(lambda: name(x509.Name.from_rfc4514_string(text)))


def make_key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return rewrite_key(made)


def rewrite_key(key: Any) -> str:
    """Write a private key, which is given as it is or as text."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    key = load(key) if isinstance(key, str) else key
    return key.private_bytes(PEM, form, serialization.NoEncryption()).decode()


def make_certificate(key: str, subject: str, seconds: list[int], critical: bool, ca: bool) -> str:
    """Make one; it is valid between two moments, in seconds since 1970."""
    private = load(key, unsafe_skip_rsa_key_validation=True)
    whom = x509.Name.from_rfc4514_string(subject)
    since, until = (datetime.datetime.fromtimestamp(each, datetime.UTC) for each in seconds)
    made = (
        x509.CertificateBuilder()
        .subject_name(whom)
        .issuer_name(x509.Name.from_rfc4514_string("CN=issuer"))
        .public_key(private.public_key())
        .serial_number(4711)
        .not_valid_before(since)
        .not_valid_after(until.replace(tzinfo=None))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=critical)
        .sign(private, hashes.SHA256())
    )
    return made.public_bytes(PEM).decode()


def sign(key: str, text: str, algorithm: str) -> str:
    return load(key).sign(text.encode(), padding.PKCS1v15(), HASHES[algorithm]).hex()


def verify(pem: str, signature: str, text: str, algorithm: str) -> Any:
    """Tell whether the key of a certificate takes a signature."""
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    way: list[Any] = [padding.PKCS1v15(), HASHES[algorithm]]
    if isinstance(key, ec.EllipticCurvePublicKey):
        way = [ec.ECDSA(HASHES[algorithm])]
    try:
        found = outcome(lambda: key.verify(bytes.fromhex(signature), text.encode(), *way))
    except InvalidSignature:
        return False
    return found or True


def same_key(one: str, other: str) -> bool:
    """Tell whether two certificates have one key, as the exercises ask."""
    keys = [x509.load_pem_x509_certificate(each.encode()).public_key() for each in (one, other)]
    return bool(keys[0] == keys[1])


def matches(pattern: str, text: str) -> bool:
    return regex.fullmatch(pattern, text) is not None


def primes(numbers: list[int]) -> list[int]:
    """Those that the stand-in takes for primes; the library has no such question."""
    return [each for each in numbers if rsa._is_prime(each)]


def loaded() -> list[str]:
    """Where the libraries that are asked come from, and whether any of them is compiled."""
    compiled = [each for each in sys.modules if each.endswith(("_rust", "_regex"))]
    return [str(x509.__file__), str(regex.__file__), *compiled]


def all_matches(pattern: str, texts: list[str]) -> list[bool]:
    return [matches(pattern, each) for each in texts]


def found(pattern: str, characters: str) -> str:
    return "".join(each for each in characters if matches(pattern, each))


@cache
def gaps() -> Any:
    from sandbox.gaps import certificates  # it takes most of a second

    return certificates


MODULES = [
    "cryptography.exceptions",
    "cryptography.hazmat._oid",
    "cryptography.hazmat.backends",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.asymmetric.padding",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.hashes",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
    "regex",
]


def public_names() -> list[list[str]]:
    """The functions, classes, constructors and members that have a place in a module: with it."""
    found = []
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            if name[0] != "_" and getattr(value, "__module__", "") == module:
                members = vars(value) if isinstance(value, type) else {}
                its = [each for each in members if each[0] != "_" or each == "__init__"]
                found += [[module, name], *([module, f"{name}.{each}"] for each in its)]
    return found


def signature(module: str, name: str) -> Any:
    """The parameters of a function, or method: name, whether by name alone, whether it may lack.

    Returns:
        An empty list for what is not called, ``None`` where there is no such name.
    """
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None or getattr(found, "__objclass__", None) is object:  # no constructor
        return None
    if isinstance(found, type) or not callable(found):
        return []  # a class's constructor is a member
    return [
        [each.name, each.kind is each.KEYWORD_ONLY, each.default is not each.empty]
        for each in inspect.signature(found).parameters.values()
        if each.name != "self" and each.kind is not each.VAR_KEYWORD
    ]


def told(call: Callable[[], Any]) -> Any:
    """What the sandbox does, or the sentence of its refusal."""
    try:
        return outcome(call)
    except HTTPException as refusal:
        return f"{type(refusal).__name__}: {refusal}"


def registered(pem: str) -> Any:
    return told(lambda: certificate(gaps()._read(pem)))


def issued(pem: str) -> Any:
    """What is the same in every certificate that is issued for a request."""

    def known() -> Any:
        made = x509.load_pem_x509_certificate(gaps().issue_for(pem).encode())
        parts = [certificate(made)[part] for part in ("issuer", "until", "digest", "key")]
        return [*parts, name(made.subject), made.subject.public_bytes().hex()]

    return told(known)


def described(pem: str) -> Any:
    from helpers.certificate import describe

    return told(lambda: str(describe(pem)))


def named(pem: str) -> Any:
    from sandbox.registry import certificate_names

    return told(lambda: certificate_names(pem))


def filed(pem: str, key: str) -> Any:
    """What the lesson makes of a folder's files."""
    from helpers.key_files import KeyFiles

    with TemporaryDirectory() as folder:
        files = KeyFiles(Path(folder))
        files.certificate.write_bytes(pem.encode("latin-1"))
        files.private_key.write_bytes(key.encode("latin-1"))
        found = told(files.computed_public_key)
        return [files.known_id, found if found is None or isinstance(found, str) else public(found)]


def lesson() -> list[Any]:
    """Run the lesson, from its first call to the clean-up."""
    from helpers import account, button, closing, policy, thing
    from helpers import certificate as certificates

    aws, serial = account.connect(), thing.EXAMPLE_SERIAL
    thing.register(aws.iot, "my-button")
    rights = policy.least_privilege(aws.region, aws.number, serial, client_id="my-button")
    policy.put_in_force(aws.iot, "my-rights", rights)
    files = certificates.issue(aws, "my-button", "my-rights")
    listener, device = button.make_listener(aws, serial, "my-ear"), button.device(aws, "my-button")
    with button.listen(listener, device.topic) as heard:
        button.press(device)
        click = heard.next().payload["clickType"]
    found = certificates.find(aws.iot, files.certificate_id)
    shown, key = str(certificates.describe(files.pem)), files.computed_public_key()
    gone = [each.kind for each in closing.clean_up(aws)]
    return [click, shown, key.key_size, found.status, gone]


def main() -> None:
    for line in sys.stdin:
        question, *given = json.loads(line)
        sys.stdout.write(json.dumps(globals()[question](*given)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
