"""The topics that AWS IoT keeps for itself: refused as AWS refuses them, or not without a word."""

import pytest
from broker_support import ACCOUNT, REGION, Sandbox, arn

from iot_policy import document, statement
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, V311, Publish, RefusedError
from sandbox.mqtt.reserved import (
    ReservedTopicError,
    service_published_to,
    service_subscribed_to,
)
from sandbox.mqtt.topics import check_filter, check_topic

SHADOW = "$aws/things/lamp/shadow"
ALLOWED_TOPICS = {
    "$aws/rules/Buildings": "",
    "$aws/rules/Buildings/": "",
    f"$aws/rules/{'x' * 128}/floor": "",
    "$aws/rules/Buildings/floor/2": "",
    f"{SHADOW}/get": "",
    f"{SHADOW}/update": "",
    f"{SHADOW}/name/colour/delete": "",
    "$aws/things/lamp/jobs/start-next": "jobs",
    "$aws/things/lamp/jobs/7/update": "jobs",
    "$aws/things/lamp/defender/metrics/json": "Device Defender",
    "$aws/things/lamp/streams/1/get/cbor": "file delivery",
    "$aws/certificates/create-from-csr/json": "fleet provisioning",
    "$aws/provisioning-templates/lamps/provision/json": "fleet provisioning",
    "$aws/device_location/lamp/get_position_estimate": "device location",
    "$aws/commands/things/lamp/executions/1/response/json": "commands",
}
REFUSED_TOPICS = [
    "$",
    "$mine/lamp",
    "$SYS/broker",
    "$aws",
    "$aws/",
    "$AWS/rules/Buildings/floor",
    "$aws/rules",
    "$aws/rules/",
    "$aws/rules//floor",
    "$aws/rules/no-rule's-name/floor",
    f"$aws/rules/{'x' * 129}/floor",
    SHADOW,
    f"{SHADOW}/get/accepted",
    f"{SHADOW}/name//get",
    "$aws/things//shadow/get",
    "$aws/things/a/b/shadow/get",
    "$aws/things/lamp/jobs/notify",
    "$aws/things/lamp/tunnels/notify",
    "$aws/things/lamp/defender/metrics/xml",
    "$aws/events/presence/connected/lamp",
    "$aws/sitewise/asset-models/a/assets/b/properties/c",
]
ALLOWED_FILTERS = {
    f"{SHADOW}/update/accepted": "",
    f"{SHADOW}/#": "",
    "$aws/things/+/shadow/name/+/update/delta": "",
    "$aws/things/lamp/jobs/notify-next": "jobs",
    "$aws/things/lamp/defender/metrics/json/rejected": "Device Defender",
    "$aws/things/lamp/streams/1/data/json": "file delivery",
    "$aws/things/lamp/tunnels/notify": "secure tunneling",
    "$aws/certificates/create/json/accepted": "fleet provisioning",
    "$aws/events/presence/connected/+": "lifecycle events",
    "$aws/events/subscriptions/#": "lifecycle events",
    "$aws/events/#": "registry and job events",
    "$aws/events/thing/+/created": "registry and job events",
    "$aws/sitewise/asset-models/a/assets/b/properties/c": "SiteWise",
    "$aws/device_location/lamp/get_position_estimate/accepted": "device location",
    "$aws/commands/things/lamp/executions/+/request/json": "commands",
}
REFUSED_FILTERS = [
    "$aws/#",
    "$aws/+/presence/connected/lamp",
    "$aws/things/lamp/#",
    "$aws/things/lamp/+/get",
    "$aws/events",
    "$aws/rules/Buildings/#",
    "$aws/rules/+",
    "$SYS/#",
    "$mine",
    "$/#",
]


@pytest.mark.parametrize("topic", ALLOWED_TOPICS)
def test_topics_that_a_client_may_publish_to(topic):
    check_topic(topic)
    assert service_published_to(topic) == ALLOWED_TOPICS[topic]


@pytest.mark.parametrize("topic", REFUSED_TOPICS)
def test_topics_that_no_client_may_publish_to(topic):
    with pytest.raises(ReservedTopicError):
        check_topic(topic)


@pytest.mark.parametrize("topic_filter", ALLOWED_FILTERS)
def test_filters_that_a_client_may_subscribe_to(topic_filter):
    check_filter(topic_filter)
    assert service_subscribed_to(topic_filter) == ALLOWED_FILTERS[topic_filter]


@pytest.mark.parametrize("topic_filter", REFUSED_FILTERS)
def test_filters_that_no_client_may_subscribe_to(topic_filter):
    with pytest.raises(ReservedTopicError):
        check_filter(topic_filter)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("version", [V311, V5])
def test_a_topic_of_ones_own_with_a_dollar_ends_the_connection(sandbox, version, qos):
    with sandbox.registered().raw() as client:
        client.connect("button", version=version)
        client.publish("$mine/a", qos=qos)
        answer = client.read()
        assert answer is None if version == V311 else (answer[0], answer[1][0]) == (0xE0, 0x90)
        assert client.read() is None
    (refusal,) = sandbox.refusals()
    assert "choose a topic without the $" in refusal.reason


@pytest.mark.parametrize("version", [V311, V5])
def test_a_reserved_filter_ends_the_connection_with_no_subscription(sandbox, version):
    with sandbox.registered().raw() as client:
        client.connect(
            "button", version=version, clean=False, asked={17: 60} if version == V5 else {}
        )
        answer = client.subscribe("a", "$SYS/#")
        assert answer is None if version == V311 else (answer[0], answer[1][0]) == (0xE0, 0x8F)
        assert client.read() is None
    (refusal,) = sandbox.refusals()
    assert "this filter names none of them" in refusal.reason
    (session,) = sandbox.services.endpoints.of(ACCOUNT, REGION).sessions.values()
    assert not session.subscriptions


def test_a_will_on_a_reserved_topic_is_refused_with_its_connect(sandbox):
    with sandbox.registered().raw() as client:
        will = Publish("$aws/events/presence/disconnected/button", b"")
        assert client.connect("button", version=V5, will=will)[1][:2] == b"\0\x90"


def test_a_request_to_a_service_that_is_not_here_is_answered_by_the_log_alone(sandbox):
    """Once on each topic: a device that reports its state each second would fill the log."""
    jobs = "$aws/things/lamp/jobs"
    with sandbox.registered().raw() as client:
        client.connect("lamp")
        assert client.subscribe(f"{jobs}/get/+") == (0x90, b"\0\x07\x01")
        for _ in range(3):
            client.publish(f"{jobs}/get", b"{}")
            assert client.read() == (0x40, b"\0\x01")
        client.publish(f"{jobs}/start-next", b"")
        assert client.read() == (0x40, b"\0\x01")
    found = sandbox.refusals()
    assert [(each.action, each.resource) for each in found] == [
        ("iot:Subscribe", arn(f"topicfilter/{jobs}/get/+")),
        ("iot:Publish", arn(f"topic/{jobs}/get")),
        ("iot:Publish", arn(f"topic/{jobs}/start-next")),
    ]
    assert {each.problem for each in found} == {"UNANSWERED"}
    assert "no jobs: this is allowed, and nothing" in found[0].reason


ELSEWHERE = ("lifecycle events", "device shadows over MQTT")
"""Services that are tested on their own."""


@pytest.mark.parametrize(
    ("topic", "service"),
    [each for each in ALLOWED_TOPICS.items() if each[1] and each[1] not in ELSEWHERE],
)
def test_each_service_that_stays_out_is_named_to_whoever_publishes(sandbox, topic, service):
    with sandbox.registered().raw() as client:
        client.connect("lamp")
        client.publish(topic)
        assert client.read() == (0x40, b"\0\x01")
    (refusal,) = sandbox.refusals()
    (line,) = sandbox.log.lines
    assert (refusal.action, refusal.problem) == ("iot:Publish", "UNANSWERED")
    assert refusal.resource == arn(f"topic/{topic}")
    assert f"the sandbox has no {service}: this is allowed, and nothing comes of it" in line


@pytest.mark.parametrize(
    ("topic_filter", "service"),
    [each for each in ALLOWED_FILTERS.items() if each[1] and each[1] not in ELSEWHERE],
)
@pytest.mark.parametrize("shared", ["", "$share/group/"])
def test_each_service_that_stays_out_is_named_to_whoever_subscribes(
    sandbox, topic_filter, service, shared
):
    with sandbox.registered().raw() as client:
        client.connect("lamp")
        assert client.subscribe(shared + topic_filter) == (0x90, b"\0\x07\x01")
    (refusal,) = sandbox.refusals()
    (line,) = sandbox.log.lines
    assert (refusal.action, refusal.problem) == ("iot:Subscribe", "UNANSWERED")
    assert refusal.resource == arn(f"topicfilter/{shared}{topic_filter}")
    assert f"the sandbox has no {service}: this is allowed, and nothing comes of it" in line


def test_a_will_to_a_service_that_is_not_here_is_told_to_the_log(sandbox):
    with sandbox.registered().raw() as client:
        client.connect("lamp", will=Publish("$aws/things/lamp/jobs/get", b"{}"))
        assert not sandbox.refusals()
    (refusal,) = sandbox.refusals()
    assert refusal.problem == "UNANSWERED"


def test_how_many_topics_are_told_to_the_log_is_bounded(sandbox, monkeypatch):
    monkeypatch.setattr(limits, "DECISIONS", 2)
    with sandbox.registered().raw() as client:
        client.connect("lamp")
        for number in range(4):
            client.publish(f"$aws/things/lamp/jobs/{number}/get", qos=0)
    assert len(sandbox.refusals()) == 2


def test_a_subscriber_hears_what_another_asks_of_a_shadow(sandbox):
    """AWS lists those topics as Publish/Subscribe."""
    with sandbox.registered().raw() as one, sandbox.registered().raw() as other:
        one.connect("lamp")
        other.connect("listener")
        other.subscribe(f"{SHADOW}/+", qos=0)
        one.publish(f"{SHADOW}/get", b"", qos=0)
        assert other.read()[0] == 0x30


@pytest.mark.parametrize("rule", ["r", "Buildings_2", "x" * 128])
def test_the_limits_of_basic_ingest_count_behind_the_rules_name(rule):
    """AWS's quotas exclude the first three segments from both."""
    prefix = f"$aws/rules/{rule}/"
    for whole in ("a" * 256, "/" * 7):
        check_topic(prefix + whole)
    for more in ("a" * 257, "/" * 8):
        with pytest.raises(RefusedError, match="at most"):
            check_topic(prefix + more)


def test_the_policy_of_basic_ingest_is_about_the_whole_topic(sandbox):
    connect = statement("iot:Connect", "*")
    denied = document(connect, statement("iot:Publish", arn("topic/floor")))
    allowed = document(connect, statement("iot:Publish", arn("topic/$aws/rules/Buildings/*")))
    for policy, answer in ((denied, b"\0\x01\x87"), (allowed, b"\0\x01")):
        with sandbox.registered(policy).raw() as client:
            client.connect("button", version=V5)
            client.publish("$aws/rules/Buildings/floor")
            assert client.read()[1][:3] == answer
    assert sandbox.refusals()[0].resource == arn("topic/$aws/rules/Buildings/floor")


@pytest.mark.parametrize(
    ("topic", "retain", "problem", "reason"),
    [
        ("$aws/things/a/jobs/get", False, "UNANSWERED", "the sandbox has no jobs"),
        ("$mine", False, "TOPIC_NAME_INVALID", "choose a topic without the [$]"),
        (f"{SHADOW}/update", True, "TOPIC_NAME_INVALID", "takes no retained message"),
    ],
)
def test_by_http_there_is_an_answer_to_it(tmp_path, topic, retain, problem, reason):
    with (
        Sandbox(tmp_path) as served,
        pytest.raises(RefusedError, match=reason) as refused,
    ):
        served.broker.publish(ACCOUNT, REGION, topic, b"", retain=retain)
    assert refused.value.problem == problem
