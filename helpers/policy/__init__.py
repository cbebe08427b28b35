"""Policies: build one, check it, decide by it, explain the decision, find what is wrong with it.

Pure functions, which ask nobody and change nothing, but for those that take a boto3 client. The
decision that a notebook explains is the one that the sandbox's broker enforces.
"""

from helpers.policy.context import connection_context
from helpers.policy.decision import Decision, decide
from helpers.policy.documents import (
    arn,
    as_posted,
    document,
    intended,
    least_privilege,
    listener,
    recommended,
    statement,
    to_json,
)
from helpers.policy.errors import MalformedPolicy
from helpers.policy.explanation import Explanation, explain
from helpers.policy.findings import Finding, Findings, lint
from helpers.policy.grammar import check
from helpers.policy.in_force import TAGS, AccountPolicy, find, made_here, put_in_force, remove
from helpers.policy.model import Policy, Request, parse
from helpers.policy.verdicts import verdicts

__all__ = [
    "TAGS",
    "AccountPolicy",
    "Decision",
    "Explanation",
    "Finding",
    "Findings",
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
    "find",
    "intended",
    "least_privilege",
    "lint",
    "listener",
    "made_here",
    "parse",
    "put_in_force",
    "recommended",
    "remove",
    "statement",
    "to_json",
    "verdicts",
]
