"""What may go wrong, besides ValueError."""


class UnsupportedAlgorithm(Exception):
    """It is well formed, and of a kind that is not known here."""


class InvalidSignature(Exception):
    """The key that is asked for has not signed this."""
