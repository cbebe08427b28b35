"""Topics, topic filters, and which filters match a topic.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/topics.html
"""

from functools import lru_cache
from typing import Generic, TypeVar

from sandbox.mqtt import limits
from sandbox.mqtt.packets import ReasonCode, RefusedError
from sandbox.mqtt.reserved import BASIC_INGEST, service_published_to, service_subscribed_to

_SHARE = "$share/"
K = TypeVar("K")
V = TypeVar("V")


@lru_cache(maxsize=1024)
def check_topic(topic: str) -> None:
    """Raise RefusedError unless a message can be published to *topic*.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html
    """
    _check_size(BASIC_INGEST.sub("", topic), "topic", ReasonCode.TOPIC_NAME_INVALID)
    if "+" in topic or "#" in topic:
        raise RefusedError(
            ReasonCode.TOPIC_NAME_INVALID,
            "a message is published to one topic: + and # belong in the filter of a subscription",
        )
    service_published_to(topic)


def check_filter(topic_filter: str) -> None:
    """Raise RefusedError unless *topic_filter*, shared or not, can be subscribed to.

    Source: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#mqtt5-shared-subscription
    """
    if topic_filter.startswith(_SHARE):
        name, topic_filter = _parts(topic_filter)
        if not name or "+" in name or "#" in name or len(name) > limits.SHARE_NAME_CHARACTERS:
            raise RefusedError(
                ReasonCode.TOPIC_FILTER_INVALID,
                "a shared subscription is $share/<name>/<topic filter>; the name has "
                f"{limits.SHARE_NAME_CHARACTERS} characters at most, and no +, # or /",
            )
    _check_size(topic_filter, "topic filter", ReasonCode.TOPIC_FILTER_INVALID)
    levels = topic_filter.split("/")
    alone = all(level in ("+", "#") for level in levels if "+" in level or "#" in level)
    if not alone or "#" in levels[:-1]:
        raise RefusedError(
            ReasonCode.TOPIC_FILTER_INVALID,
            "in a topic filter + and # stand alone between slashes, and # comes last",
        )
    service_subscribed_to(topic_filter)


def share_name(topic_filter: str) -> str:
    """Return the name of the group that shares a subscription; empty where it is not shared.

    >>> share_name("$share/consumer/sports/#"), share_name("sports/#")
    ('consumer', '')
    """
    return _parts(topic_filter)[0] if topic_filter.startswith(_SHARE) else ""


def matched(topic_filter: str) -> str:
    """Return the filter that topics are matched with: that within a shared subscription.

    >>> matched("$share/consumer/sports/#"), matched("sports/#")
    ('sports/#', 'sports/#')
    """
    return _parts(topic_filter)[1] if topic_filter.startswith(_SHARE) else topic_filter


def _parts(shared: str) -> tuple[str, str]:
    name, _, topic_filter = shared.removeprefix(_SHARE).partition("/")
    return name, topic_filter


def _check_size(topic: str, what: str, code: ReasonCode) -> None:
    if not topic:
        raise RefusedError(code, f"the {what} is empty")
    if len(topic) > limits.TOPIC_BYTES // 4 and len(topic.encode()) > limits.TOPIC_BYTES:
        raise RefusedError(code, f"a {what} of AWS IoT has {limits.TOPIC_BYTES} bytes at most")
    if topic.count("/") > limits.TOPIC_SLASHES:
        raise RefusedError(code, f"a {what} of AWS IoT has {limits.TOPIC_SLASHES} slashes at most")


class _Node(Generic[K, V]):
    __slots__ = ("children", "entries")

    def __init__(self) -> None:
        self.children: dict[str, _Node[K, V]] = {}
        self.entries: dict[K, V] = {}


class Tree(Generic[K, V]):
    """The values that hang on topic filters, found by topic: one step per level of the topic.

    >>> tree = Tree[str, int]()
    >>> for filter in ("a/b", "a/+", "a/#", "+/c", "#"):
    ...     tree.add(filter, "client", len(filter))
    >>> len(tree.match("a/b")), len(tree.match("a")), len(tree.match("$aws/c"))
    (4, 1, 0)
    """

    def __init__(self) -> None:
        self._root: _Node[K, V] = _Node()

    def add(self, topic_filter: str, key: K, value: V) -> None:
        """Hang *value* on the filter; it replaces what *key* had there."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        node.entries[key] = value

    def remove(self, topic_filter: str, key: K) -> None:
        """Remove what *key* has on the filter, and the branches that are then empty."""
        path, node = [], self._root
        for level in topic_filter.split("/"):
            path.append((node, level))
            node = node.children[level]
        del node.entries[key]
        for parent, level in reversed(path):
            if not node.entries and not node.children:
                del parent.children[level]
            node = parent

    def match(self, topic: str) -> list[tuple[K, V]]:
        """Return all that hangs on the filters that match *topic*.

        As on AWS IoT, ``a/#`` does not match ``a`` itself. As in MQTT, a wildcard at the front
        does not match a topic that begins with ``$``.
        """
        found: list[tuple[K, V]] = []
        nodes = [self._root]
        for level in topic.split("/"):
            wild = nodes[0] is not self._root or not level.startswith("$")
            below = []
            for node in nodes:
                children = node.children
                if wild and (rest := children.get("#")):
                    found.extend(rest.entries.items())
                if child := children.get(level):
                    below.append(child)
                if wild and (child := children.get("+")):
                    below.append(child)
            if not below:
                return found
            nodes = below
        for node in nodes:
            found.extend(node.entries.items())
        return found
