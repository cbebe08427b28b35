"""MQTT 5's reason codes, and the exception that carries one."""

from enum import IntEnum


class Reason(IntEnum):
    """The reason codes that this broker sends or understands.

    Source: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901031
    """

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    NO_SUBSCRIPTION_EXISTED = 0x11
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    NOT_AUTHORIZED = 0x87
    SERVER_BUSY = 0x89
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    QOS_NOT_SUPPORTED = 0x9B
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1


class RefusedError(Exception):
    """A client asked for something that it does not get.

    Attributes:
        code: The MQTT 5 reason code to answer with.
        reason: What is wrong and what to do about it, in one sentence.
        action: The AWS IoT action that was asked for, or ``MQTT`` for a breach of the protocol.
        resource: The ARN that the action was checked against, where there is one.
        verdict: A policy's verdict, or ``REFUSED`` where no policy was asked.
        explanation: The whole explanation, over several lines.
        problem: The kind of refusal, for counting: what of a policy did not match, or the code.
    """

    def __init__(
        self,
        code: Reason,
        reason: str,
        *,
        action: str = "MQTT",
        resource: str = "",
        verdict: str = "REFUSED",
        explanation: str = "",
        problem: str = "",
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.action = action
        self.resource = resource
        self.verdict = verdict
        self.explanation = explanation or reason
        self.problem = problem or code.name


class MalformedError(RefusedError):
    """A packet that does not follow the MQTT format."""

    def __init__(self, reason: str) -> None:
        super().__init__(Reason.MALFORMED_PACKET, f"malformed packet: {reason}")
