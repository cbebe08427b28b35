"""Mask what is one account's own, so that a recording can be published."""

import re
from datetime import date
from typing import Any

from botocore.model import Shape

from helpers.marker import MARKER
from helpers.thing import EXAMPLE_SERIAL, SERIAL_ATTRIBUTE

LEARNER = "rehearsal"
"""Everything that a rehearsal makes has a name that begins with this and ``-``."""
PATTERNS = [
    (re.compile(pattern, re.DOTALL), instead)
    for pattern, instead in (
        (r"-----BEGIN ([A-Z ]+)-----.*?(-----END \1-----\n?|\Z)", "<PEM>"),
        (r"arn:[\w-]+:(iam|sts)::[^\s\"',;)]+", "<who>"),
        (r"(arn:[\w-]+:[\w-]+):[\w-]*:\d{12}:", r"\1:<region>:<account>:"),
        (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "<who>"),
        (r"\bA(KIA|SIA|IDA|ROA|GPA|IPA|NPA|NVA)[A-Z0-9]{12,}", "<access key>"),
        (r"[0-9a-fA-F]{32,}", "<certificate>"),
        (r"\b[0-9a-f]{8,31}(?=…|\.\.\.)", "<certificate>"),
        (r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
        (r"[\w-]+(\.[\w-]+)*\.amazonaws\.com(\.cn)?(:\d+)?", "<endpoint>"),
        (r"\b[a-z0-9]{10,}-ats\b", "<endpoint>"),
        (r"\b(localhost|\d{1,3}(\.\d{1,3}){3})\b(:\d+)?", "<endpoint>"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?", "<time>"),
        # A folder of keys is named after a digest of the account's number, which can be guessed.
        (r"\baws-[0-9a-f]{8}\b", "aws-<digest>"),
        (r"\d([ -]?\d){11,}", "<account>"),
        (r"(?=[a-z0-9+/]*[A-Z])(?=[A-Za-z+/]*\d)[A-Za-z0-9+/]{40,}={0,2}", "<secret>"),
        (r"(?<![\w>:/$*])/([\w.-]+/)+[\w.-]*", "<path>"),
    )
]
"""What is an account's or a machine's own, and what stands for it. The first that matches wins."""
KNOWN = {*MARKER, EXAMPLE_SERIAL, SERIAL_ATTRIBUTE}
"""What the lesson's Things carry."""
OURS = re.compile(
    rf"(<[\w ]+>|{LEARNER}-.*|\d{{1,3}}|(aws|iot):[\w.\[\]]+"
    rf"|arn:[\w-]+:iot:<region>:<account>:(cert/<certificate>|\w+/{LEARNER}-.*))",
    re.DOTALL,
)
"""What may be shown of an answer, once it is masked. A shared account has others' texts, too."""


def mask(text: str) -> str:
    """Mask a text; a second time, nothing changes.

    >>> mask("arn:aws:iot:eu-west-1:123456789012:thing/rehearsal-button")
    'arn:aws:iot:<region>:<account>:thing/rehearsal-button'
    """
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text


class Values:
    """Masks what is sent and answered. Of an answer, only texts that were sent are shown."""

    def __init__(self) -> None:
        self._sent = set(KNOWN)

    def sent(self, value: Any, shape: Shape | None) -> Any:
        """Mask the parameters of a call."""
        self._learn(value)
        return self.got(value, shape)

    def got(self, value: Any, shape: Shape | None) -> Any:
        """Mask an answer.

        Args:
            value: As boto3 gives it, of lists each different entry once.
            shape: What botocore's model says of it.
        """
        match value:
            case dict() if getattr(shape, "members", None) is not None:
                members: Any = shape.members  # type: ignore[union-attr]
                return {name: self.got(each, members.get(name)) for name, each in value.items()}
            case dict():
                of_value = getattr(shape, "value", None)
                return {self._shown(name): self.got(it, of_value) for name, it in value.items()}
            case list() | tuple():
                entries: list[Any] = []
                for each in value:
                    masked = self.got(each, getattr(shape, "member", None))
                    if masked not in entries:
                        entries.append(masked)
                return entries
            case str():
                return value if value in getattr(shape, "enum", ()) else self._shown(value)
            case date():
                return "<time>"
            case None | bool() | float():
                return value
            case int():
                return value if value < 10**6 else "<number>"
        return f"<{type(value).__name__}>"

    def _shown(self, text: str) -> str:
        masked = mask(text)
        return masked if text in self._sent or OURS.fullmatch(masked) else "<text>"

    def _learn(self, value: Any) -> None:
        match value:
            case str():
                self._sent.add(value)
            case dict():
                self._learn([*value, *value.values()])
            case list():
                for each in value:
                    self._learn(each)
