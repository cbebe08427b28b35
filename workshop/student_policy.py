"""The IAM policy of one learner: the lesson's calls, on the learner's resources, and no more.

``python -m workshop.student_policy zoe --account 111122223333 --region eu-west-1`` prints it.
"""

import argparse
import json
from typing import Any

from helpers.account.learner import checked
from helpers.marker import MARKER
from iot_policy import arn

THINGS = ("CreateThing", "DeleteThing", "DeleteThingShadow", "DescribeThing", "ListThingPrincipals")
POLICIES = ("GetPolicy", "ListPolicyVersions", "ListTagsForResource", "ListTargetsForPolicy")
MARKED_POLICIES = ("CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion")
CERTIFICATES = (
    "AttachPolicy",
    "DeleteCertificate",
    "DescribeCertificate",
    "DetachPolicy",
    "ListPrincipalThings",
    "TestAuthorization",
    "UpdateCertificate",
)
THING_CERTIFICATES = ("AttachThingPrincipal", "DetachThingPrincipal")
WHOLE_ACCOUNT = (
    "CreateCertificateFromCsr",
    "CreateKeysAndCertificate",
    "DescribeEndpoint",
    "ListAttachedPolicies",
    "ListCertificates",
    "ListPolicies",
    "ListThings",
)
"""AWS has no narrower resource for these."""


def build(learner: str, *, account: str, region: str) -> dict[str, Any]:
    """Build the narrowest IAM policy under which the lesson runs for one learner.

    A certificate's name is made up by AWS, so no policy can tell one learner's from another's: the
    lesson's own client does (:mod:`helpers.account.guard`). ``sts:GetCallerIdentity``, with which
    the lesson begins, is allowed to everyone.

    Args:
        learner: The learner's name, with which every name begins.
        account: 12 digits.
        region: Such as ``eu-west-1``.

    Raises:
        LessonError: no name of the lesson can begin with that.

    >>> built = build("zoe", account="111122223333", region="eu-west-1")
    >>> built["Statement"][0]["Resource"]
    'arn:aws:iot:eu-west-1:111122223333:thing/zoe-*'

    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
    """
    prefix = f"{checked(learner, 'The learner')}-*"
    things, policies, certificates = (
        arn(region, account, resource)
        for resource in (f"thing/{prefix}", f"policy/{prefix}", "cert/*")
    )
    tag, marker = MARKER
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("OwnThings", THINGS, things),
            _allow("OwnPolicies", POLICIES, policies),
            _allow(
                "NewPoliciesMarked",
                ("CreatePolicy", "TagResource"),
                policies,
                {"StringEquals": {f"aws:RequestTag/{tag}": marker}},
            ),
            _allow(
                "MarkedPolicies",
                MARKED_POLICIES,
                policies,
                {"StringEquals": {f"aws:ResourceTag/{tag}": marker}},
            ),
            _allow("Certificates", CERTIFICATES, certificates),
            _allow(
                "CertificatesOfOwnThings",
                THING_CERTIFICATES,
                certificates,
                {"ArnLike": {"iot:thingArn": things}},
            ),
            _allow("WholeAccount", WHOLE_ACCOUNT, "*"),
        ],
    }


def to_text(document: dict[str, Any]) -> str:
    """Return the policy as the text of its file."""
    return json.dumps(document, indent=2) + "\n"


def main() -> None:
    """Print the policy of the learner that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m workshop.student_policy", description=__doc__)
    parser.add_argument("learner")
    parser.add_argument("--account", required=True, help="12 digits")
    parser.add_argument("--region", required=True, help="such as eu-west-1")
    chosen = parser.parse_args()
    built = build(chosen.learner, account=chosen.account, region=chosen.region)
    print(to_text(built), end="")


def _allow(
    sid: str, actions: tuple[str, ...], resource: str, condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"iot:{action}" for action in actions],
        "Resource": resource,
    }
    return statement | ({"Condition": condition} if condition else {})


if __name__ == "__main__":
    main()
