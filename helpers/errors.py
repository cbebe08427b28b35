"""The one error of this project."""


class LessonError(Exception):
    """Something a learner can put right: the message says what happened and what to do next."""
