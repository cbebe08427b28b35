"""The virtual button, over real mutual TLS: what arrives, what is refused, and why.

What is the same in the caller's own process is tested both ways.
"""

import base64
import json
import os
import queue
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import conftest
import paho.mqtt.client as mqtt
import pytest
import trustme

from helpers import button, certificate, key_files, policy, thing
from helpers.account import Account
from helpers.button import Device, Refused
from helpers.errors import LessonError
from iot_policy import document, statement
from sandbox.device import MQTT_BY_ALPN, TlsLink

SERIAL = thing.EXAMPLE_SERIAL

RIGHT = {
    "intended": lambda aws: policy.intended(aws.region, aws.number, SERIAL),
    "least": lambda aws: policy.least_privilege(aws.region, aws.number, SERIAL, "button"),
    "recommended": lambda aws: policy.recommended(aws.region, aws.number),
}


@pytest.fixture
def pressed(aws: Account) -> Device:
    """A button that is wired as the lesson does it, with the policy of least privilege."""
    return device(aws, "button", RIGHT["least"](aws))


@pytest.fixture
def listener(aws: Account) -> Device:
    return ear(aws)


def ear(account: Account) -> Device:
    rights = policy.listener(account.region, account.number, SERIAL, "listener")
    return device(account, "listener", rights)


def device(aws: Account, name: str, rights: dict[str, Any]) -> Device:
    thing.register(aws.iot, name)
    policy.put_in_force(aws.iot, f"{name}-policy", rights)
    certificate.issue(aws, name, f"{name}-policy")
    return button.device(aws, name)


@pytest.mark.parametrize("rights", RIGHT.values(), ids=RIGHT)
def test_a_press_arrives_with_each_right_policy(
    aws: Account, listener: Device, rights: Callable[[Account], dict[str, Any]]
) -> None:
    pressed = device(aws, "button", rights(aws))
    with button.listen(listener, pressed.topic) as arrived:
        button.press(pressed, "DOUBLE")
        message = arrived.next()
    assert message.topic == f"iotbutton/{SERIAL}"
    assert message.payload == {
        "serialNumber": SERIAL,
        "batteryVoltage": "2000mV",
        "clickType": "DOUBLE",
    }


def test_the_posts_policy_refuses_and_says_why(both_ways: Account) -> None:
    pressed = device(
        both_ways, "button", policy.as_posted(both_ways.region, both_ways.number, SERIAL)
    )
    with pytest.raises(Refused) as refused:
        button.press(pressed)
    told = str(refused.value)
    assert told.startswith("button could not connect: Not authorized. ")
    assert "Statement 1 of button-policy allows iot:Connect on a topic" in told
    assert "a connection is checked against client/" in told
    assert "statement 2 (Allow): is about iot:Publish" in refused.value.explanation
    kept = both_ways.refusals()[-1]
    assert (kept.client_id, kept.action) == ("button", "iot:Connect")
    assert kept.explanation == refused.value.explanation


def test_a_publish_that_is_not_allowed_says_why(aws: Account) -> None:
    pressed = device(aws, "button", document(statement("iot:Connect", "*")))
    with pytest.raises(Refused, match=f"could not publish on iotbutton/{SERIAL}: Not authorized"):
        button.press(pressed)


def test_a_subscription_that_is_not_allowed_says_why(pressed: Device) -> None:
    with (
        pytest.raises(Refused, match=r"could not subscribe to a/#: Not authorized\. No statement"),
        button.listen(pressed, "a/#"),
    ):
        pass


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_that_is_not_active(aws: Account, pressed: Device, status: Any) -> None:
    certificate_id = pressed.files.certificate_id
    aws.iot.update_certificate(certificateId=certificate_id, newStatus=status)
    with pytest.raises(Refused, match="could not connect"):
        button.press(pressed)


def test_a_certificate_that_nobody_knows(aws: Account, pressed: Device) -> None:
    certificate.remove(aws.iot, pressed.files.certificate_id)
    with pytest.raises(Refused, match="could not connect"):
        button.press(pressed)


def test_a_broker_that_is_not_awss(aws: Account, pressed: Device) -> None:
    """The root certificate of another broker: the button must not talk to this one."""
    import trustme

    pressed.files.root_ca.write_bytes(trustme.CA().cert_pem.bytes())
    with pytest.raises(Refused, match="certificate verify failed"):
        button.press(pressed)


def test_a_broker_that_says_nothing(
    aws: Account, pressed: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(button, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account = replace(aws, link=TlsLink(silent.getsockname()[1]))
        with pytest.raises(Refused, match="could not connect"):
            button.press(replace(pressed, account=account))


def test_nobody_reconnects_in_the_background(aws: Account) -> None:
    pressed = device(aws, "button", policy.as_posted(aws.region, aws.number, SERIAL))
    before, refusals = threading.active_count(), len(aws.refusals())
    for _ in range(3):
        with pytest.raises(Refused):
            button.press(pressed)
    assert threading.active_count() == before
    assert len(aws.refusals()) == refusals + 3


def test_waiting_for_a_message_ends(listener: Device) -> None:
    with (
        button.listen(listener, f"iotbutton/{SERIAL}") as arrived,
        pytest.raises(LessonError, match=r"No message in 0\.1 seconds"),
    ):
        arrived.next(timeout=0.1)


ODD = {
    b"hello": "hello",
    b"": "",
    b"[1, 2]": "[1, 2]",
    b"null": "null",
    b"\xff\x00": "\ufffd\x00",
    b"[" * 100_000: "[" * 100_000,
    b"9" * 5_000: "9" * 5_000,
}
"""What anyone may publish, and no real button does; the text that arrives."""


def test_what_is_no_json_object_arrives_as_text(both_ways: Account) -> None:
    listener = ear(both_ways)
    data = conftest.client(both_ways, "iot-data")
    with button.listen(listener, f"iotbutton/{SERIAL}") as arrived:
        for odd in (*ODD, b'{"clickType": "LONG"}'):
            data.publish(topic=f"iotbutton/{SERIAL}", qos=1, payload=odd)
        assert [arrived.next().payload for _ in ODD] == [{"text": text} for text in ODD.values()]
        assert arrived.next().payload == {"clickType": "LONG"}


def test_a_message_that_cannot_be_read_is_told(
    aws: Account, listener: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in paho's thread would end it, and the listener would wait for ever."""
    monkeypatch.setattr(button, "_read", lambda _: 1 / 0)
    with button.listen(listener, f"iotbutton/{SERIAL}") as arrived:
        conftest.client(aws, "iot-data").publish(topic=f"iotbutton/{SERIAL}", qos=1, payload=b"")
        with pytest.raises(Refused, match="ZeroDivisionError"):
            arrived.next()


def test_a_listener_that_is_cut_off_is_told(aws: Account, listener: Device) -> None:
    with button.listen(listener, f"iotbutton/{SERIAL}") as arrived:
        certificate_id = listener.files.certificate_id
        aws.iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
        with pytest.raises(LessonError, match=r"could not stay connected: .* INACTIVE"):
            arrived.next()


@pytest.mark.parametrize("missing", ["Thing", "files"])
def test_a_device_without_its_parts(aws: Account, missing: str) -> None:
    if missing == "files":
        thing.register(aws.iot, "button")
    with pytest.raises(LessonError, match="notebook 0"):
        button.device(aws, "button")


def test_a_killed_sandbox_comes_back_for_a_press(pressed: Device, listener: Device) -> None:
    os.kill(conftest.pid(pressed.account), 9)
    with button.listen(listener, pressed.topic) as arrived:
        button.press(pressed)
        assert arrived.next().payload["clickType"] == "SINGLE"


def test_mosquitto_takes_the_files_of_the_lesson(aws: Account, pressed: Device) -> None:
    command = shutil.which("mosquitto_pub")
    if command is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto_pub is missing: .ci/run installs mosquitto-clients")
        pytest.skip("mosquitto-clients is not installed (2026-11-23): apt-get install it")

    def publish(topic: str) -> int:
        files = {"cafile": "root_ca", "cert": "certificate", "key": "private_key"}
        words = [
            word
            for option, name in files.items()
            for word in (f"--{option}", str(getattr(pressed.files, name)))
        ]
        where = ["-h", "localhost", "-p", str(port_of(aws)), "-i", "button"]
        message = ["-t", topic, "-q", "1", "-m", json.dumps(button.payload(SERIAL, "SINGLE"))]
        return subprocess.run([command, *words, *where, *message], timeout=20).returncode

    assert publish(f"iotbutton/{SERIAL}") == 0
    assert publish("iotbutton/G030JF053216F1BS") != 0
    assert aws.refusals()[-1].action == "iot:Publish"


def test_nothing_of_a_key_is_shown(pressed: Device) -> None:
    assert "PRIVATE" not in repr(pressed)
    assert key_files.saved(pressed.files.folder) == pressed.files


def port_of(account: Account) -> int:
    assert isinstance(account.link, TlsLink)
    return account.link.port


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_where_8883_is_blocked_it_goes_by_443(
    aws: Account, pressed: Device, listener: Device
) -> None:
    """Here the other port is the broker's own, and the first one nobody's."""
    behind_a_firewall = replace(aws, link=TlsLink(closed_port(), alpn_port=port_of(aws)))
    with button.listen(listener, pressed.topic) as arrived:
        button.press(replace(pressed, account=behind_a_firewall))
        assert arrived.next().payload["clickType"] == "SINGLE"


def test_on_443_it_says_by_alpn_that_it_is_mqtt(aws: Account, pressed: Device) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols([MQTT_BY_ALPN])
    authority = trustme.CA()
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(pressed.files.root_ca))
    said = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with context.wrap_socket(server.accept()[0], server_side=True) as connection:
                said.append(connection.selected_alpn_protocol())

        threading.Thread(target=answer, daemon=True).start()
        link = TlsLink(closed_port(), alpn_port=server.getsockname()[1])
        with pytest.raises(Refused):
            button.press(replace(pressed, account=replace(aws, link=link)))
    assert said == [MQTT_BY_ALPN]


def test_where_8883_is_open_it_stays_with_it(aws: Account) -> None:
    both = TlsLink(port_of(aws), alpn_port=closed_port())
    assert both.choose_port("localhost") == port_of(aws)


def test_a_message_by_http_keeps_its_properties(aws: Account) -> None:
    """From iot-data through the broker to a device that speaks MQTT 5."""
    ear = button.make_listener(aws, SERIAL, "my-ear")
    data = conftest.client(aws, "iot-data")
    arrived: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
    subscribed = threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=ear.name, protocol=mqtt.MQTTv5)
    client.tls_set(str(ear.files.root_ca), str(ear.files.certificate), str(ear.files.private_key))
    client.on_connect = lambda *_: client.subscribe(ear.topic, qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _client, _data, message: arrived.put(message)
    client.connect("localhost", port_of(aws))
    client.loop_start()
    try:
        assert subscribed.wait(10)
        data.publish(
            topic=ear.topic,
            qos=1,
            payload=b"{}",
            userProperties=[{"colour": "red"}, {"colour": "blue"}],
            contentType="application/json",
            responseTopic="iotbutton/answer",
            correlationData=base64.b64encode(b"7").decode(),
            payloadFormatIndicator="UTF8_DATA",
            messageExpiry=600,
        )
        found = arrived.get(timeout=10).properties.json()
    finally:
        client.disconnect()
        client.loop_stop()
    assert 590 <= found.pop("MessageExpiryInterval") <= 600
    assert found == {
        "UserProperty": [("colour", "red"), ("colour", "blue")],
        "ContentType": "application/json",
        "ResponseTopic": "iotbutton/answer",
        "CorrelationData": "37",
        "PayloadFormatIndicator": 1,
    }
