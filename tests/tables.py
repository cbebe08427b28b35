"""What a table says, cell by cell."""

from helpers.table import Readable


def rows(shown: Readable) -> list[list[str]]:
    """The cells of each row below the headers, as text."""
    lines = [line for line in shown.text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
