"""A learner at a desk: a JupyterLab, the notebooks, an account, and a browser."""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser_lab import chromium
from playwright.sync_api import Browser, Page

from helpers import account, closing
from helpers.account import Account
from helpers.key_files import KeyFiles
from lab import copies
from publish.browser import lab
from publish.notebooks import workplace
from sandbox import process

PANELS = [
    ("01-thing", "A button that works", "trial"),
    ("01-thing", "Register a Thing", "panel"),
    ("02-policy", "Create a policy", "panel"),
    ("03-certificate", "Create a certificate", "panel"),
    ("04-closing", "Readiness", "checklist"),
    ("04-closing", "Press the button", "panel"),
]
"""Each panel: in which notebook, its title, its cell."""


@dataclass(frozen=True)
class Desk:
    """A learner's JupyterLab, and what the test itself sees of their account and files."""

    browser: Browser
    address: str
    folder: Path
    aws: Account

    @property
    def files(self) -> KeyFiles:
        """The files of the button's certificate."""
        return KeyFiles(self.folder / "keys" / "sandbox" / "my-button")

    def page(self, width: int = 1280, height: int = 1400, zoom: int = 1) -> Page:
        """Open a window. To zoom is to have so many pixels fewer, and each of them larger."""
        return self.browser.new_page(
            viewport={"width": width // zoom, "height": height // zoom}, device_scale_factor=zoom
        )


@contextmanager
def trusted(folder: Path, home: Path) -> Iterator[None]:
    """Have the Jupyter of that home trust the notebooks, as a learner's own does."""
    data_dir = home / "data"
    data_dir.mkdir()
    copies.trust((file.read_bytes() for file in copies.lesson(folder)), data_dir=data_dir)
    yield


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("home")
    with (
        chromium() as running,
        workplace() as (folder, env),
        trusted(folder, home),
        lab(folder, env, home) as address,
        chdir(folder),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("IOT_TUTORIAL_STATE_DIR", env["IOT_TUTORIAL_STATE_DIR"])
        yield Desk(running, address, folder, account.connect())
        process.stop(process.state_dir())  # only its parent sees it end


@pytest.fixture
def empty_desk(desk: Desk) -> Desk:
    """An account where nothing exists."""
    closing.clean_up(desk.aws)
    assert closing.inventory(desk.aws).empty
    return desk
