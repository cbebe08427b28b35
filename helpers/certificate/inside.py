"""What a certificate says."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from prettytable import PrettyTable

from helpers.table import table


def look_inside(pem: str) -> PrettyTable:
    """Show what a certificate says. It holds no secret: it is what a device shows to everyone.

    Args:
        pem: The certificate, PEM.
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    key = certificate.public_key()
    kind = f"RSA, {key.key_size} bits" if isinstance(key, RSAPublicKey) else type(key).__name__
    rows = [
        ("Subject (whose it is)", certificate.subject.rfc4514_string()),
        ("Issuer (who vouches)", certificate.issuer.rfc4514_string()),
        ("Valid until", f"{certificate.not_valid_after_utc:%Y-%m-%d}"),
        ("Public key", kind),
    ]
    return table(["Field", "Value"], rows)
