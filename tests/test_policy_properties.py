"""What holds for any policies and any request."""

from hypothesis import given, settings
from hypothesis import strategies as st

from iot_policy import Request, decide, document, explain, parse, to_json

LAW = settings(deadline=None)  # a busy machine is not a broken law
ARN = "arn:aws:iot:eu-west-1:123456789012:"
ACTIONS = ["iot:Connect", "iot:Publish", "iot:Receive", "iot:*", "IOT:publish", "iot:Pub*", "*"]
NAMES = ["client/a", "client/${iot:ClientId}", "topic/a", "topic/a/*", "topic/?", "topic/+", "*"]
NAMES += ["topic/${iot:ClientId}", "topic/${iot:ClientId}/*", "topic/${iot:DomainName}"]
KEYS = ["iot:ClientId", "iot:DomainName", "iot:Connection.Thing.Attributes[x]"]
TEXTS = ["a", "b", "*", "+", "${iot:ClientId}", "${iot:DomainName}"]
OPERATORS = [
    f"{qualifier}String{operator}{suffix}"
    for qualifier in ("", "ForAllValues:", "ForAnyValue:")
    for operator in ("Equals", "NotEquals", "Like", "NotLike")
    for suffix in ("", "IfExists")
]


def one_or_more(values):
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3)


def resources():
    return one_or_more(["*", *(f"{ARN}{name}" for name in NAMES)])


conditions = st.dictionaries(
    st.sampled_from(OPERATORS),
    st.dictionaries(st.sampled_from(KEYS), one_or_more(TEXTS), min_size=1, max_size=2),
    max_size=2,
)


@st.composite
def a_statement(draw, effect=None):
    action = draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))
    resource = draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))
    return {
        "Effect": effect or draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        action: draw(one_or_more(ACTIONS)),
        resource: draw(resources()),
        "Condition": draw(conditions),
    }


documents = st.lists(a_statement(), min_size=1, max_size=3).map(lambda found: document(*found))
several = st.lists(documents, max_size=3)
requests = st.builds(
    Request,
    st.sampled_from(["iot:Connect", "iot:Publish", "iot:Receive"]),
    st.sampled_from([f"{ARN}{name}" for name in ("client/a", "client/+", "topic/a", "topic/a/b")]),
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["a", "b", "*", "+", ("a", "b")])),
)


def parsed(found):
    return [parse(f"P{number}", to_json(each)) for number, each in enumerate(found)]


@LAW
@given(several, a_statement("Allow"), requests)
def test_adding_an_allow_takes_nothing_away(policies, added, request):
    before = decide(parsed(policies), request).verdict
    after = decide(parsed([*policies, document(added)]), request).verdict
    assert before == after or (before, after) == ("IMPLICIT_DENY", "ALLOWED")


@LAW
@given(several, a_statement("Deny"), requests)
def test_adding_a_deny_gives_nothing(policies, added, request):
    before = decide(parsed(policies), request).verdict
    after = decide(parsed([*policies, document(added)]), request).verdict
    assert before == after or after == "EXPLICIT_DENY"


@LAW
@given(several, requests, st.randoms(use_true_random=False))
def test_order_does_not_matter(policies, request, random):
    found = [(policy.name, policy.statements) for policy in parsed(policies)]
    expected = decide(parsed(policies), request)
    shuffled = parsed(policies)
    random.shuffle(shuffled)
    turned = [
        parse(p.name, to_json(document(*[s.source for s in p.statements[::-1]]))) for p in shuffled
    ]
    decision = decide(turned, request)
    assert len(turned) == len(found)
    assert decision.verdict == expected.verdict
    assert set(decision.allowed_by) == set(expected.allowed_by)
    assert set(decision.denied_by) == set(expected.denied_by)
    assert decision.missing == expected.missing


@LAW
@given(several, requests)
def test_explain_agrees_with_decide(policies, request):
    decision = decide(parsed(policies), request)
    explanation = explain(parsed(policies), request)
    assert explanation.decision == decision
    matched = [step for step in explanation.steps if step.kind == "matched"]
    assert {s.policy for s in matched if s.effect == "Allow"} == set(decision.allowed_by)
    assert {s.policy for s in matched if s.effect == "Deny"} == set(decision.denied_by)
    assert len(explanation.steps) == sum(len(policy["Statement"]) for policy in policies)
    assert bool(explanation.hint) == (decision.verdict != "ALLOWED")
    assert str(explanation).startswith(decision.verdict)


@LAW
@given(st.text("ab*?+#/${}", max_size=6), st.text("ab*?+#/${}", max_size=6))
def test_a_client_id_opens_only_its_own_topics(client_id, other):
    policy = parsed(
        [
            document(
                {"Effect": "Allow", "Action": "*", "Resource": f"{ARN}topic/${{iot:ClientId}}/x"}
            )
        ]
    )
    request = Request("iot:Publish", f"{ARN}topic/{other}/x", {"iot:ClientId": client_id})
    assert (decide(policy, request).verdict == "ALLOWED") == (client_id == other)
