"""A certificate's files: written once, readable by their owner only, never shown."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from helpers.errors import LessonError

if TYPE_CHECKING:
    from mypy_boto3_iot.type_defs import CreateKeysAndCertificateResponseTypeDef

_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class KeyFiles:
    """The four files that the console offers for download, in one folder."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The device's certificate, PEM: what it shows to everyone."""
        return self.folder / "certificate.pem.crt"

    @property
    def private_key(self) -> Path:
        """The private key, PEM: what only the device may have."""
        return self.folder / "private.pem.key"

    @property
    def public_key(self) -> Path:
        """The public key, PEM; the certificate holds it too."""
        return self.folder / "public.pem.key"

    @property
    def root_ca(self) -> Path:
        """The root certificate that the device checks AWS IoT against, PEM."""
        return self.folder / "root-ca.pem"

    @property
    def certificate_id(self) -> str:
        """SHA-256 of the certificate's DER form: the id that AWS IoT knows it by."""
        certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        return certificate.fingerprint(hashes.SHA256()).hex()

    def computed_public_key(self) -> PublicKeyTypes | None:
        """Compute the public key from the private one; ``None`` where that is not there, or half.

        A certificate with this public key is of use to these files alone.
        """
        if not self.private_key.exists():
            return None
        try:
            # Validating a key takes 50 ms and tells nothing here: its public key will not match.
            pem, skip = self.private_key.read_bytes(), {"unsafe_skip_rsa_key_validation": True}
            return load_pem_private_key(pem, None, **skip).public_key()
        except ValueError:
            return None

    def delete(self) -> None:
        """Delete the files, the private key last, and the folder."""
        for file in (self.root_ca, self.public_key, self.certificate, self.private_key):
            file.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def save(
    answer: "CreateKeysAndCertificateResponseTypeDef", folder: Path, *, root_ca: str
) -> KeyFiles:
    """Write a new certificate's files: the folder 0700, each file 0600, all four or none.

    Args:
        answer: What ``create_keys_and_certificate`` returned.
        folder: Where to. It must not be there yet.
        root_ca: The root certificate to put beside them, PEM.

    Raises:
        LessonError: the folder is there already. Nothing is overwritten.

    Source: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateKeysAndCertificate.html
    """
    keys = answer["keyPair"]
    begin(folder, keys["PrivateKey"], keys["PublicKey"])
    return finish(folder, answer["certificatePem"], root_ca=root_ca)


def begin(folder: Path, private_key: str, public_key: str) -> None:
    """Write the two keys, PEM, of a certificate that is still to come.

    Raises:
        LessonError: the folder is there already. Nothing is overwritten.
    """
    if folder.exists():
        raise LessonError(
            f"{folder} is there already, and a private key is written once. "
            "Move that folder away, or retire its certificate first."
        )
    unfinished = KeyFiles(in_the_making(folder))
    _make_private(unfinished.folder)
    _write_once(unfinished.private_key, private_key)
    _write_once(unfinished.public_key, public_key)


def finish(folder: Path, certificate: str, *, root_ca: str) -> KeyFiles:
    """Write the two certificates, PEM, beside the keys. From now on the folder has its name."""
    unfinished = KeyFiles(in_the_making(folder))
    _write_once(unfinished.certificate, certificate)
    _write_once(unfinished.root_ca, root_ca)
    unfinished.folder.rename(folder)
    return KeyFiles(folder)


def in_the_making(folder: Path) -> Path:
    """Where *folder* is written before it is whole and gets its name."""
    return folder.with_name(f"{folder.name}{_UNFINISHED}")


def folders(keys: Path) -> list[Path]:
    """List the folders of key files in *keys*, those in the making among them."""
    return sorted(folder for folder in keys.glob("[!.]*") if folder.is_dir())


def unfinished(keys: Path) -> list[KeyFiles]:
    """List what in *keys* an interrupted save left behind, or one is still at."""
    return [KeyFiles(each) for each in folders(keys) if each.name.endswith(_UNFINISHED)]


def all_saved(keys: Path) -> list[KeyFiles]:
    """List the certificates whose files are saved, whole, in *keys*."""
    whole = [each for each in folders(keys) if not each.name.endswith(_UNFINISHED)]
    return [files for files in map(saved, whole) if files is not None]


def saved(folder: Path) -> KeyFiles | None:
    """Give the files of *folder*, where a certificate and its private key are there."""
    files = KeyFiles(folder)
    return files if files.certificate.exists() and files.private_key.exists() else None


def _make_private(folder: Path) -> None:
    # Only what is made here gets the mode: a folder that is there stays as it is.
    if not folder.exists():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700)


def _write_once(file: Path, content: str) -> None:
    # O_EXCL: not even a file that appeared this very moment is overwritten.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(content)
