"""The browser edition for tests: built once in a session, and served on loopback."""

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from publish.lite import serve
from publish.lite.site import build


@cache
def _built(folder: Path) -> Path:
    return build(folder / "browser/site")


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. What takes long is kept in _build, for the next session."""
    return _built(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address at which the built site is served."""
    running = serve.server(serve.application(_built(tmp_path_factory.getbasetemp())))
    threading.Thread(target=running.run, daemon=True).start()
    yield f"http://127.0.0.1:{running.effective_port}/"
    running.close()
