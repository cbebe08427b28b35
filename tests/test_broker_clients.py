"""The clients that devices really use: paho, the AWS IoT Device SDK for Python, mosquitto's."""

import os
import shutil
import subprocess
import threading
from concurrent.futures import Future

import paho.mqtt.client as paho
import pytest
from awscrt import mqtt, mqtt5
from awsiot import mqtt5_client_builder, mqtt_connection_builder
from broker_support import Sandbox, arn, eventually, press_with_sdk3
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from iot_policy import document, statement

TOPIC = "iotbutton/G030JF055364XVRB"
BUTTON = document(
    statement("iot:Connect", arn("client/button")),
    statement(["iot:Publish", "iot:Receive"], arn(f"topic/{TOPIC}")),
    statement("iot:Subscribe", arn(f"topicfilter/{TOPIC}")),
)
PRESS = b'{"serialNumber": "G030JF055364XVRB", "batteryVoltage": "2000mV", "clickType": "SINGLE"}'
WAIT = 10


@pytest.fixture
def sandbox(tmp_path):
    with Sandbox(tmp_path) as running:
        yield running


@pytest.fixture
def device(sandbox):
    """A button with a certificate as AWS IoT issues it: RSA, made by the registry."""
    return sandbox.issued(BUTTON)


class Paho:
    """A paho client that keeps what it is told."""

    def __init__(self, device, version: int, client_id: str = "button") -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=version)
        self.client.tls_set(str(device.ca), str(device.certificate), str(device.key))
        self.connected: Future = Future()
        self.subscribed: Future = Future()
        self.arrived: Future = Future()
        self.published: Future = Future()
        self.gone = threading.Event()
        self.client.on_connect = lambda *a: self.connected.set_result(a[3])
        self.client.on_subscribe = lambda *a: self.subscribed.set_result(a[3])
        self.client.on_message = lambda *a: self.arrived.set_result(a[2])
        self.client.on_publish = lambda *a: self.published.set_result(a[3:])
        self.client.on_disconnect = lambda *a: self.gone.set()
        self.client.connect("localhost", device.port)
        self.client.loop_start()

    def __enter__(self) -> "Paho":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_paho(sandbox, device, version):
    with Paho(device, version) as button:
        assert not button.connected.result(WAIT).is_failure
        button.client.subscribe(TOPIC, qos=1)
        assert [code.value for code in button.subscribed.result(WAIT)] == [1]
        sent = button.client.publish(TOPIC, PRESS, qos=1)
        sent.wait_for_publish(WAIT)
        assert button.arrived.result(WAIT).payload == PRESS
    assert not sandbox.log.lines


def test_paho_in_mqtt_5_hears_why_a_press_is_refused(sandbox, device):
    with Paho(device, paho.MQTTv5) as button:
        button.connected.result(WAIT)
        button.client.publish("iotbutton/other", PRESS, qos=1)
        code, properties = button.published.result(WAIT)
        assert code.value == 0x87
        assert "iotbutton/other" in properties.ReasonString


def test_paho_in_mqtt_3_is_cut_when_a_press_is_refused(sandbox, device):
    with Paho(device, paho.MQTTv311) as button:
        button.connected.result(WAIT)
        sent = button.client.publish("iotbutton/other", PRESS, qos=1)
        assert button.gone.wait(WAIT)
        assert sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS
        assert not sent.is_published()


def sdk3(device, client_id: str = "button", host: str = "localhost") -> mqtt.Connection:
    return mqtt_connection_builder.mtls_from_path(
        endpoint=host,
        port=device.port,
        cert_filepath=str(device.certificate),
        pri_key_filepath=str(device.key),
        ca_filepath=str(device.ca),
        client_id=client_id,
        clean_session=True,
    )


def test_the_device_sdk_in_mqtt_3(sandbox, device):
    press_with_sdk3(sdk3(device))
    assert not sandbox.log.lines


def test_the_device_sdk_in_mqtt_3_is_hung_up_on(sandbox, device):
    with pytest.raises(Exception, match="UNEXPECTED_HANGUP"):
        sdk3(device, "somebody-else").connect().result(WAIT)
    assert sandbox.refusals()[0].resource == arn("client/somebody-else")


class Sdk5:
    """The device SDK's MQTT 5 client; keeps what it is told."""

    def __init__(self, device, client_id: str = "button") -> None:
        self.connected: Future = Future()
        self.refused: Future = Future()
        self.arrived: Future = Future()
        self.stopped: Future = Future()
        self.client = mqtt5_client_builder.mtls_from_path(
            endpoint="localhost",
            port=device.port,
            cert_filepath=str(device.certificate),
            pri_key_filepath=str(device.key),
            ca_filepath=str(device.ca),
            client_id=client_id,
            on_lifecycle_connection_success=lambda each: self.connected.set_result(each),
            on_lifecycle_connection_failure=self._fail,
            on_lifecycle_stopped=lambda each: self.stopped.set_result(each),
            on_publish_received=lambda each: self.arrived.set_result(each.publish_packet),
        )
        self.client.start()

    def _fail(self, data: mqtt5.LifecycleConnectFailureData) -> None:
        if not self.refused.done():
            self.refused.set_result(data.connack_packet)

    def __enter__(self) -> "Sdk5":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop()
        self.stopped.result(WAIT)

    def publish(self, topic: str) -> mqtt5.PubackPacket:
        packet = mqtt5.PublishPacket(topic=topic, qos=mqtt5.QoS.AT_LEAST_ONCE, payload=PRESS)
        return self.client.publish(packet).result(WAIT).puback


def test_the_device_sdk_in_mqtt_5(sandbox, device):
    with Sdk5(device) as button:
        welcome = button.connected.result(WAIT).negotiated_settings
        assert welcome.maximum_qos == mqtt5.QoS.AT_LEAST_ONCE
        asked = [mqtt5.Subscription(topic_filter=TOPIC, qos=mqtt5.QoS.AT_LEAST_ONCE)]
        packet = mqtt5.SubscribePacket(subscriptions=asked)
        answer = button.client.subscribe(packet).result(WAIT)
        assert answer.reason_codes == [mqtt5.SubackReasonCode.GRANTED_QOS_1]
        assert button.publish(TOPIC).reason_code == mqtt5.PubackReasonCode.SUCCESS
        assert button.arrived.result(WAIT).payload == PRESS
        refused = button.publish("iotbutton/other")
        assert refused.reason_code == mqtt5.PubackReasonCode.NOT_AUTHORIZED
        assert "iotbutton/other" in refused.reason_string


def test_the_device_sdk_in_mqtt_5_hears_why_it_may_not_connect(sandbox, device):
    with Sdk5(device, "somebody-else") as button:
        answer = button.refused.result(WAIT)
        assert answer.reason_code == mqtt5.ConnectReasonCode.NOT_AUTHORIZED
        assert "somebody-else" in answer.reason_string


def mosquitto(
    program: str, device, version: str, *more: str, topic: str = TOPIC, host: str = "localhost"
) -> list[str]:
    found = shutil.which(program)
    if not found and os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed: apt-get install mosquitto-clients")
    if not found:
        pytest.skip(f"2026-11-23: {program} is not installed here (Debian's mosquitto-clients)")
    files = ["--cafile", device.ca, "--cert", device.certificate, "--key", device.key]
    where = ["-h", host, "-p", device.port, "-V", version, "-i", "button", "-t", topic]
    return [found, *map(str, files + where), "-q", "1", *more]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT)


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_pub(sandbox, device, version):
    done = run(mosquitto("mosquitto_pub", device, version, "-m", "pressed"))
    assert (done.returncode, done.stderr) == (0, "")
    assert not sandbox.log.lines
    other = mosquitto("mosquitto_pub", device, version, "-m", "pressed", topic="iotbutton/other")
    # In MQTT 3.1.1 it would connect again and again: one try tells enough.
    try:
        done = subprocess.run(other, capture_output=True, text=True, timeout=1)
    except subprocess.TimeoutExpired:
        assert version == "mqttv311"
    else:
        assert done.returncode or "Not authorized" in done.stderr
    assert sandbox.refusals()[0].resource == arn("topic/iotbutton/other")


def test_mosquitto_pub_asks_by_alpn_as_on_port_443(sandbox, device):
    alpn = ("--tls-alpn", "x-amzn-mqtt-ca")
    run(mosquitto("mosquitto_pub", device, "mqttv5", "-m", "x", *alpn)).check_returncode()
    assert not sandbox.log.lines
    other = mosquitto("mosquitto_pub", device, "mqttv5", "-m", "x", "--tls-alpn", "mqtt")
    assert run(other).returncode
    assert eventually(lambda: "no authorizers" in "".join(sandbox.log.lines))


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_sub(sandbox, version):
    device = sandbox.issued()
    command = mosquitto("mosquitto_sub", device, version, "-C", "1", "-v")
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener,
        device.raw() as other,
    ):
        other.connect("other")
        # Retained, it arrives even if the subscription comes after it.
        other.publish(TOPIC, b"pressed", retain=True)
        assert other.read()[0] == 0x40
        output, _ = listener.communicate(timeout=WAIT)
    assert output == f"{TOPIC} pressed\n"


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_pub_with_a_stranger(sandbox, version):
    sandbox.registered()
    done = run(mosquitto("mosquitto_pub", sandbox.stranger(), version, "-m", "x"))
    assert done.returncode
    assert eventually(lambda: sandbox.log.lines)


def connect_with_paho(device, host: str) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, "button")
    client.tls_set(str(device.ca), str(device.certificate), str(device.key))
    client.connect(host, device.port)


def connect_with_the_sdk(device, host: str) -> None:
    sdk3(device, host=host).connect().result(WAIT)


def connect_with_mosquitto(device, host: str) -> None:
    run(mosquitto("mosquitto_pub", device, "mqttv5", "-m", "x", host=host)).check_returncode()


@pytest.mark.parametrize(
    "connect", [connect_with_paho, connect_with_the_sdk, connect_with_mosquitto]
)
def test_each_client_names_the_host_and_by_an_address_is_told_to_the_log(sandbox, device, connect):
    connect(device, "localhost")
    assert not sandbox.log.lines
    with pytest.raises(Exception, match=r"unrecognized name|TLS|non-zero exit status"):
        connect(device, "127.0.0.1")
    assert eventually(lambda: sandbox.log.lines)
    assert "connect to the name localhost, not to 127.0.0.1" in sandbox.log.lines[0]
