"""Wildcards and variables."""

import time

import pytest

from iot_policy.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("*", "a/b\nc", True),
        ("a/*", "a/b/c", True),
        ("a/*", "a", False),
        ("*/c", "a/b/c", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abcdef", False),
        ("a*b", "ab", True),
        ("a*ab", "aab", True),
        ("a*ab", "ab", False),
        ("*a*b*", "xaxbx", True),
        ("*a*b*", "xbxax", False),
        ("*b*", "a\nb\n", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a?c", "abbc", False),
        ("a?", "a/", True),
        ("a?*", "ab", True),
        ("a?*", "a", False),
        ("a/+/#", "a/+/#", True),
        ("a/+", "a/b", False),
        ("a.c", "abc", False),
        ("${*}", "*", True),
        ("${*}", "a", False),
        ("${?}", "?", True),
        ("${?}", "a", False),
        ("${$}{iot:ClientId}", "${iot:ClientId}", True),
        ("$aws/things/*", "$aws/things/a", True),
        ("a${", "a${", True),
        ("${}", "", False),
    ],
)
def test_wildcards(pattern, text, expected):
    assert compile_pattern(pattern).matches(text, {}) is expected


@pytest.mark.parametrize(
    "value", ["+", "*", "?", "#", "${iot:ClientId}", "${*}", "a*", ".*", "a|b"]
)
@pytest.mark.parametrize(
    ("pattern", "topic"),
    [("x/{}", "x/{}"), ("x/{}/*", "x/{}/a/b"), ("x/{}/?", "x/{}/a"), ("*/{}/y*z", "a/b/{}/y-z")],
)
def test_a_value_is_never_read_as_a_wildcard(pattern, topic, value):
    compiled = compile_pattern(pattern.format("${iot:ClientId}"))
    context = {"iot:ClientId": value}
    assert compiled.matches(topic.format(value), context)
    assert not compiled.matches(topic.format("abc"), context)


def test_without_a_value_nothing_matches():
    compiled = compile_pattern("${iot:ClientId}")
    assert not compiled.matches("", {})
    assert not compiled.matches("${iot:ClientId}", {})
    assert not compiled.matches("a", {"iot:ClientId": ("a",)})


def test_names_of_variables_have_no_case():
    assert compile_pattern("${IOT:CLIENTID}").matches("me", {"iot:ClientId": "me"})


def test_a_variable_twice():
    compiled = compile_pattern("${iot:ClientId}/${iot:ClientId}")
    assert compiled.matches("me/me", {"iot:ClientId": "me"})
    assert not compiled.matches("me/you", {"iot:ClientId": "me"})


def test_old_policies_have_no_variables():
    compiled = compile_pattern("${iot:ClientId}*", variables=False)
    assert compiled.matches("${iot:ClientId}!", {"iot:ClientId": "me"})
    assert not compiled.matches("me", {"iot:ClientId": "me"})


def test_many_wildcards_cost_no_more_than_a_few():
    compiled = compile_pattern("*a" * 60 + "b")
    start = time.perf_counter()
    assert not compiled.matches("a" * 2000, {})
    assert time.perf_counter() - start < 0.5  # it takes 1 ms; one that backtracks takes years
