"""Each gap between moto and AWS IoT that the sandbox fills, through boto3 on a real sandbox.

A test here that passes on moto alone is one whose gap can be deleted.
"""

import hashlib
import shutil
import ssl
import subprocess
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from helpers import policy, thing
from helpers.account import Account
from sandbox.gaps.operations import model, violations

DOCUMENT = policy.to_json(policy.document(policy.statement("iot:Connect", "*")))


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        (
            "create_thing",
            {"thingName": "bad name"},
            "1 validation error detected: Value 'bad name' at 'thingName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+",
        ),
        (
            "create_thing",
            {"thingName": "x" * 129},
            f"1 validation error detected: Value '{'x' * 129}' at 'thingName' failed to satisfy "
            "constraint: Member must have length less than or equal to 128",
        ),
        (
            "create_policy",
            {"policyName": "a/b", "policyDocument": DOCUMENT},
            "1 validation error detected: Value 'a/b' at 'policyName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+",
        ),
        (
            "create_thing",
            {"thingName": "a", "attributePayload": {"attributes": {"colour": "light blue"}}},
            "1 validation error detected: Value 'light blue' at 'attributePayload.attributes."
            "colour' failed to satisfy constraint: Member must satisfy regular expression "
            "pattern: [a-zA-Z0-9_.,@/:#=\\[\\]-]*",
        ),
    ],
)
def test_constraints(
    aws: Account, operation: str, parameters: dict[str, Any], message: str
) -> None:
    answer = refused(getattr(aws.iot, operation), **parameters)
    assert answer == ("InvalidRequestException", message)


@given(st.text(max_size=140))
def test_constraints_and_the_words_for_them_agree(name: str) -> None:
    shape = model("iot").shape_for("ThingName")
    assert bool(list(violations(shape, name))) == bool(thing.name_problem(name))


def test_several_constraints_in_one_answer(aws: Account) -> None:
    code, message = refused(aws.iot.create_thing, thingName="a b", thingTypeName="c d")
    assert code == "InvalidRequestException"
    assert message.startswith("2 validation errors detected: ")


def test_create_thing_again(aws: Account) -> None:
    same = {"thingName": "a", "attributePayload": {"attributes": {"colour": "red"}}}
    first = aws.iot.create_thing(**same)
    second = aws.iot.create_thing(**same)
    assert second["thingId"] == first["thingId"]
    code, message = refused(aws.iot.create_thing, thingName="a")
    assert code == "ResourceAlreadyExistsException"
    assert message == "Thing a already exists in account with different attributes"
    assert aws.iot.describe_thing(thingName="a")["attributes"] == {"colour": "red"}


def test_three_attributes_without_a_type(aws: Account) -> None:
    payload = {"attributes": {str(number): "x" for number in range(4)}}
    code, _ = refused(aws.iot.create_thing, thingName="a", attributePayload=payload)
    assert code == "InvalidRequestException"
    aws.iot.create_thing_type(thingTypeName="button")
    aws.iot.create_thing(thingName="a", thingTypeName="button", attributePayload=payload)


def test_delete_missing_thing(aws: Account) -> None:
    answer = aws.iot.delete_thing(thingName="never-there")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("text", ["everyone may connect", "[]", "{}", '{"Version": "2012-10-17"}'])
def test_malformed_policy(aws: Account, text: str) -> None:
    code, message = refused(aws.iot.create_policy, policyName="p", policyDocument=text)
    assert code == "MalformedPolicyException"
    assert message
    aws.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    code, _ = refused(aws.iot.create_policy_version, policyName="p", policyDocument=text)
    assert code == "MalformedPolicyException"


def test_policy_tags(aws: Account) -> None:
    tags = [{"Key": "madeBy", "Value": "me"}]
    arn = aws.iot.create_policy(policyName="p", policyDocument=DOCUMENT, tags=tags)["policyArn"]
    assert aws.iot.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    aws.iot.tag_resource(resourceArn=arn, tags=[{"Key": "also", "Value": "this"}])
    aws.iot.untag_resource(resourceArn=arn, tagKeys=["madeBy"])
    left = aws.iot.list_tags_for_resource(resourceArn=arn)["tags"]
    assert left == [{"Key": "also", "Value": "this"}]


def test_deleted_policy_tags(aws: Account) -> None:
    tags = [{"Key": "madeBy", "Value": "me"}]
    arn = aws.iot.create_policy(policyName="p", policyDocument=DOCUMENT, tags=tags)["policyArn"]
    aws.iot.delete_policy(policyName="p")
    code, _ = refused(aws.iot.list_tags_for_resource, resourceArn=arn)
    assert code == "ResourceNotFoundException"
    aws.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    assert aws.iot.list_tags_for_resource(resourceArn=arn)["tags"] == []


def test_not_the_default_version(aws: Account) -> None:
    aws.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    aws.iot.create_policy_version(policyName="p", policyDocument=DOCUMENT)
    versions = aws.iot.list_policy_versions(policyName="p")["policyVersions"]
    assert {each["versionId"]: each["isDefaultVersion"] for each in versions} == {
        "1": True,
        "2": False,
    }


def test_missing_version(aws: Account) -> None:
    aws.iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    code, _ = refused(aws.iot.set_default_policy_version, policyName="p", policyVersionId="7")
    assert code == "ResourceNotFoundException"
    assert aws.iot.get_policy(policyName="p")["defaultVersionId"] == "1"


def test_ten_policies(aws: Account) -> None:
    target = aws.iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    for number in range(11):
        aws.iot.create_policy(policyName=f"p{number}", policyDocument=DOCUMENT)
    for number in range(10):
        aws.iot.attach_policy(policyName=f"p{number}", target=target)
    aws.iot.attach_policy(policyName="p0", target=target)
    code, _ = refused(aws.iot.attach_policy, policyName="p10", target=target)
    assert code == "LimitExceededException"


@pytest.mark.parametrize("status", ["PENDING_TRANSFER", "PENDING_ACTIVATION", "SLEEPING"])
def test_certificate_status(aws: Account, status: str) -> None:
    made = aws.iot.create_keys_and_certificate(setAsActive=True)["certificateId"]
    code, _ = refused(aws.iot.update_certificate, certificateId=made, newStatus=status)
    assert code == "InvalidRequestException"
    found = aws.iot.describe_certificate(certificateId=made)["certificateDescription"]
    assert found["status"] == "ACTIVE"


def test_the_id_is_the_fingerprint(aws: Account) -> None:
    made = aws.iot.create_keys_and_certificate(setAsActive=True)
    der = ssl.PEM_cert_to_DER_cert(made["certificatePem"])
    assert made["certificateId"] == hashlib.sha256(der).hexdigest()


def test_issued_as_amazon_does(aws: Account) -> None:
    pem = aws.iot.create_keys_and_certificate(setAsActive=True)["certificatePem"]
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert certificate.subject.rfc4514_string() == "CN=AWS IoT Certificate"
    assert "O=Amazon.com Inc." in certificate.issuer.rfc4514_string()
    assert f"{certificate.not_valid_after_utc:%Y-%m-%d}" == "2049-12-31"


def test_described_validity(aws: Account) -> None:
    made = aws.iot.create_keys_and_certificate(setAsActive=True)["certificateId"]
    found = aws.iot.describe_certificate(certificateId=made)["certificateDescription"]
    assert f"{found['validity']['notAfter']:%Y}" in ("2049", "2050")  # in local time


def test_the_requests_own_key(aws: Account) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "my own")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    text = csr.public_bytes(serialization.Encoding.PEM).decode()
    made = aws.iot.create_certificate_from_csr(certificateSigningRequest=text, setAsActive=True)
    certificate = x509.load_pem_x509_certificate(made["certificatePem"].encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject == name


@pytest.mark.parametrize("text", ["not a request", "-----BEGIN CERTIFICATE REQUEST-----\nx\n"])
def test_a_request_that_is_none(aws: Account, text: str) -> None:
    code, _ = refused(aws.iot.create_certificate_from_csr, certificateSigningRequest=text)
    assert code == "InvalidRequestException"


def test_stable_endpoint(aws: Account) -> None:
    def ask(kind: str) -> str:
        return aws.iot.describe_endpoint(endpointType=kind)["endpointAddress"]

    assert ask("iot:Data-ATS") == ask("iot:Data") == "localhost"
    assert ask("iot:Jobs") == ask("iot:Jobs")
    assert ask("iot:CredentialProvider").endswith(".localhost")
    code, _ = refused(aws.iot.describe_endpoint, endpointType="iot:Nothing")
    assert code == "InvalidRequestException"


def test_an_operation_that_is_missing_is_not_tried_again(aws: Account) -> None:
    with pytest.raises(ClientError) as error:
        aws.iot.list_audit_findings()
    assert (
        error.value.response["Error"]["Message"] == "The sandbox does not have ListAuditFindings."
    )
    assert error.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_messages_by_http_are_refused_as_aws_does(aws: Account) -> None:
    data = boto3.client(
        "iot-data",
        endpoint_url=aws.iot.meta.endpoint_url,
        region_name=aws.region,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    data.publish(topic="iotbutton/x", payload=b"{}", qos=1)
    code, _ = refused(data.publish, topic="a/b/c/d/e/f/g/h/i", payload=b"")
    assert code == "InvalidRequestException"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["create-thing", "--thing-name", "bad name"], "InvalidRequestException"),
        (
            ["create-policy", "--policy-name", "p", "--policy-document", "everyone"],
            "MalformedPolicyException",
        ),
    ],
)
def test_awss_own_command_line(aws: Account, words: list[str], code: str) -> None:
    command = shutil.which("aws")
    assert command, "awscli is one of the test's own packages"
    env = {
        "AWS_ENDPOINT_URL": aws.iot.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_CONFIG_FILE": "/dev/null",
    }
    run = subprocess.run([command, "iot", *words], env=env, capture_output=True, text=True)
    assert run.returncode != 0
    assert f"({code})" in run.stderr
