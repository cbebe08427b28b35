"""An MQTT broker that enforces AWS IoT's certificates and policies, on loopback."""

from sandbox.broker.server import Broker
from sandbox.line import Refusal
from sandbox.mqtt.packets import RefusedError

__all__ = ["Broker", "Refusal", "RefusedError"]
