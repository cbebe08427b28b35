"""A local AWS IoT on loopback: moto's registry behind HTTP, and an MQTT broker that enforces it."""
