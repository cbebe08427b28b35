"""The lesson's one error, and how a notebook shows errors: short, and with the way to the cure."""

import sys
from typing import Any

ENTRIES = {
    "CertificateStateException": "It cannot be deleted: it is attached",
    "DeleteConflictException": "It cannot be deleted: it is attached",
    "InvalidRequestException CreatePolicy": "A name cannot be used",
    "InvalidRequestException CreateThing": "A name cannot be used",
    "InvalidRequestException DeleteThing": "It cannot be deleted: it is attached",
    "MalformedPolicyException": "The policy document is malformed",
    "ResourceAlreadyExistsException": "The Thing has other attributes",
    "ResourceNotFoundException": "Cells ran in another order",
    "VersionsLimitExceededException": "There are five versions already",
}
"""Where troubleshooting.md explains an error of AWS, by its code, or by that and the operation."""


class LessonError(Exception):
    """Something a learner can put right: the message says what happened and what to do next."""

    def __init__(self, message: str, *, entry: str = "") -> None:
        """Set up the error; *entry* is the heading of the page's entry about it."""
        super().__init__(message)
        self.where = _where(entry)

    def _render_traceback_(self) -> list[str]:
        # IPython calls this. The message helps a learner; our stack does not.
        return _lines(self, self.where)


def _where(entry: str) -> str:
    return f'troubleshooting.md, "{entry}"' if entry else "troubleshooting.md"


def _lines(error: Exception, where: str) -> list[str]:
    message = " ".join(str(error).split())  # botocore writes several lines
    return [f"{type(error).__name__}: {message}", f"More about it: {where}"]


def not_connected(message: str) -> LessonError:
    """Return the error for why no AWS IoT answers, or not to this learner."""
    return LessonError(message, entry="The lesson does not connect")


def one_line_errors() -> None:
    """Show AWS's errors in one line, and below a NameError what to do; only IPython can."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        from botocore.exceptions import BotoCoreError, ClientError

        shell.set_custom_exc((BotoCoreError, ClientError, NameError), _show)


def _show(shell: Any, kind: type, error: Any, stack: object, tb_offset: int | None = None) -> None:
    if kind is NameError:
        error.add_note(
            "A cell above makes this name, if it is spelt right: after a restart, run the cells "
            f"from the top. More about it: {_where('A name is not defined')}"
        )
    elif kind is not UnboundLocalError:
        code = kind.__name__
        entry = ENTRIES.get(f"{code} {getattr(error, 'operation_name', '')}", ENTRIES.get(code, ""))
        error._render_traceback_ = lambda: _lines(error, _where(entry))
    # This one sets sys.last_value as well, which the next cell may ask for.
    shell.showtraceback((kind, error, stack), tb_offset=tb_offset)
