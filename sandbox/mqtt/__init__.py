"""MQTT as bytes and values: packets, topics, limits. No connection, no policy, no event loop."""
