"""A device for the suites that need one: a Thing, its certificate, and a policy that allows all."""

import json
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.client import BaseClient

from outside.world import REGION, World


@dataclass(frozen=True)
class Device:
    """What a device holds."""

    thing: str
    certificate: Path
    key: Path
    endpoint: str
    """What DescribeEndpoint answers."""


def client(world: World, service: str) -> BaseClient:
    """Return a boto3 client that asks the sandbox itself."""
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=world.endpoint_url,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )


def make(world: World, thing: str) -> Device:
    """Register a device that may do everything."""
    iot = client(world, "iot")
    iot.create_thing(thingName=thing)
    made = iot.create_keys_and_certificate(setAsActive=True)
    everything = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [everything]}
    iot.create_policy(policyName=f"{thing}-all", policyDocument=json.dumps(document))
    iot.attach_policy(policyName=f"{thing}-all", target=made["certificateArn"])
    iot.attach_thing_principal(thingName=thing, principal=made["certificateArn"])
    certificate, key = world.folder / f"{thing}.pem.crt", world.folder / f"{thing}.pem.key"
    certificate.write_text(made["certificatePem"])
    key.write_text(made["keyPair"]["PrivateKey"])
    endpoint = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    return Device(thing, certificate, key, endpoint)
