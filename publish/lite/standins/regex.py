"""Stand in for the package regex, where it has no wheel: in a browser's Pyodide.

The sandbox asks it for one thing: does a text match one of AWS's patterns, which are Java's? The
sets that Python's re lacks, or takes in another way, are spelled out for the characters at hand.
"""

import re
from collections.abc import Callable
from unicodedata import category

_SETS: dict[str, Callable[[str], bool]] = {
    "p{L}": lambda char: category(char)[0] == "L",
    "p{N}": lambda char: category(char)[0] == "N",
    "p{Z}": lambda char: category(char)[0] == "Z",
    "p{C}": lambda char: category(char)[0] == "C",
    "p{Cntrl}": lambda char: category(char) == "Cc",
    "p{Digit}": lambda char: category(char) == "Nd",
    "p{Upper}": str.isupper,
    "p{Graph}": lambda char: category(char)[0] != "Z" and category(char) not in ("Cc", "Cn", "Cs"),
    "s": lambda char: char.isspace() and char not in "\x1c\x1d\x1e\x1f",
    "w": lambda char: (
        category(char) in ("Nd", "Nl", "Pc")
        or category(char)[0] in "LM"
        or char.isupper()
        or char.islower()
        or char in "\u200c\u200d"
    ),
}
_TOKEN = re.compile(r"\\(p\{\w+\}|[swSW])|\\?.", re.DOTALL)


def fullmatch(pattern: str, string: str) -> re.Match[str] | None:
    """Match a whole text.

    Raises:
        KeyError: the pattern has a set that is not known here.
    """
    characters = sorted({*map(chr, range(128)), *string})  # ASCII, so that no set is empty
    spelled, in_brackets = [], False
    for token in _TOKEN.finditer(pattern):
        text, name = token[0], token[1]
        if name:
            wanted, has = (
                name.islower() or name[0] == "p",
                _SETS[name if name[0] == "p" else name.lower()],
            )
            text = "".join(re.escape(char) for char in characters if has(char) is wanted)
            text = text if in_brackets else f"[{text}]"
        elif text in "[]":
            in_brackets = text == "["
        spelled.append(text)
    return re.fullmatch("".join(spelled), string)
