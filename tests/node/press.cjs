// Subscribes, publishes, waits for the message, and prints what came: node press.cjs WAY SETTINGS
// WAY is one of the functions below; SETTINGS is JSON: port, ca, certificate, key, secret, topic, url.
const { auth, iot, mqtt, mqtt5 } = require("aws-iot-device-sdk-v2");
const mqttjs = require("mqtt");

const [way, text] = process.argv.slice(2);
const settings = JSON.parse(text);
const { port, ca, certificate, key, secret, topic } = settings;
const credentials = () => auth.AwsCredentialsProvider.newStatic("sandbox", secret, "a session token");

async function press3(builder) {
    const config = builder
        .with_certificate_authority_from_path(undefined, ca)
        .with_client_id("button")
        .with_clean_session(true)
        .with_endpoint("localhost")
        .with_port(port)
        .build();
    const connection = new mqtt.MqttClient().new_connection(config);
    await connection.connect();
    const message = new Promise((done) =>
        connection.subscribe(topic, mqtt.QoS.AtLeastOnce, (_, payload) => done(Buffer.from(payload).toString())),
    );
    await new Promise((done) => setTimeout(done, 200));
    await connection.publish(topic, "pressed", mqtt.QoS.AtLeastOnce);
    const came = await message;
    await connection.disconnect();
    return came;
}

async function press5(builder) {
    const config = builder
        .withCertificateAuthorityFromPath(undefined, ca)
        .withConnectProperties({ clientId: "button", keepAliveIntervalSeconds: 60 })
        .withPort(port)
        .build();
    const client = new mqtt5.Mqtt5Client(config);
    const on = (event) => new Promise((done) => client.once(event, done));
    const connected = on("connectionSuccess");
    const failed = on("connectionFailure").then(({ error }) => Promise.reject(error));
    client.start();
    await Promise.race([connected, failed]);
    const message = on("messageReceived");
    const qos = mqtt5.QoS.AtLeastOnce;
    await client.subscribe({ subscriptions: [{ topicFilter: topic, qos }] });
    await client.publish({ topicName: topic, qos, payload: "pressed" });
    const came = Buffer.from((await message).message.payload).toString();
    const stopped = on("stopped");
    client.stop();
    await stopped;
    return came;
}

async function pressJs(url, options) {
    const client = await mqttjs.connectAsync(url, { clientId: "button", reconnectPeriod: 0, ...options }, false);
    await client.subscribeAsync(topic, { qos: 1 });
    const message = new Promise((done) => client.once("message", (_, payload) => done(payload.toString())));
    await client.publishAsync(topic, "pressed", { qos: 1 });
    const came = await message;
    await client.endAsync();
    return came;
}

const read = (path) => require("fs").readFileSync(path);
const ways = {
    "SDK, MQTT 3, TLS": () =>
        press3(iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(certificate, key)),
    "SDK, MQTT 3, WebSocket": () =>
        press3(
            iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets({
                region: "eu-west-1",
                credentials_provider: credentials(),
            }),
        ),
    "SDK, MQTT 5, TLS": () =>
        press5(iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath("localhost", certificate, key)),
    "SDK, MQTT 5, WebSocket": () =>
        press5(
            iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth("localhost", {
                region: "eu-west-1",
                credentialsProvider: credentials(),
            }),
        ),
    "mqtt.js, MQTT 3, TLS": () =>
        pressJs(`mqtts://localhost:${port}`, { ca: read(ca), cert: read(certificate), key: read(key) }),
    "mqtt.js, MQTT 5, WebSocket": () => pressJs(settings.url, { ca: read(ca), protocolVersion: 5 }),
};

ways[way]().then(
    (came) => {
        console.log(came);
        process.exit(0);
    },
    (error) => {
        console.error(String(error));
        process.exit(1);
    },
);
