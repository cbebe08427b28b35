"""The codec: what a client encodes is what the broker decodes, and nothing else gets through."""

import pytest
from broker_wire import encode_connect, encode_publish, encode_subscribe
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from sandbox.mqtt import encoder
from sandbox.mqtt.decoder import decode, frames
from sandbox.mqtt.packets import (
    V5,
    V311,
    Connect,
    Disconnect,
    Pingreq,
    Property,
    Puback,
    Publish,
    ReasonCode,
    RefusedError,
    Subscribe,
    Subscription,
    Unsubscribe,
)

P = Property
LIMIT = 1 << 20
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
ids = st.integers(1, 0xFFFF)
message_properties = st.fixed_dictionaries(
    {},
    optional={
        P.PAYLOAD_FORMAT: st.integers(0, 1),
        P.MESSAGE_EXPIRY: st.integers(0, 0xFFFFFFFF),
        P.CONTENT_TYPE: words,
        P.RESPONSE_TOPIC: words.map(lambda text: text.translate({ord("+"): None, ord("#"): None})),
        P.CORRELATION_DATA: st.binary(max_size=40),
        P.USER_PROPERTY: st.lists(st.tuples(words, words), min_size=1, max_size=3),
    },
)
connect_properties = st.fixed_dictionaries(
    {},
    optional={
        P.SESSION_EXPIRY: st.integers(0, 0xFFFFFFFF),
        P.RECEIVE_MAXIMUM: ids,
        P.MAXIMUM_PACKET_SIZE: st.integers(1, 0xFFFFFFFF),
        P.TOPIC_ALIAS_MAXIMUM: st.integers(0, 0xFFFF),
        P.REQUEST_PROBLEM_INFORMATION: st.integers(0, 1),
    },
)


@st.composite
def publishes(draw, version: int, *, will: bool = False) -> Publish:
    qos = draw(st.integers(0, 2))
    properties = draw(message_properties) if version == V5 else {}
    if version == V5 and will:
        properties |= draw(st.fixed_dictionaries({}, optional={P.WILL_DELAY: st.integers(0, 9)}))
    return Publish(
        draw(words),
        draw(st.binary(max_size=300)),
        qos,
        draw(st.booleans()),
        not will and qos > 0 and draw(st.booleans()),
        0 if will or not qos else draw(ids),
        properties,
    )


@st.composite
def connects(draw, version: int) -> Connect:
    return Connect(
        version,
        draw(words),
        draw(st.booleans()),
        draw(st.integers(0, 0xFFFF)),
        draw(st.none() | publishes(version, will=True)),
        draw(connect_properties) if version == V5 else {},
    )


@st.composite
def subscribes(draw, version: int) -> Subscribe:
    flags = st.booleans() if version == V5 else st.just(False)
    handling = st.integers(0, 2 if version == V5 else 0)
    one = st.builds(Subscription, words, st.integers(0, 2), flags, flags, handling)
    return Subscribe(draw(ids), draw(st.lists(one, min_size=1, max_size=9)), {})


def read(data: bytes, version: int):
    ((first, body),) = frames(bytearray(data), LIMIT)
    return decode(first, body, version)


versions = pytest.mark.parametrize("version", [V311, V5])


@versions
@given(data=st.data())
def test_connect_round_trip(version, data):
    asked = data.draw(connects(version))
    user = data.draw(st.none() | words)
    password = data.draw(st.none() | st.binary(max_size=9)) if user is not None else None
    assert read(encode_connect(asked, user, password), version) == asked


@versions
@given(data=st.data())
def test_publish_round_trip(version, data):
    message = data.draw(publishes(version))
    assert read(encode_publish(message, version), version) == message


@versions
@given(data=st.data())
def test_subscribe_round_trip(version, data):
    asked = data.draw(subscribes(version))
    assert read(encode_subscribe(asked, version), version) == asked


@versions
@given(data=st.data())
def test_a_delivery_reads_back(version, data):
    message = data.draw(publishes(version).filter(lambda each: each.qos < 2))
    sent = encoder.publish(
        version,
        message.topic,
        message.payload,
        packet_id=message.packet_id,
        retain=message.retain,
        duplicate=message.duplicate,
        carried=message.properties,
    )
    assert read(sent, version) == message


def test_small_packets_of_both_versions():
    assert read(b"\xc0\0", V311) == Pingreq()
    assert read(b"\x40\x02\0\x09", V311) == Puback(9)
    assert read(b"\x40\x04\0\x09\x10\0", V5) == Puback(9)
    assert read(b"\xe0\0", V311) == Disconnect(0, {})
    assert read(b"\xe0\x07\x04\x05\x11\0\0\0\x09", V5) == Disconnect(4, {P.SESSION_EXPIRY: 9})
    assert read(b"\xa2\x07\0\x01\0\x03a/b", V311) == Unsubscribe(1, ["a/b"])
    assert read(b"\xa2\x08\0\x01\0\0\x03a/b", V5) == Unsubscribe(1, ["a/b"])


def test_paho_reads_the_properties_of_our_answers():
    data = encoder.connack(V5, session_present=True, granted={P.ASSIGNED_CLIENT_ID: "näme"})
    assert data[2:4] == b"\x01\0"
    found, _ = PahoProperties(PacketTypes.CONNACK).unpack(data[4:])
    assert found.AssignedClientIdentifier == "näme"
    assert (found.MaximumQoS, found.ReceiveMaximum, found.TopicAliasMaximum) == (1, 100, 8)
    refused = encoder.puback(V5, 7, ReasonCode.NOT_AUTHORIZED, "no")
    assert refused[2:5] == b"\0\x07\x87"
    assert PahoProperties(PacketTypes.PUBACK).unpack(refused[5:])[0].ReasonString == "no"


@given(st.binary(max_size=400), st.sampled_from([V311, V5]))
def test_random_bytes_are_a_packet_or_refused(data, version):
    try:
        for first, body in frames(bytearray(data), LIMIT):
            decode(first, body, version)
    except RefusedError as error:
        assert error.code >= 0x80


@versions
@given(data=st.data())
def test_a_damaged_packet_is_a_packet_or_refused(version, data):
    kinds = [
        connects(version).map(encode_connect),
        publishes(version).map(lambda each: encode_publish(each, version)),
        subscribes(version).map(lambda each: encode_subscribe(each, version)),
    ]
    whole = bytearray(data.draw(st.one_of(kinds)))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        for first, body in frames(whole, LIMIT):
            decode(first, body, version)
    except RefusedError as error:
        assert error.code >= 0x80


@given(st.lists(publishes(V5), max_size=5), st.lists(st.integers(1, 50), min_size=1, max_size=50))
def test_packets_arrive_in_pieces_of_any_size(messages, sizes):
    stream = b"".join(encode_publish(each, V5) for each in messages)
    buffer, found, at = bytearray(), [], 0
    while at < len(stream):
        size = sizes[at % len(sizes)]
        buffer += stream[at : at + size]
        at += size
        found += [decode(first, body, V5) for first, body in frames(buffer, LIMIT)]
    assert found == messages
    assert not buffer


@pytest.mark.parametrize(
    "data",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x36\x05\0\x01a\0\x01",  # QoS 3
        b"\x38\x03\0\x01a",  # a duplicate of QoS 0
        b"\x32\x05\0\x01a\0\0",  # packet identifier 0
        b"\x30\x03\0\x02a",  # text that ends too early
        b"\x30\x04\0\x02\xc3\x28",  # not UTF-8
        b"\x30\x03\0\x01\0",  # a null character
        b"\x80\x06\0\x01\0\x01a\0",  # SUBSCRIBE without its flags
        b"\x82\x02\0\x01",  # SUBSCRIBE of nothing
        b"\xc0\x01\0",  # PINGREQ with a body
        b"\x20\x02\0\0",  # CONNACK, from a client
        b"\xf0\0",  # no such type in MQTT 3.1.1
    ],
)
def test_malformed_packets_are_refused(data):
    with pytest.raises(RefusedError):
        [decode(first, body, V311) for first, body in frames(bytearray(data), LIMIT)]


def test_a_long_packet_is_refused_before_it_arrives():
    with pytest.raises(RefusedError) as refused:
        list(frames(bytearray(b"\x30\x80\x80\x10"), 1000))
    assert refused.value.code is ReasonCode.PACKET_TOO_LARGE
