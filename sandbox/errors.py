"""The errors of this package."""


class SandboxError(Exception):
    """The sandbox cannot do what it was asked: what happened, and what to do next."""


class AwsError(Exception):
    """A request that is refused, as AWS would say it.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/CommonErrors.html
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        """Set up the error.

        Args:
            status: Of HTTP.
            code: AWS's name of the error, ``InvalidRequestException``.
            message: What happened, and what to do next.
        """
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
