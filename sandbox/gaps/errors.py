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


class RequestEntityTooLargeException(IoTClientError):
    """A shadow's document is too large."""

    code = 413

    def __init__(self) -> None:
        super().__init__(
            "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed"
        )


class UnsupportedDocumentEncodingException(IoTClientError):
    """A shadow's document is not UTF-8."""

    code = 415

    def __init__(self) -> None:
        super().__init__(
            "UnsupportedDocumentEncodingException",
            "Unsupported documented encoding; supported encoding is UTF-8",
        )
