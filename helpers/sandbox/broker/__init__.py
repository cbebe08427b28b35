"""An MQTT broker that enforces AWS IoT's certificates and policies, on loopback."""

from helpers.sandbox.broker.reasons import RefusedError
from helpers.sandbox.broker.refusals import Refusal
from helpers.sandbox.broker.server import Broker

__all__ = ["Broker", "Refusal", "RefusedError"]
