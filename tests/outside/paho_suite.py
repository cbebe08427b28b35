"""Eclipse's interoperability tests, eclipse/paho.mqtt.testing, with QoS 2 written as 1."""

import functools
import re
import ssl
import subprocess
import sys
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outside import device
from outside.result import Result
from outside.world import World, forwarding

PLAIN = 1883
MOST_SECONDS = 45
QOS_2 = [
    (r"(publish\(.*?), 2(?=[,)])", r"\1, 1"),
    (r"SubscribeOptions\(2\)", "SubscribeOptions(1)"),
    (r"\[2\]\)", "[1])"),
    (r"\[2, 1\]", "[1, 1]"),
    (r"\[2\] == 2", "[2] == 1"),
    (r"\[2\], 2, ", "[2], 1, "),
    (r"qos = 2\b", "qos = 1"),
    (r"for qos in range\(3\)", "for qos in (0, 1, 1)"),
    (r"1 in qoss and 2 in qoss", "1 in qoss"),
    (r"SubscribeOptions\(2, ", "SubscribeOptions(1, "),
]
"""AWS IoT has no QoS 2: https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html"""


def run(world: World) -> Iterator[Result]:
    """Run both files; they speak plain TCP, which a forwarder takes to TLS with a certificate."""
    made = device.make(world, "paho")
    tls = ssl.create_default_context(cafile=str(world.ca_file))
    tls.load_cert_chain(made.certificate, made.key)
    folder = world.sources / "paho" / "interoperability"
    with forwarding(PLAIN, lambda _: world.mqtt_port, tls):
        for file in ("client_test.py", "client_test5.py"):
            for test in re.findall(r"def (test\w+)\(self", (folder / file).read_text()):
                yield _ended(folder / file, test)


def _ended(file: Path, test: str) -> Result:
    """Run one test in a process of its own: some of them never end where they fail."""
    command = [sys.executable, "-m", "outside.paho_suite", str(file), test]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
        text, code = ran.stdout + ran.stderr, ran.returncode
    except subprocess.TimeoutExpired as late:
        text, code = f"{late.stdout!r}\n{late.stderr!r}", 1
    shown = re.findall(r"^\w[\w.]*(?:Error|Exception).*", text, re.M)
    failed = (shown or [f"it took over {MOST_SECONDS} seconds"]) if code else []
    return Result(f"{file.stem}.{test}", not code, failed[:1], text)


def _rewritten(source: str) -> str:
    for pattern, by in QOS_2:
        source = re.sub(pattern, by, source)
    return source


def _run_test(file: Path, test: str) -> bool:
    """Run a test as the file's own command line does, on the local forwarder."""
    sys.path.insert(0, str(file.parent))
    module: dict[str, Any] = {"__name__": "paho", "__file__": str(file)}
    exec(compile(_rewritten(file.read_text()), file, "exec"), module)
    client = module["mqtt_client"].Client
    client.connect = functools.partialmethod(client.connect, willQoS=1)  # it writes 2 itself
    module |= {"host": "localhost", "port": PLAIN, "topic_prefix": "client_test5/"}
    module["topics"] = ("TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA")
    module["wildtopics"] = ("TopicA/+", "+/C", "#", "/#", "/+", "+/+", "TopicA/#")
    module["nosubscribe_topics"] = ("test/nosubscribe",)
    _clear(client, module["topics"])
    suite = unittest.TestSuite([module["Test"](test)])
    return unittest.TextTestRunner().run(suite).wasSuccessful()


def _clear(client: Any, topics: tuple[str, ...]) -> None:
    """Delete what earlier tests retained: they do it by ``#``, which gets none of it on AWS."""
    cleaning = client(b"clearing")
    cleaning.connect("localhost", PLAIN)
    for topic in topics:
        cleaning.publish(topic, b"", 0, retained=True)
    time.sleep(0.5)
    cleaning.disconnect()


if __name__ == "__main__":
    sys.exit(not _run_test(Path(sys.argv[1]), sys.argv[2]))
