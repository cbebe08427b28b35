"""The one error of this project."""


class LessonError(Exception):
    """Something a learner can put right: the message says what happened and what to do next."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: a learner is helped by the message, not by our stack.
        return [f"{type(self).__name__}: {self}"]
