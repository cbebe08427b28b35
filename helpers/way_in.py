"""Which port a device connects to: 8883, or 443 where a firewall lets nothing else out."""

import socket

from helpers.account import Account

MQTT_BY_ALPN = "x-amzn-mqtt-ca"
"""What a client says in the TLS handshake on port 443, where AWS takes MQTT too."""
TRYING = 5.0
"""Seconds."""


def way_in(endpoint: str, account: Account) -> tuple[int, list[str] | None]:
    """Find the port of the data endpoint that can be reached from here.

    Args:
        endpoint: The host, as ``describe_endpoint`` gives it.
        account: Whose ports they are.

    Returns:
        The port, and the protocols to offer by ALPN, if any.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
    """
    if account.alpn_port is None:
        return account.mqtt_port, None
    try:
        socket.create_connection((endpoint, account.mqtt_port), TRYING).close()
    except OSError:
        return account.alpn_port, [MQTT_BY_ALPN]
    return account.mqtt_port, None
