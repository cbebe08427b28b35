"""Each gap of ``iot-data``: shadows, and messages that are published by HTTP."""

import json
from typing import Any

import pytest
import worlds
from botocore.exceptions import ClientError

from helpers.account import Account
from sandbox.mqtt.packets import Property, ReasonCode, RefusedError

P = Property


@pytest.fixture
def data(inside: Account) -> Any:
    """A client of ``iot-data``; there is a Thing called lamp."""
    inside.iot.create_thing(thingName="lamp")
    return worlds.clients()["iot-data"]


def update(data: Any, document: Any, **name: str) -> Any:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    answer = data.update_thing_shadow(**{"thingName": "lamp", **name}, payload=payload)
    return json.loads(answer["payload"].read())


def shadow(data: Any, **name: str) -> Any:
    return json.loads(data.get_thing_shadow(thingName="lamp", **name)["payload"].read())


def refused(call: Any, *arguments: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(*arguments, **parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_changed_shadow(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.5)
    first = {"desired": {"light": "on", "room": {"x": 1}}, "reported": {"light": ["a", {"b": 1}]}}
    assert update(data, {"state": first, "clientToken": "mine"}) == {
        "state": first,
        "metadata": {
            "desired": {"light": {"timestamp": 1000}, "room": {"x": {"timestamp": 1000}}},
            "reported": {"light": [{"timestamp": 1000}, {"b": {"timestamp": 1000}}]},
        },
        "version": 1,
        "timestamp": 1000,
        "clientToken": "mine",
    }
    monkeypatch.setattr("time.time", lambda: 2000.5)
    second = {"desired": {"room": {"y": {"z": None, "q": 2}}, "light": None}}
    assert "clientToken" not in update(data, {"state": second, "version": 1})
    there = shadow(data)
    assert there["state"]["desired"] == {"room": {"x": 1, "y": {"q": 2}}}
    assert there["metadata"] == {
        "desired": {"room": {"x": {"timestamp": 1000}, "y": {"q": {"timestamp": 2000}}}},
        "reported": {"light": [{"timestamp": 1000}, {"b": {"timestamp": 1000}}]},
    }
    assert (there["version"], there["timestamp"]) == (2, 2000)
    update(data, {"state": {"desired": {"room": 5}, "reported": None}})
    assert shadow(data)["state"]["desired"] == {"room": 5}
    assert "reported" not in shadow(data)["state"]
    update(data, {"state": {"desired": {"room": {"x": 1}}}})
    assert shadow(data)["metadata"] == {"desired": {"room": {"x": {"timestamp": 2000}}}}
    emptied = update(data, {"state": None})
    assert (emptied["state"], emptied["metadata"]) == (None, {"timestamp": 2000})
    assert (shadow(data)["state"], shadow(data)["metadata"], shadow(data)["version"]) == ({}, {}, 5)


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        (b"{", "InvalidRequestException", "Invalid JSON"),
        (b"[" * 8000, "InvalidRequestException", "Invalid JSON"),
        (b'{"state": {"desired": {"a": NaN}}}', "InvalidRequestException", "Invalid JSON"),
        (b"\xff{}", "UnsupportedDocumentEncodingException", "UTF-8"),
        ([], "InvalidRequestException", "Missing required node: state"),
        ({}, "InvalidRequestException", "Missing required node: state"),
        ({"state": 1}, "InvalidRequestException", "State node must be an object"),
        ({"state": {"desired": 1}}, "InvalidRequestException", "Desired node must be an object"),
        ({"state": {"reported": []}}, "InvalidRequestException", "Reported node must be an object"),
        ({"state": {"x": {}}}, "InvalidRequestException", "State contains an invalid node: 'x'"),
        ({"state": {"desired": nested(9)}}, "InvalidRequestException", "maximum is 8"),
        ({"state": {"desired": nested(900)}}, "InvalidRequestException", "maximum is 8"),
        ({"state": {}, "version": "1"}, "InvalidRequestException", "Invalid version"),
        ({"state": {}, "version": True}, "InvalidRequestException", "Invalid version"),
        ({"state": {}, "version": -1}, "InvalidRequestException", "Invalid version"),
        ({"state": {}, "version": 1}, "ConflictException", "Version conflict"),
        ({"state": {}, "clientToken": 5}, "InvalidRequestException", "Invalid clientToken"),
        ({"state": {}, "clientToken": "é" * 33}, "InvalidRequestException", "Invalid clientToken"),
        (
            {"state": {"desired": {"a": "x" * 8192}}},
            "RequestEntityTooLargeException",
            "The payload exceeds the maximum size allowed",
        ),
    ],
)
def test_refused_shadows(data: Any, document: Any, code: str, message: str) -> None:
    found = refused(update, data, document)
    assert (found[0], message in found[1]) == (code, True)
    assert refused(data.get_thing_shadow, thingName="lamp")[0] == "ResourceNotFoundException"


def test_a_shadow_that_grows_too_large(data: Any) -> None:
    update(data, {"state": {"desired": {**nested(8), "x": "x" * 5000}}, "clientToken": "é" * 32})
    code, _ = refused(update, data, {"state": {"reported": {"x": "x" * 5000}}})
    assert code == "RequestEntityTooLargeException"
    assert shadow(data)["version"] == 1
    code, _ = refused(update, data, {"state": {}}, thingName="never-there")
    assert code == "ResourceNotFoundException"
    code, _ = refused(update, data, {"state": {}}, shadowName="a b")
    assert code == "InvalidRequestException"


@pytest.mark.parametrize(
    ("desired", "reported", "delta"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 2}),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, None),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, {"a": {"y": 2}}),
        ({"a": {"x": 1}}, {"a": 1}, {"a": {"x": 1}}),
        ({}, {"a": 1}, None),
    ],
)
def test_present_shadow(data: Any, desired: Any, reported: Any, delta: Any) -> None:
    update(data, {"state": {"desired": desired, "reported": reported}})
    state = shadow(data)["state"]
    assert state.get("delta") == delta
    assert (state.get("desired", {}), state.get("reported", {})) == (desired, reported)


def test_deleted_shadow(data: Any) -> None:
    lamp = {"thingName": "lamp"}
    assert refused(data.delete_thing_shadow, **lamp)[0] == "ResourceNotFoundException"
    update(data, {"state": {"desired": {"a": 1}}})
    answer = json.loads(data.delete_thing_shadow(**lamp)["payload"].read())
    assert set(answer) == {"version", "timestamp"}
    for call in (data.delete_thing_shadow, data.get_thing_shadow):
        assert refused(call, **lamp) == (
            "ResourceNotFoundException",
            "No shadow exists with name: 'lamp'",
        )
    again = update(data, {"state": {"reported": {"b": 1}}, "version": answer["version"]})
    assert again["version"] == answer["version"] + 1
    assert shadow(data)["state"] == {"reported": {"b": 1}}


def test_named_shadows(data: Any) -> None:
    names = [{"shadowName": each} for each in ("c", "a", "b")]
    for name in names:
        update(data, {"state": {"desired": name}}, **name)
    update(data, {"state": {"desired": {"of the Thing": "itself"}}})
    data.delete_thing_shadow(thingName="lamp", **names[2])
    answer = data.list_named_shadows_for_thing(thingName="lamp")
    assert answer["results"] == ["a", "c"]
    assert answer["timestamp"] > 1_000_000_000
    assert shadow(data, shadowName="c")["state"]["desired"] == {"shadowName": "c"}


def test_shadows_of_an_earlier_thing(data: Any) -> None:
    """They wait for a Thing of that name."""
    iot = worlds.clients()["iot"]
    update(data, {"state": {"desired": {"a": 1}}})
    update(data, {"state": {"desired": {"b": 1}}}, shadowName="named")
    for _ in range(2):
        iot.delete_thing(thingName="lamp")
        assert refused(data.get_thing_shadow, thingName="lamp")[0] == "ResourceNotFoundException"
        iot.create_thing(thingName="other")
        iot.create_thing(thingName="lamp")
        assert shadow(data)["state"]["desired"] == {"a": 1}
    assert shadow(data, shadowName="named")["state"]["desired"] == {"b": 1}


def test_shadows_of_a_deleted_thing(data: Any) -> None:
    """Those that were deleted before it are gone with it, and their versions are forgotten."""
    iot = worlds.clients()["iot"]
    update(data, {"state": {"desired": {"a": 1}}})
    data.delete_thing_shadow(thingName="lamp")
    iot.delete_thing(thingName="lamp")
    iot.create_thing(thingName="lamp")
    assert refused(data.get_thing_shadow, thingName="lamp")[0] == "ResourceNotFoundException"
    assert update(data, {"state": {}})["version"] == 1


def test_published_properties(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered = worlds.delivered(monkeypatch)
    data.publish(topic="a/b c", payload=b"\xff=1&b", qos=1, retain=True)
    data.publish(
        topic="a",
        userProperties=[{"colour": "red"}, {"colour": "blue", "size": "big"}],
        payloadFormatIndicator="UTF8_DATA",
        contentType="text/é",
        responseTopic="a/answer",
        correlationData="AP8=",
        messageExpiry=7,
    )
    data.publish(topic="a", payloadFormatIndicator="UNSPECIFIED_BYTES")
    nothing = {"qos": 0, "retain": False}
    assert delivered == [
        (("a/b c", b"\xff=1&b"), {"qos": 1, "retain": True, "properties": {}}),
        (
            ("a", b""),
            {
                **nothing,
                "properties": {
                    P.PAYLOAD_FORMAT: 1,
                    P.MESSAGE_EXPIRY: 7,
                    P.CONTENT_TYPE: "text/é",
                    P.RESPONSE_TOPIC: "a/answer",
                    P.CORRELATION_DATA: b"\0\xff",
                    P.USER_PROPERTY: [("colour", "red"), ("colour", "blue"), ("size", "big")],
                },
            },
        ),
        (("a", b""), {**nothing, "properties": {P.PAYLOAD_FORMAT: 0}}),
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"userProperties": {"colour": "red"}},
        {"userProperties": ["red"]},
        {"userProperties": [{"colour": 5}]},
        {"payloadFormatIndicator": "TEXT"},
        {"responseTopic": "a/#"},
        {"correlationData": "!"},
        {"qos": 2},
    ],
)
def test_refused_properties(data: Any, monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    delivered = worlds.delivered(monkeypatch)
    assert refused(data.publish, topic="a", **given)[0] == "InvalidRequestException"
    assert delivered == []


@pytest.mark.parametrize(
    ("problem", "code"),
    [("", "InvalidRequestException"), ("UNANSWERED", "NotImplementedException")],
)
def test_refused_messages(
    data: Any, monkeypatch: pytest.MonkeyPatch, problem: str, code: str
) -> None:
    refusal = RefusedError(ReasonCode.TOPIC_NAME_INVALID, "no such topic", problem=problem)
    worlds.delivered(monkeypatch, refusal)
    assert refused(data.publish, topic="$aws/a")[0] == code
