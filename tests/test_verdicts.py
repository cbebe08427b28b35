"""What a notebook shows of policies: judged verdicts, and what one allows beyond another."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tables import rows

from helpers import policy
from helpers.account import Account
from helpers.errors import LessonError
from iot_policy import Request, decide, statement

SERIAL = "G030JF055364XVRB"


@pytest.fixture
def aws(inside: Account) -> Account:
    return inside


def test_green_is_as_it_should_be(aws: Account) -> None:
    """The post's JSON is red twice: it allows what it should not, and not what it should."""
    documents = {
        "posted": policy.as_posted(aws.region, aws.number, SERIAL),
        "least": policy.least_privilege(aws.region, aws.number, SERIAL, "my-button"),
    }
    for name, document in documents.items():
        policy.put_in_force(aws.iot, name, document)
    own = aws.iot.create_keys_and_certificate(setAsActive=False)["certificateArn"]
    aws.iot.attach_policy(policyName="posted", target=own)  # left out of the other's column
    shown = policy.verdicts(
        aws.iot,
        iter([*documents, *documents]),  # one column each
        {
            "connect as itself": ("CONNECT", aws.arn("client", "my-button"), True),
            "connect as another": ("CONNECT", aws.arn("client", "another"), False),
            "publish on its topic": ("PUBLISH", aws.arn("topic", f"iotbutton/{SERIAL}"), True),
            "publish elsewhere": ("PUBLISH", aws.arn("topic", "elsewhere"), False),
        },
        principal=own,
        client_id="my-button",
    )
    assert re.split(r" *\| ", shown.text.splitlines()[1])[1:-1] == [
        "May the button …",
        "Should it?",
        "posted",
    ]
    assert rows(shown) == [
        ["connect as itself", "yes", "✗ IMPLICIT_DENY", "✓ ALLOWED"],
        ["connect as another", "no", "✓ IMPLICIT_DENY", "✓ IMPLICIT_DENY"],
        ["publish on its topic", "yes", "✓ ALLOWED", "✓ ALLOWED"],
        ["publish elsewhere", "no", "✗ ALLOWED", "✓ IMPLICIT_DENY"],
    ]
    assert re.findall("#fde0dd|#d9f2df", shown.html).count("#fde0dd") == 2


def test_what_the_posts_json_grants_beyond_its_prose(aws: Account) -> None:
    where = {"region": aws.region, "account": aws.number}
    posted = policy.as_posted(aws.region, aws.number, SERIAL)
    intended = policy.intended(aws.region, aws.number, SERIAL)
    shown = policy.beyond(posted, intended, **where)
    assert rows(shown) == [["iot:Publish", "publish on iotbutton/another"]]
    request = Request("iot:Publish", aws.arn("topic", "iotbutton/another"), {})
    verdicts = [
        decide([policy.parse("", policy.to_json(each))], request).verdict
        for each in (posted, intended)
    ]
    assert verdicts == ["ALLOWED", "IMPLICIT_DENY"]
    assert rows(policy.beyond(intended, posted, **where)) == [
        ["iot:Connect", "connect as another client"]
    ]


def test_nothing_more_is_said_only_where_it_is_proved(aws: Account) -> None:
    where = {"region": aws.region, "account": aws.number}
    least = policy.least_privilege(aws.region, aws.number, SERIAL, "my-button")
    shown = policy.beyond(least, least, **where)
    assert (repr(shown), shown.html) == ("Nothing more.", "<p>Nothing more.</p>")
    some = policy.document(statement("iot:Publish", aws.arn("topic", "${iot:ClientId}")))
    ((action, why),) = rows(policy.beyond(some, least, **where))
    assert action == "iot:Publish" and why.endswith("depends on iot:ClientId.")


@pytest.mark.parametrize("bad", [{1, 2}, {"Statement": {1}}, {("a", "b"): 1}, b"{}", {}, None, ""])
def test_what_is_no_policy_document_is_one_line(aws: Account, bad: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: policy.put_in_force(aws.iot, "rights", bad),
        lambda: policy.beyond(bad, bad, region=aws.region, account=aws.number),
        lambda: policy.parse("x", bad),
        lambda: policy.check(bad),
    ]
    for call in calls:
        with pytest.raises(LessonError) as caught:
            call()
        assert caught.value.where.endswith('"The policy document is malformed"')
        assert "\n" not in str(caught.value)
    if not bad:
        assert "error" in policy.lint(bad).text
    else:
        with pytest.raises(LessonError, match="no policy document"):
            policy.lint(bad)
