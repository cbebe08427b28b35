"""Topic rules at work: a message that a rule makes truly arrives, by every way in."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from awscrt import mqtt
from awsiot import mqtt_connection_builder
from broker_support import MemoryBroker, arn
from conftest import client as client_of
from conftest import pid
from test_shadows import sdk_options

from helpers import button, certificate, policy, thing
from helpers.account import Account, connect
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5
from sandbox.process import ACCOUNT as OURS

EVERYTHING = policy.document(policy.statement("iot:*", "*"))
WARM = "SELECT * FROM 'rooms/+/temperature' WHERE temperature > 25"
CLASSIC = "$aws/things/my-lamp/shadow"


def payload(sql: str, *topics: str, qos: int = 0, **more: Any) -> dict[str, Any]:
    actions = [
        {"republish": {"topic": each, "qos": qos, "roleArn": f"arn:aws:iam::{OURS}:role/rules"}}
        for each in topics
    ]
    return {"sql": sql, "actions": actions, **more}


def device(aws: Account, name: str, rights: dict[str, Any] = EVERYTHING) -> button.Device:
    thing.register(aws.iot, name)
    policy.put_in_force(aws.iot, f"{name}-policy", rights)
    certificate.issue(aws, name, f"{name}-policy")
    return button.device(aws, name)


@pytest.fixture
def iot(both_ways: Account) -> Any:
    return client_of(both_ways)


@contextmanager
def heard(aws: Account, topic_filter: str) -> Iterator[Any]:
    with button.listen(device(aws, "my-listener"), topic_filter) as arrived:

        def collect(number: int) -> list[tuple[str, Any]]:
            found = [arrived.next() for _ in range(number)]
            # What was published later arrives later: nothing else has come before it.
            client_of(aws, "iot-data").publish(topic=topic_filter.replace("#", "last"), payload="0")
            assert arrived.next().topic.endswith("/last")
            return [(each.topic, each.payload) for each in found]

        yield collect


def test_a_message_that_matches_is_republished(both_ways: Account, iot: Any) -> None:
    """By MQTT and by HTTP; with fields, templates and a function."""
    sender = device(both_ways, "my-lamp")
    iot.create_topic_rule(ruleName="warm", topicRulePayload=payload(WARM, "out/${topic(2)}", qos=1))
    sql = "SELECT temperature - 273 AS celsius, clientid() AS who FROM 'rooms/#'"
    iot.create_topic_rule(ruleName="all", topicRulePayload=payload(sql, "out/all", "out/twice"))
    with heard(both_ways, "out/#") as collect:
        button.publish(sender, "rooms/attic/temperature", {"temperature": 30.5})
        button.publish(sender, "rooms/attic/humidity", {"temperature": 300})
        for value in (b'{"temperature": 20}', b'{"temperature": 26}'):
            data = client_of(both_ways, "iot-data")
            data.publish(topic="rooms/hall/temperature", payload=value)
        told = {"who": "my-lamp"}, {"who": "n/a"}
        expected = [
            ("out/attic", {"temperature": 30.5}),
            *(
                (f"out/{each}", {"celsius": celsius, **who})
                for celsius, who in ((-242.5, told[0]), (27, told[0]), (-253, told[1]))
                for each in ("all", "twice")
            ),
            ("out/hall", {"temperature": 26}),
            *((f"out/{each}", {"celsius": -247, "who": "n/a"}) for each in ("all", "twice")),
        ]
        found = collect(len(expected))
    assert sorted(map(str, found)) == sorted(map(str, expected))


def test_a_rule_counts_as_it_stands(both_ways: Account, iot: Any) -> None:
    """Disabled, enabled, replaced, deleted: each at once."""
    data = client_of(both_ways, "iot-data")
    with heard(both_ways, "out/#") as collect:
        for step, change in enumerate(
            (
                lambda: iot.create_topic_rule(
                    ruleName="r", topicRulePayload=payload("SELECT * FROM 'a'", "out/r")
                ),
                lambda: iot.disable_topic_rule(ruleName="r"),
                lambda: iot.enable_topic_rule(ruleName="r"),
                lambda: iot.replace_topic_rule(
                    ruleName="r",
                    topicRulePayload=payload("SELECT step AS s FROM 'a'", "out/other"),
                ),
                lambda: iot.delete_topic_rule(ruleName="r"),
            )
        ):
            change()
            data.publish(topic="a", payload=json.dumps({"step": step}))
        assert collect(3) == [
            ("out/r", {"step": 0}),
            ("out/r", {"step": 2}),
            ("out/other", {"s": 3}),
        ]


def test_a_rule_calls_the_shadow_service(both_ways: Account, iot: Any) -> None:
    """$$ stands for the $ of a reserved topic, and what the service tells is a message, too."""
    thing.register(both_ways.iot, "my-lamp")
    iot.create_topic_rule(
        ruleName="wish", topicRulePayload=payload("SELECT * FROM 'wish'", f"${CLASSIC}/update")
    )
    iot.create_topic_rule(
        ruleName="done",
        topicRulePayload=payload(
            "SELECT state.desired.light AS light FROM '$aws/things/+/shadow/update/accepted'",
            "out/${topic(3)}",
        ),
    )
    with heard(both_ways, "out/#") as collect:
        asked = {"state": {"desired": {"light": "on"}}}
        client_of(both_ways, "iot-data").publish(topic="wish", payload=json.dumps(asked))
        assert collect(1) == [("out/my-lamp", {"light": "on"})]


def test_rules_that_feed_themselves_through_a_shadow_end(both_ways: Account, iot: Any) -> None:
    thing.register(both_ways.iot, "my-lamp")
    sql = "SELECT state FROM '$aws/things/+/shadow/update/accepted'"
    iot.create_topic_rule(
        ruleName="again", topicRulePayload=payload(sql, f"${CLASSIC}/update", "out/again")
    )
    with heard(both_ways, "out/#") as collect:
        data = client_of(both_ways, "iot-data")
        data.update_thing_shadow(thingName="my-lamp", payload='{"state": {"desired": {"a": 1}}}')
        assert len(collect(limits.RULE_HOPS)) == limits.RULE_HOPS
    found = [each for each in both_ways.refusals() if each.resource.endswith(":rule/again")]
    assert ["feeds itself" in each.reason for each in found] == [True]
    shadow = json.loads(data.get_thing_shadow(thingName="my-lamp")["payload"].read())
    assert shadow["version"] == limits.RULE_HOPS + 1


def test_rules_survive_a_kill_and_go_with_their_account(aws: Account) -> None:
    iot = client_of(aws)
    iot.create_topic_rule(ruleName="kept", topicRulePayload=payload("SELECT * FROM 'a'", "out/a"))
    before = iot.get_topic_rule(ruleName="kept")["rule"]
    os.kill(pid(aws), signal.SIGKILL)
    again = connect()
    iot = client_of(again)
    assert iot.get_topic_rule(ruleName="kept")["rule"] == before
    with heard(again, "out/#") as collect:
        client_of(again, "iot-data").publish(topic="a", payload="{}")
        assert collect(1) == [("out/a", {})]
    assert again.line.change(f"empty/{again.number}") is True
    assert iot.list_topic_rules()["rules"] == []
    with heard(again, "out/#") as collect:
        client_of(again, "iot-data").publish(topic="a", payload="{}")
        assert collect(0) == []


def test_awss_sdk_tests_a_rule_as_awss_course_does(aws: Account) -> None:
    """With its rule, its messages, and a listener that gets what matches and nothing else."""
    lamp = device(aws, "my-lamp")
    sql = "SELECT * FROM 'testRulesEngineTopic/+/temperature' WHERE temperature > 25"
    client_of(aws).create_topic_rule(
        ruleName="course", topicRulePayload=payload(sql, "processed/temperature", qos=1)
    )
    arrived: list[tuple[str, bytes, int]] = []
    connection = mqtt_connection_builder.mtls_from_path(
        **sdk_options(lamp) | {"client_id": "rule-tester-my-lamp", "clean_session": False}
    )
    connection.connect().result(10)
    connection.subscribe(
        "processed/temperature",
        mqtt.QoS.AT_LEAST_ONCE,
        lambda topic, payload, qos, **_: arrived.append((topic, payload, int(qos))),
    )[0].result(10)
    for topic, temperature in (
        ("testRulesEngineTopic/device123/temperature", 20.0),
        ("nonmatching/topic/path", 30.0),
        ("testRulesEngineTopic/device123/temperature", 30.0),
        ("processed/temperature", 0),
    ):
        message = json.dumps({"deviceId": "d", "temperature": temperature})
        connection.publish(topic, message, mqtt.QoS.AT_LEAST_ONCE)[0].result(10)
    connection.disconnect().result(10)
    assert [(json.loads(each)["temperature"], qos) for _, each, qos in arrived] == [(30, 1), (0, 1)]


# At the wire.


def add(sandbox: MemoryBroker, name: str, sql: str, *topics: str, **more: Any) -> None:
    rule = payload(sql, *topics, **more)
    sandbox.backend.create_topic_rule(
        name,
        rule["sql"],
        description="",
        rule_disabled=more.get("ruleDisabled"),
        actions=rule["actions"],
        error_action=None,
        aws_iot_sql_version="2016-03-23",
    )
    found = [part for part in rule["sql"].split("'") if "/" in part]
    sandbox.backend.rules[name].topic_pattern = found[0] if found else None
    sandbox.registry.changed()


def received(sandbox: MemoryBroker, topic: str, *payloads: bytes, **more: Any) -> list[bytes]:
    """What one that listens to everything gets of messages, their acknowledgements aside."""
    with sandbox.registered().raw() as client, sandbox.registered().raw() as listener:
        listener.connect("listener")
        listener.subscribe("#", qos=0)
        client.connect("button", **more)
        for each in payloads:
            client.publish(topic, each)
            assert client.read()[0] == 0x40
        listener.send(b"\xc0\0")
        found = []
        while (packet := listener.read()) != (0xD0, b""):
            found.append(packet[1])
        return found


def test_basic_ingest_calls_its_rule_alone(sandbox: MemoryBroker) -> None:
    """It reaches no subscriber, and topic() knows nothing of its prefix."""
    add(sandbox, "named", "SELECT topic() AS t, topic(2) AS u FROM 'x/y'", "out/named")
    add(sandbox, "bare", "SELECT *", "out/bare")
    add(sandbox, "all", "SELECT * FROM 'floor/+'", "out/all/1")
    assert received(sandbox, "$aws/rules/named/floor/2", b"{}") == [
        b'\0\tout/named{"t": "floor/2", "u": "2"}'
    ]
    assert received(sandbox, "$aws/rules/bare/x", b"\xff") == [b"\0\x08out/bare\xff"]
    assert not sandbox.refusals()


def test_basic_ingest_without_its_rule_is_told_to_the_log(sandbox: MemoryBroker) -> None:
    """Once: AWS IoT writes its own log, and the client is acknowledged."""
    add(sandbox, "off", "SELECT *", "out/off", ruleDisabled=True)
    for name in ("none", "off"):
        assert received(sandbox, f"$aws/rules/{name}/a", b"1", b"2", b"3", version=V5) == []
    assert [(each.action, each.resource, each.problem) for each in sandbox.refusals()] == [
        ("rule", arn("rule/none"), "RULE"),
        ("rule", arn("rule/off"), "RULE"),
    ]


def test_the_rules_that_are_told_of_are_bounded(
    sandbox: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client names as many as it likes."""
    monkeypatch.setattr(limits, "DECISIONS", 2)
    with sandbox.registered().raw() as client:
        client.connect("button")
        for name in ("a", "b", "c"):
            client.publish(f"$aws/rules/{name}/x")
    assert [each.resource for each in sandbox.refusals()] == [arn("rule/a"), arn("rule/b")]


def test_a_payload_that_is_no_json_goes_on_as_it_is_or_is_told_to_the_log(
    sandbox: MemoryBroker,
) -> None:
    add(sandbox, "whole", "SELECT * FROM 'a/b'", "out/whole")
    add(sandbox, "part", "SELECT * FROM 'a/b' WHERE colour = 'red'", "out/part")
    found = received(sandbox, "a/b", b"\xff\0", b"\xff\0")
    assert found == [b"\0\x03a/b\xff\0", b"\0\x09out/whole\xff\0"] * 2
    (refusal,) = sandbox.refusals()
    assert refusal.resource == arn("rule/part")
    assert "asks for colour, and the payload is no JSON" in refusal.reason


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("${x}", "the topic is empty"),
        ("a/${t}", "+ and # belong in the filter"),
        ("a/${n}", "malformed"),
        ("$mine", "choose a topic without the [$]"),
        ("$$aws/things/a/jobs/get", "the sandbox has no jobs"),
    ],
)
def test_a_topic_that_comes_to_nothing_is_told_to_the_log(
    sandbox: MemoryBroker, topic: str, reason: str
) -> None:
    add(sandbox, "r", "SELECT * FROM 'a/b'", topic)
    assert len(received(sandbox, "a/b", b'{"t": "+", "n": "\\ud800"}')) == 1
    (refusal,) = sandbox.refusals()
    assert reason.replace("[$]", "$") in refusal.reason


def test_a_payload_too_deep_to_compare_is_told_to_the_log(sandbox: MemoryBroker) -> None:
    add(sandbox, "r", "SELECT * FROM 'a/b' WHERE a = a", "out/r")
    deep = b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert len(received(sandbox, "a/b", deep)) == 1
    (refusal,) = sandbox.refusals()
    assert refusal.problem == "RULE"


@pytest.mark.parametrize("topics", [("x/y",), ("x/y", "x/z"), ("x/y", "x/z") * 5])
def test_rules_that_feed_themselves_end(sandbox: MemoryBroker, topics: tuple[str, ...]) -> None:
    add(sandbox, "again", "SELECT * FROM 'x/+'", *topics)
    found = received(sandbox, "x/a", b"{}")
    if len(topics) == 1:
        assert len(found) == 1 + limits.RULE_HOPS
    else:
        assert len(found) == 1 + limits.RULE_MESSAGES
    (refusal,) = sandbox.refusals()
    assert "feeds itself" in refusal.reason
    assert len(received(sandbox, "x/a", b"{}")) == len(found)


def test_a_rule_of_another_account_or_region_does_not_count(sandbox: MemoryBroker) -> None:
    add(sandbox, "r", "SELECT * FROM 'a/b'", "out/r")
    for place in ({"account": "111122223333"}, {"region": "eu-central-1"}):
        with sandbox.registered(**place).raw() as client:
            client.connect("elsewhere")
            client.subscribe("#", qos=0)
            client.publish("a/b", b"{}")
            client.send(b"\xc0\0")
            kinds = [client.read()[0] >> 4 for _ in range(3)]
            assert kinds.count(3) == 1
    assert len(received(sandbox, "a/b", b"{}")) == 2


def test_no_policy_is_asked_of_a_rules_message_but_its_listeners(sandbox: MemoryBroker) -> None:
    """Who may only publish on the one topic makes a rule publish on another."""
    statement, connect = policy.statement, policy.statement("iot:Connect", "*")
    sender = sandbox.registered(
        policy.document(connect, statement("iot:Publish", arn("topic/in/a")))
    )
    listening = policy.document(
        connect, statement("iot:Subscribe", "*"), statement("iot:Receive", arn("topic/out/*"))
    )
    add(sandbox, "r", "SELECT * FROM 'in/a'", "secret/a", "out/a")
    with sender.raw() as client, sandbox.registered(listening).raw() as listener:
        listener.connect("listener")
        listener.subscribe("#", qos=0)
        client.connect("button")
        client.publish("in/a", b"{}")
        assert listener.read()[1] == b"\0\x05out/a{}"


def test_a_rule_hears_of_lifecycle_events(sandbox: MemoryBroker) -> None:
    source = "$aws/events/presence/connected/+"
    add(sandbox, "r", f"SELECT eventType, clientId FROM '{source}'", "out/event")
    with sandbox.registered().raw() as listener, sandbox.registered().raw() as client:
        listener.connect("listener")
        listener.subscribe("out/event", qos=0)
        client.connect("lamp")
        told = b'{"eventType": "connected", "clientId": "lamp"}'
        assert listener.read()[1] == b"\0\x09out/event" + told
