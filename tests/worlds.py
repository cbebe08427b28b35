"""An account with something of everything, for tests that call every operation."""

import json
import pickle
import re
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, ClassVar

import in_process
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.core.utils import utcnow
from moto.iot.models import iot_backends

from helpers import policy
from sandbox.broker.endpoint import Endpoint
from sandbox.broker.sessions import Session
from sandbox.gaps import certificates, endpoint, things
from sandbox.mqtt.packets import V311, Property, Publish
from sandbox.process import ACCOUNT, REGION

DOCUMENT = policy.to_json(policy.document(policy.statement("iot:Connect", "*")))
REPUBLISH = {"topic": "b/${topic(2)}", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/rules"}
RULE = {"sql": "SELECT * FROM 'a/+'", "actions": [{"republish": REPUBLISH}]}
OWN_NAME = policy.to_json(
    policy.document(
        policy.statement(
            "iot:Connect",
            f"arn:aws:iot:{REGION}:{ACCOUNT}:client/${{iot:Connection.Thing.ThingName}}",
        )
    )
)


@cache
def clients() -> dict[str, Any]:
    """A boto3 client for each service, whose requests stay in this process."""
    return {service: in_process.client(service=service) for service in ("iot", "iot-data")}


def prepare() -> list[str]:
    """Put something of everything into the account.

    Returns:
        The ARNs of its certificates: two that are attached to Things, and one that is INACTIVE.
    """
    iot, data = clients()["iot"], clients()["iot-data"]
    iot.create_thing_type(thingTypeName="old")
    iot.deprecate_thing_type(thingTypeName="old")
    held = iot_backends[ACCOUNT][REGION]
    held.describe_thing_type("old").metadata["deprecationDate"] = utcnow() - timedelta(hours=1)
    for name in ("kind", "new-kind"):
        iot.create_thing_type(thingTypeName=name)
    payload = {"attributes": {"colour": "red", "size": "big"}}
    iot.create_thing(thingName="lamp", thingTypeName="kind", attributePayload=payload)
    for name in ("free", "second", "third"):
        iot.create_thing(thingName=name)
    for name in ("parent", "shelf", "other"):
        iot.create_thing_group(thingGroupName=name)
    properties = {"attributePayload": payload}
    iot.create_thing_group(
        thingGroupName="child", parentGroupName="parent", thingGroupProperties=properties
    )
    for group, name in (
        ("child", "lamp"),
        ("shelf", "lamp"),
        ("parent", "second"),
        ("parent", "third"),
    ):
        iot.add_thing_to_thing_group(thingGroupName=group, thingName=name)
    tags = [{"Key": "madeBy", "Value": "me"}]
    for name in ("spare", "more", "wide"):
        iot.create_policy(policyName=name, policyDocument=DOCUMENT)
    iot.create_policy(policyName="rights", policyDocument=OWN_NAME, tags=tags)
    iot.create_policy_version(policyName="rights", policyDocument=DOCUMENT)
    arns = [
        iot.create_keys_and_certificate(setAsActive=active)["certificateArn"]
        for active in (True, True, False)
    ]
    for arn in arns:
        iot.attach_policy(policyName="rights", target=arn)
    iot.attach_policy(policyName="more", target=arns[0])
    for group, name in (("child", "rights"), ("child", "more"), ("parent", "wide")):
        arn = iot.describe_thing_group(thingGroupName=group)["thingGroupArn"]
        iot.attach_policy(policyName=name, target=arn)
    for name, arn in (("lamp", arns[0]), ("lamp", arns[1]), ("second", arns[0])):
        iot.attach_thing_principal(thingName=name, principal=arn)
    for light, name in (
        ("off", {}),
        ("dim", {"shadowName": "settings"}),
        ("on", {"shadowName": "z"}),
    ):
        state = {"desired": {"light": "on"}, "reported": {"light": light}}
        payload = json.dumps({"state": state})
        data.update_thing_shadow(thingName="lamp", payload=payload, **name)
    for name in ("forward", "more", "off"):
        payload = RULE | {"ruleDisabled": name == "off"}
        iot.create_topic_rule(ruleName=name, topicRulePayload=payload)
    iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    return arns


class Nobody:
    """A connected client: what is asked of it when its connection is ended."""

    address = "127.0.0.1"
    writable = False
    wills: ClassVar[list[str]] = []

    def __init__(self, endpoint: Endpoint, session: Session) -> None:
        self._leave = partial(endpoint.detach, session, "API_INITIATED_DISCONNECT")

    def dismissed(self, *, prevent_will: bool) -> None:
        self._leave()
        if not prevent_will:
            self.wills.append("published")


def prepare_broker(endpoint: Endpoint) -> None:
    """Have retained messages, and a client that is connected with a session that lasts."""
    endpoint.disconnect("lamp", clean_session=True)
    endpoint.retained.clear()
    Nobody.wills.clear()
    for topic in ("a/b", "c", "zzzz"):
        colours = {Property.USER_PROPERTY: [("colour", "blue")]}
        endpoint.publish(Publish(topic, b"!", 1, retain=True, properties=colours))
    session, _ = endpoint.open_session("lamp", "f" * 64, V311, clean=True)
    endpoint.prolong(session, 60)
    client: Any = Nobody(endpoint, session)
    endpoint.attach(session, client)


def save() -> bytes:
    """Return everything that the account holds."""
    return pickle.dumps(vars(iot_backends[ACCOUNT][REGION]))


def restore(saved: bytes) -> None:
    """Put the account back to how it was when it was saved."""
    held = vars(iot_backends[ACCOUNT][REGION])
    held.clear()
    held.update(pickle.loads(saved))
    in_process.sandbox().ask(ACCOUNT, REGION, prepare_broker)


def snapshot() -> str:
    """Tell all that the operations that describe and list tell of the account."""
    iot, data = clients()["iot"], clients()["iot-data"]
    seen: list[Any] = [told(iot.list_things), told(iot.list_policies), told(iot.list_certificates)]
    for each in iot.list_things()["things"]:
        name = {"thingName": each["thingName"]}
        seen.append(told(iot.describe_thing, **name))
        seen.append(told(iot.list_thing_principals_v2, **name))
        seen.append(told(iot.list_thing_groups_for_thing, **name))
        shadows = told(data.list_named_shadows_for_thing, **name)
        seen.append(shadows)
        for shadow in ({}, *({"shadowName": each} for each in shadows.get("results", ()))):
            seen.append(told(data.get_thing_shadow, **name, **shadow))
    for each in iot.list_thing_types()["thingTypes"]:
        seen += [each, told(iot.list_tags_for_resource, resourceArn=each["thingTypeArn"])]
    for each in iot.list_thing_groups()["thingGroups"]:
        seen.append(told(iot.describe_thing_group, thingGroupName=each["groupName"]))
        seen.append(told(iot.list_things_in_thing_group, thingGroupName=each["groupName"]))
        seen.append(told(iot.list_tags_for_resource, resourceArn=each["groupArn"]))
        seen.append(told(iot.list_attached_policies, target=each["groupArn"]))
    for each in iot.list_policies()["policies"]:
        name = {"policyName": each["policyName"]}
        seen.append(told(iot.get_policy, **name))
        seen.append(told(iot.list_policy_versions, **name))
        seen.append(told(iot.list_targets_for_policy, **name))
        seen.append(told(iot.list_tags_for_resource, resourceArn=each["policyArn"]))
    for each in iot.list_certificates()["certificates"]:
        seen.append(told(iot.describe_certificate, certificateId=each["certificateId"]))
        seen.append(told(iot.list_attached_policies, target=each["certificateArn"]))
        seen.append(told(iot.list_principal_things, principal=each["certificateArn"]))
    seen.append(told(data.list_retained_messages))
    seen.append(in_process.sandbox().ask(ACCOUNT, REGION, clients_of))
    for each in iot.list_topic_rules()["rules"]:
        seen += [each, told(iot.get_topic_rule, ruleName=each["ruleName"])]
    seen.append(told(iot.get_indexing_configuration))
    return scrubbed(seen)


def clients_of(endpoint: Endpoint) -> list[Any]:
    """Tell which sessions there are, who is connected, and the wills of who is not."""
    found = [(each.key, each.subscriber is not None) for each in endpoint.sessions.values()]
    return [*found, *Nobody.wills]


def told(call: Callable[..., Any], **arguments: Any) -> Any:
    """Return what a call answers, or its error; without what every answer has anew."""
    try:
        answer = call(**arguments)
    except ClientError as refused:
        return refused.response["Error"]
    answer.pop("ResponseMetadata")
    for name in {"payload", "userProperties"} & set(answer):
        read = getattr(answer[name], "read", lambda name=name: answer[name])
        answer[name] = read().decode()
    return answer


def scrubbed(seen: Any) -> str:
    """Write it down without what differs from one run to the next."""
    text = json.dumps(seen, sort_keys=True, default=lambda _: "a date")
    for pattern, word in (
        (r"-----BEGIN.*?-----END[A-Z ]*-----", "PEM"),
        (r"[0-9a-f]{64}", "an id"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID"),
        (r'(timestamp\\*|lastModifiedTime)(": )\d+', r"\1\2a time"),
    ):
        text = re.sub(pattern, word, text)
    return text


def delivered(monkeypatch: Any, refusal: Exception | None = None) -> list[Any]:
    """Return a list that messages published by HTTP go to, or refuse them all."""
    messages: list[Any] = []
    publish = endpoint.publish

    def deliver(*message: Any, **options: Any) -> None:
        if refusal:
            raise refusal
        messages.append((message[2:], options))

    broker: Any = SimpleNamespace(publish=deliver)
    monkeypatch.setattr(endpoint, "publish", lambda _, request: publish(broker, request))
    return messages


def empty_honestly(monkeypatch: Any) -> None:
    """Delete everything by calls of the API, in the order that AWS asks for."""
    iot, data = clients()["iot"], clients()["iot-data"]
    for each in iot.list_certificates()["certificates"]:
        arn = each["certificateArn"]
        iot.update_certificate(certificateId=each["certificateId"], newStatus="INACTIVE")
        for name in iot.list_attached_policies(target=arn)["policies"]:
            iot.detach_policy(policyName=name["policyName"], target=arn)
        for thing in iot.list_principal_things(principal=arn)["things"]:
            iot.detach_thing_principal(thingName=thing, principal=arn)
        iot.delete_certificate(certificateId=each["certificateId"])
    for each in iot.list_policies()["policies"]:
        name = each["policyName"]
        for target in iot.list_targets_for_policy(policyName=name)["targets"]:
            iot.detach_policy(policyName=name, target=target)
        for version in iot.list_policy_versions(policyName=name)["policyVersions"]:
            if not version["isDefaultVersion"]:
                iot.delete_policy_version(policyName=name, policyVersionId=version["versionId"])
        iot.delete_policy(policyName=name)
    for each in iot.list_things()["things"]:
        name = {"thingName": each["thingName"]}
        for shadow in ("", *data.list_named_shadows_for_thing(**name)["results"]):
            told(data.delete_thing_shadow, **name, **({"shadowName": shadow} if shadow else {}))
        iot.delete_thing(**name)
    while groups := iot.list_thing_groups()["thingGroups"]:
        for each in groups:
            told(iot.delete_thing_group, thingGroupName=each["groupName"])
        assert iot.list_thing_groups()["thingGroups"] != groups, "no group can be deleted"
    for each in iot.list_topic_rules()["rules"]:
        iot.delete_topic_rule(ruleName=each["ruleName"])
    for each in iot.list_thing_types()["thingTypes"]:
        iot.deprecate_thing_type(thingTypeName=each["thingTypeName"])
        with monkeypatch.context() as patch:
            patch.setattr(things, "DEPRECATED_BEFORE_DELETION", timedelta(0))
            iot.delete_thing_type(thingTypeName=each["thingTypeName"])


def holds_nothing() -> bool:
    """Whether the account is as it was in the beginning."""
    held = iot_backends[ACCOUNT][REGION]
    return not any(value for value in vars(held).values() if isinstance(value, dict))


@cache
def signing_request() -> str:
    """A CSR with a key that AWS takes."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a device")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    csr = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


@cache
def foreign_certificate() -> str:
    """A certificate that the account does not know."""
    return certificates.issue_for(signing_request())
