"""What iot-data tells of retained messages, and how it ends connections."""

import time
from pathlib import Path
from typing import Any

import conftest
import in_process
import pytest
from botocore.exceptions import ClientError
from broker_support import ACCOUNT, REGION, Sandbox

from helpers import button, thing
from helpers.account import Account
from sandbox import inside
from sandbox.mqtt import limits
from sandbox.mqtt.packets import V5, Property, Publish, RefusedError

PING, PONG = b"\xc0\0", (0xD0, b"")


@pytest.fixture
def data(both_ways: Account) -> Any:
    """A client of the data plane; what another test has retained is gone."""
    data = conftest.client(both_ways, "iot-data")
    for page in data.get_paginator("list_retained_messages").paginate():
        for each in page["retainedTopics"]:
            data.publish(topic=each["topic"], retain=True)
    return data


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


def test_a_retained_message(data: Any) -> None:
    pairs = [{"colour": "blue"}, {"colour": "green"}]
    data.publish(topic="a/b", payload=b"\0\xff", qos=1, retain=True, userProperties=pairs)
    found = data.get_retained_message(topic="a/b")
    assert (found["topic"], found["payload"], found["qos"]) == ("a/b", b"\0\xff", 1)
    assert found["userProperties"] == b'[{"colour": "blue"}, {"colour": "green"}]'
    assert found["lastModifiedTime"] > 1_600_000_000_000
    data.publish(topic="a/b", payload=b"new", retain=True)
    found = data.get_retained_message(topic="a/b")
    assert (found["payload"], found["qos"]) == (b"new", 0)
    assert "userProperties" not in found
    data.publish(topic="a/b", payload=b"passing")
    assert data.get_retained_message(topic="a/b")["payload"] == b"new"
    data.publish(topic="a/b", retain=True)
    assert code(data.get_retained_message, topic="a/b") == "ResourceNotFoundException"


def test_their_list_has_pages(data: Any) -> None:
    for number in range(5):
        data.publish(topic=f"a/{number}", payload=b"!" * number or b"?", retain=True)
    whole = data.list_retained_messages()
    assert [each["topic"] for each in whole["retainedTopics"]] == [f"a/{n}" for n in range(5)]
    assert [each["payloadSize"] for each in whole["retainedTopics"]] == [1, 1, 2, 3, 4]
    assert set(whole["retainedTopics"][0]) == {"topic", "payloadSize", "qos", "lastModifiedTime"}
    assert "nextToken" not in whole
    pages = data.get_paginator("list_retained_messages").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["retainedTopics"]) for page in pages] == [2, 2, 1]
    assert code(data.list_retained_messages, nextToken="!") == "InvalidRequestException"
    assert code(data.list_retained_messages, maxResults=201) == "InvalidRequestException"


def test_one_that_has_expired_is_not_there(
    inside: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = conftest.client(inside, "iot-data")
    data.publish(topic="short", payload=b"!", retain=True, messageExpiry=60)
    data.publish(topic="long", payload=b"!", retain=True)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert [each["topic"] for each in data.list_retained_messages()["retainedTopics"]] == ["long"]
    assert code(data.get_retained_message, topic="short") == "ResourceNotFoundException"


def test_without_room_it_is_throttled(inside: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    data = conftest.client(inside, "iot-data")
    monkeypatch.setattr(limits, "RETAINED_MESSAGES", 0)
    refused = {"topic": "a", "payload": b"!", "retain": True}
    assert code(data.publish, **refused) == "ThrottlingException"
    data.publish(topic="a", payload=b"!")


def test_a_connection_is_ended(both_ways: Account, data: Any) -> None:
    ear = button.make_listener(both_ways, thing.EXAMPLE_SERIAL, "my-ear")
    with button.listen(ear, ear.topic) as arrived:
        data.delete_connection(clientId="my-ear")
        with pytest.raises(button.Refused, match="Administrative action"):
            arrived.next()
    assert code(data.delete_connection, clientId="my-ear") == "ResourceNotFoundException"
    assert code(data.delete_connection, clientId="$mine") == "InvalidRequestException"


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("service", ["iotdata", "iotdevicegateway"])
def test_it_may_be_signed_for_either_name(service: str) -> None:
    """As SDKs sign, or as the guide of DeleteConnection has it."""
    status, headers, _ = inside.call(
        in_process.sandbox(),
        "DELETE",
        f"{inside.NOWHERE}/connections/a%2Fb%20%C3%BC?cleanSession=true",
        headers={"Authorization": inside.signed(service)},
    )
    assert (status, headers["X-Amzn-ErrorType"]) == (404, "ResourceNotFoundException")


def test_an_emptied_account_has_none(both_ways: Account, data: Any) -> None:
    data.publish(topic="a", payload=b"!", retain=True)
    both_ways.line.change(f"empty/{both_ways.number}")
    assert data.list_retained_messages()["retainedTopics"] == []


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("prevent_will", [True, False])
@pytest.mark.parametrize("clean_session", [True, False])
@pytest.mark.parametrize("delay", [0, 30])
def test_its_session_and_its_will(sandbox, version, prevent_will, clean_session, delay):
    device = sandbox.registered()
    last = Publish("wills/button", b"gone", properties={})
    asked = {}
    if version == V5:
        last.properties, asked = {Property.WILL_DELAY: delay}, {Property.SESSION_EXPIRY: 600}
    with device.raw() as listener, device.raw() as client:
        listener.connect("listener", keep_alive=1200)
        listener.subscribe("wills/#", qos=0)
        client.connect("button", version=version, clean=False, will=last, asked=asked)
        client.subscribe("news")
        endpoint = sandbox.services.endpoints.of(ACCOUNT, REGION)
        options = {"clean_session": clean_session, "prevent_will": prevent_will}
        assert endpoint.disconnect("button", **options)
        farewell = client.read()
        assert farewell is None if version == 4 else (farewell[0], farewell[1][0]) == (0xE0, 0x98)
        assert client.read() is None
        waits = version == V5 and delay and not clean_session
        for there in (not prevent_will and not waits, not prevent_will and waits):
            if there:
                assert listener.read()[0] == 0x30
            listener.send(PING)
            assert listener.read() == PONG
            sandbox.wait(31)
        assert bool(endpoint.sessions.get(f"{device.certificate_id}/button")) != clean_session
    assert sandbox.refusals() == []


def test_a_session_whose_client_is_away_is_ended_too(sandbox):
    device = sandbox.registered()
    will = Publish("wills", b"gone", properties={Property.WILL_DELAY: 30})
    with device.raw() as client:
        client.connect("button", version=V5, will=will, asked={Property.SESSION_EXPIRY: 60})
    endpoint = sandbox.services.endpoints.of(ACCOUNT, REGION)
    assert endpoint.disconnect("button")
    assert endpoint._wills
    assert endpoint.disconnect("button", prevent_will=True)
    assert not endpoint._wills
    assert endpoint.disconnect("button", clean_session=True)
    assert not endpoint.sessions
    assert not endpoint.disconnect("button")


def test_a_message_by_http_that_cannot_be_retained_is_refused(tmp_path, monkeypatch):
    """To whoever publishes it: there is no client whose refusal it could be."""
    monkeypatch.setattr(limits, "RETAINED_MESSAGES", 0)
    with Sandbox(tmp_path) as served:
        with pytest.raises(RefusedError, match="can retain no more"):
            served.broker.publish(ACCOUNT, REGION, "a", b"!", retain=True)
        assert served.refusals() == []


def test_what_is_asked_of_a_broker_is_done_when_the_answer_comes(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as served:
        for number in range(20):
            served.broker.publish(ACCOUNT, REGION, f"a/{number}", b"!", retain=True)
            found = served.broker.ask(ACCOUNT, REGION, lambda each: len(each.retained))
            assert found == number + 1
        assert (tmp_path / "broker" / "messages.log").exists()


def test_the_sessions_of_an_emptied_account_end(sandbox):
    """That of a client that is connected with its connection; another account's stay."""
    device, stranger = sandbox.registered(), sandbox.registered(account="444455556666")
    for each in (device, stranger):
        with each.raw() as client:
            client.connect("away", clean=False)
    with device.raw() as client:
        client.connect("there", clean=False)
        sandbox.services.empty(ACCOUNT)
        endpoint = sandbox.services.endpoints.of(ACCOUNT, REGION)
        assert [each.client_id for each in endpoint.sessions.values()] == ["there"]
    assert not endpoint.sessions
    assert sandbox.services.endpoints.of("444455556666", REGION).sessions
