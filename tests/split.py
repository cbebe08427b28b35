"""How the tests are split over the workers, and where the seconds went: a plugin of pytest."""

from collections import Counter
from itertools import chain

import pytest

LONGEST_FIRST = (
    "test_lite_lesson",
    "test_lite_page",
    "test_faults",
    "test_orders",
    "test_browser",
    "test_browser_everyone",
    "test_looks",
    "test_workshop_hub",
    "test_docs_build",
    "test_websocket_clients",
    "test_every_operation",
    "test_durable",
    "test_other_pythons",
    "test_notebooks",
    "test_commands",
    "test_workshop_board",
    "test_sandbox",
    "test_rehearsal",
)
"""Else a worker would begin the longest module when the others have nothing left to do."""
SHOWN = 15


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first; xdist deals them out in that order."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each module took, over all workers; the quick ones in one line."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            module = report.nodeid.split("::")[0]
            seconds[module] += report.duration
            tests[module] += report.when == "call"
    terminalreporter.section("seconds in each module")
    for module, took in seconds.most_common(SHOWN):
        terminalreporter.line(f"{took:7.1f}  {tests[module]:5} tests  {module}")
    quick = seconds.most_common()[SHOWN:]
    if quick:
        took, count = sum(each for _, each in quick), sum(tests[name] for name, _ in quick)
        terminalreporter.line(f"{took:7.1f}  {count:5} tests  {len(quick)} other modules")
    terminalreporter.line(f"{seconds.total():7.1f}  {tests.total():5} tests  in all")
