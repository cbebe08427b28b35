"""The one error of this package."""


class SandboxError(Exception):
    """The sandbox cannot do what it was asked: what happened, and what to do next."""
