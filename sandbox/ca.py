"""The authority that vouches for the broker, in place of Amazon Root CA 1: kept between runs."""

from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.files import write_whole
from sandbox.state_files import keep, recall, take_over


def authority(folder: Path) -> trustme.CA:
    """Return the authority of the last run, so that clients' files stay valid, or make one.

    ``ca.pem``, which clients read, is written from it where it says anything else.

    Args:
        folder: Where it is kept; it exists.

    Raises:
        OSError: a file in *folder* cannot be read or written.
    """
    file, shown, earlier = folder / "authority", folder / "ca.pem", folder / "ca.key"
    lost = (
        f"A new authority is made. Devices that know the old one will not connect: copy {shown} "
        "over their root-ca.pem, or delete their folders of key files and run notebook 03 again."
    )
    if earlier.exists():
        certificate = shown.read_bytes() if shown.exists() else b""
        take_over(file, earlier, earlier.read_bytes() + certificate, _read, lost=lost)
    content = recall(file, _read, lost=lost)
    if content is None:
        made = trustme.CA(organization_name="IoT button tutorial sandbox")
        content = made.private_key_pem.bytes() + made.cert_pem.bytes()
        keep(file, content)
    keep(file, content)  # again, so that there is the same before it if it is damaged
    found = _read(content)
    if not shown.exists() or shown.read_bytes() != found.cert_pem.bytes():
        write_whole(shown, found.cert_pem.bytes())
    return found


def _read(content: bytes) -> trustme.CA:
    """Make the authority of its key and its certificate, PEM, the key first.

    Raises:
        ValueError: they are damaged, or do not belong together.
    """
    try:
        certificate = x509.load_pem_x509_certificate(content)
        certificate.verify_directly_issued_by(certificate)
        matches = load_pem_private_key(content, None).public_key() == certificate.public_key()
    except Exception as problem:  # damaged PEM may raise anything
        raise ValueError("it holds no authority") from problem
    if not matches:
        raise ValueError("its key is not its certificate's")
    return trustme.CA.from_pem(content, content)
