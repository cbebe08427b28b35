"""The stand-ins of the browser edition, against the libraries that they stand in for.

Both answer the same questions (lite_desk.py): the libraries in this process, the stand-ins in one
of their own, which finds them before the libraries.
"""

import base64
import datetime
import ipaddress
import json
import os
import re
import string
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import botocore.session
import lite_desk
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.x509.name import _ASN1Type
from hypothesis import given, settings
from hypothesis import strategies as st

from publish.notebooks import ROOT

STANDINS = ROOT / "publish/lite/standins"
PEM, SHA256 = serialization.Encoding.PEM, hashes.SHA256()
NAME = x509.Name.from_rfc4514_string("CN=AWS IoT Certificate,O=Amazon.com Inc.,C=US")
UTC = datetime.UTC
RSA_ONLY = "UnsupportedAlgorithm: the browser edition signs and checks RSA only"
CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()]

Ask = Callable[..., Any]


def start(folder: Path) -> tuple["subprocess.Popen[str]", Ask]:
    """Start the process that has the stand-ins, and a sandbox of its own."""
    path = [str(STANDINS), str(ROOT), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, lite_desk.__file__],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path),
            "IOT_TUTORIAL_SANDBOX": "inside",
            "IOT_TUTORIAL_STATE_DIR": str(folder / "state"),
        },
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(question: str, *given: Any) -> Any:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps([question, *given]) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    return process, ask


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    process, ask = start(tmp_path_factory.mktemp("desk"))
    with process:
        yield ask
        assert process.stdin
        process.stdin.close()


def library(question: str, *given: Any) -> Any:
    """What the libraries answer, as it comes through JSON."""
    return json.loads(json.dumps(getattr(lite_desk, question)(*given)))


def private_pem(key: Any, form: str = "TraditionalOpenSSL") -> str:
    written = getattr(serialization.PrivateFormat, form)
    return key.private_bytes(PEM, written, serialization.NoEncryption()).decode()


def certificate_of(key: Any, signer: Any = None, digest: Any = SHA256) -> str:
    """A certificate as others make it: with more in it than the sandbox's own."""
    made = (
        x509.CertificateBuilder(NAME, NAME, key.public_key(), 2**158 + 1)
        .not_valid_before(datetime.datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC))
        .not_valid_after(datetime.datetime(2050, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.test")]), critical=False)
        .sign(signer or key, digest)
    )
    return made.public_bytes(PEM).decode()


def csr_of(key: Any, digest: Any = SHA256) -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    request = request.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    return (
        request.add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, b"x")
        .sign(key, digest)
        .public_bytes(PEM)
        .decode()
    )


KEY, OTHER = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(3, 2050)
ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
KEY_PEM, CERTIFICATE = private_pem(KEY), certificate_of(KEY)
STRANGERS = certificate_of(rsa.generate_private_key(65537, 2048))


def test_each_process_has_its_own(standin: Ask) -> None:
    assert standin("loaded") == [str(STANDINS / "cryptography/x509.py"), str(STANDINS / "regex.py")]
    assert "cryptography.hazmat.bindings._rust" in library("loaded")[2:]


# Names

OURS = {"ec.ECPublicKey.verify", "rsa.key_of"}  # the first is EllipticCurvePublicKey's, too
OURS |= {"serialization.Encoding.of", "serialization.read_public_key"}
"""What the library has not. It has no constructors either of keys and what else it makes itself."""


def test_parameters_have_the_librarys_names(standin: Ask) -> None:
    names, ours = standin("public_names"), set()
    for module, name in names:
        mine, theirs = standin("signature", module, name), library("signature", module, name)
        if theirs is None:
            if mine and not name.endswith("__init__"):
                ours.add(f"{module.rsplit('.')[-1]}.{name}")
            continue
        # The last ones may lack here, where they may lack there.
        assert mine == theirs[: len(mine)], f"{module} {name}"
        assert all(may_lack for *_, may_lack in theirs[len(mine) :]), f"{module} {name}"
    assert len(names) > 60
    assert ours == OURS


# Keys


def test_the_library_takes_a_key_made_here(standin: Ask) -> None:
    pem = standin("make_key")
    numbers = serialization.load_pem_private_key(pem.encode(), None).private_numbers()
    assert numbers.public_numbers.n.bit_length() == 2048
    assert numbers.public_numbers.e == 65537
    assert standin("read_sound_key", pem) == library("read_sound_key", pem)
    assert library("rewrite_key", pem) == pem


@pytest.mark.parametrize("key", [KEY, OTHER])
@pytest.mark.parametrize("form", ["TraditionalOpenSSL", "PKCS8"])
def test_a_key_of_the_library_is_taken_here(standin: Ask, key: Any, form: str) -> None:
    pem = private_pem(key, form)
    assert standin("read_sound_key", pem) == library("read_sound_key", pem)
    assert standin("read_sound_key", pem)[1] == key.key_size
    assert standin("rewrite_key", pem) == library("rewrite_key", pem)


def test_a_private_key_is_not_shown(standin: Ask) -> None:
    assert "RSAPrivateKey object" in standin("shown", KEY_PEM)


def test_primes(standin: Ask) -> None:
    numbers = list(range(7, 2000, 4))  # 4 k + 3, as the candidates are
    hard = [3215031751, 8911]  # strong pseudoprimes to bases 2, 3, 5, 7
    known = [2**127 - 1, 2**521 - 1]
    expected = [each for each in numbers if all(each % it for it in range(2, each))]
    assert standin("primes", [*numbers, *hard, *known]) == [*expected, *known]


@pytest.mark.parametrize("which", [0, 1, 3, 4, 5, 6, 7])  # all but d, which is not used
def test_a_key_whose_numbers_do_not_belong_together(standin: Ask, which: int) -> None:
    all_of_it = KEY.private_numbers()
    public = all_of_it.public_numbers
    numbers = [public.n, public.e, all_of_it.d, all_of_it.p, all_of_it.q]
    numbers += [all_of_it.dmp1, all_of_it.dmq1, all_of_it.iqmp]
    numbers[which] += 2
    pem = text_of(sequence(b"".join(integer(each) for each in [0, *numbers])), KEY_PEM)
    assert standin("read_sound_key", pem) == library("read_sound_key", pem) == "ValueError"
    assert standin("read_key", pem) == library("read_key", pem) != "ValueError"


def integer(number: int) -> bytes:
    content = number.to_bytes(number.bit_length() // 8 + 1)
    size = len(content)
    length = size.to_bytes() if size < 128 else b"\x82" + size.to_bytes(2)
    if 128 <= size < 256:
        length = b"\x81" + size.to_bytes()
    return b"\2" + length + content


def sequence(content: bytes) -> bytes:
    return b"\x30\x82" + len(content).to_bytes(2) + content


def test_keys_behind_a_password_or_of_another_kind(standin: Ask) -> None:
    way = serialization.BestAvailableEncryption(b"secret")
    for form in ("TraditionalOpenSSL", "PKCS8"):
        written = getattr(serialization.PrivateFormat, form)
        pem = KEY.private_bytes(PEM, written, way).decode()
        assert standin("read_key", pem) == library("read_key", pem) == "ValueError"
        assert standin("read_key", private_pem(ELLIPTIC, form)) == RSA_ONLY
    assert standin("read_key", private_pem(OTHERS[1][0], "PKCS8")) == RSA_ONLY
    for pem in (CERTIFICATE, "", KEY_PEM.replace("RSA PRIVATE", "PUBLIC")):
        assert standin("read_key", pem) == library("read_key", pem) == "ValueError"
    pem = CERTIFICATE + private_pem(KEY)
    assert standin("read_key", pem) == library("read_key", pem) != "ValueError"


# Signatures


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("key", [KEY, OTHER])
def test_signatures_of_rsa(standin: Ask, key: Any, algorithm: str) -> None:
    pem, own = private_pem(key), certificate_of(key)
    made = standin("sign", pem, "challenge", algorithm)
    assert made == library("sign", pem, "challenge", algorithm)
    cases = [
        (own, made, "challenge", algorithm, True),
        (own, made, "another", algorithm, False),
        (own, made, "challenge", "sha256" if algorithm == "sha512" else "sha512", False),
        (
            STRANGERS,
            made,
            "challenge",
            algorithm,
            False,
        ),
        (own, "00" + made, "challenge", algorithm, False),
        (own, made[:-2], "challenge", algorithm, False),
        (own, "", "challenge", algorithm, False),
        (own, "ff" * (len(made) // 2), "challenge", algorithm, False),
    ]
    for *question, expected in cases:
        assert standin("verify", *question) is library("verify", *question) is expected


def test_a_signature_that_is_more_than_its_number(standin: Ask) -> None:
    # The same modulo n: RFC 8017, 8.2.2, step 2 refuses it.
    made, n = int(standin("sign", KEY_PEM, "it", "sha256"), 16), KEY.public_key().public_numbers().n
    larger = next((made + n * factor for factor in (1,) if made + n < 1 << 2048), None)
    if larger is not None:
        question = ("verify", CERTIFICATE, f"{larger:0512x}", "it", "sha256")
        assert standin(*question) is library(*question) is False


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_elliptic_keys_are_recognised(standin: Ask, curve: Any) -> None:
    key = ec.generate_private_key(curve)
    pem, request = certificate_of(key), csr_of(key, hashes.SHA384())
    assert standin("read_certificate", pem) == library("read_certificate", pem)
    assert standin("read_certificate", pem)["key"] == ["ECPublicKey", curve.name]
    assert standin("read_csr", request) == {**library("read_csr", request), "valid": RSA_ONLY}
    made = key.sign(b"challenge", ec.ECDSA(hashes.SHA256())).hex()
    assert library("verify", pem, made, "challenge", "sha256") is True
    assert standin("verify", pem, made, "challenge", "sha256") == RSA_ONLY


def test_a_curve_that_is_not_known(standin: Ask) -> None:
    pem = certificate_of(ec.generate_private_key(ec.BrainpoolP256R1()), KEY)
    assert "keys of 1.3.36.3.3.2.8.1.1.7 are not known" in standin("read_certificate", pem)["key"]


def test_one_key_in_two_certificates(standin: Ask) -> None:
    for key, other in ((KEY, OTHER), (ELLIPTIC, ec.generate_private_key(ec.SECP256R1()))):
        one, again, another = (certificate_of(each, KEY) for each in (key, key, other))
        assert standin("same_key", one, again) is library("same_key", one, again) is True
        assert standin("same_key", one, another) is library("same_key", one, another) is False
    assert standin("same_key", CERTIFICATE, one) is library("same_key", CERTIFICATE, one) is False


# Certificates and requests

MOMENTS = [[0, 4_000_000_000], [2524607999, 2524608000]]  # in 2050, their form changes
SUBJECTS = ["CN=AWS IoT Certificate", "CN=é漢😀,L=b c,ST=d,O=e,OU=f,STREET=g,UID=h,DC=i,C=US"]


@pytest.mark.parametrize("subject", [*SUBJECTS, "STREET=" + "long " * 24 + "x"])
@pytest.mark.parametrize("moments", MOMENTS)
@pytest.mark.parametrize(("critical", "ca"), [(True, False), (False, True)])
def test_certificates_are_made_alike(
    standin: Ask, subject: str, moments: list[int], critical: bool, ca: bool
) -> None:
    question = ("make_certificate", KEY_PEM, subject, moments, critical, ca)
    pem = standin(*question)
    assert pem == library(*question)
    assert standin("read_certificate", pem) == library("read_certificate", pem)
    assert standin("named", pem) == library("named", pem)


GENERAL_NAMES = [
    x509.RFC822Name("a@b.test"),
    x509.DNSName("a.test"),
    x509.DNSName("xn--a.test"),
    x509.UniformResourceIdentifier("https://a.test/b"),
    x509.DirectoryName(x509.Name.from_rfc4514_string("CN=a,L=b,ST=c,O=d,OU=e,C=DE,STREET=f")),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
    x509.IPAddress(ipaddress.ip_network("192.0.2.0/25")),
    x509.IPAddress(ipaddress.ip_network("2001:db8::/33")),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\0"),
]


@pytest.mark.parametrize("critical", [True, False])
def test_alternative_names_are_read_alike(standin: Ask, critical: bool) -> None:
    pem = alternative_names(GENERAL_NAMES, critical)
    assert standin("named", pem) == library("named", pem)
    assert len(library("named", pem)["Subject.AlternativeName.IPAddress"]) == 4


def alternative_names(names: list[x509.GeneralName], critical: bool = False) -> str:
    builder = (
        x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime.datetime(2050, 1, 1, tzinfo=UTC))
    )
    for kind in (x509.SubjectAlternativeName, x509.IssuerAlternativeName):
        builder = builder.add_extension(kind(names), critical)
    return builder.sign(KEY, SHA256).public_bytes(PEM).decode()


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        (GENERAL_NAMES[1], b"\x82"),  # as it is: a DNS name
        (GENERAL_NAMES[1], b"\xa3"),  # an X.400 address
        (GENERAL_NAMES[1], b"\x87"),  # an IP address of six bytes
        (GENERAL_NAMES[1], b"\x99"),  # of no kind
    ],
    ids=["host", "X.400", "address", "none"],
)
def test_a_name_of_another_kind(standin: Ask, name: x509.GeneralName, tag: bytes) -> None:
    """Changed in DER; the signature, which is wrong then, nobody checks here."""
    der = x509.load_pem_x509_certificate(alternative_names([name]).encode()).public_bytes(
        serialization.Encoding.DER
    )
    changed = der.replace(b"\x82\x06a.test", tag + b"\x06a.test")
    text = base64.encodebytes(changed).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"
    assert standin("named", pem) == library("named", pem)


TEXT = st.text(st.sampled_from('ab é漢#,+"\\<>;=\0\n😀'), min_size=1, max_size=12)
KINDS = ["2.5.4.3", "2.5.4.10", "0.9.2342.19200300.100.1.1", "1.2.3.4", "2.999.16384.0"]


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(KINDS), TEXT), max_size=4))
def test_names_are_read_alike(standin: Ask, parts: list[tuple[str, str]]) -> None:
    name = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(oid), it) for oid, it in parts])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(KEY, SHA256)
    pem = made.public_bytes(PEM).decode()
    assert standin("read_csr", pem) == library("read_csr", pem)
    assert standin("issued", pem) == library("issued", pem)


@pytest.mark.parametrize("text", ["CN", "CN=a,", "CN=a,,O=b", "XX=a", "CN=a;b", ",CN=a"])
def test_what_is_no_name(standin: Ask, text: str) -> None:
    assert standin("read_name", text) == library("read_name", text) == "ValueError"


def test_a_name_with_something_escaped_is_not_read_as_another(standin: Ask) -> None:
    assert standin("read_name", r"CN=a\;b") == "ValueError"


def test_a_part_that_is_several(standin: Ask) -> None:
    several = x509.RelativeDistinguishedName(list(NAME))
    name = x509.Name([several, *x509.Name.from_rfc4514_string("OU=b").rdns])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(KEY, SHA256)
    pem = made.public_bytes(PEM).decode()
    assert standin("read_csr", pem) == library("read_csr", pem)
    assert standin("read_csr", pem)["subject"][0].count("+") == 2
    assert standin("issued", pem) == library("issued", pem)


def test_a_name_keeps_its_kinds_of_text(standin: Ask) -> None:
    kinds = [getattr(_ASN1Type, f"{each}String") for each in ("BMP", "T61", "IA5", "Printable")]
    name = x509.Name([x509.NameAttribute(x509.NameOID.LOCALITY_NAME, "ab", it) for it in kinds])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(KEY, SHA256)
    pem = made.public_bytes(PEM).decode()
    assert standin("read_csr", pem) == library("read_csr", pem)
    assert standin("issued", pem) == library("issued", pem)


OTHERS = [
    (dsa.generate_private_key(1024), SHA256),
    (ed25519.Ed25519PrivateKey.generate(), None),
    (ed448.Ed448PrivateKey.generate(), None),
    (x25519.X25519PrivateKey.generate(), SHA256),
]


@pytest.mark.parametrize(("key", "digest"), OTHERS, ids=lambda given: type(given).__name__)
def test_keys_of_other_kinds(standin: Ask, key: Any, digest: Any) -> None:
    pem = certificate_of(key, KEY, SHA256)
    assert standin("read_certificate", pem) == library("read_certificate", pem)


@pytest.mark.parametrize("algorithm", [hashes.SHA224(), SHA256, hashes.SHA384(), hashes.SHA512()])
def test_requests_are_read_alike(standin: Ask, algorithm: Any) -> None:
    pem = csr_of(KEY, algorithm)
    assert standin("read_csr", pem) == library("read_csr", pem)
    assert standin("read_csr", pem)["valid"] is True


def test_a_request_that_another_key_signed(standin: Ask) -> None:
    rsas, elliptic = csr_of(KEY), csr_of(ELLIPTIC)
    forged = [(rsas, elliptic), (elliptic, rsas), (csr_of(OTHER), rsas)]
    for pem in (with_signature_of(*each) for each in forged):
        assert standin("read_csr", pem) == library("read_csr", pem)
        assert standin("read_csr", pem)["valid"] is False


def with_signature_of(pem: str, other: str) -> str:
    one, another = (x509.load_pem_x509_csr(each.encode()) for each in (pem, other))
    whole = another.public_bytes(serialization.Encoding.DER)
    rest = whole[whole.index(another.tbs_certrequest_bytes) + len(another.tbs_certrequest_bytes) :]
    content = one.tbs_certrequest_bytes + rest
    return text_of(sequence(content), pem)


def text_of(der: bytes, like: str) -> str:
    lines, text = like.splitlines(), base64.b64encode(der).decode()
    return "\n".join([lines[0], *re.findall(".{1,64}", text), lines[-1], ""])


# Damage

DOCUMENTS = [
    ("read_certificate", CERTIFICATE),
    ("read_certificate", certificate_of(ELLIPTIC)),
    ("read_csr", csr_of(KEY)),
    ("read_csr", csr_of(ELLIPTIC)),
    ("read_sound_key", KEY_PEM),
    ("read_key", private_pem(KEY, "PKCS8")),
]
BYTES = b"\0\1\2\3\4\5\6\x0c\x13\x1e\x1c\x30\x31\x7f\x80\x81\x82\xa0\xa3\xff"


def damaged(text: str, random: Random) -> str:
    """A text with some of its bytes changed, gone or one more; or some of what they stand for."""
    lines = text.splitlines()
    within = random.random() < 0.8
    data = bytearray(base64.b64decode("".join(lines[1:-1])) if within else text.encode())
    for _ in range(random.choice([1, 1, 2])):
        at = random.randrange(min(len(data), random.choice([8, 40, 120, 700, len(data)])))
        more = random.choice([b"", random.choice(BYTES).to_bytes(), random.randbytes(1)])
        data[at : at + random.choice([0, 1, 1, 30, len(data)])] = more
        data = data or bytearray(1)
    return text_of(bytes(data), text) if within else data.decode("latin-1")


# The same damage every day: what is met once in ten thousand breaks nobody's build.
@pytest.mark.parametrize(("question", "text"), DOCUMENTS)
def test_damage_is_an_error_that_is_expected_or_changes_nothing_else(
    standin: Ask, question: str, text: str
) -> None:
    random, refused = Random(question), 0
    for _ in range(60):
        pem = damaged(text, random)
        ours = standin(question, pem)  # another error would end the process
        if isinstance(ours, str):
            refused += 1
            assert ours in ("ValueError", RSA_ONLY), pem
        theirs = library(question, pem)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            same = [part for part in ours if "nsupported" not in f"{ours[part]}{theirs[part]}"]
            for part in same:
                assert ours[part] == theirs[part] or theirs[part] == "ValueError", pem
    assert refused > 10


EDITS = [
    (b"\xa0\3\2\1\2", b"\xa0\3\2\1\1"),  # version 2
    (b"\xa0\3\2\1\2", b"\xa0\3\2\1\xff"),
    (b"991231", b"991331"),
    (b"991231", b"501231"),
    (b"991231", b"491231"),
    (b"20500101", b"2050010x"),
    (b"\x55\4\3\x0c", b"\x55\4\3\x1e"),
    (b"\x13\2US", b"\x0c\2U\xff"),
    (b"\x13\2US", b"\3\2\0S"),  # bits in a name
    (b"\x13\2US", b"\x02\2US"),  # a number in a name
    (b"\2\3\1\0\1", b"\2\3\1\0\2"),  # an even exponent
    (b"\2\3\1\0\1", b"\2\3\xff\0\1"),  # one below zero
    (b"\3\x82\1\x0f\0", b"\3\x82\1\x0f\1"),  # bits of the key that are not there
    (b"\x30\x82\3", b"\x30\x80\3"),
]


@pytest.mark.parametrize(("old", "new"), EDITS)
def test_what_is_no_certificate_of_aws(standin: Ask, old: bytes, new: bytes) -> None:
    pem = in_der(CERTIFICATE, old, new)
    assert standin("registered", pem) == library("registered", pem)


def test_an_elliptic_key_that_is_too_long(standin: Ask) -> None:
    pem = in_der(certificate_of(ELLIPTIC), b"\3\x42\0\4", b"\3\x42\0\3")
    assert standin("registered", pem) == library("registered", pem)


WHOLE = CERTIFICATE.rstrip("\n")
TEXTS = [
    WHOLE + CERTIFICATE,  # joined by somebody whose file had no last line's end
    CERTIFICATE.replace("END CERTIFICATE", "END CERTIFICAT"),
    CERTIFICATE.replace("CERTIFICATE", "X509 CERTIFICATE"),
    CERTIFICATE.replace("CERTIFICATE", "PUBLIC KEY"),
    CERTIFICATE.replace("\n", " \t\r\n"),
    CERTIFICATE.replace("\nMII", "\nM%II"),
    CERTIFICATE.replace("\nMII", "\nMI"),
    CERTIFICATE + csr_of(KEY) + KEY_PEM,
    text_of(base64.b64decode("".join(WHOLE.splitlines()[1:-1])) + b"\5\0", CERTIFICATE),
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_what_is_no_pem(standin: Ask, text: str) -> None:
    for question in ("read_certificate", "read_certificates", "read_csr"):
        assert standin(question, text) == library(question, text)
    request = text.replace(WHOLE, csr_of(KEY)).replace("CERTIFICATE R", "NEW CERTIFICATE R")
    assert standin("read_csr", request) == library("read_csr", request)


# The sandbox and the lesson on the stand-ins


def told() -> dict[str, str]:
    """What a learner may register, or ask for."""
    weak, koblitz = rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256K1())
    return {
        "fine": CERTIFICATE,
        "after a note": f"a note\n{CERTIFICATE}",
        "elliptic": certificate_of(ELLIPTIC),
        "of 1024 bits": certificate_of(weak),
        "on another curve": certificate_of(koblitz),
        "of another kind": certificate_of(OTHERS[1][0], OTHERS[1][0], None),
        "signed with SHA-224": certificate_of(KEY, KEY, hashes.SHA224()),
        "signed with SHA-1": with_sha1(CERTIFICATE),
        "two": CERTIFICATE * 2,
        "half": CERTIFICATE[:-60],
        "nothing": "",
        "a key": KEY_PEM,
        "a request": csr_of(KEY),
        "a weak request": csr_of(weak),
        "a request on another curve": csr_of(koblitz),
        "a request of another kind": csr_of(OTHERS[1][0], None),
        "a request signed with SHA-1": with_sha1(csr_of(KEY)),
        "a request of another": with_signature_of(csr_of(OTHER), csr_of(KEY)),
        "half a request": csr_of(KEY)[:-60],
        "no certificate": text_of(b"\x30\0", CERTIFICATE),
        "no text in its name": in_der(CERTIFICATE, b"\x55\4\3\x0c", b"\x55\4\3\x21"),
        "signed in a way of nobody's": in_der(CERTIFICATE, SIGNED, SIGNED[:-1] + b"\x7f"),
        "bits in its name": in_der(CERTIFICATE, b"\x13\2US", b"\3\2\0S"),
        "version 2": in_der(CERTIFICATE, b"\xa0\3\2\1\2", b"\xa0\3\2\1\1"),
    }


def in_der(pem: str, old: bytes, new: bytes) -> str:
    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    assert old in der
    return text_of(der.replace(old, new), pem)


def with_sha1(pem: str) -> str:
    # The library signs with SHA-1 no more, so the name of the algorithm is changed.
    sha256, sha1 = (bytes.fromhex(f"2a864886f70d0101{each}") for each in ("0b", "05"))
    return in_der(pem, sha256, sha1)


SIGNED = bytes.fromhex("2a864886f70d01010b")  # RSA with SHA-256
TOLD = told()


@pytest.mark.parametrize("what", TOLD)
def test_the_sandbox_says_the_same(standin: Ask, what: str) -> None:
    for question in ("registered", "issued", "described", "named"):
        ours, theirs = standin(question, TOLD[what]), library(question, TOLD[what])
        assert ours == theirs, question


def test_an_elliptic_request_is_refused_in_plain_words(standin: Ask) -> None:
    said = standin("issued", csr_of(ELLIPTIC))
    assert "is refused: the browser edition signs and checks RSA only." in said


def test_the_lesson_runs_on_the_stand_ins(standin: Ask) -> None:
    click, shown, size, status, gone = standin("lesson")
    assert (click, size, status) == ("SINGLE", 2048, "ACTIVE")
    assert "CN=AWS IoT Certificate" in shown and "RSA, 2048 bits" in shown
    assert sorted(gone) == sorted(["certificate", "policy", "Thing", "key files"] * 2)


def test_the_lesson_makes_the_same_of_its_files(standin: Ask) -> None:
    cases = [
        (CERTIFICATE, KEY_PEM),
        (certificate_of(ELLIPTIC), private_pem(OTHER, "PKCS8")),
        (CERTIFICATE[:-60], KEY_PEM[:-60]),
        ("", ""),
        ("\xff", "\xff\0"),
    ]
    for case in cases:
        assert standin("filed", *case) == library("filed", *case)


# Patterns


def patterns() -> list[str]:
    """Every pattern that the sandbox may meet."""
    session, found = botocore.session.get_session(), set()
    for service in ("iot", "iot-data", "sts"):
        model = session.get_service_model(service)
        for name in model.shape_names:
            found.add(model.shape_for(name).metadata.get("pattern"))
    return sorted(found - {None})


PATTERNS = patterns()
CHARACTERS = (
    f"{string.printable}é\u0301\u200d²Ⅷ٣ⓐǅ\u00a0\u2028\x1c\x1f\x85\x7f\0‿😀\ue000\ud800\U00010ffd"
)


def test_the_patterns_are_those_that_are_known() -> None:
    assert len(PATTERNS) >= 60
    escapes = set(re.findall(r"\\(p\{\w+\}|[a-zA-Z])", "".join(PATTERNS)))
    sets = {f"p{{{each}}}" for each in (*"LNZC", "Cntrl", "Digit", "Graph", "Upper")}
    assert escapes == {*"dnrstuwSx", *sets}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_pattern_matches_the_same(standin: Ask, pattern: str) -> None:
    random = Random(pattern)
    fitting = [each for each in CHARACTERS if lite_desk.matches(pattern, each)] or list("a1-:/.")
    texts = ["", "\n", *CHARACTERS, *(f"a{each}" for each in CHARACTERS)]
    for size in (2, 3, 12, 36, 64, 65):
        text = "".join(random.choices(fitting, k=size))
        texts += [text, f"{text}\n", f"\n{text}", f"{text}{random.choice(CHARACTERS)}"]
    texts += [each for text in LITERALS for each in (text, f"{text}\n", text[:-1], f" {text}")]
    ours = standin("all_matches", pattern, texts)
    assert ours == library("all_matches", pattern, texts)
    assert {True, False} == set(ours) or pattern == r"[\s\S]*"


LITERALS = [
    "0xAbC9",
    "p99.99",
    "p0.1",
    "LAST",
    "31",
    "32",
    "\r\n",
    "1.0a",
    "arn:aws:iot:eu-west-1::x",
    "arn:aws-cn:acm:cn-north-1:123456789012:certificate/a-1",
    "https://ingestion-a1.b.sfdcnow.com/streams/a/b/event",
    "http://elsewhere",
]


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(PATTERNS), st.text(max_size=8), st.sampled_from(["", "\n"]))
def test_any_text_matches_the_same(standin: Ask, pattern: str, text: str, end: str) -> None:
    # regex knows characters that this Python's own table has not yet.
    known = "".join(each for each in text if unicodedata.category(each) != "Cn") + end
    assert standin("matches", pattern, known) == library("matches", pattern, known)


def test_every_character_is_in_the_same_sets(standin: Ask) -> None:
    # Two halves of a pair would come through JSON as one character.
    every = map(chr, range(sys.maxunicode + 1))
    known = [each for each in every if unicodedata.category(each) not in ("Cn", "Cs")]
    sample = "".join(known[:0x250] + known[0x250::997])
    for pattern in (r"\w", r"\s", r"\S", r"\p{Upper}", r"[\p{Graph}]", r"\p{C}", r"\p{Cntrl}"):
        found = [each for each in sample if lite_desk.matches(pattern, each)]
        assert standin("found", pattern, sample) == "".join(found), pattern
