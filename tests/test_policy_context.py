"""What is known of a connection."""

import datetime

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
from sandbox.registry import certificate_names

ID = "a1" * 32
THING = "iot:Connection.Thing."
BUTTON = AttachedThing("button", "Button", {"serialNumber": "G030JF055364XVRB"})


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
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
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
    assert {key: value for key, value in context.items() if key.startswith(subject)} == {
        f"{subject}Organization": "Example Corp",
        f"{subject}Organization.List": ("Example Corp", "AnyCompany"),
        f"{subject}Organization.0": "Example Corp",
        f"{subject}Organization.1": "AnyCompany",
        f"{subject}CommonName.List": ("Device", "Administrator"),
        f"{subject}CommonName.1": "Device",
        f"{subject}CommonName.2": "Administrator",
    }
    assert context["iot:Certificate.Issuer.Organization.1"] == "AnyCompany"


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
