"""Stand in for the package regex, where it has no wheel: in a browser's Pyodide.

The sandbox asks it for one thing: does a text match one of AWS's patterns, which are Java's? What
Python's re lacks of it, or takes in another way, is spelled out for the characters at hand.
"""

import re
import unicodedata
from collections.abc import Callable

_MEMBERS: dict[str, Callable[[str], bool]] = {
    "p{L}": lambda char: unicodedata.category(char)[0] == "L",
    "p{N}": lambda char: unicodedata.category(char)[0] == "N",
    "p{Z}": lambda char: unicodedata.category(char)[0] == "Z",
    "p{C}": lambda char: unicodedata.category(char)[0] == "C",
    "p{Cntrl}": lambda char: unicodedata.category(char) == "Cc",
    "p{Digit}": lambda char: unicodedata.category(char) == "Nd",
    "p{Upper}": str.isupper,
    "p{Graph}": lambda char: unicodedata.category(char) not in ("Cc", "Cn", "Cs", "Zs", "Zl", "Zp"),
    "s": lambda char: char.isspace() and char not in "\x1c\x1d\x1e\x1f",
    "w": lambda char: char == "_" or unicodedata.category(char)[0] in "LMN",
}
_TOKEN = re.compile(r"\\([pP]\{\w+\}|[swSW])|\\.|\[\^?\]?|\]|[^\\]", re.DOTALL)


def fullmatch(pattern: str, string: str) -> re.Match[str] | None:
    """Match a whole text.

    Raises:
        KeyError: the pattern names a set of characters that is not known here.
    """
    characters = sorted({*map(chr, range(128)), *string})  # so that no set is empty
    spelled, inside = [], False
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if token[1]:
            name = token[1][0].lower() + token[1][1:]
            wanted = token[1][0].islower()
            text = "".join(re.escape(char) for char in characters if _MEMBERS[name](char) is wanted)
            text = text if inside else f"[{text}]"
        elif text[0] == "[":
            inside = True
        elif text == "]":
            inside = False
        spelled.append(text)
    return re.fullmatch("".join(spelled), string)
