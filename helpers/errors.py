"""The lesson's one error."""


class LessonError(Exception):
    """Something a learner can put right: the message says what happened and what to do next."""

    def _render_traceback_(self) -> list[str]:
        # IPython calls this. The message helps a learner; our stack does not.
        return [f"{type(self).__name__}: {self}"]
