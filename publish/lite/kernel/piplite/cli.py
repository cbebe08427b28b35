"""Answers ``%pip``."""

REFUSED = "Nothing can be installed in this page: it asks no other host. The lesson needs no more."


async def get_transformed_code(argv: list[str]) -> str:
    """Return the code that runs in place of ``%pip`` with these arguments."""
    return f"print({REFUSED!r})"
