"""Device shadows, by MQTT and by HTTP: the same ones, under the same rules."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import awsiot
import psutil
import pytest
from awscrt import mqtt
from awscrt.mqtt_request_response import ClientOptions
from awsiot import iotshadow, mqtt5_client_builder, mqtt_connection_builder
from botocore.exceptions import ClientError
from broker_support import ACCOUNT, REGION, MemoryBroker, Sandbox, eventually
from conftest import client as client_of
from conftest import pid
from hypothesis import given
from hypothesis import strategies as st
from in_process import sandbox as inside_sandbox

from helpers import button, certificate, closing, policy, thing
from helpers.account import Account
from sandbox import shadows
from sandbox.control import ControlPlane
from sandbox.inside import call
from sandbox.mqtt.packets import Publish
from sandbox.mqtt.reserved import ShadowRequest, shadow_request
from sandbox.shadows import NOTHING, Json, Shadow, ShadowError

CLASSIC = "$aws/things/my-lamp/shadow"
NAMED = f"{CLASSIC}/name/colour"
ON = {"light": "on"}
WAIT = 10
EVERYTHING = policy.document(policy.statement("iot:*", "*"))
both = pytest.mark.parametrize("prefix", [CLASSIC, NAMED])


@pytest.fixture
def lamp(both_ways: Account) -> button.Device:
    """A device that may do everything, in this process and by TLS."""
    return device(both_ways, "my-lamp", EVERYTHING)


@pytest.fixture
def lamp_inside(inside: Account) -> button.Device:
    """The same, in this process."""
    return device(inside, "my-lamp", EVERYTHING)


@pytest.fixture
def lamp_by_tls(aws: Account) -> button.Device:
    """The same, by TLS."""
    return device(aws, "my-lamp", EVERYTHING)


def device(aws: Account, name: str, rights: dict[str, Any]) -> button.Device:
    thing.register(aws.iot, name)
    policy.put_in_force(aws.iot, f"{name}-policy", rights)
    certificate.issue(aws, name, f"{name}-policy")
    return button.device(aws, name)


@contextmanager
def told(lamp: button.Device, prefix: str = CLASSIC) -> Iterator[Any]:
    """Collect what the service publishes meanwhile; it has to be on the topics that are named."""
    # Another device listens: the same client id twice would cut the first one off.
    listener = device(lamp.account, "my-listener", EVERYTHING)
    with button.listen(listener, f"{prefix}/+/+") as arrived:

        def collect(*ends: str) -> list[dict[str, Any]]:
            # Answers keep the order of what is asked: after this one's, no other is to come.
            button.publish(lamp, f"{prefix}/get", {"clientToken": "last"})
            found: dict[str, dict[str, Any]] = {}
            while (each := arrived.next()).payload.get("clientToken") != "last":
                assert each.topic not in found
                found[each.topic] = each.payload
            assert found.keys() == {f"{prefix}/{end}" for end in ends}
            return [found[f"{prefix}/{end}"] for end in ends]

        yield collect


def ask(lamp: button.Device, topic: str, message: Any, *ends: str) -> list[dict[str, Any]]:
    """Ask the service for something, and return its answers."""
    prefix, _, operation = topic.rpartition("/")
    with told(lamp, prefix) as collect:
        button.publish(lamp, topic, message)
        return collect(*(f"{operation}/{end}" for end in ends))


def data(aws: Account) -> Any:
    return client_of(aws, "iot-data")


def shadow(aws: Account, **name: str) -> Any:
    answer = data(aws).get_thing_shadow(thingName="my-lamp", **name)
    return json.loads(answer["payload"].read())


# What AWS publishes.


@both
def test_a_shadow_by_mqtt(lamp: button.Device, prefix: str) -> None:
    name = "colour" if prefix == NAMED else "my-lamp"
    token = {"clientToken": "mine"}
    missing = {"code": 404, "message": f"No shadow exists with name: '{name}'"}
    (refused,) = ask(lamp, f"{prefix}/get", token, "rejected")
    assert refused == missing | token | {"timestamp": refused["timestamp"]}

    accepted, delta, documents = ask(
        lamp,
        f"{prefix}/update",
        {"state": {"desired": ON}} | token,
        *("accepted", "delta", "documents"),
    )
    stamp = {"timestamp": accepted["timestamp"]}
    first = {"state": {"desired": ON}, "metadata": {"desired": {"light": stamp}}, "version": 1}
    nothing = {"state": {}, "metadata": {}, "version": 0}
    assert accepted == first | stamp | token
    assert delta == {"state": ON, "metadata": {"light": stamp}, "version": 1} | stamp | token
    assert documents == {"previous": nothing, "current": first} | stamp | token

    accepted, documents = ask(
        lamp, f"{prefix}/update", {"state": {"reported": ON}}, "accepted", "documents"
    )
    later = {"timestamp": accepted["timestamp"]}
    second = {
        "state": {"desired": ON, "reported": ON},
        "metadata": {"desired": {"light": stamp}, "reported": {"light": later}},
        "version": 2,
    }
    reported = {"state": {"reported": ON}, "metadata": {"reported": {"light": later}}}
    assert accepted == reported | {"version": 2} | later
    assert documents == {"previous": first, "current": second} | later

    assert ask(lamp, f"{prefix}/get", token, "accepted") == [second | later | token]
    (deleted,) = ask(lamp, f"{prefix}/delete", token, "accepted")
    assert deleted == {"version": 3, "timestamp": deleted["timestamp"]} | token
    (refused,) = ask(lamp, f"{prefix}/delete", {}, "rejected")
    assert refused == missing | {"timestamp": refused["timestamp"]}


def test_a_thing_that_does_not_exist(lamp_inside: button.Device) -> None:
    for operation in ("get", "update", "delete"):
        topic = f"$aws/things/nobody/shadow/{operation}"
        (refused,) = ask(lamp_inside, topic, {"state": {}}, "rejected")
        assert (refused["code"], refused["message"]) == (404, "Thing not found")


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        (b"", 400, "Invalid JSON"),
        (b"{", 400, "Invalid JSON"),
        (b"\xff{}", 415, "Unsupported documented encoding; supported encoding is UTF-8"),
        (b'{"clientToken": "mine"}', 400, "Missing required node: state"),
        (b'{"state": {"desired": 1}}', 400, "Desired node must be an object"),
        (b'{"state": {"desired": {"a": [null]}}}', 400, "Invalid JSON"),
        (b'{"state": {"desired": {"a": [{"b": [null]}]}}}', 400, "Invalid JSON"),
        (b'{"state": {}, "version": 7}', 409, "Version conflict"),
        (b'{"state": {}, "clientToken": 5}', 400, "Invalid clientToken"),
        (b'{"state": "' + b"x" * 8192 + b'"}', 413, "The payload exceeds the maximum size allowed"),
    ],
)
def test_a_refused_update(payload: bytes, code: int, message: str) -> None:
    with pytest.raises(ShadowError) as refused:
        shadows.update(NOTHING, payload, 1000)
    answers = shadows.rejected("update", refused.value, payload, 1000)
    token = {"clientToken": "mine"} if b"mine" in payload else {}
    told = {"code": code, "message": message, "timestamp": 1000}
    assert answers == {"update/rejected": told | token}


def test_what_is_sent_along_with_get_and_delete(lamp_inside: button.Device) -> None:
    """AWS ignores it; a token is what its SDKs know their answer by."""
    ask(lamp_inside, f"{CLASSIC}/update", {"state": {}}, "accepted", "documents")
    for payload in (b"", b"\xff", b"[" * 9999, b"[]", b'{"a": 1}'):
        assert "clientToken" not in shadows.get(NOTHING, payload)["get/accepted"]
    for operation in ("get", "delete"):
        too_long = {"clientToken": "x" * 65}
        (refused,) = ask(lamp_inside, f"{CLASSIC}/{operation}", too_long, "rejected")
        assert (refused["code"], refused["message"]) == (400, "Invalid clientToken")
    assert shadow(lamp_inside.account)["version"] == 1


def test_the_name_of_a_shadow(lamp_inside: button.Device) -> None:
    (refused,) = ask(lamp_inside, f"{CLASSIC}/name/a b/update", {"state": {}}, "rejected")
    assert refused["code"] == 400
    assert "'a b' at 'shadowName'" in refused["message"]


def test_a_difference_is_told_until_it_is_gone(lamp_inside: button.Device) -> None:
    """With all that differs, whatever the update was about; with true for 1, too."""
    state = {"desired": {"a": {"b": 1, "c": 2}, "d": [1]}, "reported": {"a": {"b": True}}}
    *_, delta = ask(
        lamp_inside, f"{CLASSIC}/update", {"state": state}, "accepted", "documents", "delta"
    )
    assert delta["state"] == state["desired"]
    report = {"state": {"reported": {"a": {"b": 1}, "d": [True], "e": 5}}}
    *_, delta = ask(lamp_inside, f"{CLASSIC}/update", report, "accepted", "documents", "delta")
    stamp = {"timestamp": delta["metadata"]["a"]["c"]["timestamp"]}
    assert delta["state"] == {"a": {"c": 2}, "d": [1]}
    assert delta["metadata"] == {"a": {"c": stamp}, "d": [stamp]}
    ask(
        lamp_inside,
        f"{CLASSIC}/update",
        {"state": {"reported": state["desired"]}},
        *("accepted", "documents"),
    )


def test_the_version_of_a_deleted_shadow_is_remembered_for_two_days() -> None:
    gone, _ = shadows.delete(Shadow(version=4), b"", 1000)
    again, _ = shadows.update(gone, b'{"state": {}}', 1000 + 48 * 3600)
    anew, _ = shadows.update(gone, b'{"state": {}}', 1001 + 48 * 3600)
    assert (gone.version, again.version, anew.version) == (5, 6, 1)


# One store for both protocols.


@both
def test_a_change_by_http_is_published(lamp: button.Device, prefix: str) -> None:
    aws = lamp.account
    name = {"thingName": "my-lamp"} | ({"shadowName": "colour"} if prefix == NAMED else {})
    with told(lamp, prefix) as collect:
        payload = json.dumps({"state": {"desired": ON}, "clientToken": "http"})
        answer = data(aws).update_thing_shadow(payload=payload, **name)
        accepted, delta, documents = collect("update/accepted", "update/delta", "update/documents")
    assert accepted == json.loads(answer["payload"].read())
    assert (delta["state"], documents["current"]["state"]) == (ON, {"desired": ON})
    with told(lamp, prefix) as collect:
        # What is refused by HTTP is told to who asked, and what is read is no change.
        with pytest.raises(ClientError, match="Version conflict"):
            data(aws).update_thing_shadow(payload='{"state": {}, "version": 9}', **name)
        data(aws).get_thing_shadow(**name)
        thing.register(aws.iot, "my-second")  # what waits for a change to be kept would come now
        assert collect() == []
    with told(lamp, prefix) as collect:
        data(aws).delete_thing_shadow(**name)
        assert collect("delete/accepted")[0]["version"] == 2


def test_a_change_by_mqtt_is_there_by_http(lamp: button.Device) -> None:
    aws = lamp.account
    ask(lamp, f"{NAMED}/update", {"state": {"reported": ON}}, "accepted", "documents")
    assert shadow(aws, shadowName="colour")["state"] == {"reported": ON}
    assert data(aws).list_named_shadows_for_thing(thingName="my-lamp")["results"] == ["colour"]


def test_a_message_by_http_asks_as_well(lamp: button.Device) -> None:
    """iot-data's Publish is a message like any other."""
    with told(lamp) as collect:
        payload = json.dumps({"state": {"reported": ON}})
        data(lamp.account).publish(topic=f"{CLASSIC}/update", payload=payload)
        assert eventually(lambda: _there(lamp.account))
        collect("update/accepted", "update/documents")
    assert shadow(lamp.account)["state"] == {"reported": ON}


def _there(aws: Account) -> bool:
    try:
        return bool(shadow(aws))
    except ClientError:
        return False


# Who may.


def test_the_policies_of_topics_decide(lamp_inside: button.Device) -> None:
    aws = lamp_inside.account
    name, update = "my-heater", f"{CLASSIC}/update"
    connect = policy.statement("iot:Connect", "*")
    calls = policy.statement(["iot:UpdateThingShadow", "iot:GetThingShadow"], "*")
    heater = device(aws, name, policy.document(connect, calls))
    with pytest.raises(button.Refused) as refused:
        button.publish(heater, update, {"state": {"desired": ON}})
    assert refused.value.explanation.startswith(
        f"IMPLICIT_DENY: iot:Publish on {aws.arn('topic', update)}"
    )
    may = policy.statement("iot:Publish", aws.arn("topic", update))
    policy.put_in_force(aws.iot, f"{name}-policy", policy.document(connect, may))
    button.publish(heater, update, {"state": {"desired": ON}})
    assert shadow(aws)["state"]["desired"] == ON
    # An answer is a message: it needs Subscribe and Receive, of which a filter may match more.
    hears = policy.statement("iot:Subscribe", "*")
    one = policy.statement("iot:Receive", aws.arn("topic", f"{update}/accepted"))
    policy.put_in_force(aws.iot, f"{name}-policy", policy.document(connect, hears, one))
    with button.listen(heater, f"{update}/+") as arrived:
        button.publish(lamp_inside, update, {"state": {"desired": {"light": "off"}}})
        assert arrived.next().topic == f"{update}/accepted"
        assert arrived.empty
    refused_topics = {each.resource for each in aws.refusals() if each.action == "iot:Receive"}
    assert refused_topics == {
        aws.arn("topic", f"{update}/delta"),
        aws.arn("topic", f"{update}/documents"),
    }


def test_a_will_asks_as_well() -> None:
    with MemoryBroker() as sandbox:
        service = sandbox.services.endpoints.shadows = Mock()
        client = sandbox.registered().raw()
        client.connect("lamp", will=Publish(f"{CLASSIC}/update", b"{}"))
        client.close()
        request = shadow_request(f"{CLASSIC}/update")
        service.ask.assert_called_once_with(ACCOUNT, REGION, request, b"{}", "lamp")


# What is kept.


def test_a_change_by_mqtt_waits_for_requests_by_http_and_so_does_emptying() -> None:
    emptied = threading.Event()
    plane = ControlPlane(
        readers={}, changers={}, changed=lambda: None, emptied=lambda _: emptied.set()
    )
    page = "http://localhost/_sandbox/empty/111122223333"
    empty = threading.Thread(target=call, args=(plane, "POST", page))

    def change() -> bool:
        empty.start()
        return emptied.wait(0.2)

    assert not plane.between_requests(change)
    assert emptied.wait(5)


def test_clean_up_leaves_no_shadow(lamp: button.Device) -> None:
    aws = lamp.account
    ask(lamp, f"{CLASSIC}/update", {"state": {"desired": ON}}, "accepted", "documents", "delta")
    closing.clean_up(aws)
    assert thing.find(aws.iot, "my-lamp") is None
    thing.register(aws.iot, "my-lamp")
    with pytest.raises(ClientError, match="No shadow exists"):
        shadow(aws)


def test_a_shadow_survives_a_kill(lamp_by_tls: button.Device) -> None:
    aws = lamp_by_tls.account
    ask(lamp_by_tls, f"{CLASSIC}/update", {"state": {"reported": ON}}, "accepted", "documents")
    psutil.Process(pid(aws)).kill()
    aws.iot.list_things()  # brings it back
    assert shadow(aws)["state"] == {"reported": ON}


def test_what_cannot_be_kept_has_not_happened(
    lamp_inside: button.Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = lamp_inside.account
    state = inside_sandbox()._state
    with told(lamp_inside) as collect:
        with monkeypatch.context() as full:
            full.setattr(state, "save", Mock(side_effect=OSError(28, "no space")))
            with pytest.raises(ClientError, match="nothing is changed"):
                data(aws).update_thing_shadow(thingName="my-lamp", payload='{"state": {}}')
            undone = inside_sandbox()._registry.revision
            button.publish(lamp_inside, f"{CLASSIC}/update", {"state": {}, "clientToken": "mine"})
            # What devices may do is read anew: the registry is an earlier one.
            assert inside_sandbox()._registry.revision == undone + 1
        (refused,) = collect("update/rejected")
    message = {"code": 500, "message": "Internal service failure", "clientToken": "mine"}
    assert refused == message | {"timestamp": refused["timestamp"]}


def test_while_a_shadow_waits_the_broker_serves_others(tmp_path: Path) -> None:
    """And of one client's requests on one Thing, no more than ten wait."""
    slow, asked = threading.Event(), threading.Semaphore(0)

    def answer(_account: str, _region: str, request: ShadowRequest, _payload: bytes) -> Any:
        asked.release()
        assert slow.wait(WAIT)
        return {f"{request.operation}/accepted": {}}

    with Sandbox(tmp_path) as sandbox:
        sandbox.broker.serve_shadows(answer)
        with sandbox.registered().raw() as client, sandbox.registered().raw() as other:
            client.connect("lamp")
            client.subscribe(f"{CLASSIC}/get/+", qos=0)
            for _ in range(12):
                client.publish(f"{CLASSIC}/get", b'{"clientToken": "mine"}', qos=0)
            refused = [client.read() for _ in range(2)]
            assert all(b"429" in each[1] and b'"mine"' in each[1] for each in refused)
            assert asked.acquire(timeout=WAIT)
            other.connect("other")
            other.publish(f"{CLASSIC}/get", qos=1)
            assert other.read()[0] == 0x40
            slow.set()
            accepted = [client.read() for _ in range(11)]  # ten of its own
            assert all(b"get/accepted" in each[1] for each in accepted)
            client.publish(f"{CLASSIC}/get", qos=0)
            assert b"get/accepted" in client.read()[1]
            assert not sandbox.broker._services.endpoints.shadows._waiting  # it would only grow


# The rules, whatever the documents are.

VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "on", "é"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=5,
)
SECTION = st.dictionaries(st.sampled_from("abc"), VALUES)
CHANGES = st.recursive(
    st.none() | VALUES, lambda inner: st.dictionaries(st.sampled_from("abc"), inner), max_leaves=5
)
UPDATES = st.fixed_dictionaries(
    {},
    optional={
        name: st.dictionaries(st.sampled_from("abc"), CHANGES) for name in ("desired", "reported")
    },
)


def updated(before: Shadow, state: Any, now: int = 1000) -> Shadow:
    return shadows.update(before, json.dumps({"state": state}).encode(), now)[0]


@given(SECTION, SECTION)
def test_who_reports_what_is_desired_has_no_difference(desired: Json, reported: Json) -> None:
    shadow = updated(NOTHING, {"desired": desired, "reported": reported})
    caught_up = updated(shadow, {"reported": shadow.delta})
    assert caught_up.delta == {}


@given(UPDATES, UPDATES)
def test_an_update_changes_what_it_names(first: Json, second: Json) -> None:
    """As RFC 7386 merges documents of JSON; twice is as good as once."""
    before = updated(NOTHING, first)
    after = updated(before, second, 2000)
    for section in ("desired", "reported"):
        merged = merge_patch(before.state.get(section, {}), second.get(section, {}))
        assert after.state.get(section, {}) == merged
    again = updated(after, second, 2000)
    assert (again.state, again.stamps, again.version) == (after.state, after.stamps, 3)


@given(UPDATES, UPDATES)
def test_each_value_has_its_time(first: Json, second: Json) -> None:
    after = updated(updated(NOTHING, first), second, 2000)
    named = leaves(second).keys()
    found = leaves(after.stamps, stop={"timestamp"})
    assert found.keys() == leaves(after.state).keys()
    assert all(found[path] == {"timestamp": 2000 if path in named else 1000} for path in found)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386's own words, in Python."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def leaves(value: Any, stop: Any = (), path: str = "") -> dict[str, Any]:
    """The plain values of a document, by their paths, and what has no other keys than *stop*."""
    if isinstance(value, dict) and (not stop or value.keys() != stop):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return {} if value is None else {path: value}
    found: dict[str, Any] = {}
    for key, each in inner:
        found |= leaves(each, stop, f"{path}/{key}")
    return found


# AWS's own client.


class Told:
    """What a subscription of AWS's SDK brings."""

    def __init__(self) -> None:
        self.future: Future[Any] = Future()

    def __call__(self, event: Any) -> None:
        self.future.set_result(event)

    @property
    def result(self) -> Any:
        return self.future.result(WAIT)


def sdk_options(lamp: button.Device) -> dict[str, Any]:
    link: Any = lamp.account.link
    return {
        "endpoint": "localhost",
        "port": link.port,
        "cert_filepath": str(lamp.files.certificate),
        "pri_key_filepath": str(lamp.files.private_key),
        "ca_filepath": str(lamp.files.root_ca),
        "client_id": lamp.name,
    }


def test_the_sdks_shadow_client(lamp_by_tls: button.Device) -> None:
    """By MQTT 3.1.1, as the samples have it."""
    connection = mqtt_connection_builder.mtls_from_path(**sdk_options(lamp_by_tls))
    connection.connect().result(WAIT)
    client, qos = iotshadow.IotShadowClient(connection), mqtt.QoS.AT_LEAST_ONCE
    lamp = {"thing_name": "my-lamp"}
    missing, changed, delta, both_states = Told(), Told(), Told(), Told()
    for subscribe, request, callback in (
        (client.subscribe_to_get_shadow_rejected, iotshadow.GetShadowSubscriptionRequest, missing),
        (
            client.subscribe_to_update_shadow_accepted,
            iotshadow.UpdateShadowSubscriptionRequest,
            changed,
        ),
        (
            client.subscribe_to_shadow_delta_updated_events,
            iotshadow.ShadowDeltaUpdatedSubscriptionRequest,
            delta,
        ),
        (
            client.subscribe_to_shadow_updated_events,
            iotshadow.ShadowUpdatedSubscriptionRequest,
            both_states,
        ),
    ):
        subscribed, _ = subscribe(request(**lamp), qos, callback)
        subscribed.result(WAIT)
    client.publish_get_shadow(iotshadow.GetShadowRequest(**lamp, client_token="a"), qos)
    assert (missing.result.code, missing.result.client_token) == (404, "a")
    state = iotshadow.ShadowState(desired=ON)
    client.publish_update_shadow(iotshadow.UpdateShadowRequest(**lamp, state=state), qos)
    assert (changed.result.state.desired, changed.result.version) == (ON, 1)
    assert delta.result.state == ON
    assert both_states.result.current.state.desired == ON
    connection.disconnect().result(WAIT)


def test_the_sdks_newer_shadow_client(lamp_by_tls: button.Device) -> None:
    """By MQTT 5: it subscribes by itself, and knows its answers by their client token."""
    connected = Future[Any]()
    protocol = mqtt5_client_builder.mtls_from_path(
        **sdk_options(lamp_by_tls), on_lifecycle_connection_success=connected.set_result
    )
    protocol.start()
    connected.result(WAIT)
    options = ClientOptions(max_request_response_subscriptions=6, max_streaming_subscriptions=2)
    client = iotshadow.IotShadowClientV2(protocol, options)
    colour = {"thing_name": "my-lamp", "shadow_name": "colour"}
    with pytest.raises(awsiot.V2ServiceException) as missing:
        client.get_named_shadow(iotshadow.GetNamedShadowRequest(**colour)).result(WAIT)
    assert missing.value.modeled_error.code == 404
    state = iotshadow.ShadowState(desired=ON, reported={"light": "off"})
    asked = iotshadow.UpdateNamedShadowRequest(**colour, state=state)
    assert client.update_named_shadow(asked).result(WAIT).version == 1
    found = client.get_named_shadow(iotshadow.GetNamedShadowRequest(**colour)).result(WAIT)
    assert (found.state.desired, found.state.delta) == (ON, ON)
    deleted = client.delete_named_shadow(iotshadow.DeleteNamedShadowRequest(**colour))
    assert deleted.result(WAIT).version == 2
    protocol.stop()
