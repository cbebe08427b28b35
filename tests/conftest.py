"""What every test needs: no AWS settings of this machine, and the slow ones only when asked for."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Clean the environment itself, for notebooks' kernels and commands inherit it."""
    config.addinivalue_line("markers", "long: takes over ten seconds; run with --long")
    for name in [name for name in os.environ if name.startswith(("AWS_", "IOT_TUTORIAL_"))]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--long``."""
    parser.addoption("--long", action="store_true", help="run the tests marked long as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without ``--long``, deselect the tests marked long."""
    if config.getoption("--long"):
        return
    slow = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]
