"""What the broker allows: AWS IoT's quotas, and bounds of its own where AWS names none.

Source: https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits
"""

# AWS's.
MAXIMUM_QOS = 1
CLIENT_ID_BYTES = 128
TOPIC_BYTES = 256
TOPIC_SLASHES = 7
SHARE_NAME_CHARACTERS = 128
PAYLOAD_BYTES = 128 * 1024
PACKET_BYTES = 146 * 1024
FILTERS_PER_SUBSCRIBE = 8
SUBSCRIPTIONS_PER_CONNECTION = 50
UNACKNOWLEDGED = 100
"""QoS 1 messages on their way to one client."""
TOPIC_ALIASES = 8
SHADOW_REQUESTS = 10
"""For one Thing's shadows, of one client: asked and not answered yet."""
KEEP_ALIVE_SECONDS_MIN = 30
KEEP_ALIVE_SECONDS_MAX = 1200
"""Also that of a client that asks for none."""
SESSION_SECONDS = 3600
"""How long a session outlives its connection: of MQTT 3.1.1 each, of MQTT 5 at most.

An account may ask AWS for up to 7 days."""
MESSAGE_SECONDS_MAX = 7 * 24 * 3600
"""The longest message expiry interval; a longer one counts as this one, and 0 as 1."""

# The sandbox's own: on a laptop it must not grow without bound.
PROPERTIES_BYTES = 8 * 1024
"""The MQTT 5 properties of one packet."""
PROPERTY_WEIGHT = 256
"""Bytes that each property of a waiting message counts for: Python keeps it as objects."""
CONNECTIONS = 900
"""Each is an open file: at its start the sandbox raises its limit of those to have the room."""
SESSIONS = 2000
"""In one account and Region, those of clients that are away included."""
QUEUED_MESSAGES = 1000
"""Waiting for one client."""
QUEUED_BYTES = 1024 * 1024
RETAINED_MESSAGES = 5000
RETAINED_BYTES = 16 * 1024 * 1024
"""In one account and Region."""
REFUSALS = 100
"""Remembered for one account."""
DECISIONS = 1000
"""Policy decisions remembered for one connection."""
RULE_HOPS = 10
"""How many rules one after the other republish what one message has led to."""
RULE_MESSAGES = 100
"""What rules republish for one message, all in all."""
CONNECT_SECONDS = 10.0
"""How long a client may take from its TCP connection to its CONNECT."""
LINGER_SECONDS = 2.0
"""How long a client may take to hang up after the broker has."""
LINGER_BYTES = 1024 * 1024
"""The most that is read, and thrown away, in that time."""
SEND_BUFFER_BYTES = 64 * 1024
"""What the system buffers for a client that does not read; its default is megabytes."""
REASON_CHARACTERS = 400
"""The most that a client is told of a reason; the log has all of it."""
REASON_PACKET_BYTES = 2048
"""A client that takes no packets of this size is told reason codes without words."""
SWEEP_SECONDS = 1.0
"""How often certificates, keep-alives and expired sessions are looked at."""
