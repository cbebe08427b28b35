"""Errors of AWS IoT that moto does not have."""

from moto.iot.exceptions import IoTClientError


class MalformedPolicyException(IoTClientError):
    """A policy document cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__("MalformedPolicyException", message)


class LimitExceededException(IoTClientError):
    """There is as much as AWS allows."""

    code = 410

    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


class CertificateValidationException(IoTClientError):
    """A certificate is not valid."""

    def __init__(self, message: str) -> None:
        super().__init__("CertificateValidationException", message)


class ThrottlingException(IoTClientError):
    """There is no room, or it is asked too often."""

    code = 429

    def __init__(self, message: str) -> None:
        super().__init__("ThrottlingException", message)
