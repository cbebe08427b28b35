"""Conditions, by IAM's rules."""

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iot_policy import MalformedPolicy, Request, decide, document, parse, statement, to_json
from iot_policy.conditions import OPERATORS, compile_conditions

FLOOR = "iot:Connection.Thing.Attributes[floor]"
ID = "iot:ClientId"
LIST = "iot:Certificate.Subject.Organization.List"
ARN = "arn:aws:iot:eu-west-1:123456789012:"


def holds(operator, key, wanted, context):
    return all(found.holds(context) for found in compile_conditions({operator: {key: wanted}}))


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a*", "a*", True),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringEqualsIgnoreCase", "Aß", "aSS", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "a*c", "abc", True),
        ("StringLike", ["x", "a?"], "ab", True),
        ("StringNotLike", "a*", "ab", False),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("NumericEquals", "5", "5.0", True),
        ("NumericEquals", 5, "5", True),
        ("NumericNotEquals", "5", "five", True),
        ("NumericLessThan", "5", "4", True),
        ("NumericLessThan", "5", "5", False),
        ("NumericLessThanEquals", "5", "5", True),
        ("NumericGreaterThan", "5", "10", True),
        ("NumericGreaterThanEquals", "5", "five", False),
        ("DateLessThan", "2020-01-01T00:00:00Z", "2019-12-31", True),
        ("DateGreaterThan", "2020-01-01T00:00:00Z", "1577836801", True),
        ("DateEquals", "2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00Z", True),
        ("DateNotEquals", "2020-01-01", "2020-01-01", False),
        ("DateLessThan", f"{253_402_300_799}", "2020-01-01", True),  # the last second of 9999
        ("DateLessThan", "2020-01-01", "67768036191676800", False),  # C's library: OSError
        ("DateNotEquals", "2020-01-01", "67768036191676800", True),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", ["192.168.0.0/16", "10.0.0.1"], "10.0.0.1", True),
        ("IpAddress", "10.0.0.0/8", "::1", False),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False),
        ("NotIpAddress", "10.0.0.0/8", "11.1.2.3", True),
        ("ArnEquals", f"{ARN}topic/*", f"{ARN}topic/a:b/c", True),
        ("ArnLike", "arn:aws:iot:*:*:topic/a", f"{ARN}topic/a", True),
        ("ArnLike", "arn:aws:iot:*:topic/a:x:y", f"{ARN}topic/a", False),
        ("ArnNotEquals", f"{ARN}topic/a", f"{ARN}topic/b", True),
        ("ArnNotLike", f"{ARN}topic/*", f"{ARN}topic/b", False),
        ("ArnEquals", f"{ARN}topic/*", "no-arn", False),
    ],
)
def test_operators(operator, wanted, value, expected):
    assert holds(operator, FLOOR, wanted, {FLOOR: value}) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("ArnNotEquals", True),
        ("NotIpAddress", True),
        ("NumericNotEquals", True),
        ("Bool", False),
        ("StringEqualsIfExists", True),
        ("BoolIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
def test_a_key_that_is_missing(operator, expected):
    wanted = {"Bool": "true", "Nume": "1", "NotI": "10.0.0.1", "ArnN": f"{ARN}topic/a"}
    assert holds(operator, FLOOR, wanted.get(operator[:4], "a"), {}) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "c"), False),
        ("ForAnyValue:StringEquals", ("a", "c"), True),
        ("ForAnyValue:StringEquals", ("c", "d"), False),
        ("ForAllValues:StringNotEquals", ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ("a", "d"), False),
        ("ForAnyValue:StringNotEquals", ("a", "d"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
        ("ForAllValues:StringLike", (), True),
        # IAM leaves this open: some value must match, or none of them may.
        ("StringEquals", ("a", "c"), True),
        ("StringNotEquals", ("a", "c"), False),
    ],
)
def test_keys_with_several_values(operator, values, expected):
    assert holds(operator, LIST, ["a", "b"], {LIST: values}) is expected


def test_null_asks_whether_a_key_is_there():
    assert holds("Null", ID, "true", {})
    assert not holds("Null", ID, "true", {ID: "a"})
    assert holds("Null", ID, "false", {ID: "a"})
    assert not holds("Null", ID, False, {})


def test_all_conditions_must_hold():
    block = {
        "StringEquals": {ID: "a", FLOOR: "3"},
        "Bool": {"iot:Connection.Thing.IsAttached": True},
    }
    everything = {ID: "a", FLOOR: "3", "iot:Connection.Thing.IsAttached": "true"}
    assert all(found.holds(everything) for found in compile_conditions(block))
    for key in everything:
        context = {**everything, key: "false"}
        assert not all(found.holds(context) for found in compile_conditions(block))


def test_variables_in_a_condition():
    assert holds("StringEquals", FLOOR, "${iot:ClientId}", {FLOOR: "a", ID: "a"})
    assert not holds("StringEquals", FLOOR, "${iot:ClientId}", {FLOOR: "a", ID: "b"})
    assert not holds("StringLike", FLOOR, "${iot:ClientId}", {FLOOR: "a", ID: "*"})
    assert not holds("StringEquals", FLOOR, "${iot:ClientId}", {FLOOR: "a"})
    arn = "arn:aws:iot:${iot:ClientId}:123456789012:topic/a"
    assert holds("ArnEquals", FLOOR, arn, {FLOOR: f"{ARN}topic/a", ID: "eu-west-1"})
    # IAM: an inverted operator does match where the variable has no value.
    assert holds("StringNotEquals", FLOOR, "${iot:ClientId}", {FLOOR: "a"})


def test_keys_have_no_case():
    assert holds("StringEquals", "IOT:clientID", "a", {ID: "a"})


def test_what_was_missing_is_reported():
    text = to_json(
        document(
            statement(
                "iot:Publish",
                "*",
                condition={"StringEquals": {FLOOR: "${iot:DomainName}"}},
            )
        )
    )
    decision = decide([parse("P", text)], Request("iot:Publish", f"{ARN}topic/a", {}))
    assert decision.missing == (FLOOR, "iot:DomainName")


def test_a_policy_of_the_old_version_has_no_variables():
    policy = document(
        statement("iot:Connect", f"{ARN}client/${{iot:ClientId}}"),
        statement("iot:Publish", "*", condition={"StringEquals": {ID: "${iot:ClientId}"}}),
    )
    old = parse("P", to_json({**policy, "Version": "2008-10-17"}))
    for action, resource in [("iot:Connect", "client/a"), ("iot:Publish", "topic/a")]:
        request = Request(action, f"{ARN}{resource}", {ID: "a"})
        assert decide([old], request).verdict == "IMPLICIT_DENY"
        assert decide([parse("P", to_json(policy))], request).verdict == "ALLOWED"


@pytest.mark.parametrize(
    ("operator", "wanted", "verdict"),
    [
        ("StringEquals", "a", "IMPLICIT_DENY"),
        ("Bool", "true", "IMPLICIT_DENY"),
        ("ForAnyValue:StringLike", "*", "IMPLICIT_DENY"),
        ("Null", "false", "IMPLICIT_DENY"),
        ("StringNotEquals", "a", "ALLOWED"),
        ("StringEqualsIfExists", "a", "ALLOWED"),
        ("ForAllValues:StringEquals", "a", "ALLOWED"),
        ("Null", "true", "ALLOWED"),
    ],
)
def test_a_key_that_aws_iot_does_not_document_has_no_value(operator, wanted, verdict):
    """Its statement is decided by IAM's rules for a missing key; the others go on counting."""
    strange = statement("iot:Connect", "*", condition={operator: {"aws:Moon": wanted}})
    policy = parse("P", to_json(document(strange, statement("iot:Publish", "*"))))
    for action, resource, wanted_verdict in [
        ("iot:Connect", "client/a", verdict),
        ("iot:Publish", "topic/a", "ALLOWED"),
    ]:
        decision = decide([policy], Request(action, f"{ARN}{resource}", {ID: "a"}))
        assert decision.verdict == wanted_verdict
    refusing = document(statement("iot:Publish", "*"), {**strange, "Effect": "Deny"})
    connect = Request("iot:Connect", f"{ARN}client/a", {ID: "a"})
    denied = decide([parse("P", to_json(refusing))], connect)
    assert denied.verdict == ("EXPLICIT_DENY" if verdict == "ALLOWED" else "IMPLICIT_DENY")


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "named"),
    [
        ("StringEqual", ID, "a", "'StringEqual'. Did you mean 'StringEquals'?"),
        ("Stringequals", ID, "a", "'Stringequals'"),
        ("ForEachValue:StringEquals", ID, "a", "'ForEachValue:StringEquals'"),
        ("NullIfExists", ID, "true", "'NullIfExists'"),
        ("BinaryEquals", ID, "a", "'BinaryEquals'"),
        ("Bool", ID, "yes", "'yes' is neither true nor false"),
        ("NumericEquals", FLOOR, "three", "three"),
        ("DateEquals", FLOOR, "tomorrow", "tomorrow"),
        ("DateEquals", FLOOR, "9" * 30, "DateEquals"),
        ("DateLessThan", FLOOR, "100000000000000000", "DateLessThan"),
        ("DateLessThan", FLOOR, "9" * 1500, "DateLessThan"),
        ("IpAddress", "aws:SourceIp", "10.0.0", "10.0.0"),
        ("ArnEquals", "iot:LastWillTopic", "topic/a", "is not an ARN"),
        ("Null", ID, "maybe", "Null"),
    ],
)
def test_what_is_not_known_is_refused_by_name(operator, key, wanted, named):
    text = to_json(document(statement("iot:Connect", "*", condition={operator: {key: wanted}})))
    with pytest.raises(MalformedPolicy, match="Statement 1") as caught:
        parse("P", text)
    assert named in str(caught.value)
    assert caught.value.statement == 1


HOSTILE = st.one_of(
    st.text(max_size=8),
    st.text("0123456789.:/-+eTZ_infa²٣%* ${}", max_size=24),
    st.integers(-(10**30), 10**30).map(str),
    st.sampled_from(["67768036191676800", "1e999", "nan", "0001-01-01T00:00+23:59", "::%a/0"]),
    st.sampled_from(["9999-12-31T23:59-23:59", "9" * 1900, "::/-1", "arn:::::"]),
)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(OPERATORS)), HOSTILE, HOSTILE)
@example("DateLessThan", "100000000000000000", "")
@example("DateLessThan", "2020-01-01", "100000000000000000")
def test_no_text_raises_anything_but_malformed_policy(operator, wanted, value):
    """A device's Thing may have any attribute, and a learner may type any condition."""
    with suppress(MalformedPolicy):
        policy = document(statement("*", "*", condition={operator: {FLOOR: wanted}}))
        parsed = parse("P", to_json(policy))
        request = Request("iot:Connect", f"{ARN}client/a", {FLOOR: value})
        assert decide([parsed], request).verdict in ("ALLOWED", "IMPLICIT_DENY")
