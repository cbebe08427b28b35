"""Policies: build one, check it, decide by it, explain the decision, find what is wrong with it.

Pure functions: they ask nobody and change nothing. The decision that a notebook explains is the
one that the sandbox's broker enforces.
"""

from helpers.policy.context import connection_context
from helpers.policy.decision import Decision, decide
from helpers.policy.documents import (
    arn,
    as_posted,
    document,
    intended,
    least_privilege,
    recommended,
    statement,
    to_json,
)
from helpers.policy.errors import MalformedPolicy
from helpers.policy.explanation import Explanation, explain
from helpers.policy.findings import Finding, lint
from helpers.policy.grammar import check
from helpers.policy.model import Policy, Request, parse

__all__ = [
    "Decision",
    "Explanation",
    "Finding",
    "MalformedPolicy",
    "Policy",
    "Request",
    "arn",
    "as_posted",
    "check",
    "connection_context",
    "decide",
    "document",
    "explain",
    "intended",
    "least_privilege",
    "lint",
    "parse",
    "recommended",
    "statement",
    "to_json",
]
