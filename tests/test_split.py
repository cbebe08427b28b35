"""The plugin that says where the tests' seconds went."""

from types import SimpleNamespace

import pytest
import split


def test_seconds_are_summed_by_module_and_the_quick_ones_share_a_line() -> None:
    reports = [
        pytest.TestReport(
            f"tests/test_{n}.py::test_x", ("", 0, ""), {}, "passed", None, when, duration=n
        )
        for n in range(split.SHOWN + 3)
        for when in ("setup", "call")
    ]
    printed: list[str] = []
    split.pytest_terminal_summary(
        SimpleNamespace(
            stats={"": reports[::2], "passed": [*reports[1::2]], "warnings": [object()]},
            section=printed.append,
            line=printed.append,
        )
    )
    longest = split.SHOWN + 2
    assert printed[1].split() == [f"{2 * longest:.1f}", "1", "tests", f"tests/test_{longest}.py"]
    assert printed[-2].split() == ["6.0", "3", "tests", "3", "other", "modules"]
    assert printed[-1].split()[1] == str(split.SHOWN + 3)


def test_every_long_module_is_there(request: pytest.FixtureRequest) -> None:
    folder = request.path.parent
    assert all((folder / f"{name}.py").exists() for name in split.LONGEST_FIRST)
    assert len(set(split.LONGEST_FIRST)) == len(split.LONGEST_FIRST)
