"""The mistakes that people make most: lint names each, and never one that is not made."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_policy_lint import ARN, BESIDE, HERE, SERIAL, found

from helpers import policy
from iot_policy import Request, compare, decide, document, lint, parse, statement, to_json
from iot_policy.arns import misspelt
from iot_policy.vocabulary import ACTIONS

LAW = settings(deadline=None, max_examples=25)  # a busy machine is not a broken law
WHERE = {"region": HERE[0], "account": HERE[1]}
FILTER, TOPIC = f"{ARN}topicfilter/", f"{ARN}topic/"
CONNECT, PUBLISH, SUBSCRIBE, RECEIVE = BESIDE
WIDE = statement("iot:Publish", "*")
BASIC = ("iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive")


def parsed(*statements):
    return [parse("P", to_json(document(*statements)))]


def may_allow(action, *statements):
    """Tell whether any request of this kind is allowed, whatever else is known."""
    return compare(parsed(*statements), [], **WHERE, actions=[action]).verdict != "WITHIN"


def about_first(*statements):
    return [
        (severity, says) for severity, number, says in found(document(*statements)) if number == 1
    ]


# What is right has nothing said against it, but that the post's prose lets anyone connect.


def test_the_lessons_policies_are_left_alone():
    answer = f"iotbutton/{SERIAL}/answer"
    least = policy.least_privilege(*HERE, SERIAL, "button")
    more = [statement("iot:Subscribe", FILTER + answer), statement("iot:Receive", TOPIC + answer)]
    for right in (
        least,
        policy.recommended(*HERE),
        policy.listener(*HERE, SERIAL, "listener"),
        document(*least["Statement"], *more),
    ):
        assert found(right) == []
    ((severity, number, _),) = found(policy.intended(*HERE, SERIAL))
    assert (severity, number) == ("note", 1)


# An action pattern on a type of resource that suits only some of its actions.


@pytest.mark.parametrize(
    ("written", "events"),
    [
        (statement("iot:*", f"{TOPIC}x"), "a connection (client/<client id>) or a subscription"),
        (statement("*", f"{TOPIC}x"), "a connection (client/<client id>) or a subscription"),
        (statement("IOT:*", f"{FILTER}x"), "a connection (client/<client id>) or a publish"),
        (statement("iot:*", f"{ARN}client/x"), "a publish (topic/<topic>) or a subscription"),
        (statement("iot:*", [f"{TOPIC}x", f"{ARN}client/x"]), "a subscription (topicfilter/"),
        (statement("iot:?ubl*", f"{TOPIC}x"), None),
        (statement("iot:Con*", f"{TOPIC}x"), None),  # an error: it stands for one action
        (statement("iot:*ubscribe", f"{TOPIC}x"), None),
        (statement("iot:Get*", f"{TOPIC}x"), "a shadow request (thing/<thing name>) or a job"),
        (statement("iot:*", "*"), None),
        (statement("iot:*", "arn:aws:iot:*"), None),
        (statement("iot:*", f"{TOPIC}x", effect="Deny"), None),
        ({"Effect": "Allow", "Action": "iot:*", "NotResource": f"{TOPIC}x"}, None),
        ({"Effect": "Allow", "Action": "iot:*", "NotResource": f"{ARN}client/x"}, None),
        (
            {"Effect": "Allow", "Action": "iot:*", "NotResource": f"{ARN}client/*"},
            "on everything but client/* can never allow a connection (client/<client id>): NotRes",
        ),
        ({"Effect": "Allow", "Action": "iot:Connect", "NotResource": f"{ARN}client/*"}, None),
        ({"Effect": "Deny", "Action": "iot:*", "NotResource": f"{ARN}client/*"}, None),
        (statement("iot:*", f"{ARN}topic*/x"), "on a topic or a topicfilter can never allow a con"),
        (
            {"Effect": "Allow", "NotAction": "iot:Publish", "Resource": f"{TOPIC}x"},
            "a connection (client/<client id>) or a subscription",
        ),
        (
            {"Effect": "Allow", "NotAction": ["iot:Connect", "iot:S*"], "Resource": f"{TOPIC}x"},
            None,
        ),
    ],
)
def test_a_pattern_that_leaves_out(written, events):
    said = [says for _, says in about_first(written) if "can never allow" in says]
    assert [events in says for says in said] == ([True] if events else [])


def test_what_another_statement_allows_is_not_missed():
    everything = statement("iot:*", f"{TOPIC}x")
    ((severity, says),) = about_first(everything, CONNECT)
    assert severity == "warning"
    assert "never allow a subscription (" in says
    assert about_first(everything, CONNECT, SUBSCRIBE, RECEIVE) == []
    wrong = statement("iot:Connect", f"{TOPIC}x")
    assert "a connection" in about_first(everything, wrong)[0][1]
    assert "a connection" in about_first(everything, {**CONNECT, "Effect": "Deny"})[0][1]
    nobodys = statement("iot:Connect", "arn:aws:iot:eu-west-1::client/x")
    assert "a connection" in about_first(everything, nobodys)[0][1]


def test_a_resource_that_no_action_asks_for():
    written = statement("iot:Publish", [f"{TOPIC}a", f"{ARN}client/b"])
    assert about_first(written, *BESIDE) == [
        ("warning", "None of the actions is checked against a client: it does nothing here.")
    ]
    both = statement(["iot:Publish", "iot:Connect"], [f"{TOPIC}a", f"{ARN}client/b"])
    assert about_first(both, *BESIDE) == []
    assert about_first(statement("iot:Publish", f"{ARN}topic*/a"), *BESIDE) == []
    twice = statement("iot:Publish", [f"{TOPIC}a", f"{ARN}client/b", f"{ARN}client/c"])
    assert len(about_first(twice, *BESIDE)) == 1
    others = statement(["iot:Publish", "greengrass:Discover"], [f"{TOPIC}a", f"{ARN}thing/b"])
    assert [severity for severity, _ in about_first(others, *BESIDE)] == ["note"]  # who knows?


# Nothing connects; nothing is subscribed to; nothing is received.


@pytest.mark.parametrize(
    ("written", "lacking"),
    [
        ([PUBLISH], "iot:Connect"),
        ([SUBSCRIBE, RECEIVE], "iot:Connect"),
        ([PUBLISH, {**CONNECT, "Effect": "Deny"}], "iot:Connect"),
        ([CONNECT, RECEIVE], "iot:Subscribe"),
        ([CONNECT, statement("iot:RetainPublish", f"{TOPIC}a")], "iot:Publish"),
        ([CONNECT, PUBLISH], None),
        ([PUBLISH, statement("iot:Con*", f"{ARN}client/a")], None),
        ([PUBLISH, statement("IOT:connect", f"{ARN}client/a")], None),
        ([PUBLISH, statement("*", "*")], None),
        ([PUBLISH, {"Effect": "Allow", "NotAction": "iot:Publish", "Resource": "*"}], None),
        ([statement("iot:*", "*", effect="Deny")], None),
        ([statement("iot:AssumeRoleWithCertificate", f"{ARN}rolealias/a")], None),
    ],
)
def test_what_a_policy_alone_cannot_do_is_a_note(written, lacking):
    notes = [each for each in found(document(*written)) if each[1] is None]
    assert [severity for severity, *_ in notes] == (["note"] if lacking else [])
    if lacking:
        assert notes[0][2].startswith(f"No statement allows {lacking}: unless another policy does")
        assert not may_allow(lacking, *written)


@pytest.mark.parametrize(
    ("subscribe", "receive", "in_vain"),
    [
        ("topicfilter/a", None, True),
        ("*", None, True),
        ("topicfilter/a", "topic/a", False),
        ("topicfilter/a", "topic/b", True),
        ("topicfilter/a/+", "topic/a/b", False),
        ("topicfilter/a/+/c", "topic/a/b/d", True),
        ("topicfilter/a/#", "topic/a", False),
        ("topicfilter/a/#", "topic/a/b/c", False),
        ("topicfilter/a/#", "topic/b/*", True),
        ("topicfilter/#", "topic/b", False),
        ("topicfilter/a*", "topic/?b", False),
        ("topicfilter/a*", "topic/b?", True),
        ("topicfilter/${iot:ClientId}/x", "topic/${iot:ClientId}/x", False),
        ("topicfilter/${iot:ClientId}/x", "topic/${iot:ClientId}/y", True),
        ("topicfilter/${iot:ClientId}", "topic/button", False),
        ("topicfilter/*/answer", "topic/a/answer", False),
        ("topicfilter/*/answer", "topic/a/question", True),
        ("topicfilter/*/#", "topic/a", False),
        ("topicfilter/*/a/b", "topic/b", False),  # $share/a/b
        ("topicfilter/$share/group/a", "topic/a", False),
        ("topicfilter/$share/group/a", "topic/b", True),
        ("topicfilter/$share*", "topic/b", False),
        ("topicfilter/a", "*", False),
        ("*", "topic/b", False),
        ("topicfilter/", "topic/b", False),
    ],
)
def test_a_subscription_of_which_nothing_may_be_received(subscribe, receive, in_vain):
    written = [statement("iot:Subscribe", subscribe if subscribe == "*" else ARN + subscribe)]
    if receive:
        written.append(statement("iot:Receive", "*" if receive == "*" else ARN + receive))
    said = [says for severity, says in about_first(*written) if "Each message is checked" in says]
    assert len(said) == in_vain
    if in_vain:
        assert said[0].startswith(
            f"{subscribe}: no topic" if receive else "iot:Subscribe without iot:Receive"
        )


def test_a_deny_may_leave_nothing_to_receive():
    deny = statement("iot:Receive", f"{TOPIC}a/*", effect="Deny")
    said = about_first(statement("iot:Subscribe", f"{FILTER}a/+"), *BESIDE, deny)
    assert "no topic that matches it may be received" in said[0][1]
    assert about_first(statement("iot:Subscribe", f"{FILTER}b/+"), *BESIDE, deny) == []
    others = {"Effect": "Allow", "Action": "iot:Subscribe", "NotResource": f"{FILTER}a"}
    receive = statement("iot:Receive", f"{TOPIC}b")
    assert not any("be received" in says for _, says in about_first(others, CONNECT, receive))


def test_an_allow_that_a_deny_overrules():
    deny = statement("iot:*", f"{TOPIC}beside*", effect="Deny")
    assert about_first(PUBLISH, CONNECT, deny) == [
        (
            "warning",
            "Statement 3 denies all that iot:Publish allows here, and a Deny is stronger than any "
            "Allow.",
        )
    ]
    assert about_first(statement("iot:Publish", f"{TOPIC}besid?"), CONNECT, deny) == []
    halves = [statement("iot:Publish", f"{TOPIC}{name}", effect="Deny") for name in ("a", "b")]
    both = statement("iot:Publish", [f"{TOPIC}a", f"{TOPIC}b"])
    assert about_first(both, CONNECT, *halves)[0][1].startswith("The Deny statements deny all")
    unsure = {**halves[0], "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}}
    assert about_first(statement("iot:Publish", f"{TOPIC}a"), CONNECT, unsure) == []


def test_one_mistake_is_said_once():
    wrong = statement("iot:Receive", f"{FILTER}beside")
    ((_, number, says),) = found(document(CONNECT, SUBSCRIBE, wrong))
    assert number == 3 and "iot:Receive on a topicfilter can never match" in says
    two = statement("iot:Subscribe", [f"{FILTER}a", f"{FILTER}b"])
    ((_, says),) = about_first(two, CONNECT)
    assert says.startswith("iot:Subscribe without iot:Receive")
    deny = statement("iot:Publish", f"{TOPIC}beside", effect="Deny")
    ((_, says),) = about_first(statement("iot:Connect", f"{TOPIC}x"), deny)
    assert "can never match" in says


# An example shows what this one resource opens.


def test_the_example_is_one_that_nothing_else_allows():
    first, second = (says for _, _, says in found(document(CONNECT, PUBLISH, WIDE, WIDE)))
    assert first.endswith("For example, it may publish on beside.")  # as each would do alone
    assert second == first
    ((_, _, alone),) = found(document(CONNECT, PUBLISH, WIDE))
    assert alone.endswith("For example, it may publish on another topic.")
    ((_, _, listed),) = found(document(CONNECT, statement("iot:Publish", [f"{TOPIC}a/b", "*"])))
    assert listed.endswith("For example, it may publish on a/another.")


def test_without_a_request_that_shows_it_there_is_no_example():
    elsewhere = statement("iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/*")
    broad, _ = (says for _, _, says in found(document(CONNECT, elsewhere)))
    assert broad.endswith("name one, topic/<topic>.")


# ARNs that say something twice, and other forms that hardly anyone means.


@pytest.mark.parametrize(
    ("resource", "severity", "better"),
    [
        (f"{ARN}iot:topic/x", "error", f"{ARN}topic/x"),
        ("arn:aws:iot:iot:eu-west-1:123456789012:topic/x", "error", f"{ARN}topic/x"),
        ("arn:aws:aws:iot:eu-west-1:123456789012:topic/x", "error", f"{ARN}topic/x"),
        ("arn:aws:iot:eu-west-1:eu-west-1:123456789012:topic/x", "error", f"{ARN}topic/x"),
        (f"{ARN}123456789012:topic/x/*", "error", f"{ARN}topic/x/*"),
        (f"arn:{ARN}topic/x", "error", f"{ARN}topic/x"),
        (f"{ARN}{ARN}topic/x", "error", f"{ARN}topic/x"),
        (f"{ARN}topic/{ARN}topic/x", "warning", f"{ARN}topic/x"),
        (f"arn:aws:iot:*:{ARN}topic/x", "warning", f"{ARN}topic/x"),
        (f"{ARN}topic:x", "error", f"{ARN}topic/x"),
        (f"{ARN}client:x:y", "error", f"{ARN}client/x:y"),
        ("arn:aws:iot:123456789012:eu-west-1:topic/x", "error", f"{ARN}topic/x"),
        (f"{ARN}topic/topic/x", "note", f"{ARN}topic/x"),
        (f"{ARN}topicfilter/topic/x", "note", f"{ARN}topicfilter/x"),
        (f"{ARN}client/client/*", "note", f"{ARN}client/*"),
        ("arn:aws:iot:*:*:iot:topic/x", "warning", "arn:aws:iot:*:*:topic/x"),
        ("arn:aws:iot:eu-west-1:topic/*", "error", None),
        ("arn:aws:iot:iot:123456789012:topic/x", "error", None),
        (f"{ARN}topic", "error", None),
        (f"{ARN}a:b:topic/x", "error", None),
        ("arn:aws:iot:iot:eu-west-1:*:topic/x", "error", "arn:aws:iot:eu-west-1:*:topic/x"),
        ("arn:aws:iot:iot:*:*:topic/x", "error", "arn:aws:iot:*:*:topic/x"),
        ("arn:aws:iot:eu-west-1:iot:*:topic/x", "warning", "arn:aws:iot:eu-west-1:*:topic/x"),
        ("arn:aws:iot:eu-west-1:eu-west-1:*:topic/x", "warning", "arn:aws:iot:eu-west-1:*:topic/x"),
        ("arn:iot:aws:iot:eu-west-1:123456789012:topic/x", "error", f"{ARN}topic/x"),
        ("arn:aws:iot:iot:*", "error", "arn:aws:iot:*"),
        ("arn:aws:iot:eu-west-1::topic/x", "error", "arn:aws:iot:eu-west-1:<account>:topic/x"),
        ("arn:aws:iot:::topic/x", "error", "arn:aws:iot:<region>:<account>:topic/x"),
        ("arn:aws:iot::*:topic/x", "error", "arn:aws:iot:<region>:*:topic/x"),
        (f"{ARN}topic/", "error", None),
        (f"{ARN}topic/x ", "warning", f"{ARN}topic/x"),
    ],
)
def test_an_arn_that_hardly_anyone_means(resource, severity, better):
    action = "iot:Connect" if "client" in resource else "iot:Publish"
    if "filter" in resource:
        action = "iot:Subscribe"
    *rest, first = about_first(statement(action, resource), *BESIDE)
    assert first[0] == severity
    assert first[1].startswith(resource)
    better = better or "arn:aws:iot:<region>:<account>:<type>/<name>"
    assert first[1].endswith(f": write {better}.")
    assert {kind for kind, _ in rest} <= {"note", "warning"}
    if severity == "error":
        assert rest == []
        assert not any(may_allow(name, statement("*", resource)) for name in ACTIONS)


@pytest.mark.parametrize(
    "resource",
    [f"{ARN}*", f"{ARN}topic*", "arn:aws:iot:*", f"{ARN}topic/topic", f"{ARN}topic/thing/a", "*"],
)
def test_an_arn_that_may_well_be_meant(resource):
    assert misspelt(resource) is None


NAMES = st.text("ab+#$*?/:{}é ", min_size=1, max_size=8)


@LAW
@given(
    st.sampled_from(["client", "topic", "topicfilter", "thing", "rolealias"]),
    NAMES.map(str.rstrip).filter(bool),
)
def test_a_sound_arn_is_sound_whatever_its_name(kind, name):
    assert misspelt(f"{ARN}{kind}/{name}") is None
    assert misspelt(f"arn:aws:iot:*:${{aws:SourceIp}}:{kind}/{name}") is None


@LAW
@given(
    st.sampled_from(["client", "topic", "topicfilter"]),
    st.text("abé", min_size=1, max_size=5),
    st.integers(0, 5),
    st.integers(0, 6),
)
def test_a_field_twice_is_found_wherever_it_stands(kind, name, which, place):
    fields = [*ARN.removesuffix(":").split(":"), kind]
    twice = [*fields[:place], fields[which], *fields[place:]]
    resource = f"{':'.join(twice)}/{name}"
    if not resource.startswith("arn:"):
        return  # AWS refuses it
    wrong = misspelt(resource)
    assert wrong is not None and wrong.severity == "error"
    assert not any(may_allow(action, statement("*", resource)) for action in BASIC)


# Over all policies: what lint says is so, and what it is silent on is all right.

RESOURCES = ["*", f"{ARN}*"] + [
    ARN + name
    for name in (
        *("client/a", "client/*", "client/${iot:ClientId}", "topic/a", "topic/a/b", "topic/a*"),
        *("topic/*", "topic/${iot:ClientId}", "topicfilter/a", "topicfilter/a/+", "topicfilter/#"),
        *("topicfilter/a*", "topicfilter/b", "thing/a", "thing/*"),
    )
]
WRITTEN = [*BASIC, "iot:*", "*", "IOT:publish", "iot:Pub*", "iot:?e*", "iot:RetainPublish"]


def some(values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=2)


@st.composite
def statements(draw):
    action = draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))
    resource = draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        action: draw(some(WRITTEN)),
        resource: draw(some(RESOURCES)),
    }


policies = st.lists(statements(), min_size=1, max_size=3)
EVENTS = {ACTIONS[name].event: name for name in BASIC}
EXAMPLE = re.compile(r"For example, it may (.+)\.$")


def requested(words):
    """The request that an example's words stand for."""
    for action, check in ACTIONS.items():
        shape = "(.+)".join(map(re.escape, check.may.split("{}")))
        if match := re.fullmatch(shape, words):
            kind = check.resource_type
            resource = "*" if kind == "*" else f"{ARN}{kind}/{match[1]}"
            by = {"iot:ClientId": match[1]} if action == "iot:Connect" else {}
            return Request(action, resource, by)
    raise AssertionError(words)


@LAW
@given(policies)
def test_every_example_is_true(written):
    for finding in lint(document(*written), **WHERE):
        if example := EXAMPLE.search(finding.message):
            assert decide(parsed(*written), requested(example[1])).verdict == "ALLOWED"


@LAW
@given(policies)
def test_what_can_never_be_allowed_is_said_truly(written):
    for severity, number, says in found(document(*written)):
        if "can never allow" in says:
            for event, action in EVENTS.items():
                if f"{event} (" in says:
                    assert not may_allow(action, written[number - 1])
        if number is None:
            assert severity == "note"
            assert not may_allow(says.split()[3].rstrip(":"), *written)
        if "denies all" in says or "deny all" in says:
            named = says.split(" all that ")[1].split(" allows here")[0]
            assert written[number - 1]["Effect"] == "Allow"
            if named in BASIC:
                others = [each for each in written if each["Effect"] == "Deny"]
                alone = {"Effect": "Allow", "Action": named}
                alone |= {k: v for k, v in written[number - 1].items() if "Resource" in k}
                assert may_allow(named, alone) and not may_allow(named, alone, *others)


@LAW
@given(policies)
def test_what_can_never_be_allowed_is_not_passed_over(written):
    """Whoever allows one of the four actions by name, and allows it nowhere, hears why."""
    said = found(document(*written))
    for number, each in enumerate(written, 1):
        named = [name for name in each.get("Action", []) if name in BASIC]
        for name in named if each["Effect"] == "Allow" else ():
            if not may_allow(name, *written):
                assert any(of == number for _, of, _ in said)


TOPICS = ["a", "b", "a/b", "a/c", "a/b/c", "$aws/a", "ab"]


def matches(topic_filter, topic):
    """As MQTT says, for the filters here."""
    if topic_filter == "#":
        return not topic.startswith("$")
    levels, wanted = topic.split("/"), topic_filter.split("/")
    return len(levels) == len(wanted) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )


@LAW
@given(policies)
def test_in_vain_is_said_where_nothing_can_be_received(written):
    said = [says for _, _, says in found(document(*written)) if "may be received" in says]
    rules = parsed(*written)
    for says in said:
        name = says.split(":")[0].removeprefix("topicfilter/")
        for topic in filter(lambda topic: matches(name, topic), TOPICS):
            request = Request("iot:Receive", TOPIC + topic, {"iot:ClientId": topic})
            assert decide(rules, request).verdict != "ALLOWED"
    plain = [each for each in written if each["Effect"] == "Allow" and "Resource" in each]
    for each in plain:
        if "iot:Subscribe" in each.get("Action", []) and f"{FILTER}b" in each["Resource"]:
            silent = Request("iot:Receive", f"{TOPIC}b", {"iot:ClientId": "b"})
            if decide(rules, silent).verdict != "ALLOWED":
                assert found(document(*written))
