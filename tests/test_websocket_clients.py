"""Programs with credentials come by WebSocket, over real TLS; and the clients of JavaScript."""

import base64
import functools
import http.server
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from awscrt import auth, mqtt, mqtt5
from awsiot import mqtt5_client_builder, mqtt_connection_builder
from broker_support import REGION, Sandbox, press_with_sdk3
from broker_websocket import signed
from browser_lab import chromium, missing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from filelock import FileLock
from paho.mqtt.enums import CallbackAPIVersion

from publish.lite import runtime
from publish.notebooks import ROOT

TOPIC = "iotbutton/G030JF055364XVRB"
PRESS = b"pressed"
WAIT = 10
NODE = Path(__file__).parent / "node"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path) as running:
        yield running


def credentials(secret: str = "sandbox") -> auth.AwsCredentialsProvider:
    # With a session token, as temporary credentials have one.
    return auth.AwsCredentialsProvider.new_static("sandbox", secret, "a session token")


def sdk3(sandbox: Sandbox, secret: str = "sandbox") -> mqtt.Connection:
    return mqtt_connection_builder.websockets_with_default_aws_signing(
        region=REGION,
        credentials_provider=credentials(secret),
        endpoint="localhost",
        port=sandbox.wss_port,
        ca_filepath=str(sandbox.broker.ca_file),
        client_id="program",
        clean_session=True,
    )


def test_the_device_sdk_in_mqtt_3(sandbox: Sandbox) -> None:
    press_with_sdk3(sdk3(sandbox))
    assert not sandbox.log.lines


def test_the_device_sdk_with_the_wrong_secret(sandbox: Sandbox) -> None:
    with pytest.raises(Exception, match="WEBSOCKET_UPGRADE_FAILURE"):
        sdk3(sandbox, "not the word").connect().result(WAIT)
    assert "the signature does not match" in sandbox.log.lines[0]


def test_the_device_sdk_in_mqtt_5(sandbox: Sandbox) -> None:
    connected: Future[mqtt5.LifecycleConnectSuccessData] = Future()
    stopped: Future[mqtt5.LifecycleStoppedData] = Future()
    arrived: Future[mqtt5.PublishReceivedData] = Future()
    client = mqtt5_client_builder.websockets_with_default_aws_signing(
        endpoint="localhost",
        port=sandbox.wss_port,
        region=REGION,
        credentials_provider=credentials(),
        ca_filepath=str(sandbox.broker.ca_file),
        client_id="program",
        on_lifecycle_connection_success=connected.set_result,
        on_lifecycle_stopped=stopped.set_result,
        on_publish_received=arrived.set_result,
    )
    client.start()
    connected.result(WAIT)
    qos = mqtt5.QoS.AT_LEAST_ONCE
    asked = mqtt5.SubscribePacket([mqtt5.Subscription(TOPIC, qos)])
    assert client.subscribe(asked).result(WAIT).reason_codes == [
        mqtt5.SubackReasonCode.GRANTED_QOS_1
    ]
    sent = client.publish(mqtt5.PublishPacket(topic=TOPIC, qos=qos, payload=PRESS)).result(WAIT)
    assert sent.puback.reason_code == mqtt5.PubackReasonCode.SUCCESS
    assert arrived.result(WAIT).publish_packet.payload == PRESS
    client.stop()
    stopped.result(WAIT)
    assert not sandbox.log.lines


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_paho(sandbox: Sandbox, version: int) -> None:
    arrived: Future[bytes] = Future()
    client = paho.Client(
        CallbackAPIVersion.VERSION2, "program", protocol=version, transport="websockets"
    )
    client.tls_set(str(sandbox.broker.ca_file))
    client.ws_set_options(path=signed(f"localhost:{sandbox.wss_port}"))
    client.on_connect = lambda *_: client.subscribe(TOPIC, qos=1)
    client.on_subscribe = lambda *_: client.publish(TOPIC, PRESS, qos=1)
    client.on_message = lambda *a: arrived.set_result(a[2].payload)
    client.connect("localhost", sandbox.wss_port)
    client.loop_start()
    try:
        assert arrived.result(WAIT) == PRESS
    finally:
        client.disconnect()
        client.loop_stop()
    assert not sandbox.log.lines


@pytest.fixture(scope="module")
def modules() -> Path:
    """The packages of npm: fetched once, and kept for the next session."""
    if not shutil.which("npm"):
        missing("node and npm")
    parts = ROOT / "_build/test-parts"
    parts.mkdir(parents=True, exist_ok=True)
    with FileLock(parts / "installing.lock"):
        return runtime.install(parts, NODE)


def test_what_npm_brings_is_pinned_without_an_address() -> None:
    asked = json.loads((NODE / "package.json").read_text())["dependencies"]
    locked = json.loads((NODE / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in asked} == asked
    assert not [name for name, about in locked.items() if "resolved" in about]


WAYS = [
    *("SDK, MQTT 3, TLS", "SDK, MQTT 3, WebSocket", "SDK, MQTT 5, TLS", "SDK, MQTT 5, WebSocket"),
    *("mqtt.js, MQTT 3, TLS", "mqtt.js, MQTT 5, WebSocket"),
]


def press(
    sandbox: Sandbox, modules: Path, way: str, secret: str = "sandbox"
) -> "subprocess.CompletedProcess[str]":
    device = sandbox.issued()
    web = way.endswith("WebSocket")
    settings = {
        "port": sandbox.wss_port if web else sandbox.port,
        "ca": str(device.ca),
        "certificate": str(device.certificate),
        "key": str(device.key),
        "secret": secret,
        "topic": TOPIC,
        "url": f"wss://localhost:{sandbox.wss_port}"
        + signed(f"localhost:{sandbox.wss_port}", secret=secret),
    }
    return subprocess.run(
        ["node", str(NODE / "press.cjs"), way, json.dumps(settings)],
        env={"NODE_PATH": str(modules), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=6 * WAIT,
    )


@pytest.mark.long  # npm brings 66 MB the first time
@pytest.mark.parametrize("way", WAYS)
def test_the_clients_of_node(sandbox: Sandbox, modules: Path, way: str) -> None:
    done = press(sandbox, modules, way)
    assert (done.stdout, done.stderr) == ("pressed\n", "")
    assert not sandbox.log.lines


@pytest.mark.long  # as above
@pytest.mark.parametrize("way", [way for way in WAYS if way.endswith("WebSocket")])
def test_the_clients_of_node_with_the_wrong_secret(
    sandbox: Sandbox, modules: Path, way: str
) -> None:
    done = press(sandbox, modules, way, "not the word")
    assert done.returncode == 1
    assert "the signature does not match" in sandbox.log.lines[0]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, modules: Path) -> Iterator[str]:
    """A site on loopback, as one who tries mqtt.js has it."""
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copy(modules / "mqtt/dist/mqtt.min.js", folder)
    shutil.copy(NODE / "page.html", folder)
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/page.html"
        server.shutdown()


def key_of_the_server(sandbox: Sandbox) -> str:
    """The hash of its public key: a browser that knows it trusts the sandbox, and only it."""
    found = x509.load_pem_x509_certificate(
        ssl.get_server_certificate(
            ("localhost", sandbox.wss_port), ca_certs=str(sandbox.broker.ca_file)
        ).encode()
    )
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    digest = hashes.Hash(hashes.SHA256())
    digest.update(found.public_key().public_bytes(*form))
    return base64.b64encode(digest.finalize()).decode()


@pytest.mark.long  # as above, and a browser
def test_mqtt_js_in_a_browser(sandbox: Sandbox, site: str) -> None:
    trusted = f"--ignore-certificate-errors-spki-list={key_of_the_server(sandbox)}"
    asked = {"host": f"localhost:{sandbox.wss_port}", "secret": "sandbox", "topic": TOPIC}
    with chromium(trusted) as browser:
        page = browser.new_page()
        page.goto(site)
        for version in (4, 5):
            came = page.evaluate("asked => press(asked)", asked | {"protocolVersion": version})
            assert came == "pressed in a page"
        assert not sandbox.log.lines
        with pytest.raises(Exception, match="connect to server"):
            page.evaluate("asked => press(asked)", asked | {"secret": "x", "protocolVersion": 4})
    assert "the signature does not match" in sandbox.log.lines[0]
