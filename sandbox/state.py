"""What the sandbox knows, on disk after every change: a killed sandbox comes back with it."""

import pickle
from pathlib import Path

from moto.iot.models import iot_backends

from sandbox.errors import SandboxError


class State:
    """The IoT registry of every account, kept in one file.

    Pickled, because that is the whole registry with the links inside it; the file stands in a
    folder that only its owner can write (docs/decisions/0003-state-is-pickled.md).
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._saved = b""

    def save(self) -> None:
        """Write the registry, whole or not at all; nothing where nothing has changed."""
        registry = {
            (account, region): vars(backend)
            for account, regions in list(iot_backends.items())
            for region, backend in list(regions.items())
        }
        content = pickle.dumps(registry)
        if content == self._saved:
            return
        partial = self.file.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_bytes(content)
        partial.replace(self.file)
        self._saved = content

    def restore(self) -> None:
        """Bring back what was saved, if anything was.

        Raises:
            SandboxError: the file cannot be read; it is left as it is.
        """
        if not self.file.exists():
            return
        try:
            registry = pickle.loads(self.file.read_bytes())  # noqa: S301  our own file, in our own folder
        except (
            pickle.UnpicklingError,
            EOFError,
            AttributeError,
            ImportError,
            IndexError,
        ) as problem:
            raise SandboxError(
                f"The sandbox cannot read what it knew ({self.file.name}: {problem}). "
                f"Delete {self.file} to start with an empty account."
            ) from problem
        for (account, region), content in registry.items():
            vars(iot_backends[account][region]).update(content)
