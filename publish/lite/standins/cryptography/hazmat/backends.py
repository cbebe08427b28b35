"""moto hands a backend to each call; there is none."""


def default_backend() -> None:
    """Return nothing."""
