"""An MQTT broker that enforces AWS IoT's certificates and policies, on loopback or in memory."""
