"""Which filters match which topics, and which are no topics at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.mqtt.packets import RefusedError
from sandbox.mqtt.topics import Tree, check_filter, check_topic

levels = st.sampled_from(["a", "b", "", "$aws", "ä"])
topics = st.lists(levels, min_size=1, max_size=5).map("/".join)
plain = st.lists(levels | st.just("+"), min_size=1, max_size=5).map("/".join)
filters = plain | plain.map("{}/#".format) | st.just("#")


def matches(topic_filter: str, topic: str) -> bool:
    """The rule, said once more in another way."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    if given[0].startswith("$") and wanted[0] in ("+", "#"):
        return False
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        if len(given) <= len(wanted):
            return False
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(
        a in ("+", b) for a, b in zip(wanted, given, strict=True)
    )


@given(st.lists(filters, max_size=8, unique=True), topics)
def test_the_tree_finds_what_the_rule_says(subscribed, topic):
    tree = Tree[str, None]()
    for each in subscribed:
        tree.add(each, each, None)
    found = [key for key, _ in tree.match(topic)]
    assert sorted(found) == sorted(each for each in subscribed if matches(each, topic))


@given(st.lists(filters, max_size=8, unique=True), st.data())
def test_removing_leaves_the_others(subscribed, data):
    tree = Tree[str, None]()
    for each in subscribed:
        tree.add(each, each, None)
    gone = data.draw(st.sets(st.sampled_from(subscribed))) if subscribed else set()
    for each in gone:
        tree.remove(each, each)
    topic = data.draw(topics)
    found = {key for key, _ in tree.match(topic)}
    assert found == {each for each in subscribed if each not in gone and matches(each, topic)}
    for each in set(subscribed) - gone:
        tree.remove(each, each)
    assert not tree._root.children


@pytest.mark.parametrize("topic", ["a", "a/b", "/", "a/$b", "a" * 256, "/" * 7])
def test_topics(topic):
    check_topic(topic)


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a" * 257, "ä" * 129, "/" * 8])
def test_no_topics(topic):
    with pytest.raises(RefusedError):
        check_topic(topic)


@pytest.mark.parametrize(
    "topic_filter",
    [
        *("a", "#", "+", "a/+/b/#", "/", "+/+", "/" * 7),
        *("$share/g/#", "$share/$aws/a", f"$share/{'ä' * 128}/{'a' * 249}{'/' * 7}"),
        "$share/g/$aws/events/presence/connected/+",
    ],
)
def test_filters(topic_filter):
    check_filter(topic_filter)


@pytest.mark.parametrize(
    "topic_filter",
    [
        *("", "a#", "#/a", "a/#/b", "a+", "+a/b", "a" * 257, "/" * 8),
        *("$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/#/a"),
        *("$share/g/a#", f"$share/{'g' * 129}/a", "$share/g/" + "a" * 257, "$share/g/" + "/" * 8),
        *("$share/g/$SYS/a", "$share/g/$share/g/a", "$Share/g/a"),
    ],
)
def test_no_filters(topic_filter):
    with pytest.raises(RefusedError):
        check_filter(topic_filter)
