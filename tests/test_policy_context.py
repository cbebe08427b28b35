"""What is known of a connection."""

import datetime
import re
from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from iot_policy import (
    AttachedThing,
    Request,
    connection_context,
    decide,
    document,
    parse,
    statement,
    to_json,
)
from iot_policy.vocabulary import canonical
from sandbox.registry import certificate_names

ID = "a1" * 32
THING = "iot:Connection.Thing."
BUTTON = AttachedThing("button", "Button", {"serialNumber": "G030JF055364XVRB"})


NAMES = [
    x509.RFC822Name("device1@example.com"),
    x509.DNSName("example.com"),
    x509.DNSName("b.example.com"),
    x509.DNSName("$.example.com"),
    x509.DirectoryName(x509.Name.from_rfc4514_string("CN=LightBulbCert,OU=SmartHome,O=IoT,C=US")),
    x509.UniformResourceIdentifier("ResourceIdentifier001"),
    x509.IPAddress(ip_address("1.2.3.4")),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
]
"""Those of AWS's example, use-policy-variables.html, and more."""


@pytest.fixture(scope="module")
def pem():
    """A certificate of two organizations and three names, one of which holds a wildcard."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Corp"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "AnyCompany"),
            x509.NameAttribute(NameOID.COMMON_NAME, "*"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Device"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Administrator"),
        ]
    )
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), 10525622389124227206)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(x509.IssuerAlternativeName(NAMES[:1]), critical=False)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_the_thing_whose_name_is_the_client_id():
    context = connection_context(
        "button", "127.0.0.1", ID, [AttachedThing("other", None, {}), BUTTON]
    )
    assert context == {
        "iot:ClientId": "button",
        "aws:SourceIp": "127.0.0.1",
        "iot:CertificateId": ID,
        f"{THING}IsAttached": "true",
        f"{THING}ThingName": "button",
        f"{THING}ThingTypeName": "Button",
        f"{THING}Attributes[serialNumber]": "G030JF055364XVRB",
    }


def test_no_thing_of_that_name():
    context = connection_context("+", "::1", ID, [BUTTON], domain_name="a.example")
    assert context == {
        "iot:ClientId": "+",
        "aws:SourceIp": "::1",
        "iot:CertificateId": ID,
        "iot:DomainName": "a.example",
        f"{THING}IsAttached": "false",
    }


def test_no_client_id():
    assert connection_context(None, None, ID, [BUTTON]) == {"iot:CertificateId": ID}


def test_how_it_connects():
    context = connection_context(
        "a", None, ID, [], connect_attributes=["LastWill"], last_will_topic="arn:…"
    )
    assert context["iot:ConnectAttributes"] == ("LastWill",)
    assert context["iot:LastWillTopic"] == "arn:…"


def test_the_certificates_subject(pem):
    context = connection_context("a", None, ID, [], certificate_names=certificate_names(pem))
    subject = "iot:Certificate.Subject."
    alternative = f"{subject}AlternativeName."
    assert {
        key: value
        for key, value in context.items()
        if key.startswith(subject) and not key.startswith(alternative)
    } == {
        f"{subject}Organization": "Example Corp",
        f"{subject}Organization.List": ("Example Corp", "AnyCompany"),
        f"{subject}Organization.0": "Example Corp",
        f"{subject}Organization.1": "AnyCompany",
        f"{subject}CommonName.List": ("Device", "Administrator"),
        f"{subject}CommonName.1": "Device",
        f"{subject}CommonName.2": "Administrator",
    }
    assert context["iot:Certificate.Issuer.Organization.1"] == "AnyCompany"


def test_what_else_the_certificate_says(pem):
    context = connection_context("a", None, ID, [], certificate_names=certificate_names(pem))
    names = "iot:Certificate.Subject.AlternativeName."
    assert {
        key: value
        for key, value in context.items()
        if key.startswith(names) and not re.search(r"\.(\d|List)$", key)
    } == {
        f"{names}RFC822Name": "device1@example.com",
        f"{names}DNSName": "example.com",
        f"{names}DirectoryName": "cn=LightBulbCert,ou=SmartHome,o=IoT,c=US",
        f"{names}UniformResourceIdentifier": "ResourceIdentifier001",
        f"{names}IPAddress": "1.2.3.4",
    }
    assert context[f"{names}DNSName.List"] == ("example.com", "b.example.com")
    assert context["iot:Certificate.Issuer.AlternativeName.RFC822Name"] == "device1@example.com"
    serial = {key: value for key, value in context.items() if "SerialNumber" in key}
    assert serial == {"iot:Certificate.SerialNumber": "10525622389124227206"}
    available = context.pop("iot:Certificate.AvailableKeys")
    assert set(available) == {key for key in context if key.startswith("iot:Certificate.")}
    assert all(map(canonical, [*available, "iot:Certificate.AvailableKeys"]))


def test_names_that_cannot_be_read_have_no_value(pem, monkeypatch):
    """TLS takes such a certificate, and one may be registered already."""
    certificate = SimpleNamespace(
        **{
            name: getattr(x509.load_pem_x509_certificate(pem.encode()), name)
            for name in ("subject", "issuer", "serial_number")
        }
    )
    for problem in (
        ValueError("damaged"),
        x509.DuplicateExtension("twice", NAMES[-1].value),
        x509.UnsupportedGeneralNameType("x400", 3),
    ):
        certificate.extensions = Mock(get_extension_for_class=Mock(side_effect=problem))
        with monkeypatch.context() as patch:
            patch.setattr(x509, "load_pem_x509_certificate", lambda _: certificate)
            found = certificate_names.__wrapped__(pem)
        assert found["Subject.Organization"] == ["Example Corp", "AnyCompany"]
        assert not any("AlternativeName" in name for name in found)


@pytest.mark.parametrize("client_id", ["button", "another", "other", None])
def test_the_exclusive_thing_counts_whatever_the_client_id_is(client_id):
    alone = replace(BUTTON, exclusive=True)
    context = connection_context(client_id, None, ID, [alone])
    assert context[f"{THING}ThingName"] == "button"
    assert context[f"{THING}IsAttached"] == "true"


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "verdict"),
    [
        # certificate-policy-examples.html
        ("StringEquals", "CommonName.2", "Administrator", "ALLOWED"),
        ("StringEquals", "CommonName.2", "Device", "IMPLICIT_DENY"),
        ("StringEquals", "CommonName", "*", "IMPLICIT_DENY"),
        ("ForAnyValue:StringEquals", "CommonName.List", "Administrator", "ALLOWED"),
        ("ForAnyValue:StringEquals", "CommonName.List", "Owner", "IMPLICIT_DENY"),
        # cert-policy-variables.html
        (
            "ForAllValues:StringEquals",
            "Organization.List",
            ["Example Corp", "AnyCompany"],
            "ALLOWED",
        ),
        ("ForAllValues:StringEquals", "Organization.List", ["Example Corp"], "IMPLICIT_DENY"),
    ],
)
def test_conditions_on_the_subject(pem, operator, key, wanted, verdict):
    condition = {operator: {f"iot:Certificate.Subject.{key}": wanted}}
    policy = document(statement("iot:Publish", "*", condition=condition))
    context = connection_context("a", None, ID, [], certificate_names=certificate_names(pem))
    request = Request("iot:Publish", "arn:aws:iot:eu-west-1:123456789012:topic/admin/a", context)
    assert decide([parse("P", to_json(policy))], request).verdict == verdict
