"""The policy language of AWS IoT: read a policy, decide by it, explain, lint, compare.

Pure: values in, values out. Nothing here asks an account, opens a file or draws a table.
"""

from iot_policy.arns import Arn, arn, split_arn
from iot_policy.comparison import Comparison, compare, in_words
from iot_policy.context import AttachedThing, CertificateNames, connection_context
from iot_policy.decision import Decision, Policy, Request, decide, parse
from iot_policy.documents import check, document, statement, to_json
from iot_policy.errors import MalformedPolicy
from iot_policy.explanation import Explanation, StatementAssessment, explain
from iot_policy.lint import Finding, lint

__all__ = [
    "Arn",
    "AttachedThing",
    "CertificateNames",
    "Comparison",
    "Decision",
    "Explanation",
    "Finding",
    "MalformedPolicy",
    "Policy",
    "Request",
    "StatementAssessment",
    "arn",
    "check",
    "compare",
    "connection_context",
    "decide",
    "document",
    "explain",
    "in_words",
    "lint",
    "parse",
    "split_arn",
    "statement",
    "to_json",
]
