"""AWS's course, aws-samples/sample-aws-iot-core-learning-path-basics: eight scripts."""

import re
import shutil
import sys
from collections.abc import Iterator

import boto3

from outside.result import Result
from outside.typist import Session, type_answers
from outside.world import World

ENTER = {"Press Enter to": "", "return to menu": ""}


def _clean(said: Session) -> bool:
    """Whether no line tells of an error; a guideline may have the sign within it."""
    return not re.search("^ *❌", said.text, re.MULTILINE)


def run(world: World) -> Iterator[Result]:
    """Run the scripts as the course's README has them, from its folder, one after another."""
    folder = world.folder / "course"
    shutil.copytree(world.sources / "course", folder)
    thing = "Vehicle-VIN-001"

    def play(name: str, *answers: tuple[str, str], **more: float) -> Session:
        return type_answers(
            [sys.executable, f"scripts/{name}.py"],
            answers,
            env=world.environment(AWS_IOT_LANG="en"),
            cwd=folder,
            always=ENTER | ({"Apply these changes": "y"} if "shadow" in name else {}),
            **more,
        )

    iot = boto3.client(
        "iot",
        region_name="eu-west-1",
        endpoint_url=world.endpoint_url,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )

    said = play("setup_sample_data", ("Continue? (y/N)", "y"))
    yield Result.of(
        "setup_sample_data",
        said,
        twenty_things=len(iot.list_things()["things"]) == 20,
        three_types=len(iot.list_thing_types()["thingTypes"]) == 3,
        four_groups=len(iot.list_thing_groups()["thingGroups"]) == 4,
        no_error=_clean(said),
        account="123456789012" in said.text,
    )

    said = play(
        "iot_registry_explorer",
        *(("(1-9)", "1"), ("(1-4)", "1")),
        *(("(1-9)", "1"), ("(1-4)", "2"), ("maximum results", "8")),
        *(("next page", "y"), ("next page", "y")),
        *(("(1-9)", "1"), ("(1-4)", "3"), ("Thing Type name", "SedanVehicle")),
        *(("(1-9)", "1"), ("(1-4)", "4"), ("attribute name", "country")),
        ("attribute value", "US"),
        *(("(1-9)", "2"), ("(1-9)", "3"), ("(1-9)", "4")),
        *(("(1-9)", "5"), ("number or Thing name", "1")),
        *(("(1-9)", "6"), ("number or Thing Group", "1")),
        *(("(1-9)", "7"), ("number or Thing Type", "1")),
        *(("(1-9)", "8"), ("endpoint type", ""), ("(1-9)", "9")),
    )
    yield Result.of(
        "iot_registry_explorer",
        said,
        no_error=_clean(said),
        three_pages="3 page" in said.text or "Page 3" in said.text,
        described=thing in said.text and "Version:" in said.text,
    )

    own = ("Your choice", "1")
    said = play(
        "certificate_manager",
        *(("(1-6)", "1"), own, ("create and attach a policy", "y")),
        *(("new policy name", "course-all"), ("template (1-3)", "1"), ("Proceed", "y")),
        *(("(1-6)", "2"), ("(1-2)", "2"), ("certificate name", "")),
        *(("Your choice", "2"), ("create and attach a policy", "n")),
        *(("existing policy", "y"), ("Select policy (1-1)", "1")),
        *(("(1-6)", "4"), ("policy to detach", "1"), ("detach policy from", "1")),
        ("from this certificate?", "y"),
        *(("(1-6)", "5"), ("Select certificate (1-2)", "2"), ("this certificate?", "y")),
        *(("(1-6)", "5"), ("Select certificate (1-2)", "2"), ("this certificate?", "y")),
        *(("(1-6)", "3"), own, ("(1-2)", "1"), ("Select policy (1-1)", "1")),
        ("(1-6)", "6"),
    )
    principals = iot.list_thing_principals(thingName=thing)["principals"]
    policies = [
        policy["policyName"]
        for arn in principals
        for policy in iot.list_attached_policies(target=arn)["policies"]
    ]
    yield Result.of(
        "certificate_manager",
        said,
        attached=len(principals) == 1 and policies == ["course-all"],
        two_active=[each["status"] for each in iot.list_certificates()["certificates"]]
        == ["ACTIVE"] * 2,
        no_error=_clean(said),
    )

    said = play(
        "mqtt_client_explorer",
        *(("(1-2)", "1"), ("Select device", "1"), ("Client ID", ""), ("version (1-2)", "1")),
        *(("MQTT>", "sub1 course/+"), ("MQTT>", "pub course/a first")),
        *(("MQTT>", "pub1 course/b second"), ("MQTT>", "json course/c level=3 on=true")),
        *(("MQTT>", "status"), ("MQTT>", "messages"), ("MQTT>", "unsub course/+")),
        *(("MQTT>", "quit"), ("(1-2)", "2")),
        quiet=1.5,
    )
    yield Result.of(
        "mqtt_client_explorer",
        said,
        three_received=said.text.count("INCOMING MESSAGE") == 3,
        no_error=_clean(said),
    )

    said = play(
        "device_shadow_explorer",
        *(("(1-20)", "1"), ("Client ID", ""), ("Shadow>", "get")),
        *(("Shadow>", "desire temperature=30"), ("Shadow>", ""), ("Shadow>", "local")),
        *(("Shadow>", "report"), ("Shadow>", "get"), ("Shadow>", "quit")),
        quiet=2.5,
    )
    yield Result.of(
        "device_shadow_explorer",
        said,
        created="SHADOW GET REJECTED" in said.text.upper() and "404" in said.text,
        got="SHADOW GET ACCEPTED" in said.text.upper(),
        updated="SHADOW UPDATE ACCEPTED" in said.text.upper(),
        delta="SHADOW DELTA RECEIVED" in said.text,
        applied='"temperature": 30' in said.text,
    )

    said = play(
        "iot_rules_explorer",
        *(("(1-6)", "1"), ("(1-6)", "3"), ("rule name", "CourseRule"), ("description", "")),
        *(("configuration (1-2)", "1"), ("event type", "1"), ("attributes", "1")),
        *(("WHERE condition? (y/N)", "y"), ("WHERE condition:", "temperature > 25")),
        ("target topic", ""),
        *(("(1-6)", "2"), ("describe", "1"), ("(1-6)", "4"), ("rule to test", "1")),
        *(("Select device", "1"), ("MATCH the topic", "y"), ("MATCH the WHERE", "y")),
        *(("MATCH the topic", "n"), ("MATCH the WHERE", "y"), ("MATCH the topic", "quit")),
        *(("(1-6)", "5"), ("to manage", "1"), ("(1-3)", "2"), ("Are you sure", "y")),
        ("(1-6)", "6"),
        quiet=1,
    )
    yield Result.of(
        "iot_rules_explorer",
        said,
        created="CourseRule" in said.text and _clean(said),
        forwarded=said.text.count("RULE OUTPUT RECEIVED") == 1,
    )

    said = play(
        "mqtt_websocket_explorer",
        *(("Client ID", ""), ("version (1-2)", "1"), ("subscribe to", "course/+")),
        *(("QoS level", "1"), ("MQTT-WS>", "pub course/a first")),
        *(("MQTT-WS>", "pub1 course/b second"), ("MQTT-WS>", "status"), ("MQTT-WS>", "quit")),
        quiet=1.5,
        timeout=60,
    )
    yield Result.of(
        "mqtt_websocket_explorer",
        said,
        two_received=said.text.count("INCOMING MESSAGE") == 2,
        no_error=_clean(said),
    )

    said = play("cleanup_sample_data", ("Continue with cleanup", "y"), ("(1-3)", "2"), quiet=0.5)
    yield Result.of(
        "cleanup_sample_data",
        said,
        no_things=iot.list_things()["things"] == [],
        no_groups=iot.list_thing_groups()["thingGroups"] == [],
        no_error=_clean(said),
        certificates_gone=iot.list_certificates()["certificates"] == [],
    )
