"""A certificate's files: written once, readable by their owner only, never shown.

A folder holds all four files or does not count: until they are written, its name ends in
``.unfinished``. Folders have mode 0700, files 0600, where there are modes.
"""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from helpers.errors import LessonError
from helpers.marker import missing

_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class KeyFiles:
    """The four files that the console offers for download, in one folder."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The device's certificate, PEM. It is shown to everyone."""
        return self.folder / "certificate.pem.crt"

    @property
    def private_key(self) -> Path:
        """The private key, PEM. Only the device may have it."""
        return self.folder / "private.pem.key"

    @property
    def public_key(self) -> Path:
        """The public key, PEM. The certificate holds it too."""
        return self.folder / "public.pem.key"

    @property
    def root_ca(self) -> Path:
        """The root certificate, PEM, by which the device recognises AWS IoT."""
        return self.folder / "root-ca.pem"

    @property
    def certificate_id(self) -> str:
        """SHA-256 of the certificate's DER form, hexadecimal: AWS IoT's id for it."""
        if known := self.existing().known_id:
            return known
        raise LessonError(
            f"{self.certificate} is damaged: retire it (certificate.retire), then issue a new one.",
            entry="There are key files already",
        )

    @property
    def known_id(self) -> str:
        """The same; empty where the certificate's file is missing or damaged."""
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        except (OSError, ValueError, x509.InvalidVersion):
            return ""
        return certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def pem(self) -> str:
        """What is in the certificate's file."""
        return self.existing().certificate.read_text("utf-8", "replace")

    @property
    def readers(self) -> dict[str, str]:
        """The files' names, and who may read each, as far as this system can say."""
        return {file.name: _readers(file) for file in sorted(self.existing().folder.iterdir())}

    def existing(self) -> Self:
        """Return these files; raise LessonError where the certificate or its key is gone."""
        if saved(self.folder) is None:
            raise missing("folder of key files", str(self.folder), "run the cells from the top")
        return self

    def computed_public_key(self) -> PublicKeyTypes | None:
        """Compute the public key from the private one; ``None`` where that cannot be read.

        Only these files can use a certificate with this public key.
        """
        try:
            # Checking a key takes 50 ms, for nothing: a damaged one's public key does not match.
            pem, skip = self.private_key.read_bytes(), {"unsafe_skip_rsa_key_validation": True}
            return load_pem_private_key(pem, None, **skip).public_key()
        except (OSError, TypeError, ValueError, UnsupportedAlgorithm):  # none, locked, damaged
            return None

    def delete(self) -> None:
        """Delete the files, the private key last, and the folder."""
        for file in (self.root_ca, self.public_key, self.certificate, self.private_key):
            if file.is_dir():  # no file of ours: it goes if it is empty
                with suppress(OSError):
                    file.rmdir()
            else:
                file.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def save_keys(folder: Path, private_key: str, public_key: str) -> None:
    """Write the two keys, PEM, of a certificate that AWS has yet to issue.

    Raises:
        LessonError: the folder is there already. Nothing is overwritten.
    """
    if folder.exists():
        raise LessonError(
            f"{folder} is there already, and a private key is written once. "
            "Move that folder away, or retire its certificate first.",
            entry="There are key files already",
        )
    unfinished = KeyFiles(unfinished_folder(folder))
    _make_private(unfinished.folder)
    _write_once(unfinished.private_key, private_key)
    _write_once(unfinished.public_key, public_key)


def add_certificate(folder: Path, certificate: str, *, root_ca: str) -> KeyFiles:
    """Write the two certificates, PEM, beside the keys, and give the folder its final name."""
    unfinished = KeyFiles(unfinished_folder(folder))
    _write_once(unfinished.certificate, certificate)
    _write_once(unfinished.root_ca, root_ca)
    unfinished.folder.rename(folder)
    return KeyFiles(folder)


def unfinished_folder(folder: Path) -> Path:
    """Return where the files are written until all four are there and it becomes *folder*."""
    return folder.with_name(f"{folder.name}{_UNFINISHED}")


def folders(key_folder: Path) -> list[Path]:
    """List the folders of key files, unfinished ones and those that were moved included."""
    here = (folder for folder in key_folder.glob("[!.]*") if folder.is_dir())
    return sorted({*here, *(file.parent for file in key_folder.rglob("*.pem.*"))} - {key_folder})


def unfinished(key_folder: Path) -> list[KeyFiles]:
    """List the files of each save that was interrupted, or is still at work."""
    return [KeyFiles(each) for each in folders(key_folder) if each.name.endswith(_UNFINISHED)]


def all_saved(key_folder: Path) -> list[KeyFiles]:
    """List the files of each certificate that is saved with its private key."""
    return [files for files in with_key(key_folder) if files.certificate.is_file()]


def with_key(key_folder: Path) -> list[KeyFiles]:
    """List the files in each folder that holds a private key, finished ones only."""
    whole = [each for each in folders(key_folder) if not each.name.endswith(_UNFINISHED)]
    return [files for files in map(KeyFiles, whole) if files.private_key.is_file()]


def saved(folder: Path) -> KeyFiles | None:
    """Return the files in *folder*; ``None`` where certificate or private key is missing."""
    files = KeyFiles(folder)
    return files if files.certificate.is_file() and files.private_key.is_file() else None


def _readers(file: Path) -> str:
    if os.name == "nt":
        return "see its Properties, Security"  # Windows keeps that apart from a file's mode
    # In the browser edition there are no modes: only this browser's own pages reach its storage.
    mode = 0o600 if sys.platform == "emscripten" else file.stat().st_mode & 0o777
    return f"others too (mode {mode:o})" if mode & 0o077 else "only you"


def _make_private(folder: Path) -> None:
    # Only a folder that is made here gets the mode: one that is there keeps its own.
    if not folder.exists():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700)


def _write_once(file: Path, content: str) -> None:
    # O_EXCL: even a file that appears at this very moment is not overwritten.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(content)
