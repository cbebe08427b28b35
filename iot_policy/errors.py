"""The one error of this package."""


class MalformedPolicy(ValueError):
    """A policy document that AWS IoT refuses.

    Attributes:
        problem: What is wrong, in one sentence.
        statement: Number of the statement at fault, from 1; ``None`` for the whole document.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreatePolicy.html
    """

    def __init__(self, problem: str, *, statement: int | None = None) -> None:
        where = f"Statement {statement}: " if statement else ""
        super().__init__(f"Policy document is Malformed: {where}{problem}")
        self.problem = problem
        self.statement = statement
