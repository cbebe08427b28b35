"""The browser edition for tests: built once in a session, and served on loopback."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from publish.lite import serve
from publish.lite.site import build


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. What takes long is kept in _build, for the next session."""
    return build(tmp_path_factory.mktemp("browser") / "site")


@pytest.fixture(scope="session")
def site(site_folder: Path) -> Iterator[str]:
    """The address at which the built site is served."""
    running = serve.server(serve.application(site_folder))
    threading.Thread(target=running.run, daemon=True).start()
    yield f"http://127.0.0.1:{running.effective_port}/"
    running.close()
